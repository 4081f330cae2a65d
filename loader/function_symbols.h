/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a user function calls and nobody defines: the worker would not load it. */
#ifndef FAAS_LOADER_FUNCTION_SYMBOLS_H
#define FAAS_LOADER_FUNCTION_SYMBOLS_H

#include <libelf.h>

/**
 * @brief Count the symbols that nothing which the object names defines.
 *
 * Runs nothing and opens no library that the object names. An object with a library
 * whose symbols have no versions may get them from there: none is counted then.
 *
 * @param elf      The shared object. Borrowed, and may be corrupt.
 * @param ret_name The first of them, borrowed from @p elf; untouched if there is none.
 * @return How many; 0 also if there is no worker here to compare with.
 */
unsigned int function_symbols_missing(Elf *elf, const char **ret_name)
	__attribute__((warn_unused_result));

#endif
