/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a whole BPF map while programs write it.
 */
#ifndef FAAS_LOADER_STATE_MAP_H
#define FAAS_LOADER_STATE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>

struct btf;

struct state_map {
	int fd; /* owned */
	struct bpf_map_info info;
	struct btf *btf;    /* owned; NULL: the map has none */
	unsigned int cpus;  /* values of each entry: 1, but for per-CPU maps */
	size_t value_bytes; /* from one CPU's value to the next */
};

/* Takes @p fd, also on failure. 0 or -errno. */
int state_map_open(int fd, struct state_map *ret) __attribute__((warn_unused_result));
void state_map_close(struct state_map *map);

/* Whether the kernel can list what is in it: arrays, hashes, tries; not bloom
 * filters, rings and maps of other objects. */
bool state_map_listable(const struct state_map *map);
/* Whether every place has a value from the beginning. */
bool state_map_is_array(const struct state_map *map);
/* The type as bpftool names it. */
const char *state_map_type(const struct state_map *map);
/* Of a map that holds global variables: the full name of their section; else NULL. */
const char *state_map_section(const struct state_map *map);

/* @p values has the values of all CPUs. 0 to go on; anything else ends the reading. */
typedef int state_map_visit(void *context, const void *key, const void *values);

/**
 * @brief Show every entry to @p visit.
 *
 * Bounded: at most max_entries entries are shown, in batches where the kernel has
 * them. What is written meanwhile may be shown or not. A value under a lock is
 * read under it.
 *
 * @return 0, what @p visit returned, or -errno.
 */
int state_map_read(const struct state_map *map, state_map_visit *visit, void *context)
	__attribute__((warn_unused_result));

#endif
