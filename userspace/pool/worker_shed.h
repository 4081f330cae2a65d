/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * With a deadline (`overload: {event: shed}`): how much of its ring the worker works off
 * within it, measured, and told to the handoff, which sheds what would be more (see
 * <ebpf_faas/shed.h>).
 *
 * What is told stays when the worker dies. Its successor goes on from it: the ring fills
 * up to what it says, events behind that are shed, and what the successor takes out makes
 * room again. Nobody has to notice.
 */
#ifndef FAAS_POOL_WORKER_SHED_H
#define FAAS_POOL_WORKER_SHED_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct worker_shed {
	uint64_t deadline_ns; /* 0: nothing is shed, and nothing of this is used */
	uint64_t batch_ns;    /* most of a batch: ring space is released at its end */
	uint64_t work_ns;     /* of the deadline, what is left for working the ring off */
	uint64_t cost;	      /* nanoseconds for SHED_UNIT_BYTES of the ring; 0: not known */
	bool cut_short;	      /* the last batch ended for its time, there may be more */
	uint64_t since_ns;    /* it has not waited for events since; 0: it has */
};

#define SHED_UNIT_BYTES 4096
/* Fewer events tell more of what a batch costs than of what an event does. */
#define SHED_EVENTS_MIN 8

/**
 * @brief What SHED_UNIT_BYTES cost, after @p bytes took @p took_ns.
 * @param cost   As known before, 0: not at all.
 * @param alone  The batch was one of few events: it can show that they cost less
 * than was known, never more.
 */
uint64_t shed_learn(uint64_t cost, uint64_t bytes, uint64_t took_ns, bool alone);

/* Bytes that are worked off in @p work_ns, at most @p ring_bytes, at least 1. */
uint32_t shed_budget(uint64_t cost, uint64_t work_ns, uint64_t ring_bytes);

/* Before the first batch. Takes class and deadline from the bundle. */
void worker_shed_begin(struct worker *worker);

/* A batch has taken @p events of @p bytes out of the ring, from @p begin_ns to now. */
void worker_shed_saw(struct worker *worker, uint64_t bytes, uint32_t events, uint64_t begin_ns,
		     uint64_t now_ns);

/* The worker is about to wait for events: what passes now is nobody's cost. */
static inline void worker_shed_rest(struct worker_shed *shed)
{
	shed->since_ns = 0;
}

#endif
