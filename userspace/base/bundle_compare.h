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

/* Whether outputs that are still in the log would be written the same way. */
bool bundle_same_records(const struct bundle *a, const struct bundle *b);

/* Whether the state of a user function is laid out alike; *ret as above. */
bool bundle_same_state(const struct bundle_function *a, const struct bundle_function *b, char *ret,
		       size_t bytes);

#endif
