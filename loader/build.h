/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Making a bundle: driver, fusing, shared objects, digests. */
#ifndef FAAS_LOADER_BUILD_H
#define FAAS_LOADER_BUILD_H

#include "bundle.h"
#include "command.h"
#include "diag.h"

#define BUILD_SCRATCH_DIRECTORY "/tmp"
#define BUILD_SCRATCH_NAME "ebpf-faas-build-" /* its process, a dash, letters */
#define BUILD_SCRATCH_PREFIX BUILD_SCRATCH_DIRECTORY "/" BUILD_SCRATCH_NAME

/* A temporary directory, removed with all in it by build_scratch_remove(). */
struct build_scratch {
	char path[64];
};

int build_scratch_make(struct build_scratch *ret, struct diags *diags)
	__attribute__((warn_unused_result));
void build_scratch_remove(const struct build_scratch *scratch);

/**
 * @brief Read, check and build a workflow.
 *
 * @param file      The YAML file.
 * @param options   --set and --funcs of the command line.
 * @param scratch   For what is compiled on the way.
 * @param directory Of the bundle; exists and is empty.
 * @param ret       The bundle as written.
 * @return 0, or -1 with diagnostics. Blocks while compilers run.
 */
int build_workflow(const char *file, const struct options *options,
		   const struct build_scratch *scratch, const char *directory, struct bundle *ret,
		   struct diags *diags) __attribute__((warn_unused_result));

/* Say in one line which functions are not inlined, if any. */
void build_print_separate(const struct bundle *bundle);

#endif
