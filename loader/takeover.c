// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "takeover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <ebpf_faas/pins.h>

#include "btf_compare.h"
#include "bundle_compare.h"
#include "bundle_names.h"
#include "driver.h"
#include "generation.h"

static const char *const sections[] = {"data", "bss"};

#define SECTION_COUNT (sizeof(sections) / sizeof(sections[0]))

bool takeover_variables_pin(const char *section, char *ret, size_t bytes)
{
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		size_t chars = strlen(sections[i]);

		/* ".data.INSTANCE". No map of an instance has a - in its name. */
		if (section[0] == '.' && !strncmp(section + 1, sections[i], chars) &&
		    section[1 + chars] == '.') {
			snprintf(ret, bytes, "%s-%s", sections[i], section + chars + 2);
			return true;
		}
	}
	return false;
}

static int open_pin(const struct takeover *takeover, const char *pin)
{
	char directory[FAAS_PATH_BYTES - 80], path[FAAS_PATH_BYTES];
	int fd;

	generation_pins(takeover->from->name, takeover->generation, directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/%s", directory, pin);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* Key and value by their types. Maps that have no types there are taken as they are. */
static bool same_types(const struct bpf_map_info *there, struct bpf_object *object,
		       struct bpf_map *map, char *ret, size_t bytes)
{
	const struct btf *here = bpf_object__btf(object);
	int key = (int)bpf_map__btf_key_type_id(map), value = (int)bpf_map__btf_value_type_id(map);
	struct btf *btf;
	bool same = true;

	if (bpf_map__is_internal(map)) {
		key = 0;
		value = btf__find_by_name_kind(here, bpf_map__name(map), BTF_KIND_DATASEC);
	}
	if (!there->btf_id || value <= 0)
		return true;
	btf = btf__load_from_kernel_by_id(there->btf_id);
	if (!btf) {
		snprintf(ret, bytes, "its types cannot be read: %s", strerror(errno));
		return false;
	}
	if (there->btf_key_type_id && key > 0)
		same = btf_compare(btf, there->btf_key_type_id, here, (uint32_t)key, "key", ret,
				   bytes);
	if (same && there->btf_value_type_id)
		same = btf_compare(btf, there->btf_value_type_id, here, (uint32_t)value, "value",
				   ret, bytes);
	btf__free(btf);
	return same;
}

static bool same_number(const char *what, uint32_t there, uint32_t here, char *ret, size_t bytes)
{
	if (there == here)
		return true;
	snprintf(ret, bytes, "%s is %u there, %u here", what, there, here);
	return false;
}

/* Whether the map behind @p fd can take the place of @p map. */
static bool fits(int fd, struct bpf_object *object, struct bpf_map *map, char *ret, size_t bytes)
{
	struct bpf_map_info there = {0};
	uint32_t size = sizeof(there);

	if (bpf_obj_get_info_by_fd(fd, &there, &size)) {
		snprintf(ret, bytes, "it cannot be read: %s", strerror(errno));
		return false;
	}
	return same_number("type of map", there.type, bpf_map__type(map), ret, bytes) &&
	       same_types(&there, object, map, ret, bytes) &&
	       same_number("bytes of a key", there.key_size, bpf_map__key_size(map), ret, bytes) &&
	       same_number("bytes of a value", there.value_size, bpf_map__value_size(map), ret,
			   bytes) &&
	       same_number("number of entries", there.max_entries, bpf_map__max_entries(map), ret,
			   bytes) &&
	       same_number("flags", there.map_flags, bpf_map__map_flags(map), ret, bytes);
}

static const struct bundle_function *find_function(const struct bundle *bundle,
						   const char *instance)
{
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		if (!strcmp(bundle->kernel[i].instance, instance))
			return &bundle->kernel[i];
	return NULL;
}

static bool resets(const struct takeover *takeover, const char *instance)
{
	for (unsigned int i = 0; i < takeover->reset_count; i++)
		if (!strcmp(takeover->resets[i], instance))
			return true;
	return false;
}

static struct takeover_item *add_item(struct takeover *takeover,
				      const struct bundle_function *function, const char *state,
				      enum takeover_kind kind)
{
	struct takeover_item *item = &takeover->items[takeover->item_count++];

	*item = (struct takeover_item){.kind = kind};
	memcpy(item->instance, function->instance, sizeof(item->instance));
	memcpy(item->function, function->function, sizeof(item->function));
	snprintf(item->state, sizeof(item->state), "%s", state);
	return item;
}

/* One map of the new version, whose counterpart has the pin @p pin. */
static void look_at(struct takeover *takeover, const struct bundle_function *function,
		    const char *state, const char *pin, struct bpf_object *object,
		    struct bpf_map *map)
{
	const struct bundle_function *before = find_function(takeover->from, function->instance);
	struct takeover_item *item = add_item(takeover, function, state, TAKEOVER_KEPT);
	int fd = before ? open_pin(takeover, pin) : -ENOENT;

	snprintf(item->pin, sizeof(item->pin), "%s", pin);
	if (fd < 0) {
		item->kind = TAKEOVER_NEW;
		return;
	}
	if (strcmp(before->function, function->function)) {
		item->kind = TAKEOVER_DIFFERS;
		snprintf(item->difference, sizeof(item->difference),
			 "the function is %s there, %s here", before->function, function->function);
	} else if (!fits(fd, object, map, item->difference, sizeof(item->difference))) {
		item->kind = TAKEOVER_DIFFERS;
	}
	if (resets(takeover, function->instance))
		item->kind = TAKEOVER_RESET;
	close(fd);
}

static const struct bundle_map *find_map(const struct bundle_function *function, const char *map)
{
	for (uint32_t i = 0; i < function->map_count; i++)
		if (!strcmp(function->maps[i].map, map))
			return &function->maps[i];
	return NULL;
}

static void look_at_function(struct takeover *takeover, const struct bundle_function *function,
			     struct bpf_object *object)
{
	const struct bundle_function *before = find_function(takeover->from, function->instance);
	char identifier[FAAS_NAME_BYTES], section[64], pin[64];

	for (uint32_t i = 0; i < function->map_count; i++) {
		const struct bundle_map *map = &function->maps[i];
		const struct bundle_map *was = before ? find_map(before, map->map) : NULL;

		/* What the author's file says is no state: it is read again. */
		if (!map->contents[0])
			look_at(takeover, function, map->map, was ? was->name : map->name, object,
				bpf_object__find_map_by_name(object, map->name));
	}
	driver_identifier(function->instance, identifier);
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		struct bpf_map *map;

		snprintf(section, sizeof(section), ".%s.%s", sections[i], identifier);
		map = bpf_object__find_map_by_name(object, section);
		if (map && takeover_variables_pin(section, pin, sizeof(pin)))
			look_at(takeover, function, "variables", pin, object, map);
	}
	/* Maps that the function had and has no more. */
	for (uint32_t i = 0; before && i < before->map_count; i++)
		if (!find_map(function, before->maps[i].map))
			add_item(takeover, before, before->maps[i].map, TAKEOVER_GONE);
}

int takeover_look(struct takeover *takeover, const struct bundle *to, struct bpf_object *object,
		  struct diags *diags)
{
	struct bpf_map *meters = bpf_object__find_map_by_name(object, FAAS_PIN_METERS);
	int fd = open_pin(takeover, FAAS_PIN_METERS);
	char ignored[256];

	takeover->item_count = 0;
	if (fd < 0 || !meters) {
		if (fd >= 0)
			close(fd);
		return diag_fail(diags, DIAG_FAILED, "unload the workflow and load the new version",
				 "the counters of generation %u of %s are not there",
				 takeover->generation, to->name);
	}
	takeover->meters_kept = fits(fd, object, meters, ignored, sizeof(ignored));
	close(fd);
	for (uint32_t i = 0; i < to->kernel_count; i++)
		look_at_function(takeover, &to->kernel[i], object);
	for (uint32_t i = 0; i < takeover->from->kernel_count; i++) {
		const struct bundle_function *before = &takeover->from->kernel[i];

		for (uint32_t k = 0; k < before->map_count; k++)
			if (!find_function(to, before->instance))
				add_item(takeover, before, before->maps[k].map, TAKEOVER_GONE);
	}
	return 0;
}

static void look_at_user(struct takeover *takeover, const struct bundle_function *function)
{
	uint32_t before = bundle_user_of(takeover->from, function->instance);
	struct takeover_item *item = add_item(
		takeover, function, bundle_state_mode_words[function->state_mode], TAKEOVER_NEW);
	const struct bundle_function *was;

	if (before == BUNDLE_NO_FUNCTION || !takeover->from->user[before].has_state)
		return;
	was = &takeover->from->user[before];
	switch (bundle_state_fate(was, function, item->difference, sizeof(item->difference))) {
	case STATE_KEPT:
		item->kind = TAKEOVER_KEPT;
		break;
	case STATE_MIGRATED:
		item->kind = TAKEOVER_MIGRATED;
		break;
	case STATE_NOT_KEPT:
		item->kind = TAKEOVER_DIFFERS;
		break;
	}
	if (resets(takeover, function->instance))
		item->kind = TAKEOVER_RESET;
}

void takeover_look_at_user(struct takeover *takeover, const struct bundle *to)
{
	for (uint32_t i = 0; i < to->user_count; i++)
		if (to->user[i].has_state)
			look_at_user(takeover, &to->user[i]);
	for (uint32_t i = 0; i < takeover->from->user_count; i++) {
		const struct bundle_function *was = &takeover->from->user[i];
		uint32_t now = bundle_user_of(to, was->instance);

		if (was->has_state && (now == BUNDLE_NO_FUNCTION || !to->user[now].has_state))
			add_item(takeover, was, bundle_state_mode_words[was->state_mode],
				 TAKEOVER_GONE);
	}
}

static bool is_user_function(const struct bundle *bundle, const char *instance)
{
	for (uint32_t i = 0; i < bundle->user_count; i++)
		if (!strcmp(bundle->user[i].instance, instance))
			return true;
	return false;
}

/* Every --reset-state names an instance of the new version, or of one that goes. */
static int check_resets(const struct takeover *takeover, const struct bundle *to,
			struct diags *diags)
{
	int error = 0;

	for (unsigned int i = 0; i < takeover->reset_count; i++)
		if (!find_function(to, takeover->resets[i]) &&
		    !is_user_function(to, takeover->resets[i]) &&
		    !is_user_function(takeover->from, takeover->resets[i]))
			error = diag_fail(diags, DIAG_USAGE,
					  "give the name of a function of the workflow",
					  "--reset-state %s: workflow %s has no function of that "
					  "name",
					  takeover->resets[i], to->name);
	return error;
}

static int reuse(const struct takeover *takeover, struct bpf_object *object, const char *map_name,
		 const char *pin, struct diags *diags)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, map_name);
	int fd = open_pin(takeover, pin), error = fd < 0 ? fd : 0;

	if (!error)
		error = map ? bpf_map__reuse_fd(map, fd) : -ENOENT;
	if (fd >= 0)
		close(fd);
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "taking over %s: %s", pin,
				 strerror(-error));
	return 0;
}

/* The name in the new object of what @p item is about. */
static void name_in_object(const struct bundle *to, const struct takeover_item *item, char *ret,
			   size_t bytes)
{
	const struct bundle_function *function = find_function(to, item->instance);
	const struct bundle_map *map = find_map(function, item->state);
	const char *dash = strchr(item->pin, '-');

	if (dash)
		snprintf(ret, bytes, ".%.*s.%s", (int)(dash - item->pin), item->pin, dash + 1);
	else
		snprintf(ret, bytes, "%s", map ? map->name : "");
}

bool takeover_keeps(const struct takeover *takeover, const struct bundle *to, const char *map)
{
	char name[64];

	if (!strcmp(map, FAAS_PIN_METERS))
		return takeover->meters_kept;
	for (uint32_t i = 0; i < takeover->item_count; i++) {
		if (takeover->items[i].kind != TAKEOVER_KEPT)
			continue;
		name_in_object(to, &takeover->items[i], name, sizeof(name));
		if (!strcmp(name, map))
			return true;
	}
	return false;
}

int takeover_apply(struct takeover *takeover, const struct bundle *to, struct bpf_object *object,
		   struct diags *diags)
{
	char advice[128], name[64];
	int error = 0;

	if (check_resets(takeover, to, diags) || takeover_look(takeover, to, object, diags))
		return -1;
	for (uint32_t i = 0; i < takeover->item_count; i++) {
		const struct takeover_item *item = &takeover->items[i];

		if (item->kind == TAKEOVER_DIFFERS) {
			snprintf(advice, sizeof(advice), "--reset-state %s lets it begin anew",
				 item->instance);
			error = diag_fail(diags, DIAG_FAILED, advice,
					  "the state of %s (%s) cannot be kept: %s: %s (there: "
					  "generation %u, here: the new version)",
					  item->instance, item->function, item->state,
					  item->difference, takeover->generation);
		}
		if (item->kind != TAKEOVER_KEPT || error)
			continue;
		name_in_object(to, item, name, sizeof(name));
		error = reuse(takeover, object, name, item->pin, diags);
	}
	if (!error && takeover->meters_kept)
		error = reuse(takeover, object, FAAS_PIN_METERS, FAAS_PIN_METERS, diags);
	return error;
}
