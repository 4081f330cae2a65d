/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The figures of one benchmark as a picture (SVG) and as a table (Markdown), from
 * what it measured.
 */
#ifndef FAAS_BENCH_PLOT_H
#define FAAS_BENCH_PLOT_H

#include <stdbool.h>
#include <stdio.h>

#define PLOT_SIDES_MAX 8
#define PLOT_FIGURES_MAX 64
#define PLOT_TEXT_BYTES 192

enum bench_goal {
	BENCH_AT_MOST,
	BENCH_AT_LEAST,
	BENCH_EXACTLY,
	BENCH_INFORMATION, /* no goal: the figure explains another */
};

/* What was measured on one side: the median of the rounds and their ends. */
struct plot_side {
	char text[PLOT_TEXT_BYTES];
	double median, low, high;
};

/* sides[0] is ours, sides[1] the peer, others stand beside them. The goal is for
 * the ratio ours / peer or, if it is absolute, for ours: then a peer may be missing. */
struct plot_figure {
	char name[64];
	char unit[24];
	struct plot_side sides[PLOT_SIDES_MAX];
	unsigned int side_count;
	enum bench_goal kind;
	double goal, ratio;
	bool absolute;
	bool met;
};

struct plot {
	char bench[32];
	unsigned int rounds;
	struct plot_figure figures[PLOT_FIGURES_MAX];
	unsigned int count;
};

/* Three figures or more whose names differ in a number at the end (same_10,
 * same_100) are lines over that number, others bars. */
void plot_svg(const struct plot *plot, FILE *out);

/* One row a figure, below a line that names the benchmark. */
void plot_table(const struct plot *plot, FILE *out);

#endif
