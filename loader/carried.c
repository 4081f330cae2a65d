// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "carried.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <ebpf_faas/pins.h>

#include "counters.h"
#include "generation.h"
#include "paths.h"

#define LEDGER_WORDS (sizeof(struct faas_meters) / sizeof(uint64_t))

static void pin_path(const char *name, uint32_t generation, const char *pin, char *path,
		     size_t bytes)
{
	char directory[FAAS_PATH_BYTES - 32];

	generation_pins(name, generation, directory, sizeof(directory));
	snprintf(path, bytes, "%s/%s", directory, pin);
}

static int open_pin(const char *name, uint32_t generation, const char *pin)
{
	char path[FAAS_PATH_BYTES];
	int fd;

	pin_path(name, generation, pin, path, sizeof(path));
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* Pin a new map. Returns a descriptor of it or -errno. */
static int make(const char *name, uint32_t generation)
{
	char path[FAAS_PATH_BYTES];
	struct bpf_object *object;
	struct bpf_map *map;
	int error, fd = -1;

	snprintf(path, sizeof(path), "%s/carried.bpf.o", paths_libexec());
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return -errno;
	error = bpf_object__load(object);
	map = bpf_object__find_map_by_name(object, FAAS_PIN_CARRIED);
	if (!error && !map)
		error = -ENOENT;
	pin_path(name, generation, FAAS_PIN_CARRIED, path, sizeof(path));
	if (!error && bpf_obj_pin(bpf_map__fd(map), path))
		error = -errno;
	bpf_object__close(object);
	if (!error)
		fd = bpf_obj_get(path);
	return error ? error : fd < 0 ? -errno : fd;
}

int carried_prepare(const char *name, uint32_t before, uint32_t generation, bool same_meters,
		    struct diags *diags)
{
	int fd = same_meters ? open_pin(name, before, FAAS_PIN_CARRIED) : make(name, generation);
	char path[FAAS_PATH_BYTES];
	int error = fd < 0 ? fd : 0;

	pin_path(name, generation, FAAS_PIN_CARRIED, path, sizeof(path));
	if (same_meters && error == -ENOENT)
		return 0; /* nothing was ever carried */
	if (!error && same_meters && bpf_obj_pin(fd, path))
		error = -errno;
	if (fd >= 0)
		close(fd);
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", path, strerror(-error));
	return 0;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t bytes = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &bytes) ? 0 : info.id;
}

static void add(struct faas_meters *to, const struct faas_meters *what)
{
	const uint64_t *from = (const uint64_t *)(const void *)what;
	uint64_t *sum = (uint64_t *)(void *)to;

	for (size_t i = 0; i < LEDGER_WORDS; i++)
		sum[i] += from[i];
}

static int read_one(int fd, struct faas_carried *ret)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(fd, &zero, ret) ? -errno : 0;
}

static bool any(const struct faas_meters *meters)
{
	static const struct faas_meters none;

	return memcmp(meters, &none, sizeof(none)) != 0;
}

/* With both meters and the map of @p generation open. */
static int add_open(int carried_fd, const char *name, uint32_t from, bool forward,
		    const struct faas_meters *counted)
{
	struct faas_carried carried = {0}, before = {0};
	uint32_t zero = 0;
	int error = read_one(carried_fd, &carried), fd;

	if (error || carried.from == from)
		return error;
	if (forward) {
		/* What the one before it carried comes along. Back again, the
		 * generation knows that itself. */
		fd = open_pin(name, from, FAAS_PIN_CARRIED);
		if (fd >= 0) {
			error = read_one(fd, &before);
			close(fd);
		}
		carried.total = before.total;
	}
	add(&carried.total, counted);
	carried.from = from;
	/* Sum and number in one call: killed before it or behind it, never inside. */
	if (!error && bpf_map_update_elem(carried_fd, &zero, &carried, BPF_EXIST))
		error = -errno;
	return error;
}

int carried_add(const char *name, uint32_t from, uint32_t generation)
{
	int old = open_pin(name, from, FAAS_PIN_METERS), carried = -1, error = 0;
	int new = open_pin(name, generation, FAAS_PIN_METERS);
	struct faas_meters counted = {0};

	if (old < 0 || new < 0)
		error = old < 0 ? old : new;
	else if (map_id(old) == map_id(new))
		goto cleanup; /* one map counts for both */
	if (!error)
		error = counters_meters(old, &counted, sizeof(counted));
	/* One that was given up before it ran has nothing to add. */
	if (error || (from > generation && !any(&counted)))
		goto cleanup;
	carried = open_pin(name, generation, FAAS_PIN_CARRIED);
	if (carried == -ENOENT)
		carried = make(name, generation);
	error = carried < 0 ? carried : add_open(carried, name, from, from < generation, &counted);
cleanup:
	if (old >= 0)
		close(old);
	if (new >= 0)
		close(new);
	if (carried >= 0)
		close(carried);
	return error;
}

int carried_give_up(const char *name, uint32_t from, uint32_t generation, uint64_t events)
{
	int fd = open_pin(name, generation, FAAS_PIN_CARRIED), error;
	struct faas_carried carried;
	uint32_t zero = 0;

	if (fd == -ENOENT)
		fd = make(name, generation);
	if (fd < 0)
		return fd;
	error = read_one(fd, &carried);
	if (!error && carried.gave_up != from) {
		carried.gave_up = from;
		/* The meters have them as emitted: the sum is what counts. */
		carried.total.emitted -= events;
		carried.total.lost_error += events;
		if (bpf_map_update_elem(fd, &zero, &carried, BPF_EXIST))
			error = -errno;
	}
	close(fd);
	return error;
}

int carried_read(const char *name, uint32_t generation, struct faas_meters *ret)
{
	int fd = open_pin(name, generation, FAAS_PIN_CARRIED), error;
	struct faas_carried carried;

	memset(ret, 0, sizeof(*ret));
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	error = read_one(fd, &carried);
	close(fd);
	if (!error)
		*ret = carried.total;
	return error;
}
