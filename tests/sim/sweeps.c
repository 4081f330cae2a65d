// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Whether a trigger of time called its function for each key once each time. What
 * it goes through is a circle: between two calls for a key there is one for each
 * other key that was there, whoever died meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define CALLS_MAX 20000

struct call {
	uint64_t sequence;
	uint32_t key;
	bool dead;
};

static struct call calls[CALLS_MAX];
static uint32_t count, dead_count;
static uint64_t processed[SIM_KEYS_MAX];

void sweeps_reset(void)
{
	count = dead_count = 0;
	memset(processed, 0, sizeof(processed));
}

void sweeps_note(uint64_t sequence, uint32_t key, bool dead)
{
	if (count == CALLS_MAX)
		sim_fail("the trigger of time runs without end");
	calls[count++] = (struct call){sequence, key, dead};
	dead_count += dead;
	processed[key] += !dead;
}

uint32_t sweeps_dead(void)
{
	return dead_count;
}

uint32_t sweeps_processed(void)
{
	return count - dead_count;
}

static int by_sequence(const void *a, const void *b)
{
	const struct call *left = a, *right = b;

	return left->sequence < right->sequence ? -1 : left->sequence > right->sequence;
}

static void check_circle(void)
{
	/* since[a][b]: calls for b since the last one for a. */
	static uint32_t since[SIM_KEYS_MAX][SIM_KEYS_MAX];
	uint32_t seen[SIM_KEYS_MAX] = {0}; /* + 1: number of the first call */
	uint32_t last[SIM_KEYS_MAX] = {0}; /* + 1: of the last one */

	memset(since, 0, sizeof(since));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t key = calls[i].key;

		if (i && calls[i].sequence == calls[i - 1].sequence)
			sim_fail("two calls by the trigger of time have one record");
		for (uint32_t k = 0; last[key] && k < SIM_KEYS_MAX; k++)
			if (k != key && seen[k] && seen[k] < last[key] && since[key][k] != 1)
				sim_fail("the trigger of time called key %u %u times between two "
					 "calls for key %u, the second in record %llu",
					 k, since[key][k], key,
					 (unsigned long long)calls[i].sequence);
		memset(since[key], 0, sizeof(since[key]));
		for (uint32_t k = 0; k < SIM_KEYS_MAX; k++)
			since[k][key]++;
		last[key] = i + 1;
		if (!seen[key])
			seen[key] = i + 1;
	}
}

/* Each key was called in each of the last two rounds. */
static void check_last_rounds(void)
{
	uint32_t keys = 0, found = 0;

	for (uint32_t k = 0; k < sim_plan.keys; k++)
		keys += sim_model.states[0][k].count != 0;
	if (count < 2 * keys)
		sim_fail("%u calls by the trigger of time, of %u keys", count, keys);
	for (uint32_t i = 0; i < 2 * keys; i++) {
		if (i % keys == 0)
			found = 0;
		found |= 1u << calls[count - 1 - i].key;
		if (i % keys == keys - 1 && (uint32_t)__builtin_popcount(found) != keys)
			sim_fail("a round of the trigger of time was not for all of %u keys", keys);
	}
}

void sweeps_check(bool all)
{
	if (!sim_plan.sweep_ns) {
		if (count)
			sim_fail("%u calls by a trigger of time that is not there", count);
		return;
	}
	qsort(calls, count, sizeof(calls[0]), by_sequence);
	/* A loss of power takes rounds back in which nothing was written yet, and another version
	 * has keys in another order. */
	if (!sim_power_losses && !sim_plan.updates)
		check_circle();
	if (all)
		check_last_rounds();
}

void sweeps_check_state(uint32_t key, const struct sim_chain *state)
{
	if (state->swept != processed[key])
		sim_fail("the trigger of time called key %u %llu times, its state says %llu", key,
			 (unsigned long long)processed[key], (unsigned long long)state->swept);
}
