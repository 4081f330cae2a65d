/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* States that a person puts in: see userspace/base/import.h. */
#ifndef FAAS_POOL_WORKER_IMPORT_H
#define FAAS_POOL_WORKER_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "import.h"

struct worker;

/* One piece, from the message to the answer. */
struct worker_import {
	bool pending;	 /* it is here, and not committed yet */
	bool unanswered; /* it is committed up to `position` of the log */
	uint32_t bytes;
	uint64_t position;
	uint64_t now_ns; /* what its timers count from, in the log and in the table */
	uint64_t message[(IMPORT_BYTES_MAX + 7) / 8];
};

/* Keep a message of the runtime's if it is a piece. One at a time: another one that
 * comes before the answer is refused. */
bool worker_import_take(struct worker *worker, const void *message, uint32_t bytes);

/**
 * @brief Commit the piece that waits, as one record, between events; answer when it
 * is where the workflow's state is: with durable state, on the disk.
 * @return 0; -EAGAIN: the log is full, and it waits on.
 */
int worker_import(struct worker *worker) __attribute__((warn_unused_result));

#endif
