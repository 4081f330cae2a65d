/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ledger of a workflow, read from the kernel's maps and the worker's pages
 * at this moment. At rest it balances exactly:
 *
 *   matched = dropped + passed + replied + redirected + lost.no_program
 *   emitted = processed + dead_lettered + in_flight
 *
 * Events that were lost or shed were not emitted.
 */
#ifndef FAAS_LOADER_LEDGER_H
#define FAAS_LOADER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include <ebpf_faas/pins.h>

#include "bundle.h"
#include "host.h"
#include "pages.h"

struct ledger {
	uint64_t matched;
	uint64_t matched_bytes;
	uint64_t dropped;
	uint64_t passed; /* with those that were bypassed */
	uint64_t bypassed;
	/* Of those that were dropped and passed: while the workflow could not run. */
	uint64_t stopped_dropped;
	uint64_t stopped_passed;
	uint64_t replied;
	uint64_t redirected;
	uint64_t in_kernel; /* matched, and no verdict yet */
	uint64_t emitted;
	uint64_t processed;
	uint64_t dead_lettered;
	uint64_t in_flight; /* counted in the ring */
	uint64_t lost_ring_full;
	uint64_t lost_no_route;
	uint64_t lost_error;
	uint64_t lost_no_program;
	uint64_t shed_deadline, shed_sampled;		 /* events; see <ebpf_faas/shed.h> */
	struct faas_shed_meters shed[FAAS_TRIGGERS_MAX]; /* of them, of this version and trigger */
	/* Of those that passed: `mode: observe` kept the workflow from it. */
	uint64_t observed_dropped;
	uint64_t observed_turned;
	uint64_t lost_stale_trigger;
	struct faas_function_meters kernel[FAAS_KERNEL_FUNCTIONS_MAX];
	/* The user tier. Zero without one. */
	bool has_user_tier;
	bool user_tier_readable; /* false: its pages are gone or damaged */
	struct page_counters user;
	struct courier_cursor courier;
	uint64_t log_head;	    /* where the worker's log ends */
	uint64_t log_pending_bytes; /* of it, not delivered */
	uint64_t ring_bytes;
	struct faas_wake wake; /* of the one worker */
	struct worker_page worker;
	struct runtime_page runtime;
};

/* 0 or -errno: the workflow's maps are not there; -ESTALE: they are of another version
 * than the bundle. */
int ledger_read(const struct host *host, const struct bundle *bundle, uint32_t slot,
		struct ledger *ret) __attribute__((warn_unused_result));

/* Nothing is on its way any more: ring empty, outputs delivered. */
bool ledger_at_rest(const struct ledger *ledger);

#endif
