/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What two versions of a workflow share of the user tier: its log and its state
 * outlive an update, and mean something only to a version that reads them alike.
 */
#ifndef FAAS_BASE_BUNDLE_COMPARE_H
#define FAAS_BASE_BUNDLE_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "bundle.h"

/* Whether the same functions, with the same outputs, and the same sinks stand at the
 * same places; *ret says the first difference. There is @p a, here is @p b. */
bool bundle_same_user_tier(const struct bundle *a, const struct bundle *b, char *ret, size_t bytes);

/* Whether the log may go on: what is on the disk is of one kind and size. *ret as above. */
bool bundle_same_log(const struct bundle *a, const struct bundle *b, char *ret, size_t bytes);

/* Whether the outputs of a function are alike, in their order. */
bool bundle_same_outputs(const struct bundle_function *a, const struct bundle_function *b);

/* The number of the user function of that name, or BUNDLE_NO_FUNCTION. */
uint32_t bundle_user_of(const struct bundle *bundle, const char *instance);

/* Whether outputs that are still in the log would be written the same way. */
bool bundle_same_records(const struct bundle *a, const struct bundle *b);

/* Whether the state of a user function is laid out alike; *ret as above. */
bool bundle_same_state(const struct bundle_function *a, const struct bundle_function *b, char *ret,
		       size_t bytes);

/* What becomes of the state of a function when @p b takes the place of @p a. */
enum bundle_state_fate {
	STATE_KEPT,	/* as it is */
	STATE_MIGRATED, /* key by key into a new table: by faas_on_migrate, or as it is */
	STATE_NOT_KEPT, /* *ret says why */
};

enum bundle_state_fate bundle_state_fate(const struct bundle_function *a,
					 const struct bundle_function *b, char *ret, size_t bytes);

/* Whether faas_on_migrate is needed for that: else states are copied. */
static inline bool bundle_state_converted(const struct bundle_function *a,
					  const struct bundle_function *b)
{
	return a->state_version != b->state_version;
}

#endif
