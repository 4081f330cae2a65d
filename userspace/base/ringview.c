// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ringview.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is entered in some 70 us; or that part of a ring that is larger. */
#define PIECE_BYTES (1ull << 20)
#define PIECES_MAX 128

/* The number behind "\nNAME:" in @p text, or -1. */
static long long info_value(const char *text, const char *name)
{
	size_t bytes = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, bytes) && line[bytes] == ':')
			return strtoll(line + bytes + 1, NULL, 10);
	}
	return -1;
}

int ringview_identify(int fd, struct ringview_info *ret)
{
	long long type, id, bytes;
	char text[2048];
	char path[64];
	ssize_t got;
	int file;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	got = read(file, text, sizeof(text) - 1);
	if (got < 0)
		got = -errno;
	(void)close(file);
	if (got < 0)
		return (int)got;
	text[got] = '\0';

	type = info_value(text, "map_type");
	id = info_value(text, "map_id");
	bytes = info_value(text, "max_entries");
	if (type != BPF_MAP_TYPE_RINGBUF || id < 0 || bytes <= 0 || (bytes & (bytes - 1)))
		return -EINVAL;
	ret->map_id = (uint32_t)id;
	ret->bytes = (uint64_t)bytes;
	return 0;
}

int ringview_map(int fd, uint64_t offset, uint64_t bytes, void **ret)
{
	uint64_t piece = PIECE_BYTES;
	uint8_t *whole;

	while (bytes / piece >= PIECES_MAX)
		piece *= 2;
	whole = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (whole == MAP_FAILED)
		return -errno;
	for (uint64_t at = 0; at < bytes; at += piece) {
		uint64_t left = bytes - at;

		if (mmap(whole + at, left < piece ? left : piece, PROT_READ, MAP_SHARED | MAP_FIXED,
			 fd, (off_t)(offset + at)) == MAP_FAILED) {
			int err = -errno;

			(void)munmap(whole, bytes);
			return err;
		}
	}
	*ret = whole;
	return 0;
}

int ringview_open(int fd, struct ringview *ret)
{
	struct ringview_info info = {0};
	struct ringview view;
	uint8_t *mapping;
	void *all = NULL;
	int err;

	err = ringview_identify(fd, &info);
	if (err)
		return err;
	view.bytes = info.bytes;
	view.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	/* All of it at once: consumer, producer, data, data again. */
	err = ringview_map(fd, 0, 2 * view.page_bytes + 2 * view.bytes, &all);
	if (err)
		return err;
	mapping = all;
	view.consumer = (const uint64_t *)(void *)mapping;
	view.producer = (const uint64_t *)(void *)(mapping + view.page_bytes);
	view.data = mapping + 2 * view.page_bytes;
	*ret = view;
	return 0;
}

void ringview_close(struct ringview *view)
{
	if (!view || !view->consumer)
		return;
	(void)munmap((void *)(uintptr_t)view->consumer, 2 * view->page_bytes + 2 * view->bytes);
	memset(view, 0, sizeof(*view));
}

int ringview_count(const struct ringview *view, uint64_t from, uint64_t *ret)
{
	uint64_t to = __atomic_load_n(view->producer, __ATOMIC_ACQUIRE);
	uint64_t position = from;
	uint64_t count = 0;

	if (from > to || to - from > view->bytes || from % 8)
		return -EAGAIN;
	while (position < to) {
		const void *header = view->data + (position & (view->bytes - 1));
		uint32_t length = __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);

		if (length & RING_BUSY_BIT)
			break;
		position += ring_record_span(length);
		count += !(length & RING_DISCARD_BIT);
	}
	/* A consumer that went on has let the producer overwrite what was read. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (position > to || __atomic_load_n(view->producer, __ATOMIC_RELAXED) - from > view->bytes)
		return -EAGAIN;
	*ret = count;
	return 0;
}
