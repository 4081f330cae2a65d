// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "stateview.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define TRIES 1000
#define WAIT_NS (5 * CLOCK_NS_PER_S)
#define PAUSE_NS (CLOCK_NS_PER_MS / 2)

uint32_t state_value_bytes(const struct bundle_function *function)
{
	if (!function->has_timer)
		return function->state_bytes;
	return FAAS_ALIGN8(function->state_bytes) + (uint32_t)sizeof(uint64_t);
}

/* Map the whole file for reading, at least @p least bytes. */
static int map(int directory, const char *name, uint64_t least, const void **ret,
	       uint64_t *ret_bytes)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;
	void *mapping;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		err = -errno;
	else if ((uint64_t)status.st_size < least)
		err = -EINVAL;
	mapping =
		err ? MAP_FAILED : mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (!err && mapping == MAP_FAILED)
		err = -errno;
	close(fd);
	if (err)
		return err;
	*ret = mapping;
	*ret_bytes = (uint64_t)status.st_size;
	return 0;
}

/* The header is the worker's: nothing in it leads out of the file. */
static int check(const struct state_header *header, uint64_t bytes)
{
	uint64_t slot = sizeof(struct state_slot) + FAAS_ALIGN8((uint64_t)header->key_bytes) +
			FAAS_ALIGN8((uint64_t)header->value_bytes);

	if (!header->magic)
		return -ENODATA;
	if (header->magic != STATE_MAGIC || header->version != STATE_VERSION ||
	    header->key_bytes > FAAS_KEY_BYTES_MAX ||
	    header->value_bytes > FAAS_STATE_BYTES_MAX + 8 || header->slot_bytes < slot ||
	    header->slot_bytes % 8 || !header->capacity ||
	    header->capacity > (bytes - STATE_DATA_OFFSET) / header->slot_bytes)
		return -EINVAL;
	return 0;
}

int stateview_open(int directory, uint32_t function, struct stateview *ret)
{
	struct stateview view = {0};
	const void *mapping = NULL;
	uint64_t page_bytes;
	char name[16];
	int err;

	snprintf(name, sizeof(name), "state.%u", function);
	err = map(directory, name, STATE_DATA_OFFSET, &mapping, &view.bytes);
	if (err || !mapping)
		return err ? err : -EIO;
	view.live = mapping;
	view.header = *view.live;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	err = check(&view.header, view.bytes);
	if (!err)
		err = map(directory, "worker.page", WORKER_PAGE_BYTES, &mapping, &page_bytes);
	if (!err)
		view.page = mapping;
	if (err)
		stateview_close(&view);
	else
		*ret = view;
	return err;
}

void stateview_close(struct stateview *view)
{
	if (view->live)
		munmap((void *)(uintptr_t)view->live, view->bytes);
	if (view->page)
		munmap((void *)(uintptr_t)view->page, WORKER_PAGE_BYTES);
	*view = (struct stateview){0};
}

/* One look. Returns as stateview_read, but what it read may be half of two. */
static int look(const struct stateview *view, uint64_t index, struct stateview_entry *ret)
{
	const uint8_t *data = (const uint8_t *)view->live + STATE_DATA_OFFSET;
	const struct state_slot *slot = (const void *)(data + index * view->header.slot_bytes);
	const uint8_t *key = (const uint8_t *)(slot + 1);

	if (!__atomic_load_n(&slot->mark, __ATOMIC_ACQUIRE))
		return 0;
	ret->key_bytes = __atomic_load_n(&slot->key_bytes, __ATOMIC_RELAXED);
	if (ret->key_bytes > view->header.key_bytes)
		return -EAGAIN;
	memcpy(ret->key, key, ret->key_bytes);
	memcpy(ret->value, key + FAAS_ALIGN8(view->header.key_bytes), view->header.value_bytes);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return 1;
}

static bool is_settled(const struct stateview *view)
{
	return __atomic_load_n(&view->page->state, __ATOMIC_ACQUIRE) != WORKER_STARTING;
}

static bool is_copying(const struct stateview *view)
{
	return __atomic_load_n(&view->live->changes, __ATOMIC_ACQUIRE) & 1;
}

int stateview_read(const struct stateview *view, uint64_t index, struct stateview_entry *ret)
{
	struct stateview_entry first, second;

	/* Alike before and after a moment at which nothing was being copied: this is
	 * what stood there at that moment. To compare alone would not do, for a worker
	 * may be suspended in the middle of a copy. */
	for (unsigned int i = 0; i < TRIES && is_settled(view); i++) {
		int there = look(view, index, &first);

		if (!there)
			return 0;
		if (there < 0 || is_copying(view) || look(view, index, &second) != 1 ||
		    first.key_bytes != second.key_bytes ||
		    memcmp(first.key, second.key, first.key_bytes) ||
		    memcmp(first.value, second.value, view->header.value_bytes) ||
		    !is_settled(view))
			continue;
		ret->key_bytes = first.key_bytes;
		memcpy(ret->key, first.key, first.key_bytes);
		memcpy(ret->value, first.value, view->header.value_bytes);
		return 1;
	}
	return -EAGAIN;
}

uint64_t stateview_count(const struct stateview *view)
{
	const uint8_t *data = (const uint8_t *)view->live + STATE_DATA_OFFSET;
	uint64_t count = 0;

	for (uint64_t i = 0; i < view->header.capacity; i++) {
		const struct state_slot *slot = (const void *)(data + i * view->header.slot_bytes);

		count += __atomic_load_n(&slot->mark, __ATOMIC_RELAXED) != 0;
	}
	return count;
}

int stateview_read_wait(const struct stateview *view, uint64_t index, struct stateview_entry *ret)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t deadline = 0;
	int there;

	while ((there = stateview_read(view, index, ret)) == -EAGAIN) {
		uint64_t now = clock_monotonic_ns();

		if (!deadline)
			deadline = now + WAIT_NS;
		if (now >= deadline)
			break;
		nanosleep(&pause, NULL);
	}
	return there;
}
