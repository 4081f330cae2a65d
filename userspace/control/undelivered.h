/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How many outputs in a log wait for which sink: read from the log, not remembered. */
#ifndef FAAS_CONTROL_UNDELIVERED_H
#define FAAS_CONTROL_UNDELIVERED_H

#include <stdint.h>

#include <ebpf_faas/limits.h>

#include "userspace/pool/supervisor_files.h"

/* By number of the sink; the last: dead letters for their file. */
struct undelivered {
	uint64_t outputs[FAAS_SINKS_MAX + 1];
	uint64_t errors[FAAS_SINKS_MAX + 1]; /* errno of the last attempt, 0: none failed */
};

/* 0 or -errno. */
int undelivered_count(const struct run_files *files, struct undelivered *ret)
	__attribute__((warn_unused_result));

#endif
