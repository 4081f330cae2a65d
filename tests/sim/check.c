// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * After a run, when all is at rest: counters, states and the sinks' files are
 * what the model says, to the last record and in its order.
 */
#include <inttypes.h>
#include <string.h>

#include "sim.h"
#include "userspace/log/log.h"
#include "userspace/state/state_lookup.h"

void check_same(const char *what, uint64_t wanted, uint64_t found)
{
	if (wanted != found)
		sim_fail("%s: %" PRIu64 ", should be %" PRIu64, what, found, wanted);
}

static void check_timers(const struct page_counters *counters)
{
	const struct page_function_counters *chain =
		&counters->functions[workflow_function(ROLE_CHAIN)];

	check_same("timers processed", sim_seen.fired + sweeps_processed(), counters->timers);
	check_same("timers dead-lettered", sim_seen.fired_dead + sweeps_dead(),
		   counters->timers_dead);
	check_same("outputs of a trigger of time", sweeps_processed(), chain->outputs[2]);
	check_same("outputs of timers", sim_seen.fired, chain->outputs[1]);
}

static void check_function(enum sim_role role, const struct page_counters *counters)
{
	const struct page_function_counters *wanted = &sim_model.functions[role];
	const struct page_function_counters *base = &sim_model.base[role], *found;
	uint64_t by_time = role == ROLE_CHAIN
				   ? sim_seen.fired + sweeps_processed() + sim_seen.timer_failures
				   : 0;

	if (workflow_function(role) == BUNDLE_NO_FUNCTION)
		return;
	found = &counters->functions[workflow_function(role)];
	check_same("outputs of a function", wanted->outputs[0] - base->outputs[0],
		   found->outputs[0]);
	if (sim_power_losses)
		return;
	/* No function is called for what is condemned. */
	check_same("calls of a function",
		   wanted->events + by_time - (role == ROLE_DECODE ? sim_seen.condemned : 0),
		   found->events);
	check_same("errors of a function",
		   wanted->errors + (role == ROLE_CHAIN ? sim_seen.timer_failures : 0),
		   found->errors);
}

static void check_counters(void)
{
	struct page_counters counters;

	if (worker_page_read(sim_data(SIM_FD_WORKER_PAGE), &counters))
		sim_fail("the worker's page does not hold still");
	check_same("processed", sim_model.processed - sim_model.base_processed, counters.processed);
	check_same("dead-lettered", sim_model.dead - sim_model.base_dead, counters.dead_lettered);
	check_same("emitted = processed + dead-lettered", sim_kernel.emitted,
		   counters.processed + counters.dead_lettered);
	for (uint32_t i = 0; i < SIM_FUNCTIONS_MAX; i++)
		check_function((enum sim_role)i, &counters);
	if (!sim_power_losses)
		check_timers(&counters);
	if (sim_plan.durable)
		return;
	check_same("sequence",
		   counters.processed + counters.dead_lettered + counters.timers +
			   counters.timers_dead + imports_committed(),
		   counters.sequence);
}

/* Disks tear what is in flight, and damage nothing. */
static void check_damage(void)
{
	const struct worker_page *page = sim_data(SIM_FD_WORKER_PAGE);
	const struct courier_page *courier = sim_data(SIM_FD_COURIER_PAGE);

	check_same("damaged places on the disk", 0, page->corrupt);
	check_same("damaged records in the log", 0, courier->cursors[courier->current & 1].corrupt);
}

static void check_ring(void)
{
	const struct worker_page *page = sim_data(SIM_FD_WORKER_PAGE);

	check_same("records left in the ring", 0, kernel_waiting());
	check_same("bytes released without a record", 0, page->skipped_bytes);
}

/* A timer may be moved on before it fires, but the last one has to. */
static void check_timer_state(uint32_t key, const struct sim_chain *state)
{
	enum sim_timer last = workflow_timer(state->count);
	uint64_t lines = 0, bad = 0;

	if (last == TIMER_NONE || last == TIMER_FIRES)
		check_same("firings of the last timer of a key", last == TIMER_FIRES,
			   sim_seen.firings[key][state->count]);
	/* A letter has the key and not the state. */
	for (uint64_t i = 1; i <= state->count; i++)
		bad += workflow_timer(i) == TIMER_FAILS || workflow_timer(i) == TIMER_CRASHES;
	if (sim_seen.dead_timers[key] > bad ||
	    (sim_seen.dead_timers[key] == 0 && last > TIMER_FIRES))
		sim_fail("dead letters: %u timers of key %u, not more than %" PRIu64
			 " can be, and the last one %s",
			 sim_seen.dead_timers[key], key, bad,
			 last > TIMER_FIRES ? "has to" : "need not");
	for (uint64_t i = 1; i <= state->count; i++)
		lines += sim_seen.firings[key][i] && workflow_timer(i) == TIMER_FIRES;
	check_same("firings in a state", lines, state->fired);
	sweeps_check_state(key, state);
	if (workflow_timer(state->count) == TIMER_FIRES)
		check_same("the deadline in a state", 0, state->due_ns);
}

bool check_open_table(enum sim_role role, struct state_table *ret)
{
	uint32_t function = workflow_function(role);
	const struct bundle_function *description;
	const struct sim_file *file;
	struct state_shape shape;

	if (function == BUNDLE_NO_FUNCTION || !sim_bundle->user[function].has_state)
		return false;
	description = &sim_bundle->user[function];
	file = sim_file(SIM_FD_STATE + (int)function);
	shape = (struct state_shape){
		.keys_max = description->state_keys,
		.key_bytes = state_key_bytes(sim_bundle, function),
		.value_bytes = state_value_bytes(description),
		.value_version = description->state_version,
	};
	if (state_open(ret, file->data, file->bytes, &shape, 0))
		sim_fail("state %u does not open", function);
	return true;
}

static void check_states(void)
{
	for (uint32_t f = 0; f < SIM_FUNCTIONS_MAX; f++) {
		struct state_table table;

		if (!check_open_table((enum sim_role)f, &table))
			continue;
		check_same("keys", sim_model.keys[f], table.keys);
		for (uint32_t k = 0; k < sim_plan.keys; k++) {
			struct state_place place;
			uint8_t key[16];
			const struct sim_chain *wanted = &sim_model.states[f][k], *found;

			workflow_key(k, key);
			found = state_find(&table, key, sizeof(key), state_hash(&table, key, 16),
					   &place);
			if (found)
				found = workflow_chain((void *)(uintptr_t)found);
			if (!found && !wanted->count)
				continue;
			if (!found)
				sim_fail("key %u of function %u is not there", k, f);
			check_same("events in a state", wanted->count, found->count);
			check_same("a state", wanted->hash, found->hash);
			if (f == ROLE_CHAIN)
				check_timer_state(k, found);
		}
	}
}

void check_all(bool is_whole)
{
	sweeps_reset();
	lines_check();
	sweeps_check(is_whole);
	check_counters();
	check_damage();
	check_ring();
	check_states();
	verdicts_check();
}

/* ---- after a power loss ---- */

static bool model_is_there(struct state_table *tables)
{
	for (uint32_t f = 0; f < SIM_FUNCTIONS_MAX; f++) {
		for (uint32_t k = 0; tables[f].slots && k < sim_plan.keys; k++) {
			const struct sim_chain *wanted = &sim_model.states[f][k], *found;
			struct state_place place;
			uint8_t key[16];

			workflow_key(k, key);
			found = state_find(&tables[f], key, sizeof(key),
					   state_hash(&tables[f], key, sizeof(key)), &place);
			if (found)
				found = workflow_chain((void *)(uintptr_t)found);
			if ((found ? found->count : 0) != wanted->count ||
			    (found && found->hash != wanted->hash))
				return false;
		}
	}
	return true;
}

static uint32_t booted_at; /* behind so many events */

/* What is counted, and what is in maps, is of this machine's time. */
static void begin_counting(void)
{
	sim_model.base_processed = sim_model.processed;
	sim_model.base_dead = sim_model.dead;
	memcpy(sim_model.base, sim_model.functions, sizeof(sim_model.base));
	memset(sim_model.verdicts, 0, sizeof(sim_model.verdicts));
	sim_model.verdict_count = 0;
}

static void expect_between(uint32_t event)
{
	returns_apply(event);
	imports_expect_before(event);
	if (sim_power_losses && event == booted_at)
		begin_counting();
}

void model_replay(uint32_t count)
{
	uint64_t budget = sim_budget;

	/* Nobody comes in between. */
	sim_budget = 0;
	model_reset();
	for (uint32_t i = 0; i < count; i++) {
		expect_between(i);
		workflow_expect(&sim_kernel.accepted[i]);
	}
	expect_between(count);
	sim_budget = budget;
}

/* States that were put in behind the last event that survived are there, or not. */
static bool imports_make_up(uint32_t count, struct state_table *tables)
{
	if (imports_expect_last(count))
		return model_is_there(tables);
	if (!drift_is_booting() || !imports_forget_last(count))
		return false;
	model_replay(count);
	return model_is_there(tables);
}

uint32_t check_survivors(uint32_t least)
{
	struct state_table tables[SIM_FUNCTIONS_MAX] = {0};
	uint32_t count = disk_survivors();

	if (count < least || count > sim_kernel.accepted_count)
		sim_fail("after a power loss %u events are left of %u; %u were acknowledged", count,
			 sim_kernel.accepted_count, least);
	for (uint32_t f = 0; f < SIM_FUNCTIONS_MAX; f++)
		(void)check_open_table((enum sim_role)f, &tables[f]);
	imports_forget(count);
	updates_expect_survivors(count);
	booted_at = count;
	functions_reset();
	model_replay(count);
	if (!model_is_there(tables) && !imports_make_up(count, tables))
		sim_fail("after a power loss the state is not that of the first %u events", count);
	return count;
}
