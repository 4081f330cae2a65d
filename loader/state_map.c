// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "state_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#define BATCH_BYTES (1u << 20)
#define BATCH_ENTRIES_MIN 64u
#define BATCH_ENTRIES_MAX 8192u
/* The kernel's own "not supported", which has no name in user space. */
#define KERNEL_ENOTSUPP 524

static bool is_percpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

bool state_map_is_array(const struct state_map *map)
{
	return map->info.type == BPF_MAP_TYPE_ARRAY || map->info.type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

bool state_map_listable(const struct state_map *map)
{
	return state_map_is_array(map) || is_percpu(map->info.type) ||
	       map->info.type == BPF_MAP_TYPE_HASH || map->info.type == BPF_MAP_TYPE_LRU_HASH ||
	       map->info.type == BPF_MAP_TYPE_LPM_TRIE;
}

const char *state_map_type(const struct state_map *map)
{
	return libbpf_bpf_map_type_str((enum bpf_map_type)map->info.type) ?: "unknown";
}

const char *state_map_section(const struct state_map *map)
{
	const struct btf_type *type =
		map->btf ? btf__type_by_id(map->btf, map->info.btf_value_type_id) : NULL;

	return type && btf_is_datasec(type) ? btf__name_by_offset(map->btf, type->name_off) : NULL;
}

int state_map_open(int fd, struct state_map *ret)
{
	struct state_map map = {.fd = fd, .cpus = 1};
	uint32_t bytes = sizeof(map.info);

	if (bpf_obj_get_info_by_fd(fd, &map.info, &bytes)) {
		int error = -errno;

		close(fd);
		return error;
	}
	map.value_bytes = map.info.value_size;
	if (is_percpu(map.info.type)) {
		int cpus = libbpf_num_possible_cpus();

		if (cpus < 1) {
			close(fd);
			return cpus;
		}
		map.cpus = (unsigned int)cpus;
		map.value_bytes = (map.value_bytes + 7) & ~(size_t)7;
	}
	if (map.info.btf_id)
		map.btf = btf__load_from_kernel_by_id(map.info.btf_id);
	*ret = map;
	return 0;
}

void state_map_close(struct state_map *map)
{
	if (map->fd >= 0)
		close(map->fd);
	btf__free(map->btf);
	map->fd = -1;
	map->btf = NULL;
}

/* Whether values hold a lock; the kernel allows it at the top level only. */
static bool has_lock(const struct state_map *map)
{
	const struct btf_type *type =
		map->btf ? btf__type_by_id(map->btf, map->info.btf_value_type_id) : NULL;

	if (!type || !btf_is_struct(type))
		return false;
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const struct btf_type *member =
			btf__type_by_id(map->btf, btf_members(type)[i].type);
		const char *name = member && btf_is_struct(member)
					   ? btf__name_by_offset(map->btf, member->name_off)
					   : NULL;

		if (name && !strcmp(name, "bpf_spin_lock"))
			return true;
	}
	return false;
}

/* One entry after another. A key that is deleted meanwhile makes the kernel begin
 * again from the first, so the number of entries bounds the reading. */
static int read_each(const struct state_map *map, uint64_t flags, state_map_visit *visit,
		     void *context)
{
	size_t key_bytes = (map->info.key_size + 7) & ~7u;
	uint8_t *key = calloc(2, key_bytes), *values = calloc(map->cpus, map->value_bytes);
	uint8_t *next = key ? key + key_bytes : NULL;
	const void *from = NULL;
	int error = key && values ? 0 : -ENOMEM;

	for (uint32_t i = 0; !error && i < map->info.max_entries; i++) {
		if (bpf_map_get_next_key(map->fd, from, next)) {
			error = errno == ENOENT ? 0 : -errno;
			break;
		}
		memcpy(key, next, map->info.key_size);
		from = key;
		if (!bpf_map_lookup_elem_flags(map->fd, key, values, flags))
			error = visit(context, key, values);
		else if (errno != ENOENT)
			error = -errno;
	}
	free(key);
	free(values);
	return error;
}

struct batch {
	uint8_t *keys, *values;
	uint32_t entries; /* room */
	uint32_t from;	  /* where to go on: a bucket of a hash, an index of an array */
	bool begun;
};

static int batch_grow(const struct state_map *map, struct batch *batch, uint32_t entries)
{
	free(batch->keys);
	free(batch->values);
	batch->keys = calloc(entries, map->info.key_size);
	batch->values = calloc(entries, map->value_bytes * map->cpus);
	batch->entries = entries;
	return batch->keys && batch->values ? 0 : -ENOMEM;
}

/* Next entries. 0, -ENOENT: these were the last, or -errno. */
static int batch_next(const struct state_map *map, uint64_t flags, struct batch *batch,
		      uint32_t *ret_count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = flags);
	uint32_t next = 0;
	int error;

	for (;;) {
		*ret_count = batch->entries;
		error = bpf_map_lookup_batch(map->fd, batch->begun ? &batch->from : NULL, &next,
					     batch->keys, batch->values, ret_count, &opts)
				? -errno
				: 0;
		/* A hash bucket with more entries than there is room for. */
		if (error != -ENOSPC || batch->entries >= map->info.max_entries)
			break;
		error = batch_grow(map, batch, batch->entries * 2);
		if (error)
			return error;
	}
	if (error && error != -ENOENT)
		return error;
	batch->from = next;
	batch->begun = true;
	return error;
}

static int read_batches(const struct state_map *map, uint64_t flags, state_map_visit *visit,
			void *context)
{
	size_t one = map->info.key_size + map->value_bytes * map->cpus;
	struct batch batch = {0};
	uint32_t entries = (uint32_t)(BATCH_BYTES / (one ? one : 1)), count, seen = 0;
	int error, shown = 0;

	if (entries > BATCH_ENTRIES_MAX)
		entries = BATCH_ENTRIES_MAX;
	if (entries < BATCH_ENTRIES_MIN)
		entries = BATCH_ENTRIES_MIN;
	if (entries > map->info.max_entries)
		entries = map->info.max_entries;
	error = batch_grow(map, &batch, entries);
	while (!error) {
		error = batch_next(map, flags, &batch, &count);
		if (error && error != -ENOENT)
			break;
		for (uint32_t i = 0; !shown && i < count; i++)
			shown = visit(context, batch.keys + (size_t)i * map->info.key_size,
				      batch.values + i * map->value_bytes * map->cpus);
		seen += count;
		if (shown || seen >= map->info.max_entries)
			break;
	}
	free(batch.keys);
	free(batch.values);
	if (shown)
		return shown;
	return error == -ENOENT ? 0 : error;
}

int state_map_read(const struct state_map *map, state_map_visit *visit, void *context)
{
	uint64_t flags = has_lock(map) ? BPF_F_LOCK : 0;
	int error = -EOPNOTSUPP;

	/* A batch of a trie goes on from a key, as single reads do: no gain. */
	if (map->info.type != BPF_MAP_TYPE_LPM_TRIE)
		error = read_batches(map, flags, visit, context);
	if (error == -EOPNOTSUPP || error == -KERNEL_ENOTSUPP)
		error = read_each(map, flags, visit, context);
	return error;
}
