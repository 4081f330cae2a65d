/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When to look at which timer: a heap of times, at most one for each of a fixed
 * number of timers. It is a reminder, not the truth: the deadline stands in the
 * state of its key. A timer that is moved to a later time, or disarmed, keeps its
 * place here; who looks at it then sees the deadline and moves it on. So a timer
 * that every event moves on costs nothing but its first place.
 */
#ifndef FAAS_POOL_TIMER_QUEUE_H
#define FAAS_POOL_TIMER_QUEUE_H

#include <stdint.h>

struct timer_queue_entry {
	uint64_t at_ns;
	uint32_t timer;
	uint32_t reserved;
};

/* Owns its arrays. */
struct timer_queue {
	struct timer_queue_entry *heap;
	uint32_t *places; /* of each timer in the heap, + 1; 0: not there */
	uint32_t count;
	uint32_t timers;
};

/* For timers 0..@p timers - 1. 0 or -ENOMEM. Nothing is allocated later. */
int timer_queue_open(struct timer_queue *queue, uint32_t timers)
	__attribute__((warn_unused_result));
void timer_queue_close(struct timer_queue *queue);

/* Look at @p timer at @p at_ns, or at the time before that it is noted for. */
void timer_queue_set(struct timer_queue *queue, uint32_t timer, uint64_t at_ns);

/* Move the first one to a time that is not before its own. There is one. */
void timer_queue_postpone_first(struct timer_queue *queue, uint64_t at_ns);

/* Forget the first one. There is one. */
void timer_queue_drop_first(struct timer_queue *queue);

/* When to look at the first one; UINT64_MAX: there is none. */
static inline uint64_t timer_queue_next(const struct timer_queue *queue)
{
	return queue->count ? queue->heap[0].at_ns : UINT64_MAX;
}

#endif
