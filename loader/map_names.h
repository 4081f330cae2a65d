/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of the functions' maps in a workflow's object: unique, and short enough for
 * the kernel. Shared by the command and ebpf-faas-fuse. */
#ifndef FAAS_LOADER_MAP_NAMES_H
#define FAAS_LOADER_MAP_NAMES_H

#define MAP_NAME_BYTES 16 /* BPF_OBJ_NAME_LEN */
#define MAP_NAMES_MAX 64  /* maps per program, a kernel limit (MAX_USED_MAPS) */
#define MAP_SYMBOL_BYTES 256

struct map_name {
	char instance[MAP_SYMBOL_BYTES];
	char map[MAP_SYMBOL_BYTES];
	char name[MAP_NAME_BYTES];
};

/* Zero-initialise it. */
struct map_names {
	struct map_name list[MAP_NAMES_MAX];
	unsigned int count;
};

/* The name of one more map; NULL: there are MAP_NAMES_MAX already. Borrowed. */
const char *map_names_add(struct map_names *names, const char *instance, const char *map);

#endif
