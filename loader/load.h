/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Part of loading that updates share. */
#ifndef FAAS_LOADER_LOAD_H
#define FAAS_LOADER_LOAD_H

#include "bundle.h"
#include "diag.h"
#include "host.h"
#include "record.h"
#include "remember.h"

/* Find the interfaces of all triggers in the namespace that was entered, write them
 * down in @p record, and see whether they can be had by @p own_slot. */
int load_interfaces(const struct host *host, uint32_t own_slot, const struct bundle *bundle,
		    const struct netns *netns, struct record *record, struct diags *diags)
	__attribute__((warn_unused_result));

/* Load @p bundle, which is what is stored of a workflow in @p directory. If it fails, what
 * is stored stays. */
int load_stored(const struct remembered *stored, struct bundle *bundle, const char *directory,
		struct diags *diags) __attribute__((warn_unused_result));

#endif
