/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Run-time files that outlive a version of their workflow: log, pages and state go on
 * with the next one, which has a ring of its own. The worker of the version before has
 * emptied its ring and ended.
 *
 *	run_files_generation -> migrate_... (supervisor_migrate.h) -> run_files_open
 *	-> run_files_adopt
 *
 * A runtime that dies in between does it again: the generation of the runtime's page
 * changes last.
 */
#ifndef FAAS_POOL_SUPERVISOR_RENEW_H
#define FAAS_POOL_SUPERVISOR_RENEW_H

#include <stdbool.h>
#include <stdint.h>

#include "userspace/pool/supervisor_files.h"

/* The runtime's page, as it is now. 0 or -errno. */
int run_files_look(const char *root, const char *name, struct runtime_page *ret)
	__attribute__((warn_unused_result));

/* The generation that they belong to, and that of tables of before that are kept beside
 * them, 0: none. 0 or -errno. */
int run_files_generation(const char *root, const char *name, uint32_t *ret, uint32_t *ret_before)
	__attribute__((warn_unused_result));

/* Whether the command wrote down that the state of this instance begins anew. */
bool run_files_reset(const char *root, const char *name, uint32_t generation, const char *instance);

/* From now on they belong to @p generation, and positions count in its ring. */
void run_files_adopt(struct run_files *files, uint32_t generation,
		     const struct ring_identity *ring);

#endif
