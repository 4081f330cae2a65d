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

static void check_counters(void)
{
	struct page_counters counters;

	if (worker_page_read(sim_data(SIM_FD_WORKER_PAGE), &counters))
		sim_fail("the worker's page does not hold still");
	same("processed", sim_model.processed, counters.processed);
	same("dead-lettered", sim_model.dead, counters.dead_lettered);
	same("emitted = processed + dead-lettered", sim_kernel.emitted,
	     counters.processed + counters.dead_lettered);
	for (uint32_t i = 0; i < sim_bundle->user_count; i++) {
		const struct page_function_counters *wanted = &sim_model.functions[i];

		same("calls of a function", wanted->events, counters.functions[i].events);
		same("errors of a function", wanted->errors, counters.functions[i].errors);
		same("outputs of a function", wanted->outputs[0], counters.functions[i].outputs[0]);
	}
	same("sequence", counters.processed + counters.dead_lettered, counters.sequence);
}

static void check_ring(void)
{
	const struct worker_page *page = sim_data(SIM_FD_WORKER_PAGE);
	const uint64_t *consumer = kernel_ring_memory(0);

	same("bytes left in the ring",
	     *(const uint64_t *)kernel_ring_memory((uint64_t)sysconf(_SC_PAGESIZE)), *consumer);
	same("bytes released without a record", 0, page->skipped_bytes);
}

static void check_states(void)
{
	for (uint32_t f = 0; f < sim_bundle->user_count; f++) {
		const struct bundle_function *description = &sim_bundle->user[f];
		const struct sim_file *file = sim_file(SIM_FD_STATE + (int)f);
		struct state_shape shape = {
			.keys_max = description->state_keys,
			.key_bytes = state_key_bytes(sim_bundle, f),
			.value_bytes = description->state_bytes,
			.value_version = description->state_version,
		};
		struct state_table table;

		if (state_open(&table, file->data, file->bytes, &shape, 0))
			sim_fail("state %u does not open", f);
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
			same("check of a state", wanted->check, found->check);
		}
	}
}

/* ---- the sinks' files ------------------------------------------------------------------ */

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

	system_sink_path(lines->sink, path, sizeof(path));
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

static void check_letter(const struct lines *lines, const struct sim_letter *wanted)
{
	static const char *const reasons[] = {
		[LOG_DEAD_ERROR] = "error", [LOG_DEAD_POISON] = "poison",
		[LOG_DEAD_STATE] = "state", [LOG_DEAD_INVALID] = "invalid",
		[LOG_DEAD_LIMIT] = "limit",
	};
	const char *at = behind(lines, "\"event\":\"");
	uint64_t number = 0;

	/* The event begins with its number, in little-endian bytes. */
	for (uint32_t i = 0; i < 8; i++) {
		unsigned int byte = 0;

		(void)sscanf(at + 2 * (size_t)i, "%2x", &byte);
		number |= (uint64_t)byte << 8 * i;
	}
	if (number != wanted->number)
		sim_fail("dead letters: event %" PRIu64 ", should be %" PRIu64, number,
			 wanted->number);
	at = behind(lines, "\"reason\":\"");
	if (strncmp(at, reasons[wanted->reason], strlen(reasons[wanted->reason])))
		sim_fail("dead letters: event %" PRIu64 " should be \"%s\": %s", number,
			 reasons[wanted->reason], lines->line);
}

static void check_sink(uint32_t sink)
{
	uint32_t wanted = sink == SIM_SINKS ? sim_model.letter_count : sim_model.output_count[sink];
	uint64_t last[2] = {0, UINT64_MAX};
	static struct lines lines;
	uint32_t count = 0;

	lines_open(&lines, sink);
	while (lines_next(&lines)) {
		if (count == wanted)
			sim_fail("sink %u: more lines than %u: %s", sink, wanted, lines.line);
		check_id(&lines, last);
		if (sink == SIM_SINKS)
			check_letter(&lines, &sim_model.letters[count++]);
		else
			check_output(&lines, &sim_model.outputs[sink][count++]);
	}
	same(sink == SIM_SINKS ? "dead letters" : "lines of a sink", wanted, count);
}

void check_all(void)
{
	check_counters();
	check_ring();
	check_states();
	for (uint32_t i = 0; i <= SIM_SINKS; i++)
		check_sink(i);
}
