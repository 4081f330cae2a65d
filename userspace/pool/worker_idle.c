// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_idle.h"

#include "fault.h"
#include "userspace/pool/worker.h"
#include "userspace/pool/worker_durable.h"

/* At a courier that is not at its end: how often while it would have to be idle. */
#define LOOKS 8

/* Whether it has something in hand that a successor would have to be started for, or
 * that keeps the log. */
static bool is_needed(struct worker *worker)
{
	if (worker->puts_aside || worker->draining || worker->retry_ns || worker->import.pending ||
	    worker->import.unanswered ||
	    (worker->durable && durable_is_busy(&worker->durable->durable)))
		return true;
	worker_refresh_tail(worker);
	if (worker->shown->log_position <= worker->delivered)
		return false;
	/* Also to step over what holds nothing to deliver: then the log is not needed. */
	worker_wake_courier(worker);
	worker->idle_look_ns = worker->now_ns() + worker->bundle->worker_idle_ns / LOOKS;
	return true;
}

/* Of what was released: what is taken and not committed is not. */
static bool has_released_all(const struct worker *worker)
{
	return __atomic_load_n(worker->ring.consumer, __ATOMIC_RELAXED) == worker->ring.position;
}

bool worker_leaves(struct worker *worker, uint64_t next_ns)
{
	uint64_t idle_ns = worker->bundle->worker_idle_ns, now_ns;

	if (!idle_ns) {
		worker->idle_look_ns = WORKER_WAIT_FOREVER;
		return false;
	}
	now_ns = worker->now_ns();
	if (!worker->idle_look_ns)
		worker->idle_look_ns = now_ns + idle_ns;
	if (now_ns < worker->idle_look_ns)
		return false;
	worker->idle_look_ns = now_ns + idle_ns;
	/* A timer that is due soon is not worth the end. */
	if (next_ns < worker->idle_look_ns || is_needed(worker))
		return false;
	/* As in worker_wait.c: a record that is reserved keeps us. One that comes behind
	 * this look is found by the runtime, which sets the flag again when it is ready
	 * to be woken, and looks then. */
	__atomic_store_n(&worker->wake->sleeping, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	fault_point("idle.leaving");
	if (!ring_is_empty(&worker->ring) || !has_released_all(worker)) {
		__atomic_store_n(&worker->wake->sleeping, 0, __ATOMIC_SEQ_CST);
		return false;
	}
	__atomic_store_n(&worker->page->idle_until_ns, next_ns, __ATOMIC_RELEASE);
	return true;
}
