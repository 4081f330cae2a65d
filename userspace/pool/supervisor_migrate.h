/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables of states that an update moves into new ones. The worker of the version before
 * has come to its end; then
 *
 *	migrate_make    state.N.next, empty, beside state.N
 *	a process       fills them (worker_migrate.h)
 *	migrate_swap    state.N becomes state.N.before, state.N.next state.N
 *	the new worker  is ready
 *	migrate_keep    removes state.N.before
 *
 * Until the new worker has committed anything the version before can go on:
 * migrate_settle gives it back its tables, wherever somebody was killed.
 */
#ifndef FAAS_POOL_SUPERVISOR_MIGRATE_H
#define FAAS_POOL_SUPERVISOR_MIGRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"

/* Whether the worker of these files has come to its end in an orderly way, so that the
 * tables are those of the last event. */
bool migrate_may_begin(const char *root, const char *name);

/* Make the empty table for user function @p function of @p to. Descriptor or -errno. */
int migrate_make(const char *root, const struct bundle *to, uint32_t function)
	__attribute__((warn_unused_result));

/* Open the table that there is, for reading. Descriptor or -errno. */
int migrate_open(const char *root, const char *name, uint32_t function)
	__attribute__((warn_unused_result));

/* Put the tables of the functions in @p mask in the place of those that were there.
 * 0 or -errno: then migrate_settle undoes it. */
int migrate_swap(const char *root, const char *name, uint32_t mask)
	__attribute__((warn_unused_result));

/* The new worker has taken them up. 0 or -errno. */
int migrate_keep(const char *root, const char *name) __attribute__((warn_unused_result));

/* After a death, or a start that failed: either of the two, for all of the tables. With
 * those of the version before, the files are that generation's again. 0 or -errno. */
int migrate_settle(const char *root, const char *name) __attribute__((warn_unused_result));

#endif
