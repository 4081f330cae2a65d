/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Outputs that wait in the log of a workflow are written as the version says that made them.
 * One that would write them in another way takes over only when they are delivered.
 */
#ifndef FAAS_LOADER_UNDELIVERED_H
#define FAAS_LOADER_UNDELIVERED_H

#include "bundle.h"
#include "diag.h"

/* What --drain says, NULL: FAAS_DRAIN_MS. -1 with a diagnostic: it is no time. */
int undelivered_bound(const char *drain, uint64_t *ret_ns, struct diags *diags)
	__attribute__((warn_unused_result));

/* Before anything changes: wait until the sinks of what runs have what is in its log now, if
 * @p to would write it in another way. The host is not locked meanwhile, and must not be. -1
 * with a diagnostic: they do not within @p bound_ns. A workflow that is not loaded is no
 * mistake of this. */
int undelivered_wait(const struct bundle *to, uint64_t bound_ns, struct diags *diags)
	__attribute__((warn_unused_result));

/* The diagnostic: which sinks of @p from wait, for how many, and why. Always -1. */
int undelivered_fail(const struct bundle *from, struct diags *diags);

#endif
