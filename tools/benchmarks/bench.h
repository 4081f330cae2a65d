/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What all benchmarks share: options, rounds, medians, and printing one figure
 * as a person reads it or as one JSON object a line.
 */
#ifndef FAAS_BENCH_H
#define FAAS_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "plot.h"

#define BENCH_ROUNDS_DEFAULT 11
#define BENCH_ROUNDS_MIN 7
#define BENCH_ROUNDS_MAX 101

struct bench {
	const char *name;
	unsigned int rounds;
	bool json;
};

/* One side of a figure: a value a round. */
struct bench_series {
	double values[BENCH_ROUNDS_MAX];
	unsigned int count;
};

/* Options --rounds N, --json, --svg FILE and --table FILE; exits with 2 on others.
 * The files are written when the program ends: a picture of all figures, and a
 * Markdown table of them, appended. */
struct bench bench_options(const char *name, int argc, char **argv);

void bench_add(struct bench_series *series, double value);
double bench_median(const struct bench_series *series);

/**
 * Print a figure: both medians with their spread, the ratio ours / peer, and
 * whether the ratio meets the goal. @p ours_text and @p peer_text say what was
 * measured, parameters included. Returns whether the goal was met; true where
 * there is none.
 */
bool bench_figure(const struct bench *bench, const char *figure, const char *ours_text,
		  const struct bench_series *ours, const char *peer_text,
		  const struct bench_series *peer, const char *unit, enum bench_goal kind,
		  double goal);

/**
 * As bench_figure, with the goal for our median itself. @p peer may be NULL: there is
 * nothing to compare with, and nothing stands beside it.
 */
bool bench_limit(const struct bench *bench, const char *figure, const char *ours_text,
		 const struct bench_series *ours, const char *peer_text,
		 const struct bench_series *peer, const char *unit, enum bench_goal kind,
		 double goal);

/**
 * Another way to do what the figure printed last is about, beside ours and the peer:
 * without a goal, for the picture and the table.
 */
void bench_beside(const struct bench *bench, const char *text, const struct bench_series *series);

/* Where a benchmark may write: TMPDIR of the environment, or /tmp. */
const char *bench_directory(void);

/* Pin this process to one core. 0 or -errno. */
int bench_pin(int cpu);

uint64_t bench_now_ns(void);

/* Print the reason and end the program with status 1. */
void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
