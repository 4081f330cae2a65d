/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A workflow file, read, checked and resolved, without touching the host.
 * Language: ebpf-faas-workflow(5).
 */
#ifndef FAAS_LOADER_WORKFLOW_H
#define FAAS_LOADER_WORKFLOW_H

#include <stddef.h>

#include "bundle.h"
#include "diag.h"
#include "function.h"

/* Where functions come from. Zero: from the directories of the options. */
struct workflow_functions {
	/* As function_find(). */
	int (*find)(void *context, enum function_tier tier, const char *name, struct function *ret,
		    struct diags *diags);
	/* As function_list(); for suggestions. */
	int (*list)(void *context, struct function_name **ret, unsigned int *ret_count);
	void *context;
};

/* All is borrowed, for the time of the call. */
struct workflow_options {
	/* Overrides, "PATH=VALUE": triggers.sensors.packet.interfaces=[eth1]. */
	const char *const *sets;
	unsigned int set_count;
	/* Looked into after funcs/ beside the file, before the installed library. */
	const char *const *directories;
	unsigned int directory_count;
	/* An existing directory of the caller's: objects of functions that have to
	 * be compiled go there. */
	const char *build_directory;
	struct workflow_functions functions;
};

/* A file of the author's that goes into the bundle. */
struct workflow_data {
	char source[FAAS_PATH_BYTES];
	char path[BUNDLE_DATA_PATH_BYTES]; /* below the bundle's directory */
};

struct workflow {
	struct bundle bundle; /* without digests and names of maps: see bundle_seal() */
	/* Object of each function, in the order of the bundle. */
	char kernel_objects[FAAS_KERNEL_FUNCTIONS_MAX][FAAS_PATH_BYTES];
	char user_objects[FAAS_USER_FUNCTIONS_MAX][FAAS_PATH_BYTES];
	struct workflow_data data[FAAS_DATA_FILES_MAX];
	uint32_t data_count;
};

/**
 * @brief Read a workflow file.
 *
 * @param options May be NULL if every function has an object ready.
 * @param ret     Filled on success only. Large (1 MiB): allocate it.
 * @return 0, or -1 with a diagnostic for every mistake that was found. Blocks
 * while compilers run.
 */
int workflow_read(const char *path, const struct workflow_options *options, struct workflow *ret,
		  struct diags *diags) __attribute__((warn_unused_result));

/* The same for a text in memory; @p place is its name in diagnostics. */
int workflow_parse(const char *text, size_t bytes, const char *place,
		   const struct workflow_options *options, struct workflow *ret,
		   struct diags *diags) __attribute__((warn_unused_result));

#endif
