// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define WAIT_MS 5000
#define LINE_BYTES 4096

static const struct report *opened[TIER_WORKFLOWS_MAX];
static unsigned int opened_count;

static void remove_files(void)
{
	for (unsigned int i = 0; i < opened_count; i++)
		(void)unlink(opened[i]->path);
}

void report_open(struct report *report, const char *bench, const char *side)
{
	if (opened_count == TIER_WORKFLOWS_MAX)
		bench_die("too many reports");
	if (!opened_count)
		atexit(remove_files);
	*report = (struct report){0};
	snprintf(report->path, sizeof(report->path), "/dev/shm/ef_bench_%s_%s.jsonl", bench, side);
	opened[opened_count++] = report;
	(void)unlink(report->path);
}

/* The last line of the file, when it is another than before. Returns its number, or 0. */
static unsigned int read_line(const struct report *report, char line[LINE_BYTES])
{
	FILE *file = fopen(report->path, "re");
	unsigned int number = 0;

	if (!file)
		return 0;
	while (fgets(line, LINE_BYTES, file))
		number += strchr(line, '\n') != NULL;
	fclose(file);
	return number > report->lines ? number : 0;
}

json_t *report_ask(struct report *report, const struct tier_network *network,
		   const struct frame *frame)
{
	unsigned int number = 0;
	char line[LINE_BYTES];
	json_t *record, *fields;

	tier_set_pace(network, &(struct tier_pace){0});
	tier_send(network, false, frame, 1, 1);
	for (int i = 0; i < WAIT_MS && !number; i++) {
		usleep(1000);
		number = read_line(report, line);
	}
	record = number ? json_loads(line, 0, NULL) : NULL;
	fields = json_incref(json_object_get(record, "fields"));
	json_decref(record);
	if (!fields)
		bench_die("no report in %s", report->path);
	report->lines = number;
	return fields;
}

double report_number(const json_t *fields, const char *name)
{
	return json_number_value(json_object_get(fields, name));
}
