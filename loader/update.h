/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Another version in the place of the one that runs: for `update` and `rollback`. */
#ifndef FAAS_LOADER_UPDATE_H
#define FAAS_LOADER_UPDATE_H

#include "bundle.h"
#include "command.h"
#include "diag.h"
#include "host.h"
#include "trial.h"

/* What an update did, for who prints it. */
struct update_result {
	uint32_t slot;
	uint32_t before;
	uint32_t generation;
	struct takeover *takeover; /* owned: free() */
};

/**
 * @brief Have the version in @p directory run in the place of what runs.
 *
 * @param trial NULL: it stays from the first moment on.
 * @param event What the history calls it: "updated", "rolled back".
 *
 * The lock is held. On failure what ran before runs on.
 */
int update_run(struct host *host, uint32_t slot, const struct bundle *bundle, const char *directory,
	       const struct options *options, const struct trial *trial, const char *event,
	       struct update_result *ret, struct diags *diags) __attribute__((warn_unused_result));

/* The slot of a workflow that can be changed now: loaded, and not on trial. 0 with a
 * diagnostic. */
uint32_t update_find(const struct host *host, const char *name, struct diags *diags);

/* Print what update_run() did; @p trial: how it goes on, or NULL. */
void update_print(const struct options *options, const struct bundle *bundle, const char *event,
		  const char *trial, const struct update_result *result);

#endif
