/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* "Did you mean": the known word that a mistyped one is nearest to. */
#ifndef FAAS_LOADER_SUGGEST_H
#define FAAS_LOADER_SUGGEST_H

#include <stddef.h>

/* The nearest of @p words, or NULL if none is near. Borrows. */
const char *suggest_word(const char *word, const char *const words[], size_t count);

/* Advice about an unknown @p word: "did you mean `x`?", or which words there
 * are. @p what names them ("its outputs"). "" if there are none. */
void suggest_advice(const char *word, const char *const words[], size_t count, const char *what,
		    char *ret, size_t bytes);

#endif
