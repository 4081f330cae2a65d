/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long a call of a function may take. The process watches itself: a timer ticks
 * while there are events, and its signal looks whether the call at hand is still the
 * one that it saw last. So an event costs nothing more, and a worker that sleeps has
 * no timer. Whoever is over its time ends its process; the runtime replaces it, and
 * takes the event for one that killed its worker.
 *
 * Ticks count, not the clock: a process that was stopped or did not get a processor
 * finds one tick waiting, however long it was away. A call ends between its timeout
 * and a quarter of the shortest timeout later.
 *
 * A function can undo all this, for it is in the same process: then the runtime does
 * it, later (supervisor_watch.h).
 */
#ifndef FAAS_POOL_WORKER_WATCH_H
#define FAAS_POOL_WORKER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <ebpf_faas/limits.h>

struct worker;

struct worker_watch {
	bool open;
	volatile bool ticks; /* the timer is on */
	uint64_t period_ns;
	uint32_t ticks_max[FAAS_USER_FUNCTIONS_MAX];
	/* The call that the last tick saw. */
	uint64_t attempt;
	uint32_t calls; /* before it, for the same event */
	uint32_t seen;	/* ticks since */
};

/* Of this process, from now on; @p worker stays. 0, or an exit status with worker->error
 * set. */
int worker_watch_open(struct worker *worker) __attribute__((warn_unused_result));

void worker_watch_start(struct worker_watch *watch);

/* Before functions are called, no matter how often: the timer is on. */
static inline void worker_watch(struct worker_watch *watch)
{
	if (__builtin_expect(watch->open && !watch->ticks, 0))
		worker_watch_start(watch);
}

#endif
