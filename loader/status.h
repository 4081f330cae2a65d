/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A workflow's status as JSON; text is printed from that. */
#ifndef FAAS_LOADER_STATUS_H
#define FAAS_LOADER_STATUS_H

#include <jansson.h>

#include "bundle.h"
#include "host.h"
#include "ledger.h"

/* {"matched": ..., "lost": {...}, "shed": {...}}. Returns-owned. */
json_t *status_ledger_json(const struct ledger *ledger);

/* Print the ledger in words to @p stream. */
void status_print_ledger(const struct ledger *ledger, FILE *stream);

/* Print a whole workflow's status, as `status --json` gives it, in words to stdout. */
void status_print_workflow(json_t *status);

#endif
