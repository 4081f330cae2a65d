/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a worker waits: an io_uring that can poll and time, and nothing else; with
 * durable state it also writes to what is open, which is the worker's own.
 */
#ifndef FAAS_POOL_WORKER_WAITER_H
#define FAAS_POOL_WORKER_WAITER_H

#include <stdbool.h>
#include <stdint.h>

#include <liburing.h>

#define WAITER_WRITES_MAX 16 /* in flight at most */
#define WAITER_TICKS 4

enum waiter_source { WAITER_RING, WAITER_CONTROL, WAITER_SPACE, WAITER_SOURCES };

struct waiter {
	struct io_uring uring;
	int fds[WAITER_SOURCES]; /* borrowed; -1: not watched */
	bool armed[WAITER_SOURCES];
	bool fired[WAITER_SOURCES]; /* for the caller to look at and clear */
	bool unseen;		    /* one fired while nobody waited */
	/* Writes that have completed and were not taken. */
	struct {
		uint64_t tag;
		int32_t result;
	} written[WAITER_WRITES_MAX];
	uint32_t written_count;
	/* Timeouts that are set, each for CLOCK_MONOTONIC `ns`; 0: this one is free. */
	struct {
		uint64_t ns;
		struct __kernel_timespec time;
	} ticks[WAITER_TICKS];
};

/*
 * Create the ring, disabled; restrict it to polls and timeouts, and with @p writes
 * to writes into open files; enable it. To
 * be done before a system call filter forbids it, and before any code of an
 * author runs: seccomp and Landlock do not see what goes through a ring.
 * 0 or -errno.
 */
int waiter_open(struct waiter *waiter, bool writes) __attribute__((warn_unused_result));

/*
 * The same ahead of time, without writes: the next waiter_open of this process takes it, if it
 * is what is wanted. waiter_ahead: its descriptor, or -1; waiter_ahead_is_at: it has
 * another number now.
 */
void waiter_open_ahead(void);
int waiter_ahead(void);
void waiter_ahead_is_at(int fd);

/* Watch @p fd for @p source. Borrows it. */
void waiter_watch(struct waiter *waiter, enum waiter_source source, int fd);

/*
 * Block until something fires or @p timeout_ns passed (-1: for ever). Returns
 * at once if something has fired that was not seen yet. 0, -EINTR, or -errno
 * of io_uring_enter.
 */
int waiter_wait(struct waiter *waiter, int64_t timeout_ns) __attribute__((warn_unused_result));

/**
 * @brief The same for who waits again and again for as long: on a beat.
 *
 * Which timer the processor has set for its next interrupt is the dear part of a wait,
 * in a virtual machine above all: it is the host that sets it. Here the end of the next
 * wait is set before that of this one has come, so that the interrupt of this one sets
 * the timer for both.
 *
 * @param now_ns  Of CLOCK_MONOTONIC.
 * @param ns      Time between two beats. Another one than in the last wait: it holds
 *                from the next beat on, or at once if that is too late.
 */
int waiter_wait_beat(struct waiter *waiter, uint64_t now_ns, uint64_t ns)
	__attribute__((warn_unused_result));

/* As waiter_wait without blocking. @p ret_fired: whether anything has completed, of
 * whatever kind. */
int waiter_look(struct waiter *waiter, bool *ret_fired) __attribute__((warn_unused_result));

/**
 * @brief Queue a write that is on stable storage when it completes. It is sent by
 * the next waiter_look or waiter_wait.
 * @param tag  Given back with its completion; below 2^32.
 * @return 0, or -EAGAIN: too many are in flight.
 */
int waiter_write(struct waiter *waiter, int fd, uint64_t offset, const void *data, uint32_t bytes,
		 uint64_t tag) __attribute__((warn_unused_result));

/* Have the thread made that writes to @p fd may need, while that is allowed. Before
 * the first write. Blocks. 0 or -errno. */
int waiter_make_thread(struct waiter *waiter, int fd) __attribute__((warn_unused_result));

static inline bool waiter_has_written(const struct waiter *waiter)
{
	return waiter->written_count != 0;
}

/* Take a write that has completed. False: there is none. */
bool waiter_take_written(struct waiter *waiter, uint64_t *ret_tag, int32_t *ret_result);

void waiter_close(struct waiter *waiter);

#endif
