/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Manifest and shared objects of a workflow, as its processes get them: copies in sealed
 * memory, which nobody can change. They are there as long as there is a process, so that
 * the next one after a crash needs no disk; a workflow that is idle has none of them, and
 * takes them from its bundle again when it wakes, if they are still what was loaded.
 *
 *	copies_init -> copies_take -> (the worker starts) ... idle -> copies_give_back
 *
 * What a worker needs of the manifest it is told (bundle_image.h): the manifest itself is for
 * programs, and for workers that are not made of the template.
 */
#ifndef FAAS_POOL_SUPERVISOR_COPIES_H
#define FAAS_POOL_SUPERVISOR_COPIES_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"

struct supervisor;

/* Where they are from, and what they have to be. */
struct copies {
	char *directory; /* owned; of the bundle */
	/* Owned: first the manifest, then the object of each user function. */
	struct bundle_file *files;
	void *image; /* owned; NULL: it would be too long, and workers read the manifest */
	uint32_t image_bytes;
	bool has_programs;
};

/* Note where they are, and what the manifest is now. Copies nothing. 0 or -errno. */
int copies_init(struct supervisor *supervisor, const struct bundle *bundle, const char *directory)
	__attribute__((warn_unused_result));

/* All that are needed. 0, or -errno with none of them and the reason set. */
int copies_take(struct supervisor *supervisor) __attribute__((warn_unused_result));

/* The manifest as well, for a worker that is not told. The same results. */
int copies_take_manifest(struct supervisor *supervisor) __attribute__((warn_unused_result));

void copies_give_back(struct supervisor *supervisor);

/* The manifest alone, for the courier: returns-owned, or -errno. */
int copies_manifest(const struct supervisor *supervisor) __attribute__((warn_unused_result));

/* A copy of a file that nobody can change any more. Descriptor or -errno. */
int copies_seal(const char *path, const char *name) __attribute__((warn_unused_result));

void copies_free(struct supervisor *supervisor);

#endif
