// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * worker_sim [--runs N] [--first SEED]   many runs, on all processors; prints TAP
 * worker_sim --seed SEED [--verbose]     one run, in this process: for a debugger
 *
 * A run that fails prints why, and the command that repeats it.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"
#include "userspace/log/log.h"

#define RUNS_DEFAULT 10000
#define JOBS_MAX 8

struct sim_plan sim_plan;
bool sim_verbose;

static uint64_t random_state, run_seed;
static const char *program;

/* ---- randomness ---- */

void sim_random_seed(uint64_t seed)
{
	random_state = seed;
}

uint64_t sim_random(void)
{
	uint64_t value = random_state += 0x9e3779b97f4a7c15ull;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

uint32_t sim_below(uint32_t limit)
{
	return (uint32_t)((sim_random() >> 32) * limit >> 32);
}

static uint32_t between(uint32_t least, uint32_t most)
{
	return least + sim_below(most - least + 1);
}

static uint32_t one_of(uint32_t a, uint32_t b, uint32_t c)
{
	const uint32_t values[] = {a, b, c};

	return values[sim_below(3)];
}

/* ---- plans ---- */

static void make_durable(void)
{
	sim_plan.durable = true;
	sim_plan.segment_bytes = LOG_GROUP_SEGMENT_MIN * between(1, 2);
	sim_plan.circle = between(2, 4);
	sim_plan.disk_errors = one_of(0, 0, 30);
	/* Whole tables and circles are written: more steps for each event. */
	sim_plan.budget_max = one_of(2000, 8000, 40000);
	sim_plan.disk_turns = one_of(30, 200, 500);
	sim_plan.power_losses = one_of(10, 30, 60);
	sim_plan.outages = one_of(0, 0, 5);
	sim_plan.drifts = sim_below(2);
	/* What timers have put out without a disk may be lost, and nobody counts them. */
	if (sim_plan.drifts)
		sim_plan.timer_ns = 0;
}

static void make_sweep(void)
{
	sim_plan.sweep_ns = 1u << between(17, 24);
	/* At the end all timers are waited for, and disks; and before, attempts. */
	if (sim_plan.sweep_ns < sim_plan.timer_ns / 2)
		sim_plan.sweep_ns = sim_plan.timer_ns / 2;
	/* All of its lines are kept, however often it comes. */
	sim_plan.rotate_bytes *= 8;
	if (sim_plan.durable)
		sim_plan.sweep_ns = 1u << 24;
	if (sim_plan.retry && sim_plan.sweep_ns < 1u << 21)
		sim_plan.sweep_ns = 1u << 21;
}

static void make_updates(void)
{
	sim_plan.updates = between(1, 3);
	sim_plan.renewals = 0;
	sim_plan.goes_back = !sim_plan.sweep_ns && sim_below(2);
	/* What a timer did in states that are gone, no line tells apart. */
	if (sim_plan.goes_back || sim_plan.durable)
		sim_plan.timer_ns = 0;
}

void plan_make(uint64_t seed)
{
	run_seed = seed;
	sim_random_seed(seed * 0xd1342543de82ef95ull + 1);
	sim_plan = (struct sim_plan){
		.events = between(10, sim_below(4) ? 80 : SIM_EVENTS_MAX),
		.keys = between(1, SIM_KEYS_MAX),
		.keys_max = between(4, SIM_KEYS_MAX + 8),
		.function_count = between(1, 2),
		.every = between(1, 4),
		.copies = between(1, 3),
		.payload_max = one_of(0, 60, 900),
		.ring_pages = one_of(1, 2, 4),
		.segment_bytes = 4096 * one_of(2, 3, 4),
		.segment_count = between(2, 5),
		.rotate_bytes = one_of(0, 0, 16384),
		.failing = one_of(0, 0, 50),
		.poison = one_of(0, 0, 15),
		.invalid = one_of(0, 10, 50),
		.forwarded = one_of(0, 100, 300),
		.discarded = one_of(0, 10, 300),
		.kills = one_of(0, 3, 15),
		.kills_max = between(1, 10),
		.point_kills = one_of(0, 2, 20),
		.point_pauses = one_of(0, 100, 500),
		.producing = one_of(150, 400, 800),
		.write_errors = one_of(0, 0, 100),
		.budget_max = one_of(400, 4000, 20000),
		.renewals = sim_below(4) ? 0 : between(1, 3),
		.lossy = sim_below(4) == 0,
		.site = sim_below(3) ? sim_below(256) : 256,
		.site_kills = one_of(0, 20, 200),
		.site_stalls = one_of(0, 20, 200),
		.pauses = one_of(0, 0, 2),
		.worker_class = sim_below(3) ? WORKER_THROUGHPUT : one_of(0, 1, 2),
		.timer_ns = sim_below(2) ? 1000u << sim_below(16) : 0,
		.timer_bad = one_of(0, 0, 5),
	};
	if (sim_below(3) == 0)
		make_durable();
	if (sim_below(4) == 0)
		sim_plan.retry = between(3, 5);
	if (sim_below(4) == 0 && !sim_plan.drifts)
		make_sweep();
	if (sim_below(4) == 0 && !sim_plan.sweep_ns)
		sim_plan.imports = between(1, 3);
	sim_plan.batches = sim_below(4) == 0;
	if (sim_below(4) == 0)
		sim_plan.verdict_room = sim_below(2) ? SIM_KEYS_MAX : between(1, 4);
	/* What a trigger of time did in states that are gone, no line tells apart. */
	if (!sim_plan.imports && !(sim_plan.sweep_ns && sim_plan.durable) && sim_below(2))
		make_updates();
	sim_plan.courier_turns = between(20, 1000 - sim_plan.producing - 60);
}

void plan_print(void)
{
	fprintf(stderr,
		"# events=%u keys=%u of %u functions=%u every=%u copies=%u payload=%u ring=%u "
		"pages "
		"log=%u*%u rotate=%u\n# failing=%u poison=%u invalid=%u forwarded=%u discarded=%u "
		"kills=%u,%u,%u point_pauses=%u producing=%u courier=%u write_errors=%u budget=%u "
		"renewals=%u "
		"lossy=%d\n# site=%u,%u,%u pauses=%u class=%u timer=%u,%u sweep=%u retry=%u "
		"batches=%d verdicts=%u imports=%u updates=%u,%d\n# durable=%d circle=%u "
		"disk=%u,%u "
		"power_losses=%u "
		"outages=%u drifts=%d\n",
		sim_plan.events, sim_plan.keys, sim_plan.keys_max, sim_plan.function_count,
		sim_plan.every, sim_plan.copies, sim_plan.payload_max, sim_plan.ring_pages,
		sim_plan.segment_count, sim_plan.segment_bytes, sim_plan.rotate_bytes,
		sim_plan.failing, sim_plan.poison, sim_plan.invalid, sim_plan.forwarded,
		sim_plan.discarded, sim_plan.kills, sim_plan.point_kills, sim_plan.kills_max,
		sim_plan.point_pauses, sim_plan.producing, sim_plan.courier_turns,
		sim_plan.write_errors, sim_plan.budget_max, sim_plan.renewals, sim_plan.lossy,
		sim_plan.site, sim_plan.site_kills, sim_plan.site_stalls, sim_plan.pauses,
		sim_plan.worker_class, sim_plan.timer_ns, sim_plan.timer_bad, sim_plan.sweep_ns,
		sim_plan.retry, sim_plan.batches, sim_plan.verdict_room, sim_plan.imports,
		sim_plan.updates, sim_plan.goes_back, sim_plan.durable, sim_plan.circle,
		sim_plan.disk_errors, sim_plan.disk_turns, sim_plan.power_losses, sim_plan.outages,
		sim_plan.drifts);
}

/* ---- failing ---- */

void sim_fail(const char *format, ...)
{
	va_list arguments;

	sim_budget = 0;
	sim_current = NULL;
	fprintf(stderr, "# seed %" PRIu64 ", %s after %" PRIu64 " runs: ", run_seed, program,
		sim_totals.runs);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n# again: %s --seed %" PRIu64 " --verbose\n", program, run_seed);
	plan_print();
	sinks_remove();
	(void)rmdir(sim_system.directory);
	fflush(NULL);
	_exit(1);
}

void sim_note(const char *format, ...)
{
	va_list arguments;

	if (!sim_verbose)
		return;
	fprintf(stderr, "%12" PRIu64 " ns, %u events: ", sim_now_ns, sim_kernel.made);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

/* ---- many runs ---- */

/* What a job has done, for its parent. */
struct report {
	struct sim_totals totals;
	struct {
		char name[48];
		uint64_t passes, kills;
	} points[SIM_POINTS_MAX];
};

static void run_job(uint64_t first, uint64_t count, uint64_t step, struct report *report)
{
	world_open();
	for (uint64_t i = 0; i < count; i += step)
		world_run(first + i);
	report->totals = sim_totals;
	for (uint32_t i = 0; i < SIM_POINTS_MAX && sim_points[i].name; i++) {
		(void)snprintf(report->points[i].name, sizeof(report->points[i].name), "%s",
			       sim_points[i].name);
		report->points[i].passes = sim_points[i].passes;
		report->points[i].kills = sim_points[i].kills;
	}
	sinks_remove();
	(void)rmdir(sim_system.directory);
}

static void add_totals(struct sim_totals *to, const struct sim_totals *from)
{
	uint64_t *sums = (uint64_t *)to;
	const uint64_t *parts = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*sums); i++)
		sums[i] += parts[i];
}

static void print_points(const struct report *reports, long jobs)
{
	for (uint32_t i = 0; i < SIM_POINTS_MAX && reports[0].points[i].name[0]; i++) {
		uint64_t kills = 0, passes = 0;

		for (long j = 0; j < jobs; j++)
			for (uint32_t k = 0; k < SIM_POINTS_MAX; k++)
				if (!strcmp(reports[j].points[k].name, reports[0].points[i].name)) {
					kills += reports[j].points[k].kills;
					passes += reports[j].points[k].passes;
				}
		printf("#   %-24s %9" PRIu64 " passes, died there %" PRIu64 " times\n",
		       reports[0].points[i].name, passes, kills);
	}
}

static int run_many(uint64_t first, uint64_t runs)
{
	long jobs = sysconf(_SC_NPROCESSORS_ONLN);
	struct sim_totals totals = {0};
	struct report *reports;
	pid_t pids[JOBS_MAX];
	bool failed = false;

	if (jobs < 1 || jobs > JOBS_MAX)
		jobs = JOBS_MAX;
	reports = mmap(NULL, sizeof(*reports) * (size_t)jobs, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reports == MAP_FAILED)
		return 1;
	printf("# seeds %" PRIu64 " to %" PRIu64 "\n", first, first + runs - 1);
	fflush(NULL);
	for (long i = 0; i < jobs; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return 1;
		if (!pids[i]) {
			run_job(first + (uint64_t)i, runs - (uint64_t)i, (uint64_t)jobs,
				&reports[i]);
			_exit(0);
		}
	}
	for (long i = 0; i < jobs; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) != pids[i] || status) {
			printf("# job %ld ended with status %#x\n", i, status);
			failed = true;
		}
		add_totals(&totals, &reports[i].totals);
	}
	printf("# %" PRIu64 " runs, %" PRIu64 " events (%" PRIu64 " lost in full rings), %" PRIu64
	       " steps, %" PRIu64 " new rings\n# deaths: worker %" PRIu64 ", courier %" PRIu64
	       ", runtime %" PRIu64 "; power %" PRIu64 "; %" PRIu64 " stalls\n# updates: %" PRIu64
	       " stay, %" PRIu64 " go back, %" PRIu64 " lose the power\n",
	       totals.runs, totals.events, totals.lost, totals.steps, totals.renewals,
	       totals.kills_worker, totals.kills_courier, totals.kills_runtime, totals.power_losses,
	       totals.stalls, totals.updates, totals.returns, totals.cuts);
	print_points(reports, jobs);
	printf("%sok 1 - state, outputs and ledger are those of a run without faults\n1..1\n",
	       failed ? "not " : "");
	return failed;
}

static uint64_t number_of(const char *text)
{
	return text ? strtoull(text, NULL, 10) : 0;
}

int main(int count, char **texts)
{
	uint64_t first = 0, runs = RUNS_DEFAULT, seed = 0;

	program = texts[0];
	for (int i = 1; i < count; i++) {
		const char *value = i + 1 < count ? texts[i + 1] : NULL;

		if (!strcmp(texts[i], "--verbose")) {
			sim_verbose = true;
		} else if (value && !strcmp(texts[i], "--seed")) {
			seed = number_of(value);
			i++;
		} else if (value && !strcmp(texts[i], "--runs")) {
			runs = number_of(value);
			i++;
		} else if (value && !strcmp(texts[i], "--first")) {
			first = number_of(value);
			i++;
		} else {
			fprintf(stderr, "usage: worker_sim [--runs N] [--first SEED] | --seed SEED "
					"[--verbose]\n");
			return 2;
		}
	}
	if (seed) {
		world_open();
		world_run(seed);
		plan_print();
		sinks_remove();
		(void)rmdir(sim_system.directory);
		printf("seed %" PRIu64 ": as it should be\n", seed);
		return 0;
	}
	if (!first)
		first = (uint64_t)time(NULL) * 100000;
	return run_many(first, runs);
}
