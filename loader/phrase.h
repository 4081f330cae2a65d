/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Words for a person, put together piece by piece in a bounded buffer. */
#ifndef FAAS_LOADER_PHRASE_H
#define FAAS_LOADER_PHRASE_H

#include <stddef.h>

/* Add to the text in a buffer of @p bytes. What does not fit is cut off. */
void phrase_add(char *text, size_t bytes, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
