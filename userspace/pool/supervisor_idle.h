/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A workflow with nothing to do has no worker: its last one ended by itself (see
 * worker_idle.h), and its ring is watched. The next event, a timer that is due, or who
 * puts states in starts another one.
 *
 *	running -> supervisor_idle_left -> idle -> supervisor_idle_wake -> starting
 */
#ifndef FAAS_POOL_SUPERVISOR_IDLE_H
#define FAAS_POOL_SUPERVISOR_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"
#include "spawn.h"

struct supervisor;

struct supervisor_idle {
	uint64_t after_ns; /* a worker with nothing to do ends; 0: never */
	bool said;	   /* this worker, that it would */
	struct loop_source ring;
};

/* Whether a worker that ended did so for having nothing to do, and as soon as that may
 * be at the earliest: one that ends at once again and again is one that fails. */
bool supervisor_idle_left(const struct supervisor *supervisor, const struct spawn_end *how);

/* Watch the ring, and start a worker if something is in it already. @p until_ns: start
 * one then at the latest; UINT64_MAX: no timer is set. */
void supervisor_idle_begin(struct supervisor *supervisor, uint64_t until_ns);

/* Whether anything is in the ring. */
bool supervisor_idle_has_events(const struct supervisor *supervisor);

/* Start a worker. */
void supervisor_idle_wake(struct supervisor *supervisor);

/* The end of watching, and nothing else. */
void supervisor_idle_end(struct supervisor *supervisor);

#endif
