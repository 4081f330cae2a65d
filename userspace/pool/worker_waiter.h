/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a worker waits: an io_uring that can poll and time, and nothing else.
 */
#ifndef FAAS_POOL_WORKER_WAITER_H
#define FAAS_POOL_WORKER_WAITER_H

#include <stdbool.h>
#include <stdint.h>

#include <liburing.h>

enum waiter_source { WAITER_RING, WAITER_CONTROL, WAITER_SPACE, WAITER_SOURCES };

struct waiter {
	struct io_uring uring;
	int fds[WAITER_SOURCES]; /* borrowed; -1: not watched */
	bool armed[WAITER_SOURCES];
	bool fired[WAITER_SOURCES]; /* for the caller to look at and clear */
};

/*
 * Create the ring, disabled; restrict it to polls and timeouts; enable it. To
 * be done before a system call filter forbids it, and before any code of an
 * author runs: seccomp and Landlock do not see what goes through a ring.
 * 0 or -errno.
 */
int waiter_open(struct waiter *waiter) __attribute__((warn_unused_result));

/* Watch @p fd for @p source. Borrows it. */
void waiter_watch(struct waiter *waiter, enum waiter_source source, int fd);

/*
 * Block until something fires or @p timeout_ns passed (-1: for ever). Returns
 * at once if something has fired that was not seen yet. 0, -EINTR, or -errno
 * of io_uring_enter.
 */
int waiter_wait(struct waiter *waiter, int64_t timeout_ns) __attribute__((warn_unused_result));

/* The same without blocking. @p ret_fired: whether anything has completed, of
 * whatever kind. */
int waiter_look(struct waiter *waiter, bool *ret_fired) __attribute__((warn_unused_result));

void waiter_close(struct waiter *waiter);

#endif
