/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Making the generation run that the registry names. Every change of a loaded
 * workflow is two steps: what is needed is prepared beside what runs, then the
 * registry says the new generation, and settle() does the rest. Killed before that
 * store, the old generation goes on; killed after it, settle() is done again by the
 * next command. There is no third state.
 */
#ifndef FAAS_LOADER_SETTLE_H
#define FAAS_LOADER_SETTLE_H

#include <stdint.h>

#include "diag.h"
#include "host.h"

/**
 * @brief Have packets follow the generation of the registry, and no other.
 *
 * In this order, each safe to be done again: rules that it does not have go out;
 * running programs end; its programs go into the slots; running programs end; rules
 * that are missing go in; counters of a generation that ran before are added up;
 * the links lead to it; what neither it nor a trial needs is removed, in the end the
 * tables of user functions that led back.
 *
 * The lock is held. Enters and leaves the network namespace of the workflow.
 *
 * @return 0, the entry is FAAS_REGISTRY_LOADED; or -1 with a diagnostic, it stays as
 * it was, and what was done stays.
 */
int settle(const struct host *host, uint32_t slot, struct diags *diags)
	__attribute__((warn_unused_result));

/* Lead packets of the slot to the programs of a generation. 0 or -errno. */
int settle_programs(const struct host *host, uint32_t slot, const char *name, uint32_t generation)
	__attribute__((warn_unused_result));

/* settle() of a generation that ran before or is to run now: the entry says so from
 * here on. */
int settle_to(const struct host *host, uint32_t slot, uint32_t generation, struct diags *diags)
	__attribute__((warn_unused_result));

#endif
