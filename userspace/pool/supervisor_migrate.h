/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables of states that an update replaces by others. The worker of the version before
 * has come to its end; then
 *
 *	migrate_make    state.N.next, empty, beside state.N
 *	a process       fills them where states are taken over (worker_migrate.h)
 *	migrate_swap    state.N becomes state.N.before, state.N.next state.N
 *	the new worker  runs
 *	migrate_keep    removes state.N.before; or
 *	migrate_back    puts it back, for the version before
 *
 * Who is killed anywhere is followed by migrate_settle: a change is whole, with both
 * kinds of tables there, or was never begun.
 */
#ifndef FAAS_POOL_SUPERVISOR_MIGRATE_H
#define FAAS_POOL_SUPERVISOR_MIGRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"

/* The last record of the log, whether or not the worker's page says so already: whoever wrote
 * it may have been killed. And the ring that the log counts in. */
struct migrate_last {
	uint64_t sequence;
	uint64_t ring_position;
	uint64_t ring_first_sequence; /* records before it count in another ring */
	uint64_t ring_boot_hash;
	uint32_t ring_map_id;
};

/* 0 or -errno. */
int migrate_last(const char *root, const char *name, struct migrate_last *ret)
	__attribute__((warn_unused_result));

/* Whether the worker of these files has come to its end in an orderly way, so that the
 * tables are those of the last event. */
bool migrate_may_begin(const char *root, const char *name);

/* Make the empty table for user function @p function of @p to. Descriptor or -errno. */
int migrate_make(const char *root, const struct bundle *to, uint32_t function)
	__attribute__((warn_unused_result));

/* As migrate_make, for a function that keeps its table under another number. 0 or -errno. */
int migrate_link(const char *root, const char *name, uint32_t from, uint32_t to)
	__attribute__((warn_unused_result));

/* Where numbers of functions and sinks change: make the pages that count by them, for
 * MIGRATE_PAGES in the mask of migrate_swap. 0 or -errno. */
#define MIGRATE_PAGES (3u << FAAS_USER_FUNCTIONS_MAX)
int migrate_pages(const char *root, const struct bundle *from, const struct bundle *to)
	__attribute__((warn_unused_result));

/* Open one of the files of the workflow, for reading. Descriptor or -errno. */
int migrate_open(const char *root, const char *name, const char *file)
	__attribute__((warn_unused_result));

/* Put the tables of the functions in @p mask in the place of those that were there.
 * 0 or -errno: then migrate_settle undoes it. They count when the generation of the
 * runtime's page is the new one (run_files_adopt). */
int migrate_swap(const char *root, const char *name, uint32_t mask)
	__attribute__((warn_unused_result));

/* The new version stays. 0 or -errno. */
int migrate_keep(const char *root, const char *name) __attribute__((warn_unused_result));

/* The files are those of the generation before again, with its tables as they were;
 * what was recorded since is not put into them. 0; -ENOENT: none were replaced; or
 * -errno. */
int migrate_back(const char *root, const char *name) __attribute__((warn_unused_result));

/* After a death: what was half done is finished or undone. 0 or -errno. */
int migrate_settle(const char *root, const char *name) __attribute__((warn_unused_result));

/* Also: back, if the new version has committed nothing yet. 0 or -errno. */
int migrate_settle_unused(const char *root, const char *name) __attribute__((warn_unused_result));

#endif
