/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The triggers of time of a workflow, as `validate` and `status` tell of them. */
#ifndef FAAS_LOADER_TIMER_REPORT_H
#define FAAS_LOADER_TIMER_REPORT_H

#include <jansson.h>

#include "bundle.h"

/* A list: trigger, function, every_ns, and every in words. Returns-owned. */
json_t *timer_report(const struct bundle *bundle);

/* One line of text each, with @p indent before it. */
void timer_report_print(const json_t *timers, const char *indent);

#endif
