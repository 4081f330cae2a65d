/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a user function needs and a worker does not have: it would not load there. */
#ifndef FAAS_LOADER_FUNCTION_SYMBOLS_H
#define FAAS_LOADER_FUNCTION_SYMBOLS_H

#include <libelf.h>

/* The first library that it needs and a worker cannot find; NULL: none. Borrowed. */
const char *function_symbols_library(Elf *elf) __attribute__((warn_unused_result));

/**
 * @brief Count the symbols that nothing which the object names defines.
 *
 * Runs nothing and opens no library. Only for an object that needs none but those that a
 * worker has: their symbols have versions, which tells the others apart.
 *
 * @param elf      The shared object. Borrowed, and may be corrupt.
 * @param ret_name The first of them, borrowed from @p elf; untouched if there is none.
 * @return How many; 0 also if there is no worker here to compare with.
 */
unsigned int function_symbols_missing(Elf *elf, const char **ret_name)
	__attribute__((warn_unused_result));

#endif
