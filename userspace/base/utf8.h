/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAAS_BASE_UTF8_H
#define FAAS_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at @p text, 1 to 4; 0 if it is not valid UTF-8 (RFC
 * 3629: no overlong forms, no surrogates, nothing above U+10FFFF). Reads no
 * further than a NUL, which counts as one byte. */
size_t utf8_character(const char *text);

/* Whether the character, of @p bytes bytes, steers terminals: C0, DEL, C1. */
bool utf8_is_control(const char *text, size_t bytes);

#endif
