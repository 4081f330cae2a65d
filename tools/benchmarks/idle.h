/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Waiting for workflows to be idle: they say so in a page of the runtime's. */
#ifndef FAAS_BENCH_IDLE_H
#define FAAS_BENCH_IDLE_H

#include "pages.h"

/* Of a workflow that is loaded. Borrowed for the life of the program. */
const struct runtime_page *idle_page(const char *workflow);

/* Wait until it has no worker, and its ring does not change any more. */
void idle_wait(const struct runtime_page *page);

/* After an event: wait until a worker has the ring of full size. */
void idle_wait_for_worker(const struct runtime_page *page);

#endif
