/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is kept of workers that died: the last SUPERVISOR_CRASHES_MAX of a workflow, one
 * JSON object a line, in its run directory, until it is unloaded.
 */
#ifndef FAAS_POOL_SUPERVISOR_CRASH_H
#define FAAS_POOL_SUPERVISOR_CRASH_H

#include <stdint.h>

#include "childlog.h"

#define SUPERVISOR_CRASHES "crashes.jsonl"
#define SUPERVISOR_CRASHES_MAX 16

struct supervisor_crash {
	const char *workflow;
	uint32_t generation;
	uint32_t incarnation;
	int pid;
	int signal, status;
	const char *reason;
	const char *frames; /* as the worker said, "" for nothing; not to be trusted */
	const struct childlog *output;
};

/* Keep it. 0 or -errno. */
int supervisor_crash_keep(const char *root, const struct supervisor_crash *crash)
	__attribute__((warn_unused_result));

#endif
