// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench overload: 2, 5 and 10 times what a worker manages, with a 5 ms deadline and without
 *
 * The function takes 20 us for an event. The peer loses what has no room in its queue,
 * which then holds what a seventh of a second is needed for.
 */
#include <stdio.h>

#include <jansson.h>

#include "bench.h"
#include "report.h"
#include "tier.h"

#define TAKES_NS 20000.0
#define RUN_S 0.5
#define BATCH_FRAMES 32

static const unsigned int times[] = {2, 5, 10};
#define TIMES (sizeof(times) / sizeof(times[0]))

enum side { SHEDS, LOSES, SIDES };
static const char *const names[] = {"shed", "lose"};

struct cell {
	struct bench_series within_percent, goodput;
	struct bench_series most; /* events a second of a worker that has always something to do */
};

struct overload {
	struct tier_network network;
	struct tier_workflow workflows[SIDES];
	struct frame frames[SIDES];
	struct report reports[SIDES];
	struct cell cells[TIMES][SIDES];
};

/* What the function measured. */
struct told {
	double count, within, span_ns;
};

static void load(struct overload *overload, size_t side)
{
	char name[FAAS_NAME_BYTES], port[96], path[128];

	snprintf(name, sizeof(name), "bench-overload-%s", names[side]);
	snprintf(port, sizeof(port), "triggers.flood.packet.match.destination_port=%d",
		 TIER_PORT + (int)side);
	snprintf(path, sizeof(path), "sinks.lines.file.path=%s", overload->reports[side].path);
	tier_load("overload", name,
		  (const char *const[]){port, path, side == LOSES ? "overload={event: lose}" : NULL,
					NULL},
		  &overload->workflows[side]);
	tier_frame(false, (uint16_t)(TIER_PORT + side), &overload->frames[side]);
}

static uint64_t processed(const void *workflow)
{
	return tier_counters(workflow).processed;
}

static struct told ask(struct overload *overload, size_t side)
{
	json_t *fields =
		report_ask(&overload->reports[side], &overload->network, &overload->frames[side]);
	struct told told = {report_number(fields, "count"), report_number(fields, "within"),
			    report_number(fields, "span")};

	json_decref(fields);
	if (!told.count || !told.span_ns)
		bench_die("no event reached %s", names[side]);
	return told;
}

static void measure(struct overload *overload, size_t at, size_t side)
{
	struct cell *cell = &overload->cells[at][side];
	double gap_ns = TAKES_NS / times[at];
	struct told told;

	tier_set_pace(&overload->network,
		      &(struct tier_pace){.gap_ns = (uint64_t)gap_ns, .stamp = 1});
	tier_send(&overload->network, false, &overload->frames[side],
		  (uint32_t)(RUN_S * 1e9 / gap_ns), BATCH_FRAMES);
	(void)tier_settle(processed, &overload->workflows[side]);
	told = ask(overload, side);
	bench_add(&cell->within_percent, 100 * told.within / told.count);
	bench_add(&cell->goodput, told.within * 1e9 / told.span_ns);
	/* With a full queue, nothing but its own speed holds the worker up. */
	if (side == LOSES)
		bench_add(&cell->most, told.count * 1e9 / told.span_ns);
}

static bool print(const struct bench *bench, const struct overload *overload, size_t at)
{
	const struct cell *sheds = &overload->cells[at][SHEDS];
	const struct cell *loses = &overload->cells[at][LOSES];
	char figure[64], text[160];
	bool met;

	snprintf(figure, sizeof(figure), "within_%u", times[at]);
	snprintf(text, sizeof(text),
		 "of what is accepted, done within 5 ms; %u times of what it manages arrive",
		 times[at]);
	met = bench_limit(bench, figure, text, &sheds->within_percent, "the same, event: lose",
			  &loses->within_percent, "%", BENCH_AT_LEAST, 99);
	snprintf(figure, sizeof(figure), "goodput_%u", times[at]);
	snprintf(text, sizeof(text), "done within 5 ms; %u times of what it manages arrive",
		 times[at]);
	met &= bench_figure(bench, figure, text, &sheds->goodput,
			    "what a worker with always something to do manages", &loses->most,
			    "events/s", BENCH_AT_LEAST, 0.9);
	bench_beside(bench, "done within 5 ms, event: lose", &loses->goodput);
	return met;
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("overload", argc, argv);
	static struct overload overload;
	bool met = true;

	for (size_t i = 0; i < SIDES; i++)
		report_open(&overload.reports[i], "overload", names[i]);
	tier_make_network();
	for (size_t i = 0; i < SIDES; i++)
		load(&overload, i);
	tier_make_generator(&overload.network);
	for (unsigned int i = 0; i < bench.rounds; i++)
		for (size_t at = 0; at < TIMES; at++)
			for (size_t side = 0; side < SIDES; side++)
				measure(&overload, at, side);
	for (size_t at = 0; at < TIMES; at++)
		met &= print(&bench, &overload, at);
	return met ? 0 : 1;
}
