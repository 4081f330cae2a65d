/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Keys of user functions as text, as sinks write them: the parts in their order, joined
 * by commas: "10.20.0.7,5005". */
#ifndef FAAS_LOADER_STATE_KEY_H
#define FAAS_LOADER_STATE_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "bundle.h"

/* Two IPv6 addresses and two numbers, or all bytes in hexadecimal. */
#define STATE_KEY_CHARS 112

/* @p bytes of key; in hexadecimal if they are not those of the parts. */
void state_key_print(const struct bundle_function *function, const uint8_t *key, uint32_t bytes,
		     char ret[STATE_KEY_CHARS]);

/**
 * @brief Read a key.
 *
 * @param ret       At least FAAS_KEY_BYTES_MAX bytes.
 * @param ret_bytes How many of them it has.
 * @param why       Of @p why_bytes: what is wrong with it, on failure.
 * @return 0 or -1.
 */
int state_key_parse(const struct bundle_function *function, const char *text, uint8_t *ret,
		    uint32_t *ret_bytes, char *why, size_t why_bytes)
	__attribute__((warn_unused_result));

/* The parts by name: "source_address,source_port". */
void state_key_parts(const struct bundle_function *function, char *ret, size_t bytes);

#endif
