// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "carried.h"
#include "counters.h"
#include "generation.h"
#include "log_header.h"
#include "ringview.h"

#define READ_TRIES 100
/* How long an update may take until the figures of its middle are shown. */
#define CHANGE_TRIES 10
#define CHANGE_PAUSE_MS 10

static int open_workflow_pin(const struct bundle *bundle, uint32_t generation, const char *pin)
{
	char directory[FAAS_PATH_BYTES - 32], path[FAAS_PATH_BYTES];
	int fd;

	generation_pins(bundle->name, generation, directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/%s", directory, pin);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* Sum of the meters over all CPUs. */
static int read_meters(const struct bundle *bundle, uint32_t generation, struct faas_meters *ret,
		       struct ledger *ret_ledger)
{
	size_t functions_bytes = bundle->kernel_count * sizeof(ret_ledger->kernel[0]);
	size_t bytes = counters_meters_bytes(bundle);
	uint8_t *sum = malloc(bytes);
	int fd = open_workflow_pin(bundle, generation, FAAS_PIN_METERS);
	int error = sum ? 0 : -ENOMEM;

	if (fd < 0)
		error = fd;
	if (!error) /* -ESTALE: the bundle is of another version */
		error = counters_sum(fd, 1, 0, sum, bytes);
	if (!error) {
		memcpy(ret, sum, sizeof(*ret));
		memcpy(ret_ledger->kernel, sum + sizeof(*ret), functions_bytes);
		memcpy(ret_ledger->shed, sum + sizeof(*ret) + functions_bytes,
		       bytes - sizeof(*ret) - functions_bytes);
	}
	if (fd >= 0)
		close(fd);
	free(sum);
	return error;
}

/* Zero where it cannot be read: it is there to be shown, nothing follows from it. */
static void read_wake(const struct bundle *bundle, uint32_t generation, struct faas_wake *ret)
{
	int fd = open_workflow_pin(bundle, generation, FAAS_PIN_WAKE);
	uint32_t zero = 0;

	if (fd < 0)
		return;
	if (bpf_map_lookup_elem(fd, &zero, ret))
		memset(ret, 0, sizeof(*ret));
	close(fd);
}

static int open_page(const struct bundle *bundle, const char *name)
{
	char path[FAAS_PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", FAAS_RUN_WORKFLOWS, bundle->name, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Read a page file as it is. */
static int read_page(const struct bundle *bundle, const char *name, uint64_t magic, void *ret,
		     size_t bytes)
{
	int fd = open_page(bundle, name);
	ssize_t got;

	if (fd < 0)
		return fd;
	got = pread(fd, ret, bytes, 0);
	close(fd);
	if (got != (ssize_t)bytes || *(uint64_t *)ret != magic)
		return -EINVAL;
	return 0;
}

/* The worker's page, mapped: a copy would be torn. NULL with errno. */
static const void *map_page(const struct bundle *bundle, const char *name, size_t bytes)
{
	int fd = open_page(bundle, name);
	struct stat info;
	void *page = NULL;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &info) && info.st_size >= (off_t)bytes) {
		page = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
		if (page == MAP_FAILED)
			page = NULL;
	} else {
		errno = EINVAL;
	}
	close(fd);
	return page;
}

/* Where the first record begins that is not processed: where the log has it, if it counts in
 * this ring already. Nothing was taken from it else. */
static uint64_t first_of(const struct log_header *log, const struct ringview *ring,
			 uint32_t ring_map_id, const struct page_counters *user)
{
	if (__atomic_load_n(&log->ring_map_id, __ATOMIC_ACQUIRE) != ring_map_id ||
	    user->sequence < log->ring_first_sequence)
		return __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	return user->ring_position;
}

/*
 * The worker's counters say up to which position of the ring they count; what
 * lies behind that is in flight. If the worker moves on in between, the ring
 * under that position may be written again: then look again.
 */
static int read_user_tier(const struct bundle *bundle, const struct ringview *ring,
			  uint32_t ring_map_id, struct ledger *ret)
{
	const struct log_header *log = map_page(bundle, "log", sizeof(*log));
	const struct worker_page *page;
	int error = -EAGAIN;

	if (!log)
		return -errno;
	page = map_page(bundle, "worker.page", WORKER_PAGE_BYTES);
	if (!page) {
		error = -errno;
		munmap((void *)log, sizeof(*log));
		return error;
	}
	if (page->magic != WORKER_PAGE_MAGIC)
		error = -EINVAL;
	for (int i = 0; i < READ_TRIES && error == -EAGAIN; i++) {
		if (worker_page_read(page, &ret->user)) {
			error = -EINVAL;
			break;
		}
		error = ringview_count(ring, first_of(log, ring, ring_map_id, &ret->user),
				       &ret->in_flight);
	}
	ret->worker = *page;
	munmap((void *)page, WORKER_PAGE_BYTES);
	munmap((void *)log, sizeof(*log));
	if (error)
		return error;
	ret->processed = ret->user.processed;
	ret->dead_lettered = ret->user.dead_lettered;
	ret->log_head = ret->worker.head;
	return 0;
}

static int read_courier(const struct bundle *bundle, struct ledger *ret)
{
	struct courier_page page = {0};
	int error = read_page(bundle, "courier.page", COURIER_PAGE_MAGIC, &page, sizeof(page));
	int fd = error ? error : open_page(bundle, "courier.page");

	if (fd < 0)
		return fd;
	error = pages_read_cursor(fd, &ret->courier);
	close(fd);
	if (error)
		return error;
	/* Behind the last output there is nothing to deliver. */
	if (ret->courier.log_position < ret->user.output_position)
		ret->log_pending_bytes = ret->user.output_position - ret->courier.log_position;
	return read_page(bundle, "runtime.page", RUNTIME_PAGE_MAGIC, &ret->runtime,
			 sizeof(ret->runtime));
}

static int open_ring(const struct bundle *bundle, uint32_t generation, const char *pin,
		     struct ringview *ret, uint32_t *ret_map_id)
{
	int fd = open_workflow_pin(bundle, generation, pin), error;
	struct ringview_info info = {0};

	if (fd < 0)
		return fd;
	error = ringview_identify(fd, &info);
	if (!error)
		error = ringview_open(fd, ret);
	close(fd);
	*ret_map_id = info.map_id;
	return error;
}

/* What is in a ring that no worker has come to yet. */
static int add_waiting(const struct ringview *ring, struct ledger *ret)
{
	uint64_t waiting = 0;
	int error =
		ringview_count(ring, __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE), &waiting);

	ret->in_flight += waiting;
	return error;
}

/* The same of the one that a generation moves to, if it does. */
static int add_next(const struct bundle *bundle, uint32_t generation, struct ledger *ret)
{
	struct ringview next;
	uint32_t ignored;
	int error = open_ring(bundle, generation, FAAS_PIN_RING_NEXT, &next, &ignored);

	if (error)
		return error == -ENOENT ? 0 : error;
	error = add_waiting(&next, ret);
	ringview_close(&next);
	return error;
}

/* The worker may be at the ring of a version that did not stay; then its own is @p own, and
 * the next. */
static int read_rings(const struct bundle *bundle, uint32_t generation, const struct ringview *own,
		      uint32_t own_map_id, struct ledger *ret)
{
	struct runtime_page page = {0};
	struct ringview rest;
	uint32_t rest_map_id;
	int error;

	(void)read_page(bundle, "runtime.page", RUNTIME_PAGE_MAGIC, &page, sizeof(page));
	if (!page.rest_generation || page.generation != generation) {
		error = read_user_tier(bundle, own, own_map_id, ret);
		return error ? error : add_next(bundle, generation, ret);
	}
	error = open_ring(bundle, page.rest_generation, FAAS_PIN_RING0, &rest, &rest_map_id);
	if (error)
		return error;
	error = read_user_tier(bundle, &rest, rest_map_id, ret);
	ringview_close(&rest);
	if (!error)
		error = add_next(bundle, page.rest_generation, ret);
	if (!error)
		error = add_waiting(own, ret);
	return error ? error : add_next(bundle, generation, ret);
}

/* As of one generation. */
static int read_generation(const struct host *host, const struct bundle *bundle, uint32_t slot,
			   uint32_t generation, struct ledger *ret)
{
	struct faas_registry_entry stopped;
	struct faas_slot_counters counters;
	struct faas_meters meters, carried;
	struct ringview ring;
	uint32_t ring_map_id;
	int error;

	memset(ret, 0, sizeof(*ret));
	ret->has_user_tier = bundle_needs_runtime(bundle);
	if (bundle->deadline_ns)
		read_wake(bundle, generation, &ret->wake);
	if (ret->has_user_tier) {
		error = open_ring(bundle, generation, FAAS_PIN_RING0, &ring, &ring_map_id);
		if (error)
			return error;
		ret->ring_bytes = ring.bytes;
		error = read_rings(bundle, generation, &ring, ring_map_id, ret);
		if (!error)
			error = read_courier(bundle, ret);
		else
			/* The runtime's page says why, and no function can write to it. */
			(void)read_page(bundle, "runtime.page", RUNTIME_PAGE_MAGIC, &ret->runtime,
					sizeof(ret->runtime));
		ret->user_tier_readable = !error;
		ringview_close(&ring);
	}
	/* Outcomes before what they are outcomes of: a packet that is between
	 * the two shows as in the kernel, never as a negative. */
	error = read_meters(bundle, generation, &meters, ret);
	if (!error)
		error = carried_read(bundle->name, generation, &carried);
	if (error)
		return error;
	stopped = host->registry[slot];
	error = host_slot_counters(host, slot, &counters);
	if (error)
		return error;
	ret->matched = counters.matched;
	ret->matched_bytes = counters.matched_bytes;
	ret->lost_no_program = counters.no_program;
	ret->stopped_dropped = stopped.stopped_dropped;
	ret->stopped_passed = stopped.stopped_passed;
	ret->dropped = meters.dropped + carried.dropped + ret->stopped_dropped;
	ret->bypassed = counters.bypassed;
	ret->passed = meters.passed + carried.passed + counters.bypassed + ret->stopped_passed;
	ret->observed_dropped = meters.observed_dropped + carried.observed_dropped;
	ret->observed_turned = meters.observed_turned + carried.observed_turned;
	ret->replied = meters.replied + carried.replied;
	ret->redirected = meters.redirected + carried.redirected;
	ret->emitted = meters.emitted + carried.emitted;
	ret->lost_ring_full = meters.lost_ring_full + carried.lost_ring_full;
	ret->lost_no_route = meters.lost_no_route + carried.lost_no_route;
	ret->lost_error = meters.lost_error + carried.lost_error;
	ret->shed_deadline = meters.shed_deadline + carried.shed_deadline;
	ret->shed_sampled = meters.shed_sampled + carried.shed_sampled;
	ret->lost_stale_trigger = meters.lost_stale_trigger + carried.lost_stale_trigger;
	ret->in_kernel = ret->matched - ret->dropped - ret->passed - ret->replied -
			 ret->redirected - ret->lost_no_program;
	return 0;
}

/* Counters of two generations are added up and links lead to the new one while a
 * version changes: what is read then belongs to neither. */
int ledger_read(const struct host *host, const struct bundle *bundle, uint32_t slot,
		struct ledger *ret)
{
	const struct faas_registry_entry *entry = &host->registry[slot];
	const struct timespec pause = {0, CHANGE_PAUSE_MS * 1000000L};
	int error = 0;

	for (int i = 0; i < CHANGE_TRIES; i++) {
		uint32_t generation = __atomic_load_n(&entry->generation, __ATOMIC_ACQUIRE);
		bool changing =
			__atomic_load_n(&entry->state, __ATOMIC_ACQUIRE) == FAAS_REGISTRY_UPDATING;

		error = read_generation(host, bundle, slot, generation, ret);
		if (!changing &&
		    generation == __atomic_load_n(&entry->generation, __ATOMIC_ACQUIRE))
			break;
		nanosleep(&pause, NULL);
	}
	return error;
}

bool ledger_at_rest(const struct ledger *ledger)
{
	if (ledger->in_kernel)
		return false;
	if (!ledger->has_user_tier)
		return true;
	return ledger->user_tier_readable && !ledger->in_flight && !ledger->log_pending_bytes &&
	       ledger->emitted == ledger->processed + ledger->dead_lettered;
}
