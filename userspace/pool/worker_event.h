/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Between worker_event.c and worker_plain.c. */
#ifndef FAAS_POOL_WORKER_EVENT_H
#define FAAS_POOL_WORKER_EVENT_H

#include "userspace/pool/worker.h"

/* A callback in TIME_SAMPLE_EVERY is timed: two readings of the clock cost as
 * much as the rest of an event. A power of two. */
#define TIME_SAMPLE_EVERY 64

static inline void worker_begin_run(struct worker_run *run, const struct faas_event *event,
				    const struct worker_function *hashed, uint64_t hash)
{
	run->event = event;
	run->touched = 0;
	run->emission_count = 0;
	run->verdict_count = 0;
	run->trace_bytes = 0;
	run->failed = 0;
	run->hash = hash;
	run->hashed = hashed;
}

/* An event whose function was called, with what run says of it, and returned @p failed: all
 * that is left to do. As worker_event. */
int worker_event_called(struct worker *worker, const struct worker_pending *pending, int failed)
	__attribute__((warn_unused_result));

#endif
