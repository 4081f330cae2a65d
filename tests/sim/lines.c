// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Whether the lines in the sinks' files are those that should be there, in their order;
 * and what they say of timers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"
#include "userspace/log/log.h"

#define LINE_BYTES 16384

struct sim_seen sim_seen;

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
			/* One that was lost stays as it is until there is another one. */
			if (!strchr(lines->line, '\n') && drift_took_any() && !lines->generation)
				continue;
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

/* Whether the line is one for this output. */
static bool is_output(const struct lines *lines, const struct sim_output *wanted)
{
	const char *at = behind(lines, "\"fields\":{");

	for (uint32_t i = 0; i < wanted->value_count; i++) {
		at = strchr(at, ':') + 1;
		if (number_at(&at) != wanted->values[i])
			return false;
	}
	return true;
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
	if (sim_seen.firings[key][count]++)
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
	check_same("the state that a timer was given", sim_model.hashes[key][count],
		   number_at(&at));
	if (is_swept)
		sweeps_note(sequence, key, false);
	else
		note_firing(key, count, TIMER_FIRES);
	sim_seen.fired += !is_swept;
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
		sim_seen.dead_timers[key]++;
		sim_seen.fired_dead++;
	}
	sim_seen.timer_failures += strstr(lines->line, "\"reason\":\"error\"") != NULL;
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

/* The event begins with its number. */
static uint64_t letter_number(const struct lines *lines)
{
	return hex_number(behind(lines, "\"event\":\""), 8);
}

/* It may have been condemned on a trial, where states that began anew had room for its key:
 * back from there it is put aside for that, and not for the room that there is not. */
static bool may_be_condemned(const struct sim_letter *wanted)
{
	return sim_plan.goes_back && wanted->reason == LOG_DEAD_STATE &&
	       sim_kernel.accepted[wanted->event].kind == KIND_POISON;
}

static void check_letter(const struct lines *lines, const struct sim_letter *wanted)
{
	static const char *const reasons[] = {
		[LOG_DEAD_ERROR] = "error", [LOG_DEAD_POISON] = "crash",
		[LOG_DEAD_STATE] = "state", [LOG_DEAD_INVALID] = "invalid",
		[LOG_DEAD_LIMIT] = "limit",
	};
	uint64_t number = letter_number(lines);
	const char *at;

	check_attempts(lines, wanted);
	if (number != wanted->number)
		sim_fail("dead letters: event %" PRIu64 ", should be %" PRIu64, number,
			 wanted->number);
	at = behind(lines, "\"reason\":\"");
	if (may_be_condemned(wanted) && !strncmp(at, "crash", 5)) {
		sim_seen.condemned++;
		return;
	}
	if (strncmp(at, reasons[wanted->reason], strlen(reasons[wanted->reason])))
		sim_fail("dead letters: event %" PRIu64 " should be \"%s\": %s", number,
			 reasons[wanted->reason], lines->line);
}

/* Where a sink's lines are checked one behind the other. */
struct progress {
	uint32_t sink, wanted, count;
	uint64_t last[2];
};

/* Step over what the disk has never seen: to what the line is for. */
static void step_over(const struct lines *lines, struct progress *progress)
{
	const struct sim_letter *letter;
	const struct sim_output *output;

	for (; progress->count < progress->wanted; progress->count++) {
		if (progress->sink == SIM_SINKS) {
			letter = &sim_model.letters[progress->count];
			if (!drift_may_lack(letter->event) ||
			    (lines && letter->number == letter_number(lines)))
				return;
		} else {
			output = &sim_model.outputs[progress->sink][progress->count];
			if (!drift_may_lack(output->event) || (lines && is_output(lines, output)))
				return;
		}
	}
}

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
	step_over(lines, progress);
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

static bool was_lost(const char *line)
{
	uint64_t id[3];

	id_of(line, id);
	return drift_took((uint32_t)id[2], id[0]);
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
		if (was_lost(lines.line))
			continue;
		if (kept_count == sizeof(kept) / sizeof(kept[0]))
			sim_fail("sink %u: lines without end", sink);
		kept[kept_count++] = strdup(lines.line);
	}
	if (sim_power_losses)
		check_kept(&lines, &progress);
	step_over(NULL, &progress);
	check_same(sink == SIM_SINKS ? "dead letters" : "lines of a sink", progress.wanted,
		   progress.count);
}

void lines_check(void)
{
	memset(&sim_seen, 0, sizeof(sim_seen));
	for (uint32_t i = 0; i <= SIM_SINKS; i++)
		check_sink(i);
}
