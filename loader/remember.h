/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a reboot brings back of a loaded workflow: which version, in which network
 * namespace, and what was said while it ran. In FAAS_STATE_WORKFLOWS/NAME/restore.json,
 * from when its load is done to when it is unloaded; a version on trial is not in there.
 */
#ifndef FAAS_LOADER_REMEMBER_H
#define FAAS_LOADER_REMEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "bundle.h"
#include "diag.h"
#include "host.h"

struct remembered {
	uint32_t generation;
	bool named;	      /* its namespace can be found again */
	char netns_path[256]; /* "" for that of the host */
	bool bypassed;
	json_t *set; /* owned: see params_changed */
};

/* Write down what runs in the slot, a generation of @p bundle, unless it is on trial; on
 * the disk then. */
int remember(const struct host *host, uint32_t slot, const struct bundle *bundle,
	     struct diags *diags) __attribute__((warn_unused_result));

/* 0, -ENOENT: it is not to be restored, or -EINVAL: damaged. */
int remembered_read(const char *workflow, struct remembered *ret)
	__attribute__((warn_unused_result));
void remembered_free(struct remembered *remembered);

/* Whether there is something of that name to be restored. */
bool remembered_exists(const char *workflow);

/* It is not restored any more. Not on the disk yet. */
void remember_forget(const char *workflow);

#endif
