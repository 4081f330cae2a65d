/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the loader writes down of a loaded workflow that the kernel does not
 * keep: on which interfaces, in which namespace, it was attached for which
 * trigger. In FAAS_RUN_WORKFLOWS/NAME/interfaces.json.
 */
#ifndef FAAS_LOADER_RECORD_H
#define FAAS_LOADER_RECORD_H

#include "attach.h"

#define RECORD_ATTACHMENTS_MAX ((size_t)FAAS_TRIGGERS_MAX * FAAS_TRIGGER_INTERFACES_MAX)

struct attachment {
	uint32_t trigger; /* index in the bundle */
	enum attach_hook hook;
	struct interface interface;
};

struct record {
	char netns_path[256];  /* "" for the one of the command that loaded */
	uint64_t netns_cookie; /* as in struct netns */
	struct attachment attachments[RECORD_ATTACHMENTS_MAX];
	uint32_t attachment_count;
};

int record_write(const char *workflow, const struct record *record, struct diags *diags)
	__attribute__((warn_unused_result));
/* 0, -ENOENT, or -EINVAL: damaged. */
int record_read(const char *workflow, struct record *ret) __attribute__((warn_unused_result));

/* Enter its namespace: by its path, or by its inode if the command that loaded was in
 * it, wherever this one is. 0 or -errno. Path and inode may lead to another namespace than
 * then: record_is_of() tells. */
int record_enter(const struct record *record, struct netns *netns)
	__attribute__((warn_unused_result));

/* Whether its interfaces were found in this namespace. */
bool record_is_of(const struct record *record, const struct netns *netns);

#endif
