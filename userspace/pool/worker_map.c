// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "clock.h"
#include "userspace/pool/worker_fds.h"

int worker_fail(struct worker *worker, int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(worker->error, sizeof(worker->error), format, arguments);
	va_end(arguments);
	return status;
}

/* Map a file of at least @p bytes_min; *ret_bytes, if wanted, is its size. */
static int map_part(struct worker *worker, const char *name, int fd, uint64_t bytes_min,
		    int protection, int populate, void **ret, uint64_t *ret_bytes)
{
	struct stat status;
	void *mapping;

	if (fstat(fd, &status))
		return worker_fail(worker, WORKER_EXIT_SETUP, "%s: fd %d: %s", name, fd,
				   strerror(errno));
	/* A page behind the end of a file would be SIGBUS at the first touch. */
	if ((uint64_t)status.st_size < bytes_min)
		return worker_fail(worker, WORKER_EXIT_SETUP,
				   "%s has %lld bytes, needs %llu at least", name,
				   (long long)status.st_size, (unsigned long long)bytes_min);
	mapping = mmap(NULL, (size_t)status.st_size, protection, MAP_SHARED | populate, fd, 0);
	if (mapping == MAP_FAILED)
		return worker_fail(worker, WORKER_EXIT_SETUP, "%s: cannot map: %s", name,
				   strerror(errno));
	*ret = mapping;
	if (ret_bytes)
		*ret_bytes = (uint64_t)status.st_size;
	return 0;
}

/* Populated: the memory is allocated, and no event waits for a fault. */
static int map_file(struct worker *worker, const char *name, int fd, uint64_t bytes_min,
		    int protection, void **ret, uint64_t *ret_bytes)
{
	return map_part(worker, name, fd, bytes_min, protection, MAP_POPULATE, ret, ret_bytes);
}

static int map_wake(struct worker *worker, int fd)
{
	/* A map's pages, whatever it holds: fstat says nothing of them. */
	void *mapping = mmap(NULL, FAAS_INSTANCES_MAX * sizeof(struct faas_wake),
			     PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (mapping == MAP_FAILED)
		return worker_fail(worker, WORKER_EXIT_SETUP, "wake map: cannot map: %s",
				   strerror(errno));
	worker->wake = (struct faas_wake *)mapping + worker->instance;
	return 0;
}

static int map_pages(struct worker *worker, const struct worker_files *files)
{
	void *mapping = NULL;
	int err;

	err = map_file(worker, "runtime.page", files->runtime_page, RUNTIME_PAGE_BYTES, PROT_READ,
		       &mapping, NULL);
	if (err)
		return err;
	assert(mapping);
	worker->runtime_page = mapping;
	if (worker->runtime_page->magic != RUNTIME_PAGE_MAGIC ||
	    worker->runtime_page->version != PAGES_VERSION)
		return worker_fail(worker, WORKER_EXIT_CORRUPT, "runtime.page: no such page");

	/* The courier may not have laid out its page yet: zeros are a cursor
	 * at the beginning. */
	err = map_file(worker, "courier.page", files->courier_page, COURIER_PAGE_BYTES, PROT_READ,
		       &mapping, NULL);
	if (err)
		return err;
	worker->courier_page = mapping;

	err = map_file(worker, "worker.page", files->worker_page, WORKER_PAGE_BYTES,
		       PROT_READ | PROT_WRITE, &mapping, NULL);
	if (err)
		return err;
	assert(mapping);
	worker->page = mapping;
	if (!worker->page->magic) {
		worker->page->version = PAGES_VERSION;
		__atomic_store_n(&worker->page->magic, WORKER_PAGE_MAGIC, __ATOMIC_RELEASE);
	}
	if (worker->page->magic != WORKER_PAGE_MAGIC || worker->page->version != PAGES_VERSION ||
	    worker->page->current > 1)
		return worker_fail(worker, WORKER_EXIT_CORRUPT, "worker.page: no such page");
	/* Before anything is mended in what others read. */
	__atomic_store_n(&worker->page->state, WORKER_STARTING, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return 0;
}

static int map_log(struct worker *worker, int fd)
{
	const struct runtime_page *runtime = worker->runtime_page;
	struct log_header *header;
	struct log_view view;
	void *mapping = NULL;
	int err;

	/* Not all of it is there yet. */
	err = map_part(worker, "log", fd, log_file_bytes(2, 4096), PROT_READ | PROT_WRITE,
		       runtime->log_given_back ? 0 : MAP_POPULATE, &mapping, &worker->log_bytes);
	if (err)
		return err;
	assert(mapping);
	worker->log_mapping = mapping;
	header = mapping;
	if (!header->magic) {
		uint64_t segments = (worker->log_bytes - LOG_DATA_OFFSET) / FAAS_LOG_SEGMENT_BYTES;

		if (segments < 2 || segments > UINT32_MAX)
			return worker_fail(worker, WORKER_EXIT_SETUP, "log: %llu bytes are too few",
					   (unsigned long long)worker->log_bytes);
		log_format(mapping, (uint32_t)segments, FAAS_LOG_SEGMENT_BYTES, runtime->log_id,
			   runtime->ring_boot_hash, runtime->ring_map_id);
	}
	if (log_view_open(mapping, worker->log_bytes, &view))
		return worker_fail(worker, WORKER_EXIT_CORRUPT,
				   "log: its header does not check out");
	if (view.log_id != runtime->log_id)
		return worker_fail(worker, WORKER_EXIT_CORRUPT,
				   "log: it is not this workflow's log");
	return 0;
}

static int map_ring(struct worker *worker, int fd)
{
	int err = ring_open(fd, &worker->ring);

	if (err)
		return worker_fail(worker, WORKER_EXIT_SETUP, "ring: cannot map: %s",
				   strerror(-err));
	if (worker->ring.map_id != worker->runtime_page->ring_map_id)
		return worker_fail(worker, WORKER_EXIT_SETUP,
				   "ring: is map %u, runtime.page says %u", worker->ring.map_id,
				   worker->runtime_page->ring_map_id);
	return 0;
}

int worker_open_table(struct worker *worker, uint32_t number)
{
	struct worker_function *function = &worker->functions[number];
	const char *instance = worker->bundle->user[number].instance;
	uint64_t seed = 0;
	int err;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return worker_fail(worker, WORKER_EXIT_SETUP, "getrandom: %s", strerror(errno));
	err = state_open(&function->table, function->state_mapping,
			 state_file_bytes(worker->bundle, number), &function->shape, seed);
	if (err)
		return worker_fail(worker, WORKER_EXIT_CORRUPT, "state of %s: %s", instance,
				   err == -ESTALE ? "is of another version or size"
						  : "does not check out");
	return 0;
}

static int map_state(struct worker *worker, uint32_t number, int fd)
{
	const struct bundle_function *description = &worker->bundle->user[number];
	struct worker_function *function = &worker->functions[number];
	struct state_shape *shape = &function->shape;
	int err;

	*shape = (struct state_shape){
		.keys_max = description->state_keys,
		.key_bytes = state_key_bytes(worker->bundle, number),
		.value_bytes = state_value_bytes(description),
		.value_version = description->state_version,
	};
	err = map_file(worker, description->instance, fd, state_file_bytes(worker->bundle, number),
		       PROT_READ | PROT_WRITE, &function->state_mapping, NULL);
	if (err)
		return err;
	function->copy = calloc(1, FAAS_ALIGN8(shape->value_bytes) + 8);
	if (!function->copy)
		return worker_fail(worker, WORKER_EXIT_SETUP, "no memory");
	if (description->has_timer)
		function->deadline = (uint64_t *)(void *)(function->copy + shape->value_bytes -
							  sizeof(uint64_t));
	/* What a recovery from the disk left half done is not looked at: it is done again. */
	if (description->state_mode == STATE_DURABLE && !worker->page->taken_up)
		return 0;
	return worker_open_table(worker, number);
}

int worker_map(struct worker *worker, const struct bundle *bundle, uint16_t instance,
	       const struct worker_files *files)
{
	int err;

	worker->bundle = bundle;
	worker->instance = instance;
	worker->batch_events = WORKER_BATCH_EVENTS_MIN;
	worker->shown = &worker->live;
	worker->now_ns = clock_monotonic_ns;
	worker->wall_offset_ns = clock_wall_offset_ns;
	worker->notify_fd = -1;
	worker->control_fd = -1;
	if (instance >= FAAS_INSTANCES_MAX)
		return worker_fail(worker, WORKER_EXIT_SETUP, "instance %u does not exist",
				   instance);
	err = map_pages(worker, files);
	if (!err)
		err = map_wake(worker, files->wake);
	if (!err)
		err = map_log(worker, files->log);
	if (!err)
		err = map_ring(worker, files->ring);
	for (uint32_t i = 0; !err && i < bundle->user_count; i++) {
		worker->functions[i].number = (uint8_t)i;
		worker->functions[i].has_state = bundle->user[i].has_state;
		if (bundle->user[i].has_state)
			err = map_state(worker, i, files->state[i]);
	}
	return err;
}
