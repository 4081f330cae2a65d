// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void bench_die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(1);
}

struct bench bench_options(const char *name, int argc, char **argv)
{
	struct bench bench = {name, BENCH_ROUNDS_DEFAULT, false};

	for (int i = 1; i < argc; i++) {
		char *end;

		if (!strcmp(argv[i], "--json")) {
			bench.json = true;
		} else if (!strcmp(argv[i], "--rounds") && i + 1 < argc) {
			bench.rounds = (unsigned int)strtoul(argv[++i], &end, 10);
			if (*end || bench.rounds < BENCH_ROUNDS_MIN ||
			    bench.rounds > BENCH_ROUNDS_MAX) {
				fprintf(stderr, "bench: --rounds takes %d to %d\n",
					BENCH_ROUNDS_MIN, BENCH_ROUNDS_MAX);
				exit(2);
			}
		} else {
			fprintf(stderr, "usage: %s [--rounds N] [--json]\n", name);
			exit(2);
		}
	}
	return bench;
}

void bench_add(struct bench_series *series, double value)
{
	if (series->count < BENCH_ROUNDS_MAX)
		series->values[series->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The sorted values' element at @p part of the whole, 0 to 1. */
static double quantile(const struct bench_series *series, double part)
{
	double sorted[BENCH_ROUNDS_MAX];

	if (!series->count)
		return 0;
	memcpy(sorted, series->values, series->count * sizeof(sorted[0]));
	qsort(sorted, series->count, sizeof(sorted[0]), compare);
	return sorted[(unsigned int)(part * (series->count - 1) + 0.5)];
}

double bench_median(const struct bench_series *series)
{
	return quantile(series, 0.5);
}

static void print_side(const char *side, const char *text, const struct bench_series *series,
		       const char *unit)
{
	printf("  %-5s %14.4g %s  (%.4g to %.4g in %u rounds)  %s\n", side, bench_median(series),
	       unit, quantile(series, 0), quantile(series, 1), series->count, text);
}

bool bench_figure(const struct bench *bench, const char *figure, const char *ours_text,
		  const struct bench_series *ours, const char *peer_text,
		  const struct bench_series *peer, const char *unit, enum bench_goal kind,
		  double goal)
{
	static const char *const words[] = {"at most", "at least", "exactly"};
	double own = bench_median(ours), other = bench_median(peer);
	double ratio = other != 0 ? own / other : own;
	bool met = kind == BENCH_AT_MOST    ? ratio <= goal
		   : kind == BENCH_AT_LEAST ? ratio >= goal
		   : kind == BENCH_EXACTLY  ? ratio == goal
					    : true;

	if (bench->json) {
		printf("{\"bench\": \"%s\", \"figure\": \"%s\", \"ours\": %.6g, \"peer\": %.6g, "
		       "\"unit\": \"%s\", \"ratio\": %.4g, ",
		       bench->name, figure, own, other, unit, ratio);
		if (kind == BENCH_INFORMATION)
			printf("\"goal\": null, \"met\": null}\n");
		else
			printf("\"goal\": %g, \"met\": %s}\n", goal, met ? "true" : "false");
	} else {
		printf("%s: %s\n", bench->name, figure);
		print_side("ours", ours_text, ours, unit);
		print_side("peer", peer_text, peer, unit);
		if (kind == BENCH_INFORMATION)
			printf("  ratio %.3f, for information\n", ratio);
		else
			printf("  ratio %.3f, goal %s %g: %s\n", ratio, words[kind], goal,
			       met ? "met" : "NOT MET");
	}
	fflush(stdout);
	return met;
}

int bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
