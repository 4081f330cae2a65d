/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* States of user functions as JSON, by the names of their members. */
#ifndef FAAS_LOADER_STATE_VALUE_H
#define FAAS_LOADER_STATE_VALUE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "bundle.h"

/**
 * @brief A state as JSON.
 *
 * Structures are objects, arrays are arrays; text is a string, or bytes in hexadecimal
 * behind "\\x" if it is not UTF-8; bytes are a string of hexadecimal digits. Integers
 * above INT64_MAX, which JSON readers lose, are strings of digits; what is no number,
 * "nan", "inf", "-inf". Without known members the whole state is bytes.
 *
 * @param data state_bytes of it.
 * @return Returns-owned. NULL only without memory.
 */
json_t *state_value_print(const struct bundle_function *function, const uint8_t *data)
	__attribute__((warn_unused_result));

/**
 * @brief Read what state_value_print() made. Every member must be there, and no other.
 *
 * @param ret state_bytes of it; what lies between members is zero.
 * @param why Of @p why_bytes: what is wrong, on failure.
 * @return 0 or -1.
 */
int state_value_parse(const struct bundle_function *function, const json_t *value, uint8_t *ret,
		      char *why, size_t why_bytes) __attribute__((warn_unused_result));

/* Any JSON, on one line; real numbers as short as they read back the same. */
void state_value_write(const json_t *value, FILE *stream);

#endif
