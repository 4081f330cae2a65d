// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "params.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <ebpf_faas/pins.h>

#include "driver.h"
#include "workflow_value.h"

static size_t page_align(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

int params_open(const char *workflow, struct params *ret, struct diags *diags)
{
	struct params params = {.values = MAP_FAILED};
	struct bpf_map_info info = {0};
	uint32_t info_bytes = sizeof(info);
	char path[FAAS_PATH_BYTES];
	int fd, error = 0;

	snprintf(path, sizeof(path), "%s/%s/%s", FAAS_PIN_WORKFLOWS, workflow, FAAS_PIN_PARAMS);
	fd = bpf_obj_get(path);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &info_bytes))
		error = -errno;
	if (!error) {
		params.section = info.btf_value_type_id;
		params.bytes = info.value_size;
		params.btf = btf__load_from_kernel_by_id(info.btf_id);
		params.values = mmap(NULL, page_align(params.bytes), PROT_READ | PROT_WRITE,
				     MAP_SHARED, fd, 0);
		if (!params.btf || params.values == MAP_FAILED)
			error = -errno;
	}
	if (fd >= 0)
		close(fd);
	if (error) {
		params_close(&params);
		return diag_fail(diags, DIAG_FAILED, "run as root", "%s: %s", path,
				 strerror(-error));
	}
	*ret = params;
	return 0;
}

void params_close(struct params *params)
{
	btf__free(params->btf);
	if (params->values && params->values != MAP_FAILED)
		munmap(params->values, page_align(params->bytes));
	*params = (struct params){0};
}

static uint32_t bytes_of(enum bundle_param_type type)
{
	return type == PARAM_U32 || type == PARAM_BOOL ? 4 : 8;
}

/* Where a variable lies in a section of @p section_bytes. -ENOENT: there is none, or
 * another than the manifest says. */
static int find_place(const struct btf *btf, uint32_t section, size_t section_bytes,
		      const char *instance, const struct bundle_param *param, uint32_t *ret)
{
	const struct btf_type *type = btf__type_by_id(btf, section);
	char identifier[FAAS_NAME_BYTES], name[2 * FAAS_NAME_BYTES + 2];
	const struct btf_var_secinfo *place;

	if (!type || !btf_is_datasec(type))
		return -ENOENT;
	driver_identifier(instance, identifier);
	snprintf(name, sizeof(name), "%s__%s", identifier, param->name);
	place = btf_var_secinfos(type);
	for (uint32_t i = 0; i < btf_vlen(type); i++, place++) {
		const struct btf_type *variable = btf__type_by_id(btf, place->type);

		if (!variable || strcmp(btf__name_by_offset(btf, variable->name_off), name))
			continue;
		if (place->size != bytes_of(param->type) || place->offset % place->size ||
		    place->offset + place->size > section_bytes)
			return -ENOENT;
		*ret = place->offset;
		return 0;
	}
	return -ENOENT;
}

static int64_t load(const void *at, uint32_t bytes)
{
	if (bytes == 4)
		return __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);
	return __atomic_load_n((const int64_t *)at, __ATOMIC_RELAXED);
}

static void store(void *at, uint32_t bytes, int64_t value)
{
	if (bytes == 4)
		__atomic_store_n((uint32_t *)at, (uint32_t)value, __ATOMIC_RELAXED);
	else
		__atomic_store_n((int64_t *)at, value, __ATOMIC_RELAXED);
}

int params_get(const struct params *params, const char *instance, const struct bundle_param *param,
	       int64_t *ret)
{
	uint32_t offset = 0;
	int error =
		find_place(params->btf, params->section, params->bytes, instance, param, &offset);

	if (!error)
		*ret = load((const uint8_t *)params->values + offset, bytes_of(param->type));
	return error;
}

int params_put(const struct params *params, const char *instance, const struct bundle_param *param,
	       int64_t value)
{
	uint32_t offset = 0;
	int error =
		find_place(params->btf, params->section, params->bytes, instance, param, &offset);

	if (!error)
		store((uint8_t *)params->values + offset, bytes_of(param->type), value);
	return error;
}

/* ---- over an update ---- */

static const struct bundle_param *find_param(const struct bundle *bundle, const char *instance,
					     const struct bundle_param *like)
{
	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		const struct bundle_function *function = &bundle->kernel[i];

		if (strcmp(function->instance, instance))
			continue;
		for (uint32_t k = 0; k < function->param_count; k++) {
			const struct bundle_param *param = &function->params[k];

			if (!strcmp(param->name, like->name) && param->type == like->type &&
			    param->changeable)
				return param;
		}
	}
	return NULL;
}

bool params_in_range(const struct bundle_param *param, int64_t number)
{
	const struct value value = {.integer = number}, min = {.integer = param->min},
			   max = {.integer = param->max};

	return value_compare(param->type, &value, &min) >= 0 &&
	       value_compare(param->type, &value, &max) <= 0;
}

/* One parameter of the new generation, if the running one's was changed. */
static int carry_one(const struct params *from, const struct bundle *running, const char *instance,
		     const struct bundle_param *param, struct bpf_map *map, const struct btf *btf,
		     uint8_t *values, struct diags *diags)
{
	const struct bundle_param *old = find_param(running, instance, param);
	char text[FAAS_VALUE_BYTES];
	uint32_t offset = 0;
	int64_t value = 0;

	if (!param->changeable || !old || params_get(from, instance, old, &value) ||
	    value == old->integer)
		return 0;
	value_print(param->type, &(struct value){.integer = value}, text, sizeof(text));
	if (!params_in_range(param, value))
		return diag_fail(diags, DIAG_INVALID,
				 "set it to a value that both versions allow, then update",
				 "%s.%s is %s now, which the new version does not allow", instance,
				 param->name, text);
	if (find_place(btf, bpf_map__btf_value_type_id(map), bpf_map__value_size(map), instance,
		       param, &offset))
		return diag_fail(diags, DIAG_INVALID, "build the bundle again",
				 "the bundle's kernel object has no variable for %s.%s", instance,
				 param->name);
	store(values + offset, bytes_of(param->type), value);
	return 0;
}

static int carry_all(const struct params *from, const struct bundle *running,
		     const struct bundle *next, struct bpf_object *object, struct bpf_map *map,
		     struct diags *diags)
{
	uint8_t *values = aligned_alloc(8, ((size_t)bpf_map__value_size(map) + 7) / 8 * 8);
	uint32_t zero = 0;
	int error = 0;

	if (!values)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (bpf_map_lookup_elem(bpf_map__fd(map), &zero, values))
		error = diag_fail(diags, DIAG_FAILED, NULL,
				  "reading the new version's parameters: %s", strerror(errno));
	for (uint32_t i = 0; !error && i < next->kernel_count; i++)
		for (uint32_t k = 0; !error && k < next->kernel[i].param_count; k++)
			error = carry_one(from, running, next->kernel[i].instance,
					  &next->kernel[i].params[k], map, bpf_object__btf(object),
					  values, diags);
	if (!error && bpf_map_update_elem(bpf_map__fd(map), &zero, values, BPF_ANY))
		error = diag_fail(diags, DIAG_FAILED, NULL,
				  "setting the new version's parameters: %s", strerror(errno));
	free(values);
	return error;
}

int params_carry(const struct bundle *running, const struct bundle *next, struct bpf_object *object,
		 struct diags *diags)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, DRIVER_PARAMS_SECTION);
	struct params from = {0};
	int error;

	if (!map)
		return 0;
	error = params_open(running->name, &from, diags);
	if (error)
		return error == -ENOENT ? 0 : -1;
	error = carry_all(&from, running, next, object, map, diags);
	params_close(&from);
	return error;
}

/* ---- what was changed ---- */

json_t *params_changed(const struct bundle *bundle)
{
	struct diags *diags = calloc(1, sizeof(*diags)); /* what runs does not depend on it */
	json_t *list = json_array();
	struct params params = {0};

	if (!diags || params_open(bundle->name, &params, diags)) {
		free(diags);
		return list;
	}
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		for (uint32_t k = 0; k < bundle->kernel[i].param_count; k++) {
			const struct bundle_param *param = &bundle->kernel[i].params[k];
			char now[FAAS_VALUE_BYTES], file[FAAS_VALUE_BYTES];
			struct value value = {0};

			if (!param->changeable ||
			    params_get(&params, bundle->kernel[i].instance, param,
				       &value.integer) ||
			    value.integer == param->integer)
				continue;
			value_print(param->type, &value, now, sizeof(now));
			value.integer = param->integer;
			value_print(param->type, &value, file, sizeof(file));
			json_array_append_new(list,
					      json_pack("{s:s, s:s, s:s, s:s}", "function",
							bundle->kernel[i].instance, "param",
							param->name, "value", now, "file", file));
		}
	params_close(&params);
	free(diags);
	return list;
}

/* One that params_changed() told of. */
static int put_back(const struct params *params, const struct bundle *bundle, const json_t *item)
{
	const char *instance, *name, *text;
	struct value value;

	if (json_unpack((json_t *)item, "{s:s, s:s, s:s}", "function", &instance, "param", &name,
			"value", &text))
		return -EINVAL;
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		for (uint32_t k = 0; k < bundle->kernel[i].param_count; k++) {
			const struct bundle_param *param = &bundle->kernel[i].params[k];

			if (strcmp(bundle->kernel[i].instance, instance) ||
			    strcmp(param->name, name))
				continue;
			if (!param->changeable || value_parse(param->type, text, &value) ||
			    !params_in_range(param, value.integer))
				return -EINVAL;
			return params_put(params, instance, param, value.integer);
		}
	return -ENOENT;
}

int params_put_back(const struct bundle *bundle, const json_t *changed)
{
	struct diags *diags = calloc(1, sizeof(*diags));
	struct params params = {0};
	json_t *item;
	int error;
	size_t i;

	if (!json_array_size(changed) || !diags) {
		free(diags);
		return json_array_size(changed) ? -ENOMEM : 0;
	}
	error = params_open(bundle->name, &params, diags);
	free(diags);
	if (error)
		return error == -ENOENT ? error : -EIO;
	json_array_foreach (changed, i, item)
		if (!error)
			error = put_back(&params, bundle, item);
	params_close(&params);
	return error;
}
