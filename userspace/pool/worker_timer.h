/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Timers of keys, and triggers of time. A deadline stands in the table, behind the state of its
 * key: what carries states carries it along. The queue of the worker only says where to look when;
 * it is made anew from the tables when a worker starts. How far a trigger is stands in the counters
 * of the page, and in the records that it makes.
 */
#ifndef FAAS_POOL_WORKER_TIMER_H
#define FAAS_POOL_WORKER_TIMER_H

#include "userspace/pool/worker.h"

/* Build the queue from the tables, which are recovered. 0, or an exit status with
 * worker->error set. */
int worker_timers_open(struct worker *worker) __attribute__((warn_unused_result));
void worker_timers_close(struct worker *worker);

/*
 * Move all deadlines of a function's table as from a clock that showed @p was_ns
 * to one that shows @p is_ns: after a reboot the remaining times count on. Before
 * worker_timers_open.
 */
void worker_timers_move(struct worker_function *function, uint64_t was_ns, uint64_t is_ns);

/**
 * @brief Run timers that are due.
 *
 * @param most     Of timers that are run.
 * @param ret_run  How many were.
 * @return 0; -EAGAIN: the log is full, and the next one waits.
 */
int worker_timers(struct worker *worker, uint64_t now_ns, uint32_t most, uint32_t *ret_run)
	__attribute__((warn_unused_result));

/* When there is something to do for timers, at the latest; UINT64_MAX: never. */
static inline uint64_t worker_next_deadline(const struct worker *worker)
{
	uint64_t deadline = timer_queue_next(&worker->timers);

	return deadline < worker->next_sweep_ns ? deadline : worker->next_sweep_ns;
}

/* worker_sweep.c: take up the triggers of time where the last worker left them;
 * and go on with those that are due, as worker_timers. A trigger that was missed
 * is not made up for: it runs once, however late. */
void worker_sweeps_open(struct worker *worker);
int worker_sweeps(struct worker *worker, uint64_t now_ns, uint32_t most, uint32_t *ret_run)
	__attribute__((warn_unused_result));

/* The state of a function with timers was stored at function->place. */
void worker_timer_note(struct worker *worker, const struct worker_function *function);

#endif
