/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The last resort against a function that hangs. A worker ends by itself when a call is
 * over its time (worker_watch.h), unless the function put that out of force: it blocked
 * signals, or wrote over its own process. So somebody else looks, seldom: whether one
 * event has been at work for longer than all its calls may take, and whether events wait
 * in the ring and none is taken.
 *
 * Looks count, not the clock: a machine that stood still has not hung.
 */
#ifndef FAAS_POOL_SUPERVISOR_WATCH_H
#define FAAS_POOL_SUPERVISOR_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"

#define SUPERVISOR_WATCH_MS 1000

struct supervisor_watch {
	bool durable;	    /* its ring also waits for the disk */
	bool expired;	    /* this worker: it is being killed */
	uint32_t looks_max; /* of the same event at work */
	/* The last look, and how many there have been that saw the same. */
	uint64_t attempt;
	uint64_t batches;
	uint32_t same;
};

void supervisor_watch_init(struct supervisor_watch *watch, const struct bundle *bundle);

/* Look at a worker that runs: its page, and its ring. True: it hangs; says so once. */
bool supervisor_watch_look(struct supervisor_watch *watch, int worker_page, int ring);

#endif
