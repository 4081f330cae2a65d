/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ledger outlives versions. As long as their counters are laid out alike, they
 * count in one map. Where the layout changes, the totals of the version before are
 * written down in the map `carried` of the new one, once.
 */
#ifndef FAAS_LOADER_CARRIED_H
#define FAAS_LOADER_CARRIED_H

#include <stdbool.h>
#include <stdint.h>

#include <ebpf_faas/pins.h>

#include "diag.h"

/* Give the pins of @p generation the map of the one before it, which goes on counting
 * in the same meters, or one of its own. */
int carried_prepare(const char *name, uint32_t before, uint32_t generation, bool same_meters,
		    struct diags *diags) __attribute__((warn_unused_result));

/* Add what @p from counted, which ran before and is at rest, to what @p generation
 * carries. Done again, it changes nothing. 0 or -errno. */
int carried_add(const char *name, uint32_t from, uint32_t generation)
	__attribute__((warn_unused_result));

/* Events that were emitted into the ring of @p from and that nobody will take are lost,
 * not emitted. Done again, it changes nothing. 0 or -errno. */
int carried_give_up(const char *name, uint32_t from, uint32_t generation, uint64_t events)
	__attribute__((warn_unused_result));

/* What the generation carries; zeros if nothing. 0 or -errno. */
int carried_read(const char *name, uint32_t generation, struct faas_meters *ret)
	__attribute__((warn_unused_result));

#endif
