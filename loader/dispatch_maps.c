// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dispatch_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

static const char *const map_names[DISPATCH_MAPS] = {
	[DISPATCH_DESTINATIONS] = FAAS_PIN_DESTINATIONS,
	[DISPATCH_SOURCES] = FAAS_PIN_SOURCES,
	[DISPATCH_ETHERTYPES] = FAAS_PIN_ETHERTYPES,
};

/* A key as the map has it: EtherTypes are numbers there. */
union map_key {
	struct faas_prefix_key prefix;
	uint16_t ethertype;
};

static union map_key key_to_map(enum dispatch_map map, const struct faas_prefix_key *key)
{
	union map_key ret = {.prefix = *key};

	if (map == DISPATCH_ETHERTYPES)
		ret.ethertype = (uint16_t)(key->address[0] << 8 | key->address[1]);
	return ret;
}

static struct faas_prefix_key key_from_map(enum dispatch_map map, const union map_key *key)
{
	struct faas_prefix_key ret = {.bits = 16};

	if (map != DISPATCH_ETHERTYPES)
		return key->prefix;
	ret.address[0] = (uint8_t)(key->ethertype >> 8);
	ret.address[1] = (uint8_t)key->ethertype;
	return ret;
}

static int
load(void *context, enum dispatch_map map,
     int (*add)(void *to, const struct faas_prefix_key *key, struct faas_trigger_ref ref), void *to)
{
	const struct dispatch_maps *maps = context;
	union map_key at, next;
	void *after = NULL;
	int error = 0;

	while (!error && !bpf_map_get_next_key(maps->fds[map], after, &next)) {
		struct faas_trigger_ref ref;
		struct faas_prefix_key key = key_from_map(map, &next);

		if (!bpf_map_lookup_elem(maps->fds[map], &next, &ref))
			error = add(to, &key, ref);
		at = next;
		after = &at;
	}
	if (!error && errno != ENOENT)
		error = -errno;
	return error;
}

static int store(void *context, enum dispatch_map map, const struct faas_prefix_key *key,
		 struct faas_trigger_ref ref)
{
	const struct dispatch_maps *maps = context;
	union map_key at = key_to_map(map, key);

	return bpf_map_update_elem(maps->fds[map], &at, &ref, BPF_ANY) ? -errno : 0;
}

static int erase(void *context, enum dispatch_map map, const struct faas_prefix_key *key)
{
	const struct dispatch_maps *maps = context;
	union map_key at = key_to_map(map, key);

	return bpf_map_delete_elem(maps->fds[map], &at) && errno != ENOENT ? -errno : 0;
}

static int barrier(void *context)
{
	const struct dispatch_maps *maps = context;

	return host_barrier(maps->host);
}

/* The mapped arrays, by where dispatch_storage has them. */
static const struct {
	const char *name;
	size_t pointer, bytes;
} arrays[] = {
	{FAAS_PIN_PORTS, offsetof(struct dispatch_storage, ports),
	 FAAS_PORTS * sizeof(struct faas_port_entry)},
	{FAAS_PIN_RULES, offsetof(struct dispatch_storage, rules),
	 FAAS_RULES_MAX * sizeof(struct faas_rule)},
	{FAAS_PIN_CLASSES, offsetof(struct dispatch_storage, classes),
	 FAAS_CLASSES * sizeof(struct dispatch_class)},
	{FAAS_PIN_STAGES, offsetof(struct dispatch_storage, stages), sizeof(uint32_t)},
};

#define ARRAYS (sizeof(arrays) / sizeof(arrays[0]))

static size_t mapped_bytes(size_t index)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (arrays[index].bytes + page - 1) / page * page;
}

static void **array_pointer(struct dispatch_maps *maps, size_t index)
{
	return (void **)(void *)((char *)&maps->storage + arrays[index].pointer);
}

static int map_array(struct dispatch_maps *maps, size_t index, int fd)
{
	void *mapped = mmap(NULL, mapped_bytes(index), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (mapped == MAP_FAILED)
		return -errno;
	*array_pointer(maps, index) = mapped;
	return 0;
}

int dispatch_maps_use(const struct host *host, int (*find)(void *context, const char *name),
		      void *context, struct dispatch_maps *ret)
{
	int error = 0;

	*ret = (struct dispatch_maps){.storage = {.load = load,
						  .store = store,
						  .erase = erase,
						  .barrier = barrier,
						  .context = ret},
				      .host = host,
				      .fds = {-1, -1, -1}};
	for (size_t i = 0; !error && i < ARRAYS; i++) {
		int fd = find(context, arrays[i].name);

		error = fd < 0 ? fd : map_array(ret, i, fd);
	}
	for (enum dispatch_map map = 0; !error && map < DISPATCH_MAPS; map++) {
		int fd = find(context, map_names[map]);

		ret->fds[map] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (ret->fds[map] < 0)
			error = fd < 0 ? fd : -errno;
	}
	return error;
}

/* Pins that are opened one after another; the last one is closed by the next. */
struct pins {
	const char *directory;
	int fd;
};

static int find_pin(void *context, const char *name)
{
	struct pins *pins = context;
	char path[FAAS_PATH_BYTES];

	if (pins->fd >= 0)
		close(pins->fd);
	snprintf(path, sizeof(path), "%s/%s", pins->directory, name);
	pins->fd = bpf_obj_get(path);
	return pins->fd < 0 ? -errno : pins->fd;
}

int dispatch_maps_open(const struct host *host, const char *directory, struct dispatch_maps *ret)
{
	struct pins pins = {directory, -1};
	int error = dispatch_maps_use(host, find_pin, &pins, ret);

	if (pins.fd >= 0)
		close(pins.fd);
	return error;
}

void dispatch_maps_close(struct dispatch_maps *maps)
{
	for (size_t i = 0; i < ARRAYS; i++)
		if (*array_pointer(maps, i))
			munmap(*array_pointer(maps, i), mapped_bytes(i));
	for (enum dispatch_map map = 0; map < DISPATCH_MAPS; map++)
		if (maps->fds[map] >= 0)
			close(maps->fds[map]);
}
