/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The end of a worker that has had nothing to do for as long as the workflow says. Who
 * waits for the next event then is the runtime: see supervisor_idle.h.
 */
#ifndef FAAS_POOL_WORKER_IDLE_H
#define FAAS_POOL_WORKER_IDLE_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/*
 * To be called when there is nothing to do before @p next_ns (WORKER_WAIT_FOREVER:
 * unless something comes). True: the worker ends now, and may not take events any
 * more. Else worker->idle_look_ns says when to ask again.
 */
bool worker_leaves(struct worker *worker, uint64_t next_ns) __attribute__((warn_unused_result));

#endif
