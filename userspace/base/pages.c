// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is read by one call is copied in no certain order: some processors read ahead what
 * stands further behind. So what must be older than the rest is read by a call of its own,
 * and before the next one is waited until it has been.
 */
#include "pages.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#define TRIES 1000

static int read_part(int fd, size_t offset, size_t bytes, void *ret)
{
	ssize_t got = pread(fd, ret, bytes, (off_t)offset);

	if (got < 0)
		return -errno;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return (size_t)got == bytes ? 0 : -EIO;
}

int pages_read_counters(int fd, struct page_counters *ret)
{
	struct page_counters counters;
	uint64_t before, after;
	uint32_t current;
	int err;

	for (unsigned int i = 0; i < TRIES; i++) {
		err = read_part(fd, offsetof(struct worker_page, batches), sizeof(before), &before);
		if (!err)
			err = read_part(fd, offsetof(struct worker_page, current), sizeof(current),
					&current);
		if (!err)
			err = read_part(fd,
					offsetof(struct worker_page, counters) +
						(current & 1) * sizeof(counters),
					sizeof(counters), &counters);
		if (!err)
			err = read_part(fd, offsetof(struct worker_page, batches), sizeof(after),
					&after);
		if (err)
			return err;
		if (before == after) {
			*ret = counters;
			return 0;
		}
	}
	return -EAGAIN;
}

int pages_read_cursor(int fd, struct courier_cursor *ret)
{
	const size_t count = offsetof(struct courier_page, current);
	struct courier_cursor cursor;
	uint32_t before, after;
	int err;

	for (unsigned int i = 0; i < TRIES; i++) {
		err = read_part(fd, count, sizeof(before), &before);
		if (!err)
			err = read_part(fd,
					offsetof(struct courier_page, cursors) +
						(before & 1) * sizeof(cursor),
					sizeof(cursor), &cursor);
		if (!err)
			err = read_part(fd, count, sizeof(after), &after);
		if (err)
			return err;
		if (before == after) {
			*ret = cursor;
			return 0;
		}
	}
	return -EAGAIN;
}
