/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What follows from the death of a worker: when its successor starts, and
 * whether the event that it died of is put aside. Decides; does nothing.
 */
#ifndef FAAS_POOL_SUPERVISOR_POLICY_H
#define FAAS_POOL_SUPERVISOR_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_DELAY_MIN_MS 10
#define POLICY_DELAY_MAX_MS 10000

/* An event is condemned when so many workers in a row died while they ran it. A
 * SIGKILL mostly comes from outside and counts a quarter. */
#define POLICY_DEATHS_MAX 3

/* A worker that lived so long was no worker that dies at once. */
#define POLICY_LONG_LIFE_MS 10000

struct policy {
	uint32_t fruitless; /* deaths in a row of workers that achieved nothing */
	/* The event that the last workers died of. */
	uint64_t position; /* as worker_page.attempt_position; 0: none */
	uint32_t quarters; /* of a death */
	bool condemned;
	bool timeout; /* the last of them was over its time */
};

struct policy_death {
	int signal;   /* 0: it exited */
	bool timeout; /* a call was over its time: no kill from outside, whatever the signal */
	uint64_t attempt_position;
	uint64_t lived_ms;
	bool progress; /* it committed something */
};

/* Account for a death. Returns milliseconds to wait before the next start. */
uint32_t policy_death(struct policy *policy, const struct policy_death *death);

#endif
