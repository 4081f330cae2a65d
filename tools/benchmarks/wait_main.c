// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench wait: delay and CPU of each class of workers, at steady rates, against a UDP daemon
 *
 * The delay is from the generator's time stamp to the callback, or to behind the
 * daemon's recvmmsg. Frames go one by one, and sides take turns.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "bench.h"
#include "daemon.h"
#include "kit.h"
#include "report.h"
#include "tier.h"

#define RUN_NS 400000000ull
#define TRIES_MAX 5

static const unsigned int rates[] = {5000, 40000, 150000};
static const char *const classes[] = {"latency", "throughput", "economy"};

#define RATES (sizeof(rates) / sizeof(rates[0]))
#define CLASSES (sizeof(classes) / sizeof(classes[0]))
#define SIDES (CLASSES + 1) /* the last one is the daemon */

/* What was measured on one side at one rate. */
struct cell {
	struct bench_series p50_ns, p99_ns, cpu_percent;
};

struct wait {
	struct tier_network network;
	struct tier_workflow workflows[CLASSES];
	struct frame frames[SIDES];
	struct report reports[CLASSES];
	struct daemon_page *daemon;
	struct cell cells[RATES][SIDES];
};

static void load(struct wait *wait, size_t class)
{
	char name[FAAS_NAME_BYTES], class_text[64], port[96], path[128];

	snprintf(name, sizeof(name), "bench-wait-%s", classes[class]);
	snprintf(class_text, sizeof(class_text), "workers.class=%s", classes[class]);
	snprintf(port, sizeof(port), "triggers.paced.packet.match.destination_port=%d",
		 TIER_PORT + (int)class);
	snprintf(path, sizeof(path), "sinks.lines.file.path=%s", wait->reports[class].path);
	tier_load("wait", name, (const char *const[]){class_text, port, path, NULL},
		  &wait->workflows[class]);
	tier_frame(false, (uint16_t)(TIER_PORT + class), &wait->frames[class]);
}

static uint64_t processed(const void *workflow)
{
	return tier_counters(workflow).processed;
}

/* Have the function tell what it measured. */
static void ask(struct wait *wait, size_t class, double *ret_p50_ns, double *ret_p99_ns,
		double *ret_count)
{
	json_t *fields = report_ask(&wait->reports[class], &wait->network, &wait->frames[class]);

	*ret_count = report_number(fields, "count");
	*ret_p50_ns = report_number(fields, "p50");
	*ret_p99_ns = report_number(fields, "p99");
	json_decref(fields);
}

static uint64_t side_cpu_ns(const struct wait *wait, size_t side)
{
	return side < CLASSES ? kit_cpu_ns(wait->workflows[side].worker)
			      : kit_cpu_ns(wait->daemon->pid);
}

struct sample {
	double p50_ns, p99_ns, cpu_percent;
};

/* One run of one side. False: too many frames were lost before they came to either,
 * as happens when others want the generator's core. */
static bool measure_once(struct wait *wait, size_t rate, size_t side, struct sample *ret)
{
	uint32_t frames = (uint32_t)(rates[rate] * (RUN_NS / 1000000) / 1000);
	struct delays *delays = &wait->daemon->delays;
	uint64_t cpu_ns, begin_ns;
	double count;

	tier_set_pace(&wait->network,
		      &(struct tier_pace){.gap_ns = 1000000000ull / rates[rate], .stamp = 1});
	cpu_ns = side_cpu_ns(wait, side);
	begin_ns = bench_now_ns();
	tier_send(&wait->network, side == CLASSES, &wait->frames[side], frames, 1);
	/* What goes on behind the last frame, or is not counted yet, is the same little
	 * for all. */
	usleep(10000);
	begin_ns = bench_now_ns() - begin_ns;
	ret->cpu_percent = 100.0 * (double)(side_cpu_ns(wait, side) - cpu_ns) / (double)begin_ns;
	if (side < CLASSES) {
		(void)tier_settle(processed, &wait->workflows[side]);
		ask(wait, side, &ret->p50_ns, &ret->p99_ns, &count);
	} else {
		(void)tier_settle(daemon_received, wait->daemon);
		count = (double)delays->count;
		ret->p50_ns = (double)delays_percentile(delays, 50);
		ret->p99_ns = (double)delays_percentile(delays, 99);
		memset(delays, 0, sizeof(*delays));
	}
	return count >= frames * 0.9;
}

/* One side at one rate. */
static void measure(struct wait *wait, size_t rate, size_t side)
{
	struct cell *cell = &wait->cells[rate][side];
	struct sample sample;

	for (int i = 0; !measure_once(wait, rate, side, &sample); i++)
		if (i == TRIES_MAX)
			bench_die("frames are lost at %u/s: the machine is not free", rates[rate]);
	bench_add(&cell->p50_ns, sample.p50_ns);
	bench_add(&cell->p99_ns, sample.p99_ns);
	bench_add(&cell->cpu_percent, sample.cpu_percent);
}

/* The three figures of a class and a rate. */
static bool print_class(const struct bench *bench, const struct wait *wait, size_t rate,
			size_t class)
{
	const struct cell *ours = &wait->cells[rate][class], *peer = &wait->cells[rate][CLASSES];
	const char *name = classes[class];
	bool latency = !strcmp(name, "latency") && rates[rate] >= 40000;
	bool throughput = !strcmp(name, "throughput") && rates[rate] >= 150000;
	char figure[64], text[128];
	bool met;

	snprintf(figure, sizeof(figure), "%s_p50_%u", name, rates[rate]);
	snprintf(text, sizeof(text), "half of the events take at most, class %s, %u/s", name,
		 rates[rate]);
	met = bench_limit(bench, figure, text, &ours->p50_ns,
			  "UDP daemon, epoll_wait and recvmmsg, 32 MB buffer", &peer->p50_ns, "ns",
			  latency ? BENCH_AT_MOST : BENCH_INFORMATION, 3000);
	snprintf(figure, sizeof(figure), "%s_p99_%u", name, rates[rate]);
	snprintf(text, sizeof(text), "99 of 100 take at most, class %s, %u/s", name, rates[rate]);
	met &= bench_figure(bench, figure, text, &ours->p99_ns, "the daemon", &peer->p99_ns, "ns",
			    BENCH_INFORMATION, 0);
	snprintf(figure, sizeof(figure), "%s_cpu_%u", name, rates[rate]);
	snprintf(text, sizeof(text), "part of a CPU, class %s, %u/s", name, rates[rate]);
	met &= bench_figure(bench, figure, text, &ours->cpu_percent, "the daemon",
			    &peer->cpu_percent, "%", throughput ? BENCH_AT_MOST : BENCH_INFORMATION,
			    1.0 / 3);
	return met;
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("wait", argc, argv);
	static struct wait wait;
	bool met = true;

	for (size_t i = 0; i < CLASSES; i++)
		report_open(&wait.reports[i], "wait", classes[i]);
	tier_make_network();
	for (size_t i = 0; i < CLASSES; i++)
		load(&wait, i);
	wait.daemon = daemon_start(DAEMON_EPOLL, TIER_PORT);
	tier_make_generator(&wait.network);
	tier_frame(true, TIER_PORT, &wait.frames[CLASSES]);
	for (unsigned int i = 0; i < bench.rounds; i++)
		for (size_t rate = 0; rate < RATES; rate++)
			for (size_t side = 0; side < SIDES; side++)
				measure(&wait, rate, side);
	for (size_t class = 0; class < CLASSES; class ++)
		for (size_t rate = 0; rate < RATES; rate++)
			met &= print_class(&bench, &wait, rate, class);
	return met ? 0 : 1;
}
