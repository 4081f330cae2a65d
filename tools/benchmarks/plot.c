// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 780
#define LEFT 64	  /* of a plot area: room for numbers */
#define RIGHT 150 /* for labels at the ends of lines and bars */
#define AREA (WIDTH - LEFT - RIGHT)
#define LINES_HEIGHT 220
#define BAR_HEIGHT 22
#define ROW 16 /* of text */
#define TICKS 5
#define LINE_POINTS_MIN 3
#define LABEL_APART 13
#define SUBTITLE_CHARS 118

/* Colours by class, for a page of either kind. */
static const char style[] =
	"<style>\n"
	"text{font:12px system-ui,sans-serif;fill:#24292f}\n"
	".title{font-weight:600;font-size:14px}.small{font-size:11px;fill:#57606a}\n"
	".axis{stroke:#8c959f;stroke-width:1}.grid{stroke:#d0d7de;stroke-width:1}\n"
	".goal{stroke:#24292f;stroke-width:1.5;stroke-dasharray:5 4;fill:none}\n"
	".whisker{stroke:#24292f;stroke-width:1;opacity:.55}\n"
	".s0{fill:#0969da;stroke:#0969da}.s1{fill:#8c959f;stroke:#8c959f}\n"
	".s2{fill:#bf8700;stroke:#bf8700}.s3{fill:#8250df;stroke:#8250df}\n"
	".s4{fill:#1a7f37;stroke:#1a7f37}.s5{fill:#cf222e;stroke:#cf222e}\n"
	".s6{fill:#bc4c00;stroke:#bc4c00}.s7{fill:#bf3989;stroke:#bf3989}\n"
	".line{fill:none;stroke-width:2}\n"
	"@media (prefers-color-scheme:dark){text{fill:#d0d7de}.small{fill:#8b949e}\n"
	".grid{stroke:#30363d}.axis{stroke:#8b949e}.goal,.whisker{stroke:#d0d7de}\n"
	".s0{fill:#58a6ff;stroke:#58a6ff}.s1{fill:#8b949e;stroke:#8b949e}\n"
	".s2{fill:#d29922;stroke:#d29922}.s3{fill:#a371f7;stroke:#a371f7}\n"
	".s4{fill:#3fb950;stroke:#3fb950}.s5{fill:#f85149;stroke:#f85149}\n"
	".s6{fill:#f0883e;stroke:#f0883e}.s7{fill:#db61a2;stroke:#db61a2}\n"
	".line{fill:none}}\n"
	"</style>\n";

/* Whether the goal is a line in a picture. */
static bool has_line(const struct plot_figure *figure)
{
	return figure->kind == BENCH_AT_MOST || figure->kind == BENCH_AT_LEAST;
}

/* ---- text -------------------------------------------------------------------- */

/* Text in a file of markup, cut to @p chars. */
static void print_escaped(const char *text, size_t chars, FILE *out)
{
	size_t i;

	for (i = 0; i < chars && text[i]; i++)
		switch (text[i]) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '|': /* ends a cell of a table */
			fputs("&#124;", out);
			break;
		default:
			fputc(text[i], out);
		}
	if (text[i])
		fputs("...", out);
}

/* A number with three digits that count, and its unit scaled so that it reads well:
 * 35.3 ns, 4.20 ms, 3.86 M/s. */
static void format_value(double value, const char *unit, char *ret, size_t bytes)
{
	static const struct {
		double at_least;
		const char *unit;
	} times[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}, {0, "ns"}},
	  rates[] = {{1e9, "G/s"}, {1e6, "M/s"}, {1e3, "k/s"}, {0, "/s"}};
	size_t chars = strlen(unit), scale = 0;
	bool rate = chars > 2 && !strcmp(unit + chars - 2, "/s");
	const char *scaled = unit;
	int decimals;

	if (rate || !strcmp(unit, "ns")) {
		while ((rate ? rates : times)[scale].at_least > fabs(value))
			scale++;
		scaled = (rate ? rates : times)[scale].unit;
		if ((rate ? rates : times)[scale].at_least > 0)
			value /= (rate ? rates : times)[scale].at_least;
	}
	decimals = fabs(value) >= 100 || value == floor(value) ? 0 : fabs(value) >= 10 ? 1 : 2;
	snprintf(ret, bytes, "%.*f %s", decimals, value, scaled);
}

static double goal_value(const struct plot_figure *figure)
{
	return figure->absolute ? figure->goal : figure->sides[1].median * figure->goal;
}

/* "at most 1.1, not met" */
static void print_goal(const struct plot_figure *figure, const char *met, FILE *out)
{
	static const char *const words[] = {"at most", "at least", "exactly"};
	char goal[64];

	if (figure->kind == BENCH_INFORMATION)
		return;
	if (figure->absolute)
		format_value(figure->goal, figure->unit, goal, sizeof(goal));
	else
		snprintf(goal, sizeof(goal), "%.3g", figure->goal);
	fprintf(out, "%s %s%s", words[figure->kind], goal, figure->met ? met : ", not met");
}

/* ---- scales ------------------------------------------------------------------ */

/* A round number not below @p value: 1, 2, 2.5 or 5 times a power of ten, times
 * TICKS. */
static double round_up(double value)
{
	static const double steps[] = {1, 2, 2.5, 5, 10};
	double power, step = value / TICKS;

	if (!(step > 0))
		return TICKS;
	power = pow(10, floor(log10(step)));
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i] * power >= step * (1 - 1e-9))
			return steps[i] * power * TICKS;
	return 10 * power * TICKS;
}

static double highest(const struct plot_figure *figure)
{
	double value = has_line(figure) ? goal_value(figure) : 0;

	for (unsigned int i = 0; i < figure->side_count; i++)
		value = fmax(value, figure->sides[i].high);
	return value;
}

/* ---- bars -------------------------------------------------------------------- */

static double bar_x(double value, double scale)
{
	return LEFT + value / scale * AREA;
}

static void print_axis_x(double top, double bottom, double scale, const char *unit, FILE *out)
{
	char text[64];

	for (int i = 0; i <= TICKS; i++) {
		double value = scale * i / TICKS, x = bar_x(value, scale);

		format_value(value, unit, text, sizeof(text));
		fprintf(out,
			"<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n"
			"<text class=\"small\" x=\"%.1f\" y=\"%.1f\" "
			"text-anchor=\"middle\">%s</text>\n",
			i ? "grid" : "axis", x, top, x, bottom, x, bottom + ROW, text);
	}
}

static void print_bar(const struct plot_figure *figure, unsigned int side, double y, double scale,
		      FILE *out)
{
	const struct plot_side *one = &figure->sides[side];
	double middle = y + BAR_HEIGHT / 2.0 - 2, low = bar_x(one->low, scale),
	       high = bar_x(one->high, scale);
	char text[64];

	format_value(one->median, figure->unit, text, sizeof(text));
	fprintf(out,
		"<rect class=\"s%u\" stroke=\"none\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" "
		"height=\"%d\"/>\n"
		"<line class=\"whisker\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n"
		"<text x=\"%.1f\" y=\"%.1f\">%s</text>\n"
		"<text class=\"small\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
		side, LEFT, y, fmax(bar_x(one->median, scale) - LEFT, 0.5), BAR_HEIGHT - 4, low,
		middle, high, middle, fmax(high, bar_x(one->median, scale)) + 6, middle + 4, text,
		LEFT - 6, middle + 4,
		side == 0   ? "ours"
		: side == 1 ? "peer"
			    : "");
}

/* What the sides are, in words. Returns the y below. */
static double print_sides(const struct plot_figure *figure, double y, FILE *out)
{
	for (unsigned int i = 0; i < figure->side_count; i++) {
		fprintf(out,
			"<rect class=\"s%u\" stroke=\"none\" x=\"%d\" y=\"%.1f\" width=\"9\" "
			"height=\"9\"/>\n<text class=\"small\" x=\"%d\" y=\"%.1f\">%s",
			i, LEFT, y - 9, LEFT + 15, y,
			i == 0	 ? "ours: "
			: i == 1 ? "peer: "
				 : "");
		print_escaped(figure->sides[i].text, SUBTITLE_CHARS, out);
		fprintf(out, "</text>\n");
		y += ROW;
	}
	return y;
}

static double print_title(const char *title, const struct plot_figure *figure, double y, FILE *out)
{
	fprintf(out, "<text class=\"title\" x=\"0\" y=\"%.1f\">", y + ROW);
	for (; *title; title++)
		fputc(*title == '_' ? ' ' : *title, out);
	fprintf(out, "</text>\n");
	if (figure) {
		fprintf(out, "<text class=\"small\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
			WIDTH, y + ROW);
		if (figure->side_count > 1)
			fprintf(out, "ratio %.3g%s", figure->ratio,
				figure->kind == BENCH_INFORMATION ? "" : ", ");
		if (figure->kind != BENCH_INFORMATION)
			fprintf(out, "goal ");
		print_goal(figure, ", met", out);
		fprintf(out, "</text>\n");
	}
	return y + 2.25 * ROW;
}

static double print_bars(const struct plot_figure *figure, double y, FILE *out)
{
	double scale = round_up(highest(figure)), top, bottom;
	char text[64];

	y = print_sides(figure, print_title(figure->name, figure, y, out), out);
	top = y;
	bottom = top + (double)BAR_HEIGHT * figure->side_count;
	print_axis_x(top, bottom, scale, figure->unit, out);
	for (unsigned int i = 0; i < figure->side_count; i++)
		print_bar(figure, i, top + 2 + (double)BAR_HEIGHT * i, scale, out);
	if (has_line(figure)) {
		double x = bar_x(goal_value(figure), scale);

		format_value(goal_value(figure), figure->unit, text, sizeof(text));
		fprintf(out,
			"<line class=\"goal\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n"
			"<text class=\"small\" x=\"%.1f\" y=\"%.1f\" "
			"text-anchor=\"middle\">goal %s</text>\n",
			x, top - 2, x, bottom + 2, x, bottom + 2 * ROW, text);
	}
	return bottom + 2.75 * ROW;
}

/* ---- lines ------------------------------------------------------------------- */

/* A figure's number, and the bytes of its name before it; 0: it has none. */
static size_t stem(const struct plot_figure *figure, unsigned long *ret_number)
{
	size_t chars = strlen(figure->name), digits;

	for (digits = chars; digits && strchr("0123456789", figure->name[digits - 1]);)
		digits--;
	if (digits == chars || digits < 2 || figure->name[digits - 1] != '_')
		return 0;
	*ret_number = strtoul(figure->name + digits, NULL, 10);
	return digits - 1;
}

static bool same_stem(const struct plot_figure *a, const struct plot_figure *b)
{
	unsigned long number;
	size_t chars = stem(a, &number);

	return chars && chars == stem(b, &number) && !strncmp(a->name, b->name, chars) &&
	       !strcmp(a->unit, b->unit);
}

/* The figures of a line, by their number. */
static unsigned int collect(const struct plot *plot, unsigned int first,
			    const struct plot_figure *ret[PLOT_FIGURES_MAX])
{
	unsigned long number, other;
	unsigned int count = 0;

	for (unsigned int i = 0; i < plot->count; i++) {
		unsigned int at = count;

		if (i != first && !same_stem(&plot->figures[first], &plot->figures[i]))
			continue;
		stem(&plot->figures[i], &number);
		for (; at && stem(ret[at - 1], &other) && other > number; at--)
			ret[at] = ret[at - 1];
		ret[at] = &plot->figures[i];
		count++;
	}
	return count;
}

static double line_x(unsigned int at, unsigned int count)
{
	return LEFT + (double)AREA * (at + 0.5) / count;
}

static double line_y(double value, double top, double scale)
{
	return top + LINES_HEIGHT * (1 - value / scale);
}

static void print_axes(const struct plot_figure *const *points, unsigned int count, double top,
		       double scale, FILE *out)
{
	char text[64];

	for (int i = 0; i <= TICKS; i++) {
		double y = line_y(scale * i / TICKS, top, scale);

		format_value(scale * i / TICKS, points[0]->unit, text, sizeof(text));
		fprintf(out,
			"<line class=\"%s\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>\n"
			"<text class=\"small\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			i ? "grid" : "axis", LEFT, y, LEFT + AREA, y, LEFT - 6, y + 4, text);
	}
	for (unsigned int i = 0; i < count; i++) {
		unsigned long number = 0;

		stem(points[i], &number);
		fprintf(out,
			"<text class=\"small\" x=\"%.1f\" y=\"%d\" "
			"text-anchor=\"middle\">%lu</text>\n",
			line_x(i, count), (int)top + LINES_HEIGHT + ROW, number);
	}
}

static void print_line(const struct plot_figure *const *points, unsigned int count,
		       unsigned int side, double top, double scale, FILE *out)
{
	const char *before = "";

	fprintf(out, "<polyline class=\"s%u line\" points=\"", side);
	for (unsigned int i = 0; i < count; i++)
		if (side < points[i]->side_count) {
			fprintf(out, "%s%.1f,%.1f", before, line_x(i, count),
				line_y(points[i]->sides[side].median, top, scale));
			before = " ";
		}
	fprintf(out, "\"/>\n");
	for (unsigned int i = 0; i < count; i++) {
		const struct plot_side *one = &points[i]->sides[side];
		double x = line_x(i, count);

		if (side >= points[i]->side_count)
			continue;
		fprintf(out,
			"<line class=\"whisker\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
			"y2=\"%.1f\"/>\n<circle class=\"s%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
			x, line_y(one->low, top, scale), x, line_y(one->high, top, scale), side, x,
			line_y(one->median, top, scale));
	}
}

/* What the lines end with, kept apart from each other. */
static void print_ends(const struct plot_figure *last, unsigned int count, double top, double scale,
		       FILE *out)
{
	unsigned int order[PLOT_SIDES_MAX];
	double y[PLOT_SIDES_MAX];
	char text[64];

	for (unsigned int i = 0; i < last->side_count; i++) {
		unsigned int at = i;

		y[i] = line_y(last->sides[i].median, top, scale) + 4;
		for (; at && y[order[at - 1]] < y[i]; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	for (unsigned int i = 1; i < last->side_count; i++)
		y[order[i]] = fmin(y[order[i]], y[order[i - 1]] - LABEL_APART);
	for (unsigned int i = 0; i < last->side_count; i++) {
		format_value(last->sides[i].median, last->unit, text, sizeof(text));
		fprintf(out, "<text class=\"small\" x=\"%.1f\" y=\"%.1f\">%s %s</text>\n",
			line_x(count - 1, count) + 8, y[i], text,
			i == 0	 ? "ours"
			: i == 1 ? "peer"
				 : "");
	}
}

static void print_goal_line(const struct plot_figure *const *points, unsigned int count, double top,
			    double scale, FILE *out)
{
	fprintf(out, "<polyline class=\"goal\" points=\"");
	for (unsigned int i = 0; i < count; i++)
		fprintf(out, "%s%.1f,%.1f", i ? " " : "", line_x(i, count),
			line_y(goal_value(points[i]), top, scale));
	fprintf(out, "\"/>\n<text class=\"small\" x=\"%.1f\" y=\"%.1f\">goal</text>\n", LEFT + 4.0,
		line_y(goal_value(points[0]), top, scale) - 5);
}

/* What figures of a line call their sides often has the number in it: the words of
 * the last one stand for all. */
static double print_lines(const struct plot_figure *const *points, unsigned int count, double y,
			  FILE *out)
{
	const struct plot_figure *last = points[count - 1];
	unsigned int side_count = 0;
	double scale = 0, top;
	unsigned long number;
	char title[64];

	for (unsigned int i = 0; i < count; i++) {
		scale = fmax(scale, highest(points[i]));
		if (points[i]->side_count > side_count)
			side_count = points[i]->side_count;
	}
	scale = round_up(scale);
	snprintf(title, sizeof(title), "%.*s", (int)stem(last, &number), last->name);
	top = print_sides(last, print_title(title, NULL, y, out), out);
	print_axes(points, count, top, scale, out);
	for (unsigned int i = side_count; i-- > 0;)
		print_line(points, count, i, top, scale, out);
	print_ends(last, count, top, scale, out);
	if (has_line(last))
		print_goal_line(points, count, top, scale, out);
	return top + LINES_HEIGHT + 2.5 * ROW;
}

/* ---- the whole --------------------------------------------------------------- */

static double print_panels(const struct plot *plot, FILE *out)
{
	const struct plot_figure *points[PLOT_FIGURES_MAX];
	bool done[PLOT_FIGURES_MAX] = {false};
	double y = 4;

	for (unsigned int i = 0; i < plot->count; i++) {
		unsigned int count;

		if (done[i])
			continue;
		count = collect(plot, i, points);
		if (count < LINE_POINTS_MIN) {
			y = print_bars(&plot->figures[i], y, out);
			continue;
		}
		for (unsigned int k = 0; k < count; k++)
			done[points[k] - plot->figures] = true;
		y = print_lines(points, count, y, out);
	}
	return y;
}

void plot_svg(const struct plot *plot, FILE *out)
{
	char *panels = NULL;
	size_t bytes = 0;
	FILE *memory = open_memstream(&panels, &bytes);
	double height;

	if (!memory)
		return;
	height = print_panels(plot, memory);
	fclose(memory);
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
		"viewBox=\"0 0 %d %.0f\" role=\"img\">\n"
		"<title>bench %s: medians of %u rounds, thin lines from the lowest to the "
		"highest</title>\n%s",
		WIDTH, height, WIDTH, height, plot->bench, plot->rounds, style);
	fputs(panels, out);
	fprintf(out, "</svg>\n");
	free(panels);
}

static void print_row(const struct plot_figure *figure, FILE *out)
{
	char ours[64], peer[64];

	format_value(figure->sides[0].median, figure->unit, ours, sizeof(ours));
	format_value(figure->sides[1].median, figure->unit, peer, sizeof(peer));
	if (figure->side_count > 1)
		fprintf(out, "%s | %s | %.3g | ", ours, peer, figure->ratio);
	else
		fprintf(out, "%s | | | ", ours);
	print_goal(figure, "", out);
	fprintf(out, " |");
}

/* What stands beside a figure: rows of their own, or cells of the figure's row. */
static void print_beside(const struct plot_figure *figure, bool rows, FILE *out)
{
	char value[64], peer[64];

	format_value(figure->sides[1].median, figure->unit, peer, sizeof(peer));
	for (unsigned int i = 2; i < figure->side_count; i++) {
		format_value(figure->sides[i].median, figure->unit, value, sizeof(value));
		if (!rows) {
			fprintf(out, " %s |", value);
			continue;
		}
		fprintf(out, "\n| beside it: ");
		print_escaped(figure->sides[i].text, PLOT_TEXT_BYTES, out);
		fprintf(out, " | %s | %s | %.3g | |", value, peer,
			figure->sides[1].median != 0
				? figure->sides[i].median / figure->sides[1].median
				: figure->sides[i].median);
	}
	fputc('\n', out);
}

/* A line as a table of its own: one row for each number, beside the goal the ways
 * that have none. */
static void print_line_table(const struct plot_figure *const *points, unsigned int count, FILE *out)
{
	const struct plot_figure *last = points[count - 1];
	unsigned long number = 0;
	size_t chars = stem(last, &number);

	fprintf(out, "\n| `%.*s` | ours: ", (int)chars, last->name);
	print_escaped(last->sides[0].text, PLOT_TEXT_BYTES, out);
	fprintf(out, " | ");
	if (last->side_count > 1)
		fprintf(out, "peer: ");
	print_escaped(last->sides[1].text, PLOT_TEXT_BYTES, out);
	fprintf(out, " | ratio | goal |");
	for (unsigned int i = 2; i < last->side_count; i++) {
		fputc(' ', out);
		print_escaped(last->sides[i].text, PLOT_TEXT_BYTES, out);
		fprintf(out, " |");
	}
	fprintf(out, "\n|---|---|---|---|---|");
	for (unsigned int i = 2; i < last->side_count; i++)
		fprintf(out, "---|");
	fputc('\n', out);
	for (unsigned int i = 0; i < count; i++) {
		stem(points[i], &number);
		fprintf(out, "| %lu | ", number);
		print_row(points[i], out);
		print_beside(points[i], false, out);
	}
}

void plot_table(const struct plot *plot, FILE *out)
{
	const struct plot_figure *points[PLOT_FIGURES_MAX];
	bool begun = false;

	fprintf(out, "\n`tools/bench %s --rounds %u`\n", plot->bench, plot->rounds);
	for (unsigned int i = 0; i < plot->count; i++) {
		const struct plot_figure *figure = &plot->figures[i];

		if (collect(plot, i, points) >= LINE_POINTS_MIN)
			continue;
		if (!begun)
			fprintf(out, "\n| | ours | peer | ratio | goal |\n|---|---|---|---|---|\n");
		begun = true;
		fprintf(out, "| ");
		print_escaped(figure->sides[0].text, PLOT_TEXT_BYTES, out);
		if (figure->side_count > 1)
			fprintf(out, ", against ");
		print_escaped(figure->sides[1].text, PLOT_TEXT_BYTES, out);
		fprintf(out, " | ");
		print_row(figure, out);
		print_beside(figure, true, out);
	}
	for (unsigned int i = 0; i < plot->count; i++) {
		unsigned int count = collect(plot, i, points);

		if (count >= LINE_POINTS_MIN && points[0] == &plot->figures[i])
			print_line_table(points, count, out);
	}
}
