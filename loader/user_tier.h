/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The user tier of a workflow over an update. The new version has a ring of its own:
 * none ever holds events of two. Once no program writes to the old ring any more, its
 * worker empties it and ends; events of the new one wait meanwhile. The worker of the
 * new version goes on with the same log and state, so that the ledger goes on too.
 * A user tier may come with an update; one that would go is refused, since what it has
 * counted would go with it.
 */
#ifndef FAAS_LOADER_USER_TIER_H
#define FAAS_LOADER_USER_TIER_H

#include <stdint.h>

#include "bundle.h"
#include "diag.h"
#include "takeover.h"

/* Whether log and state of @p from mean the same to @p to; what begins anew is in
 * @p takeover. On @p trial they must mean the same the other way round, too. -1 with
 * diagnostics that name the difference. */
int user_tier_check(const struct bundle *from, const struct bundle *to,
		    const struct takeover *takeover, bool trial, struct diags *diags)
	__attribute__((warn_unused_result));

/* Whether the state of a function gets a new table, so that what @p to does is not in
 * that which @p from goes on with if it comes back. */
bool user_tier_replaces(const struct bundle *from, const struct bundle *to,
			const struct takeover *takeover);

/* Whether the runtime has made files of the workflow, and made them whole. */
bool user_tier_has_files(const char *name);

/* Write down for the runtime which functions of a generation begin anew. */
int user_tier_write_resets(const struct bundle *to, uint32_t generation, const char *const *resets,
			   unsigned int count, struct diags *diags)
	__attribute__((warn_unused_result));

/**
 * @brief Have the runtime run the generation, and no other of this workflow.
 *
 * A later generation takes over only from one that has emptied its ring, or this
 * fails. Back to an earlier one nothing can refuse: what is left in the ring, it processes
 * itself, before what is in its own. Blocks until the worker is at its own ring. Not in a
 * namespace of a workflow.
 */
int user_tier_follow(const char *name, const struct bundle *bundle, uint32_t slot,
		     uint32_t generation, const char *netns_path, struct diags *diags)
	__attribute__((warn_unused_result));

/* A user tier where the version before had none is there before the first packet. Nothing to
 * do where there is one. */
int user_tier_begin(const char *name, const struct bundle *bundle, uint32_t slot,
		    uint32_t generation, const char *netns_path, struct diags *diags)
	__attribute__((warn_unused_result));

/* Where the ring of a generation is not empty, though no program writes to it: have its worker
 * empty it as far as FAAS_DRAIN_MS allows, before events of others get between. */
int user_tier_finish(const char *name, uint32_t slot, uint32_t generation, const char *netns_path,
		     struct diags *diags) __attribute__((warn_unused_result));

/* The generation runs and stays: tables of states that were kept for a way back go. */
int user_tier_settle(const char *name, const struct bundle *bundle, uint32_t generation,
		     struct diags *diags) __attribute__((warn_unused_result));

/* Events that are left in the ring of a generation that does not run. 0 or -errno. */
int user_tier_left(const char *name, uint32_t generation, uint64_t *ret)
	__attribute__((warn_unused_result));

#endif
