/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events of a generation that did not stay, in its ring: the worker of the one that goes on
 * reads them as its own, with the tables of the runtime's page (supervisor_rest.h).
 */
#ifndef FAAS_POOL_WORKER_REST_H
#define FAAS_POOL_WORKER_REST_H

#include <stdbool.h>

#include "userspace/ring/ring.h"

struct worker;
struct worker_rest;

/* Where the runtime's page says so, set worker->rest. 0, or an exit status with worker->error
 * set. */
int worker_rest_open(struct worker *worker) __attribute__((warn_unused_result));

/* Let @p record show a copy that has this version's numbers: it is valid until
 * FAAS_BATCH_MAX more are taken. False: this version has no place for the event, which stays
 * as it is; so does a record that is no event. */
bool worker_rest_take(struct worker_rest *rest, struct ring_record *record);

/* Whether worker_rest_take found no place for it. */
bool worker_rest_is_strange(const struct worker_rest *rest, const struct ring_record *record);

#endif
