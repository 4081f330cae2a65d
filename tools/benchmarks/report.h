/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a function of a benchmark measured, as it tells it: an event without a time stamp asks
 * it for a record, which comes as a line of the file of its sink.
 */
#ifndef FAAS_BENCH_REPORT_H
#define FAAS_BENCH_REPORT_H

#include <jansson.h>

#include "tier.h"

struct report {
	char path[64];
	unsigned int lines; /* that were there before */
};

/* Where the sink of one side of a benchmark is to write. The file is removed, now and when the
 * program ends. @p report has to last until then. */
void report_open(struct report *report, const char *bench, const char *side);

/* Have the function tell: @p frame goes to it once, without a time stamp, and the generator has
 * no pace any more. Returns the fields of its record, owned. Ends the program when there is none
 * for some seconds. */
json_t *report_ask(struct report *report, const struct tier_network *network,
		   const struct frame *frame);

double report_number(const json_t *fields, const char *name);

#endif
