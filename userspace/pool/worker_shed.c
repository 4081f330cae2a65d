// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_shed.h"

#include "userspace/pool/worker.h"
#include "userspace/pool/worker_wait.h"

/* A batch takes at most this part of the deadline: the ring looks as full as it was at
 * its beginning until it ends, and what it committed goes out then. */
#define BATCHES_OF_DEADLINE 16
#define BATCH_NS_MAX 2000000
/* One that took longer was no work, but a machine that stood still. */
#define TOOK_NS_MAX 10000000000ull
/* Producers look at the ring each LOOK_EVENTS events, where so many on each of many CPUs
 * are little of the budget. A power of two. */
#define LOOK_EVENTS 16
#define LOOK_BUDGET_MIN (256 << 10)

uint64_t shed_learn(uint64_t cost, uint64_t bytes, uint64_t took_ns, bool alone)
{
	uint64_t seen;

	if (!bytes)
		return cost;
	if (took_ns > TOOK_NS_MAX)
		took_ns = TOOK_NS_MAX;
	seen = took_ns * SHED_UNIT_BYTES / bytes;
	if (!seen)
		seen = 1;
	if (!cost)
		return alone ? 0 : seen;
	/* Rises fast: what is accepted in the meantime comes too late. Falls slowly: what is
	 * shed in the meantime is made up for by what waits in the ring. */
	if (seen > cost)
		return alone ? cost : cost + (seen - cost + 3) / 4;
	return cost - (cost - seen) / 8;
}

uint32_t shed_budget(uint64_t cost, uint64_t work_ns, uint64_t ring_bytes)
{
	uint64_t bytes = work_ns * SHED_UNIT_BYTES / (cost ? cost : 1);

	if (bytes > ring_bytes)
		bytes = ring_bytes;
	return bytes ? (uint32_t)bytes : 1;
}

void worker_shed_begin(struct worker *worker)
{
	struct worker_shed *shed = &worker->shed;
	uint64_t late_ns = worker_wait_late_ns(worker->bundle->worker_class);

	*shed = (struct worker_shed){.deadline_ns = worker->bundle->deadline_ns};
	if (!shed->deadline_ns)
		return;
	shed->batch_ns = shed->deadline_ns / BATCHES_OF_DEADLINE;
	if (shed->batch_ns > BATCH_NS_MAX)
		shed->batch_ns = BATCH_NS_MAX;
	/* An event may come when the worker has just looked. */
	shed->work_ns = shed->deadline_ns - shed->batch_ns - late_ns;
}

/* In one store each: a producer reads none half. A budget that is nearly the same is
 * not told, for every store takes the line from those who read it for each packet. */
static void tell(struct worker *worker, uint32_t budget)
{
	struct faas_wake *wake = worker->wake;
	uint64_t told = __atomic_load_n(&wake->budget, __ATOMIC_RELAXED);
	uint64_t look = budget >= LOOK_BUDGET_MIN ? LOOK_EVENTS - 1 : 0;

	if (told && told <= budget + budget / 16 && told >= budget - budget / 16)
		return;
	__atomic_store_n(&wake->look, look, __ATOMIC_RELAXED);
	__atomic_store_n(&wake->budget, budget, __ATOMIC_RELAXED);
}

void worker_shed_saw(struct worker *worker, uint64_t bytes, uint32_t events, uint64_t begin_ns,
		     uint64_t now_ns)
{
	struct worker_shed *shed = &worker->shed;
	uint64_t took_ns;

	if (!shed->deadline_ns || !events)
		return;
	/* What lies between two batches in a row is part of what events take: telling the
	 * courier, waiting for room in the log. */
	took_ns = now_ns - (shed->since_ns ? shed->since_ns : begin_ns);
	shed->since_ns = now_ns;
	shed->cost = shed_learn(shed->cost, bytes, took_ns,
				events < SHED_EVENTS_MIN && took_ns < shed->batch_ns);
	if (shed->cost)
		tell(worker, shed_budget(shed->cost, shed->work_ns, worker->ring.bytes));
}
