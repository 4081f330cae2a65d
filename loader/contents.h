/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What maps of kernel functions hold from the start: text files of the workflow's
 * author, in the bundle. How a line is read stands in ebpf_faas/kernel.h at
 * FAAS_MAP_CONTENTS.
 */
#ifndef FAAS_LOADER_CONTENTS_H
#define FAAS_LOADER_CONTENTS_H

#include <stddef.h>
#include <stdint.h>

#include "bundle.h"
#include "diag.h"

struct bpf_object;

/* What a map wants: as bpf_map_info has it, CPUs left out. */
struct contents_shape {
	uint32_t type; /* enum bpf_map_type */
	uint32_t key_bytes, value_bytes;
	uint32_t entries_max;
};

/* Entries, ready for the kernel: keys and values each one behind the other. */
struct contents {
	uint8_t *keys, *values; /* owned; keys NULL for a bloom filter */
	uint32_t count;
};

/**
 * @brief Read lines.
 *
 * @param text  @p bytes long; may come from anybody.
 * @param place File name for diagnostics.
 * @param ret   Filled on success only; contents_free(). The last of equal keys
 *              counts, as the kernel takes them in order.
 * @return 0, or -1 with a diagnostic for each of the first lines that are wrong.
 */
int contents_parse(const char *text, size_t bytes, const char *place,
		   const struct contents_shape *shape, struct contents *ret, struct diags *diags)
	__attribute__((warn_unused_result));

void contents_free(struct contents *contents);

/* Fill the maps of a loaded object that have contents, from the bundle's files.
 * 0, or -1 with diagnostics. */
int contents_load(const struct bundle *bundle, const char *directory, struct bpf_object *object,
		  struct diags *diags) __attribute__((warn_unused_result));

#endif
