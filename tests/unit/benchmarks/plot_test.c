// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/benchmarks/plot.h"

static struct plot_figure figure(const char *name, double ours, double peer, const char *unit)
{
	struct plot_figure ret = {
		.unit = "", .side_count = 2, .goal = 1.1, .met = ours <= 1.1 * peer};

	snprintf(ret.name, sizeof(ret.name), "%s", name);
	snprintf(ret.unit, sizeof(ret.unit), "%s", unit);
	ret.sides[0] = (struct plot_side){"a < b", ours, ours * 0.9, ours * 1.1};
	ret.sides[1] = (struct plot_side){"c | d", peer, peer * 0.9, peer * 1.1};
	ret.ratio = ours / peer;
	return ret;
}

static char *written(const struct plot *plot, void (*write)(const struct plot *, FILE *))
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	assert_non_null(stream);
	write(plot, stream);
	fclose(stream);
	return text;
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int found = 0;

	while ((text = strstr(text, what))) {
		found++;
		text += strlen(what);
	}
	return found;
}

/* Values as they come, and as the table has them. */
static const struct {
	double value;
	const char *unit, *text;
} values[] = {
	{35.26, "ns", "| 35.3 ns |"},	      {123.4, "ns", "| 123 ns |"},
	{4200000, "ns", "| 4.20 ms |"},	      {2500, "ns", "| 2.50 µs |"},
	{0.5, "ns", "| 0.50 ns |"},	      {3860000, "events/s", "| 3.86 M/s |"},
	{831000, "packets/s", "| 831 k/s |"}, {7, "events", "| 7 events |"},
	{1.25e9, "ns", "| 1.25 s |"},
};

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		static struct plot plot;
		char *text;

		plot = (struct plot){.bench = "x", .rounds = 7, .count = 1};
		plot.figures[0] = figure("one", values[i].value, values[i].value, values[i].unit);
		text = written(&plot, plot_table);
		if (count(text, values[i].text) != 1)
			fail_msg("no \"%s\" in %s", values[i].text, text);
		free(text);
	}
}

/* Figures that differ in a number are lines over it, in its order; two are too few,
 * and another unit does not belong to them. */
static void test_lines_and_bars(void **state)
{
	static struct plot plot = {.bench = "x", .rounds = 7, .count = 7};
	char *text;

	(void)state;
	plot.figures[0] = figure("same_100", 30, 30, "ns");
	plot.figures[1] = figure("same_1", 20, 20, "ns");
	plot.figures[2] = figure("same_10", 25, 25, "ns");
	plot.figures[3] = figure("same_1000", 25, 25, "events");
	plot.figures[4] = figure("two_1", 1, 1, "ns");
	plot.figures[5] = figure("two_2", 1, 1, "ns");
	plot.figures[6] = figure("alone", 2, 1, "ns");
	plot.figures[6].sides[2] = (struct plot_side){"third", 3, 3, 3};
	plot.figures[6].side_count = 3;
	text = written(&plot, plot_svg);
	assert_int_equal(count(text, "<polyline class=\"s0 line\""), 1);
	assert_int_equal(count(text, "<circle class=\"s1\""), 3);
	assert_int_equal(count(text, "<rect class=\"s0\" stroke=\"none\" x=\"64\""), 1 + 2 * 4);
	assert_int_equal(count(text, "<rect class=\"s2\""), 2); /* a bar and its words */
	assert_int_equal(count(text, "not met"), 1);
	assert_null(strstr(text, "a < b"));
	assert_int_equal(count(text, "<svg "), count(text, "</svg>"));
	free(text);
	text = written(&plot, plot_table);
	assert_non_null(strstr(text, "\n| 1 | 20 ns | 20 ns | 1 | at most 1.1 |\n"
				     "| 10 | 25 ns | 25 ns | 1 | at most 1.1 |\n"
				     "| 100 | 30 ns | 30 ns | 1 | at most 1.1 |\n"));
	assert_int_equal(count(text, "| a &lt; b, against c &#124; d |"), 4);
	assert_non_null(strstr(text, "| 2 ns | 1 ns | 2 | at most 1.1, not met |\n"
				     "| beside it: third | 3 ns | 1 ns | 3 | |\n"));
	free(text);
}

/* A goal that is a value: in the figure's unit, and with no peer to compare with. */
static void test_absolute(void **state)
{
	static struct plot plot = {.bench = "x", .rounds = 7, .count = 2};
	char *text;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		plot.figures[i] = figure("cost", 3000, 6000, "ns");
		plot.figures[i].absolute = true;
		plot.figures[i].goal = 2500;
		plot.figures[i].met = false;
		plot.figures[i].side_count = 1 + i;
	}
	plot.figures[0].sides[1] = (struct plot_side){.text = ""};
	text = written(&plot, plot_table);
	assert_non_null(strstr(text, "| a &lt; b | 3 µs | | | at most 2.50 µs, not met |\n"));
	assert_non_null(strstr(text, "against c &#124; d | 3 µs | 6 µs | 0.5 | at most 2.50 µs, "
				     "not met |\n"));
	free(text);
	text = written(&plot, plot_svg);
	assert_int_equal(count(text, "ratio"), 1);
	assert_int_equal(count(text, ">goal 2.50 µs<"), 2);
	free(text);
}

/* Nothing to divide by, nothing to scale by. */
static void test_zeros(void **state)
{
	static struct plot plot = {.bench = "x", .rounds = 7, .count = 1};
	char *text;

	(void)state;
	plot.figures[0] = figure("lost", 0, 0, "events");
	plot.figures[0].kind = BENCH_EXACTLY;
	plot.figures[0].ratio = 0;
	text = written(&plot, plot_svg);
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	free(text);
	plot.figures[0].kind = BENCH_INFORMATION;
	text = written(&plot, plot_svg);
	assert_null(strstr(text, "goal "));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_lines_and_bars),
		cmocka_unit_test(test_absolute),
		cmocka_unit_test(test_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
