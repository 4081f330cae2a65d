// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool died;

void bench_die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	died = true;
	exit(1);
}

const char *bench_directory(void)
{
	const char *directory = getenv("TMPDIR");

	return directory && *directory ? directory : "/tmp";
}

/* The figures until now, and where they go at the end. */
static struct plot plot;
static const char *svg_path, *table_path;

static void write_file(const char *path, const char *mode,
		       void (*write)(const struct plot *, FILE *))
{
	FILE *out = fopen(path, mode);
	int failed = !out;

	if (out) {
		write(&plot, out);
		failed = ferror(out);
		failed |= fclose(out);
	}
	if (failed) {
		fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
		_exit(1);
	}
}

static void write_plots(void)
{
	fflush(stdout);
	if (died)
		return;
	if (svg_path)
		write_file(svg_path, "we", plot_svg);
	if (table_path)
		write_file(table_path, "ae", plot_table);
}

/* Whether argv[at] is this option and has a value. */
static bool is_option(const char *name, int argc, char **argv, int at)
{
	return at + 1 < argc && !strcmp(argv[at], name);
}

struct bench bench_options(const char *name, int argc, char **argv)
{
	struct bench bench = {name, BENCH_ROUNDS_DEFAULT, false};

	for (int i = 1; i < argc; i++) {
		char *end;

		if (!strcmp(argv[i], "--json")) {
			bench.json = true;
		} else if (is_option("--svg", argc, argv, i)) {
			svg_path = argv[++i];
		} else if (is_option("--table", argc, argv, i)) {
			table_path = argv[++i];
		} else if (is_option("--rounds", argc, argv, i)) {
			bench.rounds = (unsigned int)strtoul(argv[++i], &end, 10);
			if (*end || bench.rounds < BENCH_ROUNDS_MIN ||
			    bench.rounds > BENCH_ROUNDS_MAX) {
				fprintf(stderr, "bench: --rounds takes %d to %d\n",
					BENCH_ROUNDS_MIN, BENCH_ROUNDS_MAX);
				exit(2);
			}
		} else {
			fprintf(stderr,
				"usage: %s [--rounds N] [--json] [--svg FILE] [--table FILE]\n",
				name);
			exit(2);
		}
	}
	snprintf(plot.bench, sizeof(plot.bench), "%s", name);
	plot.rounds = bench.rounds;
	atexit(write_plots);
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

static struct plot_side plot_side(const char *text, const struct bench_series *series)
{
	struct plot_side side = {.median = bench_median(series),
				 .low = quantile(series, 0),
				 .high = quantile(series, 1)};

	snprintf(side.text, sizeof(side.text), "%s", text);
	return side;
}

static void print_side(const char *side, const char *text, const struct bench_series *series,
		       const char *unit)
{
	printf("  %-5s %14.4g %s  (%.4g to %.4g in %u rounds)  %s\n", side, bench_median(series),
	       unit, quantile(series, 0), quantile(series, 1), series->count, text);
}

static bool is_met(enum bench_goal kind, double value, double goal)
{
	switch (kind) {
	case BENCH_AT_MOST:
		return value <= goal;
	case BENCH_AT_LEAST:
		return value >= goal;
	case BENCH_EXACTLY:
		return value == goal;
	case BENCH_INFORMATION:
		return true;
	}
	return false;
}

static void print_json(const struct bench *bench, const struct plot_figure *figure)
{
	printf("{\"bench\": \"%s\", \"figure\": \"%s\", \"ours\": %.6g, ", bench->name,
	       figure->name, figure->sides[0].median);
	if (figure->side_count > 1)
		printf("\"peer\": %.6g, ", figure->sides[1].median);
	printf("\"unit\": \"%s\", ", figure->unit);
	if (figure->side_count > 1)
		printf("\"ratio\": %.4g, ", figure->ratio);
	if (figure->kind == BENCH_INFORMATION)
		printf("\"goal\": null, \"met\": null}\n");
	else
		printf("\"goal\": %g, \"goal_of\": \"%s\", \"met\": %s}\n", figure->goal,
		       figure->absolute ? "ours" : "ratio", figure->met ? "true" : "false");
}

static void print_end(const struct plot_figure *figure)
{
	static const char *const words[] = {"at most", "at least", "exactly"};

	printf("  ");
	if (figure->side_count > 1)
		printf("ratio %.3f, ", figure->ratio);
	if (figure->kind == BENCH_INFORMATION)
		printf("for information\n");
	else
		printf("goal %s %g%s%s: %s\n", words[figure->kind], figure->goal,
		       figure->absolute ? " " : "", figure->absolute ? figure->unit : "",
		       figure->met ? "met" : "NOT MET");
}

/* Finish a figure whose words and goal stand, print it and keep it for the picture. */
static bool print_figure(const struct bench *bench, struct plot_figure *figure,
			 const char *ours_text, const struct bench_series *ours,
			 const char *peer_text, const struct bench_series *peer)
{
	double own = bench_median(ours), other = peer ? bench_median(peer) : 0;

	figure->sides[0] = plot_side(ours_text, ours);
	if (peer)
		figure->sides[1] = plot_side(peer_text, peer);
	figure->side_count = peer ? 2 : 1;
	figure->ratio = other != 0 ? own / other : own;
	figure->met = is_met(figure->kind, figure->absolute ? own : figure->ratio, figure->goal);
	if (plot.count < PLOT_FIGURES_MAX)
		plot.figures[plot.count++] = *figure;
	if (bench->json) {
		print_json(bench, figure);
	} else {
		printf("%s: %s\n", bench->name, figure->name);
		print_side("ours", ours_text, ours, figure->unit);
		if (peer)
			print_side("peer", peer_text, peer, figure->unit);
		print_end(figure);
	}
	fflush(stdout);
	return figure->met;
}

static struct plot_figure name_figure(const char *name, const char *unit, enum bench_goal kind,
				      double goal)
{
	struct plot_figure figure = {.kind = kind, .goal = goal};

	snprintf(figure.name, sizeof(figure.name), "%s", name);
	snprintf(figure.unit, sizeof(figure.unit), "%s", unit);
	return figure;
}

bool bench_figure(const struct bench *bench, const char *name, const char *ours_text,
		  const struct bench_series *ours, const char *peer_text,
		  const struct bench_series *peer, const char *unit, enum bench_goal kind,
		  double goal)
{
	struct plot_figure figure = name_figure(name, unit, kind, goal);

	return print_figure(bench, &figure, ours_text, ours, peer_text, peer);
}

bool bench_limit(const struct bench *bench, const char *name, const char *ours_text,
		 const struct bench_series *ours, const char *peer_text,
		 const struct bench_series *peer, const char *unit, enum bench_goal kind,
		 double goal)
{
	struct plot_figure figure = name_figure(name, unit, kind, goal);

	figure.absolute = true;
	return print_figure(bench, &figure, ours_text, ours, peer_text, peer);
}

void bench_beside(const struct bench *bench, const char *text, const struct bench_series *series)
{
	struct plot_figure *figure = plot.count ? &plot.figures[plot.count - 1] : NULL;

	if (!figure)
		return;
	if (figure->side_count < PLOT_SIDES_MAX)
		figure->sides[figure->side_count++] = plot_side(text, series);
	if (bench->json)
		printf("{\"bench\": \"%s\", \"figure\": \"%s\", \"beside\": \"%s\", \"value\": "
		       "%.6g, \"unit\": \"%s\"}\n",
		       bench->name, figure->name, text, bench_median(series), figure->unit);
	else
		print_side("", text, series, figure->unit);
	fflush(stdout);
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
