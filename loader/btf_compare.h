/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether two types, of two BPF objects or of a map in the kernel, lay out the same
 * data: state that one version of a function wrote can be read by the next only then. */
#ifndef FAAS_LOADER_BTF_COMPARE_H
#define FAAS_LOADER_BTF_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btf;

/**
 * @brief Compare two types, members by name, place and type.
 *
 * @param what What the value is called in the difference, e.g. "value".
 * @param ret  The first difference, in words that end with what each side is:
 *             "value.count is u32 at byte 8 there, u64 at byte 8 here". There is
 *             @p a, here is @p b. Untouched if there is none.
 *
 * Names of types do not count, nor what pointers point to.
 */
bool btf_compare(const struct btf *a, uint32_t a_type, const struct btf *b, uint32_t b_type,
		 const char *what, char *ret, size_t bytes);

#endif
