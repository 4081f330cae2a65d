// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "slots.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "paths.h"

#define STANDS_IN (FAAS_REGISTRY_BYPASSED | FAAS_REGISTRY_STOPPED_PASS | FAAS_REGISTRY_STOPPED_DROP)

static int share(struct bpf_object *object, const char *name, int fd)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	return map ? bpf_map__reuse_fd(map, fd) : -ENOENT;
}

int slots_load(const struct slots *slots, uint32_t slot, uint32_t flags, struct bpf_object **ret)
{
	const uint32_t constants[2] = {slot, flags & STANDS_IN};
	struct bpf_object *object;
	char path[FAAS_PATH_BYTES];
	struct bpf_map *map;
	int error;

	snprintf(path, sizeof(path), "%s/bypass.bpf.o", paths_libexec());
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return -errno;
	error = share(object, FAAS_PIN_SLOT_COUNTERS, slots->counters);
	if (!error)
		error = share(object, FAAS_PIN_REGISTRY, slots->registry);
	map = bpf_object__find_map_by_name(object, ".rodata.bypass");
	if (!error)
		error = map ? bpf_map__set_initial_value(map, constants, sizeof(constants))
			    : -ENOENT;
	if (!error)
		error = bpf_object__load(object);
	if (error)
		bpf_object__close(object);
	else
		*ret = object;
	return error;
}

int slots_program(struct bpf_object *object)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, "bypass"));
}

int slots_tc_program(struct bpf_object *object)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, "bypass_t"));
}

/* One hook; @p instead is -1 for the program itself. */
static int put_program(int slots_fd, uint32_t slot, const char *directory, const char *pin,
		       int instead)
{
	char path[FAAS_PATH_BYTES];
	int program, error = 0;

	snprintf(path, sizeof(path), "%s/%s", directory, pin);
	program = bpf_obj_get(path);
	if (program < 0 && errno != ENOENT)
		return -errno;
	if (program < 0) {
		if (bpf_map_delete_elem(slots_fd, &slot) && errno != ENOENT)
			error = -errno;
		return error;
	}
	if (bpf_map_update_elem(slots_fd, &slot, instead < 0 ? &program : &instead, BPF_ANY))
		error = -errno;
	close(program);
	return error;
}

int slots_put(const struct slots *slots, uint32_t slot, uint32_t flags, const char *directory)
{
	struct bpf_object *object = NULL;
	int error = 0;

	if (flags & STANDS_IN)
		error = slots_load(slots, slot, flags, &object);
	if (!error)
		error = put_program(slots->xdp, slot, directory, FAAS_PIN_PROGRAM,
				    object ? slots_program(object) : -1);
	if (!error)
		error = put_program(slots->tc, slot, directory, FAAS_PIN_TC_PROGRAM,
				    object ? slots_tc_program(object) : -1);
	bpf_object__close(object);
	return error;
}
