/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a worker that has emptied its ring waits for the next events. Three ways,
 * each cheaper than the one before and slower to notice:
 *
 *   spin   look at the ring again and again: under a microsecond, a whole core
 *   drain  wait on a timer and look: half of its time on average
 *   sleep  have the next producer wake us: no cost while nothing comes, but
 *          microseconds for the producer, and for us to come back
 *
 * Which one is chosen follows from the gap between events, as measured, and
 * from the workflow's class. A producer never wakes anybody who spins or drains.
 *
 *   class        spins                    drains             sleeps
 *   latency      up to 8 gaps, 2 ms       -                  then, at once with gaps above 500 us
 *   throughput   -                        each 250 us        after 1 ms, at once from 150 us on
 *   economy      -                        each 1 ms          after 1 ms, at once from 1 ms on
 *
 * All drain earlier where a quarter of the ring would be full before.
 */
#ifndef FAAS_POOL_WORKER_WAIT_H
#define FAAS_POOL_WORKER_WAIT_H

#include <stdint.h>

#include "bundle.h"

#define WORKER_WAIT_FOREVER UINT64_MAX

struct worker;

struct worker_wait {
	enum bundle_worker_class class;
	uint64_t gap_ns;     /* between two events: falls fast, rises slowly */
	uint64_t quarter_ns; /* in which a quarter of the ring fills, as of the last batches */
	uint64_t seen_ns;    /* when events were last found */
	uint64_t position;   /* of the ring then */
	uint64_t looked_ns;  /* when a spinning worker last looked at anything but the ring */
};

/* How long an event may wait at most until a worker of this class, with nothing else to
 * do, looks. */
uint64_t worker_wait_late_ns(enum bundle_worker_class class);

/* To be called before the first batch. Takes the class from the bundle. */
void worker_wait_begin(struct worker *worker);

/* @p events were taken out of the ring up to now. */
void worker_wait_saw(struct worker *worker, uint32_t events, uint64_t now_ns);

/**
 * @brief Wait until there may be events, something fires, or it is @p until_ns.
 *
 * To be called when the ring was found empty. May return early for no reason.
 *
 * @param until_ns  Of the monotonic clock; WORKER_WAIT_FOREVER.
 * @return 0, -EINTR, or -errno of io_uring_enter.
 */
int worker_wait(struct worker *worker, uint64_t until_ns) __attribute__((warn_unused_result));

#endif
