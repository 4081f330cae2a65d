// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * After a run, when all is at rest: counters, states and the sinks' files are
 * what the model says, to the last record and in its order.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "userspace/log/log.h"
#include "userspace/state/state_lookup.h"

#define LINE_BYTES 16384

static void same(const char *what, uint64_t wanted, uint64_t found)
{
	if (wanted != found)
		sim_fail("%s: %" PRIu64 ", should be %" PRIu64, what, found, wanted);
}

/* Timers that fired, by what the sinks' files say. */
static uint32_t fired, fired_dead, timer_failures;

static void check_timers(const struct page_counters *counters)
{
	const struct page_function_counters *chain =
		&counters->functions[workflow_function(ROLE_CHAIN)];

	same("timers processed", fired + sweeps_processed(), counters->timers);
	same("timers dead-lettered", fired_dead + sweeps_dead(), counters->timers_dead);
	same("outputs of a trigger of time", sweeps_processed(), chain->outputs[2]);
	same("outputs of timers", fired, chain->outputs[1]);
}

static void check_function(enum sim_role role, const struct page_counters *counters)
{
	const struct page_function_counters *wanted = &sim_model.functions[role];
	const struct page_function_counters *base = &sim_model.base[role], *found;
	uint64_t by_time = role == ROLE_CHAIN ? fired + sweeps_processed() + timer_failures : 0;

	if (workflow_function(role) == BUNDLE_NO_FUNCTION)
		return;
	found = &counters->functions[workflow_function(role)];
	same("outputs of a function", wanted->outputs[0] - base->outputs[0], found->outputs[0]);
	if (sim_power_losses)
		return;
	same("calls of a function", wanted->events + by_time, found->events);
	same("errors of a function", wanted->errors + (role == ROLE_CHAIN ? timer_failures : 0),
	     found->errors);
}

static void check_counters(void)
{
	struct page_counters counters;

	if (worker_page_read(sim_data(SIM_FD_WORKER_PAGE), &counters))
		sim_fail("the worker's page does not hold still");
	same("processed", sim_model.processed - sim_model.base_processed, counters.processed);
	same("dead-lettered", sim_model.dead - sim_model.base_dead, counters.dead_lettered);
	same("emitted = processed + dead-lettered", sim_kernel.emitted,
	     counters.processed + counters.dead_lettered);
	for (uint32_t i = 0; i < SIM_FUNCTIONS_MAX; i++)
		check_function((enum sim_role)i, &counters);
	if (!sim_power_losses)
		check_timers(&counters);
	if (sim_plan.durable)
		return;
	same("sequence",
	     counters.processed + counters.dead_lettered + counters.timers + counters.timers_dead,
	     counters.sequence);
}

static void check_ring(void)
{
	const struct worker_page *page = sim_data(SIM_FD_WORKER_PAGE);

	/* Nobody is woken for a record that was discarded. */
	same("events left in the ring", 0, kernel_waiting());
	same("bytes released without a record", 0, page->skipped_bytes);
}

/* Which timers of a key fired, by the number of the event that armed them. */
static uint8_t firings[SIM_KEYS_MAX][SIM_EVENTS_MAX + 1];
static uint32_t dead_timers[SIM_KEYS_MAX];

/* A timer may be moved on before it fires, but the last one has to. */
static void check_timer_state(uint32_t key, const struct sim_chain *state)
{
	enum sim_timer last = workflow_timer(state->count);
	uint64_t lines = 0, bad = 0;

	if (last == TIMER_NONE || last == TIMER_FIRES)
		same("firings of the last timer of a key", last == TIMER_FIRES,
		     firings[key][state->count]);
	/* A letter has the key and not the state. */
	for (uint64_t i = 1; i <= state->count; i++)
		bad += workflow_timer(i) == TIMER_FAILS || workflow_timer(i) == TIMER_CRASHES;
	if (dead_timers[key] > bad || (dead_timers[key] == 0 && last > TIMER_FIRES))
		sim_fail("dead letters: %u timers of key %u, not more than %" PRIu64
			 " can be, and the last one %s",
			 dead_timers[key], key, bad, last > TIMER_FIRES ? "has to" : "need not");
	for (uint64_t i = 1; i <= state->count; i++)
		lines += firings[key][i] && workflow_timer(i) == TIMER_FIRES;
	same("firings in a state", lines, state->fired);
	sweeps_check_state(key, state);
	if (workflow_timer(state->count) == TIMER_FIRES)
		same("the deadline in a state", 0, state->due_ns);
}

/* Whether this one has a state; then its table. */
static bool open_table(enum sim_role role, struct state_table *ret)
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

		if (!open_table((enum sim_role)f, &table))
			continue;
		same("keys", sim_model.keys[f], table.keys);
		for (uint32_t k = 0; k < sim_plan.keys; k++) {
			struct state_place place;
			uint8_t key[16];
			const struct sim_chain *wanted = &sim_model.states[f][k], *found;

			workflow_key(k, key);
			found = state_find(&table, key, sizeof(key), state_hash(&table, key, 16),
					   &place);
			if (!found && !wanted->count)
				continue;
			if (!found)
				sim_fail("key %u of function %u is not there", k, f);
			same("events in a state", wanted->count, found->count);
			same("a state", wanted->hash, found->hash);
			if (f == ROLE_CHAIN)
				check_timer_state(k, found);
		}
	}
}

/* ---- the sinks' files ---- */

/* The lines of a sink, over all files that it was turned over to, oldest first. */
struct lines {
	uint32_t sink;
	int generation; /* PATH.generation; 0: PATH; -1: the end */
	FILE *file;
	char line[LINE_BYTES];
};

static void lines_name(const struct lines *lines, int generation, char *to, size_t bytes)
{
	char path[256];

	sinks_path(lines->sink, path, sizeof(path));
	if (generation)
		(void)snprintf(to, bytes, "%s.%d", path, generation);
	else
		(void)snprintf(to, bytes, "%s", path);
}

static void lines_open(struct lines *lines, uint32_t sink)
{
	char path[300];

	lines->sink = sink;
	lines->generation = 1;
	lines->file = NULL;
	for (;; lines->generation++) {
		lines_name(lines, lines->generation, path, sizeof(path));
		if (access(path, F_OK))
			return; /* PATH.generation is not there: one older than the oldest */
	}
}

static bool lines_next(struct lines *lines)
{
	for (;;) {
		char path[300];

		if (lines->file && fgets(lines->line, sizeof(lines->line), lines->file)) {
			if (!strchr(lines->line, '\n'))
				sim_fail("sink %u: a line is torn: %s", lines->sink, lines->line);
			return true;
		}
		if (lines->file)
			(void)fclose(lines->file);
		lines->file = NULL;
		if (!lines->generation)
			return false;
		lines_name(lines, --lines->generation, path, sizeof(path));
		lines->file = fopen(path, "re");
	}
}

static const char *behind(const struct lines *lines, const char *what)
{
	const char *at = strstr(lines->line, what);

	if (!at)
		sim_fail("sink %u: a line without %s: %s", lines->sink, what, lines->line);
	return at + strlen(what);
}

/* The number behind the place, and the place behind it. */
static uint64_t number_at(const char **place)
{
	char *end;
	uint64_t value = strtoull(*place, &end, 10);

	*place = end;
	return value;
}

/* Ids rise from line to line: (sequence, number of the output). */
static void check_id(const struct lines *lines, uint64_t last[2])
{
	const char *at = behind(lines, "{\"id\":\"");
	uint64_t sequence, output;

	at = strchr(at, '-') + 1;
	(void)number_at(&at); /* incarnation */
	at++;
	sequence = number_at(&at);
	at++;
	output = number_at(&at);
	if (sequence < last[0] || (sequence == last[0] && output <= last[1]))
		sim_fail("sink %u: record %" PRIu64 "-%" PRIu64 " comes after %" PRIu64 "-%" PRIu64,
			 lines->sink, sequence, output, last[0], last[1]);
	last[0] = sequence;
	last[1] = output;
}

static void check_output(const struct lines *lines, const struct sim_output *wanted)
{
	static const char *const names[] = {"\"output\":\"out\"", "\"output\":\"total\"",
					    "\"output\":\"seen\""};
	const char *at = behind(lines, "\"fields\":{");
	char key[64];

	(void)snprintf(key, sizeof(key), "\"key\":\"10.20.0.%u\"", wanted->key + 1);
	(void)behind(lines, names[wanted->origin]);
	(void)behind(lines, key);
	for (uint32_t i = 0; i < wanted->value_count; i++) {
		at = strchr(at, ':') + 1;
		if (number_at(&at) != wanted->values[i])
			sim_fail("sink %u: value %u should be %" PRIu64 ": %s", lines->sink, i,
				 wanted->values[i], lines->line);
	}
}

static uint64_t hex_number(const char *at, uint32_t bytes)
{
	uint64_t number = 0;

	for (uint32_t i = 0; i < bytes; i++) {
		unsigned int byte = 0;

		(void)sscanf(at + 2 * (size_t)i, "%2x", &byte);
		number |= (uint64_t)byte << 8 * i;
	}
	return number;
}

static void note_firing(uint32_t key, uint64_t count, enum sim_timer as)
{
	if (workflow_timer(count) != as)
		sim_fail("the timer of count %" PRIu64 " of key %u did not do as it should", count,
			 key);
	if (firings[key][count]++)
		sim_fail("the timer of count %" PRIu64 " of key %u fired twice", count, key);
}

static void check_idle(const struct lines *lines, uint64_t sequence)
{
	const char *at = behind(lines, "\"key\":\"10.20.0.");
	uint32_t key = (uint32_t)number_at(&at) - 1;
	uint64_t count;
	bool is_swept = strstr(lines->line, "\"output\":\"swept\"");

	at = behind(lines, "\"count\":");
	count = number_at(&at);
	if (key >= sim_plan.keys || !count || count > sim_model.states[0][key].count)
		sim_fail("a timer of key %u, count %" PRIu64, key, count);
	at = behind(lines, "\"hash\":");
	same("the state that a timer was given", sim_model.hashes[key][count], number_at(&at));
	if (is_swept)
		sweeps_note(sequence, key, false);
	else
		note_firing(key, count, TIMER_FIRES);
	fired += !is_swept;
}

/* Whether it is that of a timer: then the event's key is the last of its bytes. */
static bool check_timer_letter(const struct lines *lines, uint64_t sequence)
{
	const char *at = behind(lines, "\"event\":\"");
	uint32_t key;

	if (hex_number(at + 2 * offsetof(struct faas_event, origin), 2) != FAAS_ORIGIN_TIMER)
		return false;
	key = (uint32_t)hex_number(at + (size_t)2 * (FAAS_EVENT_KEY_OFFSET + 15), 1) - 1;
	if (key >= sim_plan.keys)
		sim_fail("dead letters: a timer of no key: %s", lines->line);
	if (hex_number(at + 2 * offsetof(struct faas_event, trigger), 2)) {
		sweeps_note(sequence, key, true);
	} else {
		dead_timers[key]++;
		fired_dead++;
	}
	timer_failures += strstr(lines->line, "\"reason\":\"error\"") != NULL;
	return true;
}

/* With `retry` it was tried so often, by calls that failed and workers that died. */
static void check_attempts(const struct lines *lines, const struct sim_letter *wanted)
{
	const char *at;
	uint64_t attempts;

	if (!sim_plan.retry ||
	    (wanted->reason != LOG_DEAD_ERROR && wanted->reason != LOG_DEAD_POISON))
		return;
	at = behind(lines, "\"attempts\":");
	attempts = number_at(&at);
	if (attempts < sim_plan.retry || attempts > 2ull * sim_plan.retry)
		sim_fail("dead letters: event %" PRIu64 " after %" PRIu64 " attempts",
			 wanted->number, attempts);
}

static void check_letter(const struct lines *lines, const struct sim_letter *wanted)
{
	static const char *const reasons[] = {
		[LOG_DEAD_ERROR] = "error", [LOG_DEAD_POISON] = "crash",
		[LOG_DEAD_STATE] = "state", [LOG_DEAD_INVALID] = "invalid",
		[LOG_DEAD_LIMIT] = "limit",
	};
	const char *at = behind(lines, "\"event\":\"");
	/* The event begins with its number. */
	uint64_t number = hex_number(at, 8);

	check_attempts(lines, wanted);
	if (number != wanted->number)
		sim_fail("dead letters: event %" PRIu64 ", should be %" PRIu64, number,
			 wanted->number);
	at = behind(lines, "\"reason\":\"");
	if (strncmp(at, reasons[wanted->reason], strlen(reasons[wanted->reason])))
		sim_fail("dead letters: event %" PRIu64 " should be \"%s\": %s", number,
			 reasons[wanted->reason], lines->line);
}

/* Where a sink's lines are checked one behind the other. */
struct progress {
	uint32_t sink, wanted, count;
	uint64_t last[2];
};

static void check_line(struct lines *lines, struct progress *progress)
{
	uint32_t sink = progress->sink;

	check_id(lines, progress->last);
	if (sink == SIM_SINK_IDLE) {
		check_idle(lines, progress->last[0]);
		return;
	}
	if (sink == SIM_SINKS && check_timer_letter(lines, progress->last[0]))
		return;
	if (progress->count == progress->wanted)
		sim_fail("sink %u: more lines than %u: %s", sink, progress->wanted, lines->line);
	if (sink == SIM_SINKS)
		check_letter(lines, &sim_model.letters[progress->count++]);
	else
		check_output(lines, &sim_model.outputs[sink][progress->count++]);
}

/* With power losses lines may come again: with their ids, and the same in them. */
static char *kept[SIM_OUTPUTS_MAX * 4];
static uint32_t kept_count;

static void id_of(const char *line, uint64_t *ret)
{
	const char *at = strchr(line, '-') + 1;

	ret[2] = number_at(&at);
	at++;
	ret[0] = number_at(&at);
	at++;
	ret[1] = number_at(&at);
}

static int by_id(const void *a, const void *b)
{
	uint64_t left[3], right[3];

	id_of(*(char *const *)a, left);
	id_of(*(char *const *)b, right);
	for (int i = 0; i < 3; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

static bool is_repeated(const char *line, const char *last)
{
	uint64_t ids[2][3];

	id_of(line, ids[0]);
	id_of(last, ids[1]);
	if (ids[0][0] != ids[1][0] || ids[0][1] != ids[1][1])
		return false;
	if (ids[0][2] != ids[1][2] ||
	    strcmp(strstr(line, "\"workflow\""), strstr(last, "\"workflow\"")))
		sim_fail("two records have one number: %s and %s", last, line);
	return true;
}

static void check_kept(struct lines *lines, struct progress *progress)
{
	qsort(kept, kept_count, sizeof(kept[0]), by_id);
	for (uint32_t i = 0; i < kept_count; i++) {
		if (i && is_repeated(kept[i], kept[i - 1]))
			continue;
		(void)snprintf(lines->line, sizeof(lines->line), "%s", kept[i]);
		check_line(lines, progress);
	}
	for (uint32_t i = 0; i < kept_count; i++)
		free(kept[i]);
	kept_count = 0;
}

static void check_sink(uint32_t sink)
{
	static struct lines lines;
	struct progress progress = {
		.sink = sink,
		.wanted = sink == SIM_SINKS ? sim_model.letter_count : sim_model.output_count[sink],
		.last = {0, UINT64_MAX},
	};

	lines_open(&lines, sink);
	while (lines_next(&lines)) {
		if (!sim_power_losses) {
			check_line(&lines, &progress);
			continue;
		}
		if (kept_count == sizeof(kept) / sizeof(kept[0]))
			sim_fail("sink %u: lines without end", sink);
		kept[kept_count++] = strdup(lines.line);
	}
	if (sim_power_losses)
		check_kept(&lines, &progress);
	same(sink == SIM_SINKS ? "dead letters" : "lines of a sink", progress.wanted,
	     progress.count);
}

void check_all(bool is_whole)
{
	fired = fired_dead = timer_failures = 0;
	memset(firings, 0, sizeof(firings));
	memset(dead_timers, 0, sizeof(dead_timers));
	sweeps_reset();
	for (uint32_t i = 0; i <= SIM_SINKS; i++)
		check_sink(i);
	sweeps_check(is_whole);
	check_counters();
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
			if ((found ? found->count : 0) != wanted->count ||
			    (found && found->hash != wanted->hash))
				return false;
		}
	}
	return true;
}

uint32_t check_survivors(uint32_t least)
{
	struct state_table tables[SIM_FUNCTIONS_MAX] = {0};
	uint32_t count = disk_survivors();

	if (count < least || count > sim_kernel.accepted_count)
		sim_fail("after a power loss %u events are left of %u; %u were acknowledged", count,
			 sim_kernel.accepted_count, least);
	for (uint32_t f = 0; f < SIM_FUNCTIONS_MAX; f++)
		(void)open_table((enum sim_role)f, &tables[f]);
	workflow_reset();
	for (uint32_t i = 0; i < count; i++)
		workflow_expect(&sim_kernel.accepted[i]);
	if (!model_is_there(tables))
		sim_fail("after a power loss the state is not that of the first %u events", count);
	sim_model.base_processed = sim_model.processed;
	sim_model.base_dead = sim_model.dead;
	memcpy(sim_model.base, sim_model.functions, sizeof(sim_model.base));
	/* Those of before are not of this machine's time. */
	memset(sim_model.verdicts, 0, sizeof(sim_model.verdicts));
	sim_model.verdict_count = 0;
	return count;
}
