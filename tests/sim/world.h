/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of a simulated machine share: who is there, and what they are at. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "sim.h"
#include "userspace/pool/supervisor_policy.h"

struct world {
	struct sim_process worker, courier;
	struct policy policy;
	uint64_t worker_start_ns;   /* when the next one is started, while there is none */
	uint64_t worker_started_ns; /* the last */
	uint64_t sequence_at_start;
	uint32_t kills, stalls, renewals;
	bool renewing; /* the old worker is to empty its ring and stop */
	bool stopping; /* the last one */
	bool told;     /* this worker, to stop */
	uint64_t log_id;
	bool dark;	      /* the power goes, in this moment */
	bool booted;	      /* since the last power loss: nobody is ready yet */
	uint32_t survivors;   /* events that must be there then, at least */
	uint32_t pause_turns; /* without new events */
	uint64_t calm_ns;     /* since when only the trigger of time had something to do; 0: not */
	uint64_t calm_wake_ns;
	uint32_t passes; /* of time, between events */
	uint32_t sleeps; /* of the worker since then */
};

extern struct world world;

static inline struct runtime_page *world_runtime_page(void)
{
	return sim_data(SIM_FD_RUNTIME_PAGE);
}

static inline const struct worker_page *world_worker_page(void)
{
	return sim_data(SIM_FD_WORKER_PAGE);
}

/* programs.c: what the processes run. programs_open: once. */
void programs_open(void);

/* runtime.c */
void runtime_tell_worker(const char *word);
void runtime_tell_bytes(const void *message, size_t bytes); /* borrowed until it is read */
void runtime_start_worker(void);
void runtime_restart(void);
void runtime_worker_ended(void);
/* The files of a workflow that is loaded, on the machine that was switched on @p boot
 * times. */
void runtime_lay_out(uint32_t boot);

/* deaths.c. death_check_boot: what has survived the last power loss, once it is known. */
bool death_comes(void); /* between two turns, to somebody */
void death_by_power(void);
void death_check_boot(void);

#endif
