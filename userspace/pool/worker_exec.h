/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Functions that a program runs, in a process of its own beside the worker: its
 * standard input and output are one socket, <ebpf_faas/exec.h> says what goes over
 * it. A batch is written ahead and its answers are read in order; then each event
 * is committed as any other (worker_gather.c).
 *
 * A program that ends, or answers what is no answer, ends its worker: the runtime
 * starts both again, and what was not committed is given to the next ones.
 */
#ifndef FAAS_POOL_WORKER_EXEC_H
#define FAAS_POOL_WORKER_EXEC_H

#include <stdint.h>

#include <ebpf_faas/event.h>

struct worker;
struct worker_exec;

/* Function @p number is a program at the other end of @p fd, which is not blocking. 0, or
 * an exit status with worker->error set. */
int worker_exec_open(struct worker *worker, uint32_t number, int fd)
	__attribute__((warn_unused_result));

/* Say what the workflow wants of it and hear that it begins. Blocks. The same results. */
int worker_exec_greet(struct worker *worker, uint32_t number) __attribute__((warn_unused_result));

/* What came of one event of a batch. All is borrowed until the next call. */
struct worker_exec_result {
	uint16_t status;
	const uint8_t *before; /* the state that the program saw; NULL: it has none */
	const uint8_t *after;  /* NULL: as before */
	uint64_t timer_ns;     /* see FAAS_EXEC_TIMER_SAME */
	uint32_t output_count;
	const uint8_t *outputs; /* see exec_frame_output */
};

/* Have these events done, at most FAAS_BATCH_MAX, or one timer. Returns a result for each; does not
 * return if the program fails. */
const struct worker_exec_result *worker_exec_call(struct worker *worker, uint32_t number,
						  const struct faas_event *const *events,
						  uint32_t count);

#endif
