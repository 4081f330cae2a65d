// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench neighbour: delay and loss of a workflow alone, and beside one that goes for all there is
 *
 * 40,000 events a second, each from its time stamp to the callback. The neighbour has 10 % of a
 * processor, the same one; whatever runtime and courier do for it is not bounded by that. It is
 * loaded anew for each attack, and with the same pace it is measured without it just before.
 * Beside both sleeps a bare process that nothing on that core goes before (sleeper.h): what of
 * the delay is the machine's.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include <jansson.h>

#include "bench.h"
#include "delays.h"
#include "kit.h"
#include "report.h"
#include "sleeper.h"
#include "tier.h"

#define RATE 40000
#define RUN_FRAMES 16000u
#define BATCH_FRAMES 64
#define TRIES_MAX 5
#define DEATH_LOOKS 500
#define LONGEST_US ((double)DELAYS_STEP_NS * DELAYS_STEPS / 1000)
#define ATTACKER "bench-attacker"

static const struct attack {
	const char *name, *text, *kind, *takes;
	uint32_t events; /* that it has before */
	uint32_t beside; /* that follow each of the neighbour's */
	bool deadly;	 /* its worker dies of each */
} attacks[] = {
	{"processor", "computes all the time", "processor", "20ms", 1000, 0, false},
	{"memory", "takes memory until it is killed for it", "memory", "20ms", 1000, 0, true},
	{"death", "crashes until it is in quarantine", "death", "20ms", 1000, 0, true},
	{"outputs", "makes 16 outputs of each of 400,000 packets a second", "outputs", "20ms", 0,
	 10, false},
	{"log", "floods the log of the runtime", "log", "20ms", 3000, 0, false},
	{"packets", "gets 400,000 packets a second and manages 5,000", "processor", "20us", 0, 10,
	 false},
};
#define ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

struct cell {
	struct bench_series p50_us, p99_us, lost, bare_p99_us;
};

struct neighbour {
	struct tier_network network;
	struct tier_workflow workflow, attacker;
	struct frame frame, attack;
	struct report report;
	struct sleeper *sleeper;
	struct cell alone[ATTACKS], beside[ATTACKS];
};

static uint64_t processed(const void *workflow)
{
	return tier_counters(workflow).processed;
}

static void load(struct neighbour *neighbour)
{
	char path[128];

	snprintf(path, sizeof(path), "sinks.lines.file.path=%s", neighbour->report.path);
	tier_load("wait", "bench-neighbour", (const char *const[]){path, NULL},
		  &neighbour->workflow);
	tier_frame(false, TIER_PORT, &neighbour->frame);
	tier_frame(false, TIER_PORT + 1, &neighbour->attack);
}

static void begin(struct neighbour *neighbour, const struct attack *attack)
{
	char kind[64], takes[64];

	snprintf(kind, sizeof(kind), "functions.attack.params.kind=%s", attack->kind);
	snprintf(takes, sizeof(takes), "functions.attack.params.takes=%s", attack->takes);
	tier_load("neighbour", ATTACKER, (const char *const[]){kind, takes, NULL},
		  &neighbour->attacker);
	if (!attack->events)
		return;
	tier_set_pace(&neighbour->network, &(struct tier_pace){0});
	tier_send(&neighbour->network, false, &neighbour->attack, attack->events, BATCH_FRAMES);
}

/* What dies of its first event is told by the worker behind it, which begins a little later. */
static void wait_for_death(const struct tier_workflow *attacker)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (int i = 0; i < DEATH_LOOKS && !tier_counters(attacker).dead_lettered; i++) {
		kit_look_for_signal();
		nanosleep(&pause, NULL);
	}
}

/* An attack that was none, or was over before the other one's events, shows nothing. */
static void end(struct neighbour *neighbour, const struct attack *attack)
{
	struct faas_meters meters = tier_meters(&neighbour->attacker);
	struct page_counters done;
	bool harmed;

	if (attack->deadly)
		wait_for_death(&neighbour->attacker);
	done = tier_counters(&neighbour->attacker);
	if (attack->beside)
		harmed =
			meters.emitted + meters.lost_ring_full >= 0.9 * attack->beside * RUN_FRAMES;
	else if (attack->deadly)
		harmed = done.dead_lettered > 0;
	else
		harmed = done.processed < meters.emitted;
	if (!harmed)
		bench_die("the attack %s was none: %" PRIu64 " events, of which %" PRIu64
			  " are done",
			  attack->name, (uint64_t)meters.emitted,
			  done.processed + done.dead_lettered);
	tier_unload(&neighbour->attacker);
}

/* False: too many frames were lost before they came to the interface, as happens when others
 * want the generator's core. */
static bool run(struct neighbour *neighbour, uint32_t beside, struct cell *cell)
{
	const struct tier_workflow *workflow = &neighbour->workflow;
	uint64_t ring_full = tier_meters(workflow).lost_ring_full;
	double count;
	json_t *told;

	tier_set_pace(&neighbour->network, &(struct tier_pace){.gap_ns = 1000000000ull / RATE,
							       .stamp = 1,
							       .beside = beside,
							       .port = TIER_PORT});
	sleeper_begin(neighbour->sleeper);
	tier_send(&neighbour->network, false, &neighbour->frame, RUN_FRAMES * (beside + 1), 1);
	sleeper_end(neighbour->sleeper);
	(void)tier_settle(processed, workflow);
	told = report_ask(&neighbour->report, &neighbour->network, &neighbour->frame);
	count = report_number(told, "count");
	ring_full = tier_meters(workflow).lost_ring_full - ring_full;
	if (count + (double)ring_full >= RUN_FRAMES * 0.9) {
		bench_add(&cell->p50_us, report_number(told, "p50") / 1000);
		bench_add(&cell->p99_us, report_number(told, "p99") / 1000);
		bench_add(&cell->lost, RUN_FRAMES - count);
		bench_add(&cell->bare_p99_us, sleeper_p99_us(neighbour->sleeper));
	}
	json_decref(told);
	return count + (double)ring_full >= RUN_FRAMES * 0.9;
}

static void try_again(unsigned int *tries)
{
	if (++*tries > TRIES_MAX)
		bench_die("frames are lost before they arrive: the machine is not free");
}

static void measure(struct neighbour *neighbour, size_t at)
{
	const struct attack *attack = &attacks[at];
	unsigned int tries = 0;
	bool done = false;

	while (!run(neighbour, 0, &neighbour->alone[at]))
		try_again(&tries);
	while (!done) {
		begin(neighbour, attack);
		done = run(neighbour, attack->beside, &neighbour->beside[at]);
		end(neighbour, attack);
		if (!done)
			try_again(&tries);
	}
}

static bool print(const struct bench *bench, const struct neighbour *neighbour, size_t at)
{
	const struct cell *alone = &neighbour->alone[at], *beside = &neighbour->beside[at];
	const char *name = attacks[at].name;
	char figure[64], text[160];
	bool met;

	/* What takes longest is counted together, and cannot be compared. */
	if (bench_median(&alone->p99_us) >= LONGEST_US)
		bench_die("alone 1 of 100 takes %.0f ms and more: the machine is not free",
			  LONGEST_US / 1000);
	snprintf(figure, sizeof(figure), "%s_p50", name);
	snprintf(text, sizeof(text), "half take at most, beside one that %s", attacks[at].text);
	(void)bench_figure(bench, figure, text, &beside->p50_us, "alone", &alone->p50_us, "us",
			   BENCH_INFORMATION, 0);
	snprintf(figure, sizeof(figure), "%s_p99", name);
	snprintf(text, sizeof(text), "99 of 100 take at most, beside one that %s",
		 attacks[at].text);
	met = bench_figure(bench, figure, text, &beside->p99_us, "alone", &alone->p99_us, "us",
			   BENCH_AT_MOST, 1.1);
	bench_beside(bench, "a bare process of the first class, beside it", &beside->bare_p99_us);
	bench_beside(bench, "a bare process of the first class, alone", &alone->bare_p99_us);
	snprintf(figure, sizeof(figure), "%s_lost", name);
	snprintf(text, sizeof(text), "lost of %u, beside one that %s", RUN_FRAMES,
		 attacks[at].text);
	met &= bench_limit(bench, figure, text, &beside->lost, "alone", &alone->lost, "events",
			   BENCH_AT_MOST, bench_median(&alone->lost));
	return met;
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("neighbour", argc, argv);
	static struct neighbour neighbour;
	bool met = true;

	report_open(&neighbour.report, "neighbour", "measured");
	tier_make_network();
	load(&neighbour);
	neighbour.sleeper = sleeper_start();
	tier_make_generator(&neighbour.network);
	for (unsigned int i = 0; i < bench.rounds; i++)
		for (size_t at = 0; at < ATTACKS; at++)
			measure(&neighbour, at);
	for (size_t at = 0; at < ATTACKS; at++)
		met &= print(&bench, &neighbour, at);
	return met ? 0 : 1;
}
