// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas state WORKFLOW: what the kernel functions of a workflow remember, read from
 * the kernel's maps at this moment, by the names of the source; and how many keys its
 * user functions have.
 *
 * Maps may have millions of entries: they are printed one after another into a
 * temporary file, which becomes the output when everything could be read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <jansson.h>

#include "btf_print.h"
#include "bundle.h"
#include "command.h"
#include "driver.h"
#include "generation.h"
#include "host.h"
#include "output.h"
#include "state_map.h"
#include "user_state.h"

#define LISTED_ENTRIES 1000 /* of each map, without --all */
#define DATA_MAPS_MAX 64    /* that one program may have */
#define SECTION_DATA ".data."

struct state {
	const struct options *options;
	const struct bundle *bundle;
	FILE *out;
	struct diags *diags;
	struct state_map data[DATA_MAPS_MAX]; /* global variables of instances */
	unsigned int data_count;
	unsigned int functions_printed, maps_printed; /* of the present function */
};

/* One map on its way out. */
struct listing {
	struct state *state;
	const struct state_map *map;
	uint64_t used; /* entries of a hash; of an array, those that are not all zero */
	uint64_t listed;
};

static bool all_zero(const uint8_t *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (data[i])
			return false;
	return true;
}

static json_t *key_json(const struct state_map *map, const void *key, enum btf_style style)
{
	if (map->info.type == BPF_MAP_TYPE_LPM_TRIE && style == BTF_READABLE)
		return btf_print_prefix(key, map->info.key_size);
	return btf_print_value(map->btf, map->info.btf_key_type_id, key, map->info.key_size, style);
}

/* The value, or what each CPU holds. */
static json_t *values_json(const struct state_map *map, const uint8_t *values, enum btf_style style)
{
	json_t *list;

	if (map->cpus == 1)
		return btf_print_value(map->btf, map->info.btf_value_type_id, values,
				       map->info.value_size, style);
	list = json_array();
	for (unsigned int i = 0; i < map->cpus; i++)
		json_array_append_new(list, btf_print_value(map->btf, map->info.btf_value_type_id,
							    values + i * map->value_bytes,
							    map->info.value_size, style));
	return list;
}

static void print_entry_json(const struct listing *listing, const void *key, const void *values)
{
	FILE *out = listing->state->out;
	const struct state_map *map = listing->map;
	json_t *value = values_json(map, values, BTF_PLAIN), *entry;

	entry = json_pack("{s:o}", "key", key_json(map, key, BTF_PLAIN));
	json_object_set_new(entry, "value",
			    map->cpus == 1 ? json_incref(value) : btf_print_sum(value));
	if (map->cpus > 1)
		json_object_set(entry, "cpus", value);
	json_decref(value);
	fprintf(out, "%s\n", listing->listed ? "," : "");
	json_dumpf(entry, out, JSON_COMPACT);
	json_decref(entry);
}

static void print_entry(const struct listing *listing, const void *key, const uint8_t *values)
{
	const struct state_map *map = listing->map;
	json_t *printed = key_json(map, key, BTF_READABLE),
	       *value = values_json(map, values, BTF_READABLE), *sum = NULL, *item;
	FILE *out = listing->state->out;
	size_t cpu;

	if (map->cpus > 1)
		sum = btf_print_sum(value);
	fprintf(out, "    ");
	btf_print_line(printed, out);
	fprintf(out, ": ");
	btf_print_line(sum ? sum : value, out);
	fputc('\n', out);
	if (sum)
		json_array_foreach (value, cpu, item) {
			if (all_zero(values + cpu * map->value_bytes, map->info.value_size))
				continue;
			fprintf(out, "      cpu %zu: ", cpu);
			btf_print_line(item, out);
			fputc('\n', out);
		}
	json_decref(sum);
	json_decref(value);
	json_decref(printed);
}

static int visit_entry(void *context, const void *key, const void *values)
{
	struct listing *listing = context;
	const struct options *options = listing->state->options;
	bool zero = state_map_is_array(listing->map) &&
		    all_zero(values, listing->map->value_bytes * listing->map->cpus);

	if (!zero)
		listing->used++;
	if (!options->all && (zero || listing->listed >= LISTED_ENTRIES))
		return 0;
	if (options->json)
		print_entry_json(listing, key, values);
	else
		print_entry(listing, key, values);
	listing->listed++;
	return 0;
}

static int read_failed(struct state *state, const char *map, int error)
{
	return diag_fail(state->diags, error == -EPERM ? DIAG_PLATFORM : DIAG_FAILED,
			 error == -ENOENT  ? "is a command updating or unloading it at this moment?"
			 : error == -EPERM ? "run as root"
					   : NULL,
			 "reading map %s of %s: %s", map, state->bundle->name, strerror(-error));
}

static void begin_map(struct state *state, const struct state_map *map, const char *name)
{
	if (state->options->json)
		fprintf(state->out,
			"%s\n{\"map\": \"%s\", \"pin\": \"%s/%s/%s\", \"type\": \"%s\", "
			"\"max_entries\": %u",
			state->maps_printed ? "," : "", name, FAAS_PIN_WORKFLOWS,
			state->bundle->name, map->info.name, state_map_type(map),
			map->info.max_entries);
	state->maps_printed++;
}

/* A map that can be listed: its entries go out before it is known how many there
 * are, so the head of the text form needs a first look. */
static int count_entry(void *context, const void *key, const void *values)
{
	struct listing *listing = context;

	(void)key;
	if (!state_map_is_array(listing->map) ||
	    !all_zero(values, listing->map->value_bytes * listing->map->cpus))
		listing->used++;
	return 0;
}

static int print_map(struct state *state, const struct state_map *map, const char *name)
{
	struct listing listing = {.state = state, .map = map};
	FILE *out = state->out;
	int error;

	begin_map(state, map, name);
	if (!state_map_listable(map)) {
		if (state->options->json)
			fprintf(out, ", \"entries\": null}");
		else
			fprintf(out,
				"  %s: %s of %u entries, which cannot be listed, pinned as %s\n",
				name, state_map_type(map), map->info.max_entries, map->info.name);
		return 0;
	}
	if (state->options->json) {
		fprintf(out, ", \"contents\": [");
		error = state_map_read(map, visit_entry, &listing);
		fprintf(out, "], \"entries\": %llu, \"listed\": %llu}",
			(unsigned long long)listing.used, (unsigned long long)listing.listed);
		return error ? read_failed(state, name, error) : 0;
	}
	error = state_map_read(map, count_entry, &listing);
	if (!error) {
		fprintf(out, "  %s: %s, %llu of %u entries %s (%.1f %%), pinned as %s\n", name,
			state_map_type(map), (unsigned long long)listing.used,
			map->info.max_entries, state_map_is_array(map) ? "are not zero" : "in use",
			100.0 * (double)listing.used / (double)map->info.max_entries,
			map->info.name);
		listing.used = 0;
		error = state_map_read(map, visit_entry, &listing);
	}
	if (error)
		return read_failed(state, name, error);
	if (!state->options->all && listing.used > listing.listed)
		fprintf(out, "    ... and %llu more: --all prints them\n",
			(unsigned long long)(listing.used - listing.listed));
	return 0;
}

static int print_pinned(struct state *state, const struct bundle_map *spec)
{
	char path[FAAS_PATH_BYTES];
	struct state_map map;
	int fd, error;

	snprintf(path, sizeof(path), "%s/%s/%s", FAAS_PIN_WORKFLOWS, state->bundle->name,
		 spec->name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return read_failed(state, spec->map, -errno);
	error = state_map_open(fd, &map);
	if (error)
		return read_failed(state, spec->map, error);
	error = print_map(state, &map, spec->map);
	state_map_close(&map);
	return error;
}

/* In the fused program every name of an instance begins with INSTANCE__. */
static json_t *without_prefix(json_t *variables, const char *instance)
{
	json_t *renamed = json_object(), *value;
	size_t chars = strlen(instance);
	const char *name;

	json_object_foreach (variables, name, value)
		if (!strncmp(name, instance, chars) && !strncmp(name + chars, "__", 2))
			json_object_set(renamed, name + chars + 2, value);
		else
			json_object_set(renamed, name, value);
	json_decref(variables);
	return renamed;
}

static int print_variables(struct state *state, const struct state_map *map, const char *instance)
{
	enum btf_style style = state->options->json ? BTF_PLAIN : BTF_READABLE;
	uint8_t *value = calloc(1, map->info.value_size ? map->info.value_size : 1);
	const char *name;
	json_t *variables, *item;
	uint32_t zero = 0;
	int error = value ? 0 : -ENOMEM;

	if (!error && bpf_map_lookup_elem(map->fd, &zero, value))
		error = -errno;
	if (error) {
		free(value);
		return read_failed(state, state_map_section(map), error);
	}
	variables = without_prefix(btf_print_value(map->btf, map->info.btf_value_type_id, value,
						   map->info.value_size, style),
				   instance);
	free(value);
	if (state->options->json) {
		fprintf(state->out, ", \"variables\": ");
		json_dumpf(variables, state->out, JSON_COMPACT);
	} else {
		json_object_foreach (variables, name, item) {
			fprintf(state->out, "  %s = ", name);
			btf_print_line(item, state->out);
			fputc('\n', state->out);
		}
	}
	json_decref(variables);
	return 0;
}

static const struct state_map *find_variables(const struct state *state, const char *instance)
{
	for (unsigned int i = 0; i < state->data_count; i++) {
		const char *section = state_map_section(&state->data[i]);

		if (!strcmp(section + strlen(SECTION_DATA), instance))
			return &state->data[i];
	}
	return NULL;
}

static int print_function(struct state *state, const struct bundle_function *function,
			  const char *only_map)
{
	char instance[FAAS_NAME_BYTES];
	const struct state_map *variables;
	int error = 0;

	driver_identifier(function->instance, instance);
	variables = only_map ? NULL : find_variables(state, instance);
	state->maps_printed = 0;
	if (state->options->json)
		fprintf(state->out, "%s\n{\"name\": \"%s\", \"function\": \"%s\", \"maps\": [",
			state->functions_printed ? "," : "", function->instance,
			function->function);
	else
		fprintf(state->out, "%s (%s)%s\n", function->instance, function->function,
			function->map_count || variables ? "" : ": no state");
	state->functions_printed++;
	for (uint32_t i = 0; !error && i < function->map_count; i++)
		if (!only_map || !strcmp(function->maps[i].map, only_map))
			error = print_pinned(state, &function->maps[i]);
	if (state->options->json)
		fprintf(state->out, "]");
	if (!error && variables)
		error = print_variables(state, variables, instance);
	if (state->options->json)
		fprintf(state->out, "}");
	return error;
}

/* The maps of global variables have no pins: the program knows them. */
static int add_data_maps(struct state *state, int program_fd)
{
	uint32_t ids[FAAS_KERNEL_FUNCTIONS_MAX * (FAAS_STATE_MAPS_MAX + 2)];
	struct bpf_prog_info info = {.nr_map_ids = sizeof(ids) / sizeof(ids[0]),
				     .map_ids = (uint64_t)(uintptr_t)ids};
	uint32_t bytes = sizeof(info);

	if (bpf_obj_get_info_by_fd(program_fd, &info, &bytes))
		return -errno;
	for (uint32_t i = 0; i < info.nr_map_ids && i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct state_map *map = &state->data[state->data_count];
		int fd = bpf_map_get_fd_by_id(ids[i]);
		const char *section;

		if (fd < 0 || state->data_count == DATA_MAPS_MAX || state_map_open(fd, map))
			continue;
		section = state_map_section(map);
		if (section && !strncmp(section, SECTION_DATA, strlen(SECTION_DATA)))
			state->data_count++;
		else
			state_map_close(map);
	}
	return 0;
}

static bool is_program(int fd)
{
	char path[64], target[64];
	ssize_t chars;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	chars = readlink(path, target, sizeof(target) - 1);
	if (chars < 0)
		return false;
	target[chars] = '\0';
	return strstr(target, "bpf-prog") != NULL;
}

/* From every program of the workflow that is pinned: one for each kind of hook. */
static int find_data_maps(struct state *state)
{
	char path[FAAS_PATH_BYTES + 256], directory[FAAS_PATH_BYTES];
	struct dirent *entry;
	int error = 0;
	DIR *pins;

	snprintf(directory, sizeof(directory), "%s/%s", FAAS_PIN_WORKFLOWS, state->bundle->name);
	pins = opendir(directory);
	if (!pins)
		return read_failed(state, directory, -errno);
	while (!error && (entry = readdir(pins))) {
		int fd;

		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		fd = entry->d_name[0] == '.' ? -1 : bpf_obj_get(path);
		if (fd < 0)
			continue;
		if (is_program(fd))
			error = add_data_maps(state, fd);
		close(fd);
	}
	closedir(pins);
	return error ? read_failed(state, "names", error) : 0;
}

/* The instance and map that the command line names must be there. */
static int check_names(const struct bundle *bundle, const struct options *options,
		       struct diags *diags)
{
	const char *instance = options->argument_count > 1 ? options->arguments[1] : NULL;
	const char *map = options->argument_count > 2 ? options->arguments[2] : NULL;

	for (uint32_t i = 0; instance && i < bundle->user_count; i++)
		if (!strcmp(bundle->user[i].instance, instance)) {
			char advice[2 * FAAS_NAME_BYTES + 40];

			snprintf(advice, sizeof(advice), "`ebpf-faas state list %s %s` shows it",
				 bundle->name, instance);
			return diag_fail(diags, DIAG_NOT_FOUND, advice,
					 "%s is a user function: its state is per key", instance);
		}
	for (uint32_t i = 0; instance && i < bundle->kernel_count; i++) {
		const struct bundle_function *function = &bundle->kernel[i];

		if (strcmp(function->instance, instance))
			continue;
		for (uint32_t k = 0; map && k < function->map_count; k++)
			if (!strcmp(function->maps[k].map, map))
				return 0;
		if (!map)
			return 0;
		return diag_fail(diags, DIAG_NOT_FOUND,
				 "`ebpf-faas state WORKFLOW INSTANCE` shows its maps",
				 "%s has no map %s", instance, map);
	}
	if (instance)
		return diag_fail(diags, DIAG_NOT_FOUND, "`ebpf-faas state WORKFLOW` shows all",
				 "%s has no kernel function %s", bundle->name, instance);
	return 0;
}

static int print_state(struct state *state, uint32_t generation)
{
	const struct bundle *bundle = state->bundle;
	const char *const *arguments = state->options->arguments;
	unsigned int count = state->options->argument_count;

	if (check_names(bundle, state->options, state->diags) || find_data_maps(state))
		return -1;
	if (state->options->json)
		fprintf(state->out, "{\"workflow\": \"%s\", \"generation\": %u, \"functions\": [",
			bundle->name, generation);
	else
		fprintf(state->out, "%s  generation %u\n", bundle->name, generation);
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		if ((count < 2 || !strcmp(bundle->kernel[i].instance, arguments[1])) &&
		    print_function(state, &bundle->kernel[i], count > 2 ? arguments[2] : NULL))
			return -1;
	if (state->options->json)
		fprintf(state->out, "\n]");
	else if (!bundle->kernel_count)
		fprintf(state->out, "no kernel functions\n");
	if (count < 2)
		user_state_overview(bundle, state->options->json, state->out);
	if (state->options->json)
		fprintf(state->out, "}\n");
	return 0;
}

static int state_of(const struct options *options, const struct faas_registry_entry *entry,
		    struct diags *diags)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	struct state *state = calloc(1, sizeof(*state));
	FILE *out = output_spool(diags);
	int error = -1;

	if (!out)
		goto cleanup;
	if (!bundle || !state) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	*state = (struct state){.options = options, .bundle = bundle, .out = out, .diags = diags};
	if (generation_running_bundle(entry->name, bundle, diags) ||
	    print_state(state, entry->generation) || output_spooled(out, diags))
		goto cleanup;
	error = 0;
cleanup:
	for (unsigned int i = 0; state && i < state->data_count; i++)
		state_map_close(&state->data[i]);
	if (out)
		fclose(out);
	free(state);
	free(bundle);
	return error;
}

int state_overview(const struct options *options, struct diags *diags)
{
	struct host host;
	uint32_t slot;
	int error;

	if (host_open(&host, HOST_READ, diags))
		return DIAG_FAILED;
	slot = host_find(&host, options->arguments[0]);
	if (slot)
		error = state_of(options, &host.registry[slot], diags);
	else
		error = diag_fail(diags, DIAG_NOT_FOUND, "`ebpf-faas list` shows those that are",
				  "workflow %s is not loaded", options->arguments[0]);
	host_close(&host);
	return error;
}
