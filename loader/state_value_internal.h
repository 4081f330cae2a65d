/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Between the state_value*.c files. */
#ifndef FAAS_LOADER_STATE_VALUE_INTERNAL_H
#define FAAS_LOADER_STATE_VALUE_INTERNAL_H

#include <string.h>

#include "state_value.h"

#define WORD_BYTES FAAS_STATE_PATH_BYTES

static inline uint32_t bits_of(const struct bundle_state_field *field)
{
	return field->bits ? field->bits : 8 * field->bytes;
}

/* The next name of a path. Returns what is behind it. */
static inline const char *take_word(const char *path, char word[WORD_BYTES])
{
	size_t chars = strcspn(path, ".[");

	snprintf(word, WORD_BYTES, "%.*s", (int)chars, path);
	return path + chars;
}

#endif
