/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a generation that did not stay has left in its ring. No program writes to that ring
 * any more; the worker of the generation that goes on empties it first, as its own events
 * (worker_rest.h), and comes to its own ring then:
 *
 *	rest_tables     what the numbers of the other are in this one
 *	rest_leave      the ring that was read so far keeps what was not processed
 *	run_files_adopt positions count in the other ring, and again in the own one
 */
#ifndef FAAS_POOL_SUPERVISOR_REST_H
#define FAAS_POOL_SUPERVISOR_REST_H

#include <stdbool.h>

#include "bundle.h"
#include "pages.h"

/* What is in events of @p from, by the numbers of @p to. */
void rest_tables(const struct bundle *from, const struct bundle *to, struct page_rest *ret);

/* Whoever was killed may have processed events that the ring behind @p ring_fd still holds.
 * Release them, where the log of these files counts in that ring. 0 or -errno. */
int rest_leave(const char *root, const char *name, int ring_fd) __attribute__((warn_unused_result));

/* Whether nothing is left in a ring that nobody writes to. 0, 1 or -errno. */
int rest_is_over(int ring_fd) __attribute__((warn_unused_result));

#endif
