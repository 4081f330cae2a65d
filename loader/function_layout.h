/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The members of a function's state, out of the debug information of its object. */
#ifndef FAAS_LOADER_FUNCTION_LAYOUT_H
#define FAAS_LOADER_FUNCTION_LAYOUT_H

#include <libelf.h>

#include "function.h"

enum layout_result {
	LAYOUT_FOUND,
	LAYOUT_NONE,	/* no debug information */
	LAYOUT_COMPLEX, /* more members, or longer paths, than are kept */
	LAYOUT_POINTER, /* there is a pointer in it */
};

/**
 * @brief Find the type that FAAS_STATE was given, and list its members.
 *
 * Structures within become paths, arrays dimensions; unions, and what has no
 * name of its own, are bytes.
 *
 * @param elf  The shared object. Borrowed.
 * @param ret  Its state_fields are filled with LAYOUT_FOUND, and emptied otherwise.
 * @param path FAAS_STATE_PATH_BYTES: with LAYOUT_POINTER, where it is.
 */
enum layout_result function_layout_read(Elf *elf, struct function *ret, char *path)
	__attribute__((warn_unused_result));

#endif
