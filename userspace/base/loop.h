/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The loop of the runtime and the courier: descriptors that become ready and
 * deadlines that pass, one thread. Sources and timers are embedded in what they
 * belong to; the loop borrows them until they are removed, and a callback may
 * remove and free any of them.
 */
#ifndef FAAS_BASE_LOOP_H
#define FAAS_BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define loop_container(pointer, type, member)                                                      \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct loop_source {
	int fd; /* borrowed; -1: not in the loop */
	void (*ready)(struct loop_source *source, uint32_t events);
};

struct loop_timer {
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: not set */
	void (*expired)(struct loop_timer *timer);
	struct loop_timer *next;
};

struct loop {
	int epoll_fd;
	struct loop_timer *timers; /* earliest first */
};

int loop_open(struct loop *loop) __attribute__((warn_unused_result));
void loop_close(struct loop *loop);

/* Watch @p fd for EPOLLIN and the like. */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	     void (*ready)(struct loop_source *source, uint32_t events))
	__attribute__((warn_unused_result));
/* Does nothing to a source that is not in the loop. Before its fd is closed. */
void loop_remove(struct loop *loop, struct loop_source *source);

/* Set, or set again, a timer that is called once. */
void loop_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns,
	      void (*expired)(struct loop_timer *timer));
/* Does nothing to a timer that is not set. */
void loop_unset(struct loop *loop, struct loop_timer *timer);

/*
 * Wait for one source, the next deadline or @p timeout_ms (-1: for ever), and
 * call what is due: at most one source, which is why callbacks may free any.
 * 1 if a source was called, 0 if not, or -errno.
 */
int loop_step(struct loop *loop, int timeout_ms) __attribute__((warn_unused_result));

#endif
