/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The members of a state's type, as the manifest has them. */
#ifndef FAAS_BASE_BUNDLE_STATE_H
#define FAAS_BASE_BUNDLE_STATE_H

#include <jansson.h>

#include "bundle.h"
#include "manifest.h"

/* A list of all. Returns-owned; NULL only without memory. */
json_t *bundle_state_print(const struct bundle_function *function);

/* The member "fields" of @p state. */
void bundle_state_read(const struct manifest_at *state, struct bundle_function *ret);

/* Where the last of its values ends. */
uint32_t bundle_state_field_end(const struct bundle_state_field *field);

/* Whether its name, type and place make sense in a state of that size. */
bool bundle_state_field_valid(const struct bundle_state_field *field, uint32_t state_bytes);

/* Whether the same members stand at the same places; where one of the two has no
 * names, nothing is known to differ. *ret_a, *ret_b: the first that do. Borrowed. */
bool bundle_state_same_fields(const struct bundle_function *a, const struct bundle_function *b,
			      const char **ret_a, const char **ret_b);

#endif
