/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Workers of a workflow that died by what their functions did, with the last lines that
 * they wrote and where they were: by function, file and line, as far as the shared objects
 * of their generation are still stored and say so.
 */
#ifndef FAAS_LOADER_CRASH_REPORT_H
#define FAAS_LOADER_CRASH_REPORT_H

#include <jansson.h>

/* The oldest first. Returns-owned; an empty array if there are none. */
json_t *crash_report(const char *workflow);

/* The last of them, for a person. */
void crash_report_print(const json_t *crashes, const char *indent);

#endif
