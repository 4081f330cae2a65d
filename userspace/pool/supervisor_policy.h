/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What follows from the death of a worker: when its successor starts, whether the
 * event that it died of is put aside, and whether there is no successor, for the
 * functions keep failing. Decides; does nothing.
 */
#ifndef FAAS_POOL_SUPERVISOR_POLICY_H
#define FAAS_POOL_SUPERVISOR_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "pages.h"

#define POLICY_DELAY_MIN_MS 10
#define POLICY_DELAY_MAX_MS 10000

/* An event is condemned when so many workers in a row died while they ran it, if the
 * workflow does not say how many. A SIGKILL mostly comes from outside and counts a
 * quarter. */
#define POLICY_DEATHS_MAX 3

/* A worker that lived so long was no worker that dies at once. */
#define POLICY_LONG_LIFE_MS 10000

/* `retry` of the workflow; zeros without it. */
struct policy_retry {
	uint32_t attempts;
	uint64_t backoff_min_ms, backoff_max_ms;
};

struct policy {
	struct policy_retry retry;
	uint32_t fruitless; /* deaths in a row of workers that achieved nothing */
	/* The event that the last workers died of. */
	uint64_t position; /* as worker_page.attempt_position; 0: none */
	uint32_t quarters; /* of a death */
	bool condemned;
	bool timeout; /* the last of them was over its time */
	/* When the last workers died of their functions, the oldest at `oldest`. */
	uint64_t deaths_ms[POLICY_QUARANTINE_DEATHS];
	uint32_t oldest;
	bool quarantined;
};

struct policy_death {
	int signal;   /* 0: it exited */
	bool timeout; /* a call was over its time: no kill from outside, whatever the signal */
	uint64_t attempt_position;
	uint64_t lived_ms;
	uint64_t now_ms;
	bool own;      /* it is due to the functions, not to whoever killed it or to the machine */
	bool progress; /* it committed something */
};

/* How long to wait before attempt @p number, from 2, of an event. */
uint64_t policy_backoff_ms(const struct policy_retry *retry, uint32_t number);

/* Account for a death. Returns milliseconds to wait before the next start. */
uint32_t policy_death(struct policy *policy, const struct policy_death *death);

#endif
