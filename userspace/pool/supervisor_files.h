/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The run-time files of one workflow, /run/ebpf-faas/workflows/NAME/: pages, log
 * and state (see userspace/base/pages.h), allocated to their last byte before
 * anything maps them, since a store into a page that a full tmpfs does not have
 * is SIGBUS. In the runtime's page is also what a later runtime needs to take over.
 */
#ifndef FAAS_POOL_SUPERVISOR_FILES_H
#define FAAS_POOL_SUPERVISOR_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "diag.h"
#include "pages.h"
#include "userspace/pool/supervisor_storage.h"

/* What the positions in a log count in. */
struct ring_identity {
	uint64_t boot_hash;
	uint32_t map_id;
};

/* Of the ring buffer @p ring_fd. 0 or -errno. */
int ring_identity_of(int ring_fd, struct ring_identity *ret) __attribute__((warn_unused_result));

struct run_files {
	int worker_page;		     /* read, write */
	int courier_page;		     /* read, write */
	int runtime_page_readable;	     /* for the worker */
	int log;			     /* read, write */
	int states[FAAS_USER_FUNCTIONS_MAX]; /* -1: without state */
	struct runtime_page *runtime_page;
	struct storage storage; /* with durable state */
};

/* What is not open. For run_files_close. */
void run_files_init(struct run_files *files);

/*
 * Make the directory and the files of a workflow that begins. What an earlier
 * one of that name left behind goes, but for what it has in @p storage: that is
 * taken up. 0; or -1 with a diagnostic and nothing left. Returns-owned: *ret.
 */
int run_files_create(const char *root, const char *storage, const struct bundle *bundle,
		     uint32_t generation, const char *netns, const struct ring_identity *ring,
		     struct run_files *ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* Open those of a workflow that went on without a runtime. The network namespace
 * is that of run_files_create. */
int run_files_open(const char *root, const char *storage, const struct bundle *bundle,
		   struct run_files *ret, char *ret_netns, size_t netns_bytes, struct diags *diags)
	__attribute__((warn_unused_result));

void run_files_close(struct run_files *files);

/* Open the directory of a workflow's run-time files. A descriptor or -errno. */
int run_files_directory(const char *root, const char *name) __attribute__((warn_unused_result));

/* Whether a workflow has run-time files there. */
bool run_files_exist(const char *root, const char *name);

/* Remove them, and the directory if nothing else is in it. 0, also if there are
 * none; or -errno. */
int run_files_remove(const char *root, const char *name) __attribute__((warn_unused_result));

#endif
