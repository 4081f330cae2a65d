/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Durable state in a worker: the engine of userspace/log/durable.h, with the
 * worker's tables, log and io_uring.
 *
 *   worker_durable_open   behind worker_map, before worker_recover: the disk is
 *                         read if nothing is left in memory
 *   worker_durable_start  from worker_recover: the log goes on, on the disk too
 *   worker_durable_step   behind each batch, and when a write may have completed
 *
 * With durable state nobody sees what is not on the disk: what worker.shown
 * points to, counters, ring and courier follow what is acknowledged.
 */
#ifndef FAAS_POOL_WORKER_DURABLE_H
#define FAAS_POOL_WORKER_DURABLE_H

#include "userspace/log/durable.h"
#include "userspace/pool/worker.h"
#include "userspace/pool/worker_disk.h"

struct worker_durable {
	struct durable durable;
	struct durable_setup setup;
	struct worker_disk disk;
	struct durable_recovered found;
	/* Where the snapshot begins that counts; the log before it is on the disk. */
	uint64_t begin;
	struct page_counters at_begin; /* if a record of the redone ones ends there */
	uint32_t cut;		       /* bit n: of the table of function n something was lost */
	struct worker *worker;	       /* borrowed */
};

/**
 * @brief Open the files of the durable log, make them what they must be, and take
 * up from them if this is the first worker since the machine started.
 * @param fds  Of enum disk_file; borrowed for the worker's life.
 * @return 0, or an exit status with worker->error set.
 */
int worker_durable_open(struct worker *worker, const int *fds) __attribute__((warn_unused_result));

/* 0, or an exit status with worker->error set. */
int worker_durable_start(struct worker *worker) __attribute__((warn_unused_result));

/* The incarnation of this worker; notes where the snapshot begins. Before the log
 * is redone. */
uint32_t worker_durable_incarnation(struct worker *worker);

/* Go on with what is to be written. True: more is acknowledged than was published. */
bool worker_durable_step(struct worker *worker);

/* The trigger of time @p number begins a round. That is no record, but a successor knows
 * of it: it shows with what is acknowledged, and records of the round before it that are
 * not are redone over it. */
void worker_durable_sweep_begins(struct worker *worker, uint32_t number);

/* Whether a step may have something to do though nothing was committed. */
bool worker_durable_is_due(const struct worker *worker);

#endif
