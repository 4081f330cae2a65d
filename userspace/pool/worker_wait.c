// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_wait.h"

#include <sched.h>
#include <stdbool.h>

#include "fault.h"
#include "userspace/pool/worker.h"

/* What one class does; see the table in worker_wait.h. All in nanoseconds. */
struct wait_rule {
	uint64_t spin_min_ns, spin_max_ns; /* since the last events; 8 gaps within these */
	uint64_t spin_gap_ns;		   /* no spinning with longer gaps */
	uint64_t drain_ns;		   /* between two drains; 0: never */
	uint64_t drain_gap_ns;		   /* no draining with longer gaps */
	uint64_t idle_ns;		   /* since the last events: no draining any more */
};

/*
 * A drain costs 3 to 15 us, whatever it finds: its interrupt sets the timer, and in a
 * virtual machine the host does that. Of 1,000 events that is little for each; a
 * fifth of the time costs five times as much. From one event in a drain on, sleeping
 * is cheaper, and no slower. Throughput never spins: whoever finds the next event at
 * once finds it alone, and what a batch costs is paid for each event.
 */
#define DRAIN_NS 250000
/* Until a record that is there is submitted. */
#define SUBMIT_NS 50000

static const struct wait_rule rules[] = {
	[WORKER_THROUGHPUT] = {0, 0, 0, DRAIN_NS, 150000, 1000000},
	[WORKER_LATENCY] = {200000, 2000000, 500000, 0, 0, 0},
	[WORKER_ECONOMY] = {0, 0, 0, 1000000, 1000000, 1000000},
};

/* Gaps and bytes count up to this: one pause of hours must not be remembered for as
 * many batches as one of milliseconds would not. */
#define GAP_NS_MAX 2000000ull
/* While spinning: how often others get a chance, and control messages are heard. */
#define SPIN_LOOK_NS 20000

static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

uint64_t worker_wait_late_ns(enum bundle_worker_class class)
{
	return rules[class].drain_ns;
}

void worker_wait_begin(struct worker *worker)
{
	worker->wait = (struct worker_wait){
		.class = worker->bundle->worker_class,
		.gap_ns = GAP_NS_MAX,
		.quarter_ns = GAP_NS_MAX,
		.seen_ns = worker->now_ns(),
		.position = worker->ring.position,
	};
}

void worker_wait_saw(struct worker *worker, uint32_t events, uint64_t now_ns)
{
	struct worker_wait *wait = &worker->wait;
	uint64_t passed_ns = now_ns - wait->seen_ns;
	uint64_t bytes = worker->ring.position - wait->position;
	uint64_t gap_ns;

	if (!events)
		return;
	if (passed_ns > GAP_NS_MAX * events)
		passed_ns = GAP_NS_MAX * events;
	gap_ns = passed_ns / events;
	if (gap_ns < wait->gap_ns)
		wait->gap_ns = (wait->gap_ns + gap_ns) / 2;
	else
		wait->gap_ns += (gap_ns - wait->gap_ns) / 8;
	if (bytes)
		wait->quarter_ns = passed_ns * (worker->ring.bytes / 4) / bytes;
	wait->seen_ns = now_ns;
	wait->position = worker->ring.position;
}

/* Hear what else there is, and let others run. Whether something has fired. */
static bool look_around(struct worker *worker, uint64_t now_ns, int *ret_err)
{
	bool fired = false;

	worker->wait.looked_ns = now_ns;
	(void)sched_yield();
	*ret_err = waiter_look(&worker->waiter, &fired);
	return fired || *ret_err;
}

/* Look at the ring until something is there or fires, or @p until_ns. Whether
 * something is or has. */
static bool spin(struct worker *worker, uint64_t now_ns, uint64_t until_ns, int *ret_err)
{
	while (now_ns < until_ns) {
		/* Also with events all the time: they are no reason to be deaf. */
		if (now_ns - worker->wait.looked_ns >= SPIN_LOOK_NS &&
		    look_around(worker, now_ns, ret_err))
			return true;
		for (int i = 0; i < 4; i++) {
			if (!ring_is_empty(&worker->ring))
				return true;
			relax();
		}
		now_ns = worker->now_ns();
	}
	return false;
}

/* How long the spinning goes on behind the last events; 0: it does not begin. */
static uint64_t spin_ns(const struct worker_wait *wait, const struct wait_rule *rule)
{
	uint64_t ns = 8 * wait->gap_ns;

	if (wait->gap_ns > rule->spin_gap_ns)
		return 0;
	if (ns < rule->spin_min_ns)
		return rule->spin_min_ns;
	return ns < rule->spin_max_ns ? ns : rule->spin_max_ns;
}

static void set_state(struct worker *worker, enum worker_state state)
{
	__atomic_store_n(&worker->page->state, state, __ATOMIC_RELAXED);
}

/* How long to wait for the next drain: not until the ring is full. */
static uint64_t drain_ns(const struct worker_wait *wait, const struct wait_rule *rule)
{
	return rule->drain_ns < wait->quarter_ns ? rule->drain_ns : wait->quarter_ns;
}

static int64_t timeout_ns(uint64_t now_ns, uint64_t until_ns)
{
	if (until_ns == WORKER_WAIT_FOREVER)
		return -1;
	return until_ns > now_ns ? (int64_t)(until_ns - now_ns) : 0;
}

/* Wait for the next drain, at most until @p until_ns. */
static int drain_later(struct worker *worker, uint64_t ns, uint64_t now_ns, uint64_t until_ns)
{
	if (until_ns < now_ns + ns)
		return waiter_wait(&worker->waiter, timeout_ns(now_ns, until_ns));
	return waiter_wait_beat(&worker->waiter, now_ns, ns);
}

/*
 * Sleep until a producer wakes us. Producers reserve, fence, look at the flag;
 * we set the flag, fence, and look at the producer's position: a reserved
 * record, even if it is not submitted yet, keeps us awake, for its producer may
 * have looked at the flag before we set it.
 */
static int sleep_until_woken(struct worker *worker, uint64_t now_ns, uint64_t until_ns)
{
	int err = 0;

	__atomic_store_n(&worker->wake->sleeping, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	fault_point("wait.inside");
	if (ring_is_empty(&worker->ring)) {
		set_state(worker, WORKER_SLEEPING);
		err = waiter_wait(&worker->waiter, timeout_ns(now_ns, until_ns));
		/* The last tick of worker_watch.c is none. */
		if (err != -EINTR)
			worker->page->wakeups++;
		set_state(worker, WORKER_RUNNING);
	}
	__atomic_store_n(&worker->wake->sleeping, 0, __ATOMIC_SEQ_CST);
	return err;
}

int worker_wait(struct worker *worker, uint64_t until_ns)
{
	const struct wait_rule *rule = &rules[worker->wait.class];
	const struct worker_wait *wait = &worker->wait;
	uint64_t now_ns = worker->now_ns();
	uint64_t spin_until_ns = wait->seen_ns + spin_ns(wait, rule);
	bool fired;
	int err = 0;

	if (now_ns >= until_ns)
		return waiter_look(&worker->waiter, &fired);
	if (spin_until_ns > until_ns)
		spin_until_ns = until_ns;
	if (now_ns < spin_until_ns) {
		if (spin(worker, now_ns, spin_until_ns, &err))
			return err;
		now_ns = worker->now_ns();
	}
	if (wait->gap_ns < rule->drain_gap_ns && now_ns - wait->seen_ns < rule->idle_ns)
		return drain_later(worker, drain_ns(wait, rule), now_ns, until_ns);
	/* A record that was reserved and not submitted: nobody will wake us for it. */
	if (!ring_is_empty(&worker->ring))
		return drain_later(worker, SUBMIT_NS, now_ns, until_ns);
	return sleep_until_woken(worker, now_ns, until_ns);
}
