// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From JSON to struct bundle. A manifest may come from anybody, so nothing in
 * it is believed: every member is read with its type and its bounds, unknown
 * members are refused, and bundle_check() compares what is left. Reading goes
 * on after a mistake, to name all of them; the result is used only if there was
 * none.
 */
#include "bundle.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "bundle_names.h"

/* The longest path is some 60 characters; it is cut, not trusted. */
#define PATH_BYTES 128

struct reader {
	const char *place;
	struct diags *diags;
	bool failed;
};

/* A value and where it stands, as in "kernel[0].outputs[1]". */
struct at {
	struct reader *reader;
	const json_t *value; /* NULL: missing, which has been said */
	char path[PATH_BYTES];
};

static void __attribute__((format(printf, 2, 3)))
complain(const struct at *at, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diag_add(at->reader->diags, DIAG_INVALID, at->reader->place, 0, 0,
		 "build the bundle again with `ebpf-faas build`", "%s %s",
		 at->path[0] ? at->path : "the manifest", text);
	at->reader->failed = true;
}

static void __attribute__((format(printf, 3, 4)))
path_append(struct at *at, const struct at *parent, const char *format, ...)
{
	size_t used = strlen(parent->path);
	va_list arguments;

	memcpy(at->path, parent->path, used + 1);
	va_start(arguments, format);
	vsnprintf(at->path + used, sizeof(at->path) - used, format, arguments);
	va_end(arguments);
}

/* Member @p key, which must be there. */
static struct at member(const struct at *object, const char *key)
{
	struct at at = {.reader = object->reader};

	path_append(&at, object, "%s%s", object->path[0] ? "." : "", key);
	if (!object->value)
		return at;
	at.value = json_object_get(object->value, key);
	if (!at.value)
		complain(&at, "is missing");
	return at;
}

static struct at element(const struct at *array, size_t index)
{
	struct at at = {.reader = array->reader, .value = json_array_get(array->value, index)};

	path_append(&at, array, "[%zu]", index);
	return at;
}

/* Check that @p at is an object that has no members but @p keys. */
static void object_of(struct at *at, const char *const keys[])
{
	const char *key;
	json_t *value;

	if (!at->value)
		return;
	if (!json_is_object(at->value)) {
		complain(at, "is not an object");
		at->value = NULL;
		return;
	}
	json_object_foreach ((json_t *)at->value, key, value)
		if (bundle_word(keys, key) < 0)
			complain(at, "has an unknown member \"%s\"", key);
}
#define OBJECT(at, ...) object_of(at, (const char *const[]){__VA_ARGS__, NULL})

/* The array @p key; *ret_count is 0 unless it is one with at most @p max items. */
static struct at array(const struct at *object, const char *key, uint32_t max, uint32_t *ret_count)
{
	struct at at = member(object, key);

	*ret_count = 0;
	if (!at.value)
		return at;
	if (!json_is_array(at.value))
		complain(&at, "is not an array");
	else if (json_array_size(at.value) > max)
		complain(&at, "has %zu items, the limit is %u", json_array_size(at.value), max);
	else
		*ret_count = (uint32_t)json_array_size(at.value);
	return at;
}

static void read_text(const struct at *at, char *ret, size_t bytes)
{
	if (!at->value)
		return;
	if (!json_is_string(at->value))
		complain(at, "is not a string");
	else if (json_string_length(at->value) >= bytes)
		complain(at, "is longer than %zu bytes", bytes - 1);
	else
		/* No NUL inside: the parser refuses \u0000. */
		snprintf(ret, bytes, "%s", json_string_value(at->value));
}

static void text(const struct at *object, const char *key, char *ret, size_t bytes)
{
	struct at at = member(object, key);

	read_text(&at, ret, bytes);
}

static int64_t integer(const struct at *object, const char *key, int64_t min, int64_t max)
{
	struct at at = member(object, key);
	json_int_t value;

	if (!at.value)
		return min;
	value = json_integer_value(at.value);
	if (!json_is_integer(at.value))
		complain(&at, "is not an integer");
	else if (value < min || value > max)
		complain(&at, "is %lld, which is not within %lld and %lld", (long long)value,
			 (long long)min, (long long)max);
	else
		return value;
	return min;
}

static uint32_t u32(const struct at *object, const char *key, uint32_t min, uint32_t max)
{
	return (uint32_t)integer(object, key, min, max);
}

static unsigned int read_word(const struct at *at, const char *const words[])
{
	int index;

	if (!at->value)
		return 0;
	index = json_is_string(at->value) ? bundle_word(words, json_string_value(at->value)) : -1;
	if (index < 0)
		complain(at, "is not one of the words that may stand here");
	return index < 0 ? 0 : (unsigned int)index;
}

static unsigned int word(const struct at *object, const char *key, const char *const words[])
{
	struct at at = member(object, key);

	return read_word(&at, words);
}

static uint32_t read_key(const struct at *object, enum bundle_key_part *ret)
{
	uint32_t count;
	struct at parts = array(object, "key", FAAS_KEY_PARTS_MAX, &count);

	for (uint32_t i = 0; i < count; i++) {
		struct at part = element(&parts, i);

		ret[i] = (enum bundle_key_part)read_word(&part, bundle_key_part_words);
	}
	return count;
}

static void read_target(struct at at, struct bundle_target *ret)
{
	ret->entry = BUNDLE_NO_ENTRY;
	if (!at.value)
		return;
	ret->kind = (enum bundle_target_kind)word(&at, "kind", bundle_target_words);
	if (ret->kind == TARGET_VERDICT) {
		OBJECT(&at, "kind", "verdict");
		ret->index = word(&at, "verdict", bundle_verdict_words);
		return;
	}
	OBJECT(&at, "kind", "index", "entry");
	/* bundle_check() knows how many there are of what it leads to. */
	ret->index = u32(&at, "index", 0, UINT16_MAX);
	if (at.value && json_object_get(at.value, "entry"))
		ret->entry = u32(&at, "entry", 0, FAAS_ENTRIES_MAX - 1);
}

static void read_field(struct at at, struct bundle_field *ret)
{
	OBJECT(&at, "name", "type", "unit");
	text(&at, "name", ret->name, sizeof(ret->name));
	text(&at, "unit", ret->unit, sizeof(ret->unit));
	ret->type = (enum faas_field_type)word(&at, "type", bundle_field_type_words);
}

static void read_output(struct at at, struct bundle_output *ret)
{
	struct at list;

	OBJECT(&at, "name", "origin", "targets", "fields");
	text(&at, "name", ret->name, sizeof(ret->name));
	ret->origin = u32(&at, "origin", 0, FAAS_ORIGINS_MAX - 1);
	list = array(&at, "targets", FAAS_OUTPUT_TARGETS_MAX, &ret->target_count);
	for (uint32_t i = 0; i < ret->target_count; i++)
		read_target(element(&list, i), &ret->targets[i]);
	list = array(&at, "fields", FAAS_FIELDS_MAX, &ret->field_count);
	for (uint32_t i = 0; i < ret->field_count; i++)
		read_field(element(&list, i), &ret->fields[i]);
}

static void read_param(struct at at, struct bundle_param *ret)
{
	text(&at, "name", ret->name, sizeof(ret->name));
	text(&at, "text", ret->text, sizeof(ret->text));
	ret->type = (enum bundle_param_type)word(&at, "type", bundle_param_type_words);
	if (ret->type != PARAM_F64) {
		OBJECT(&at, "name", "type", "integer", "text");
		ret->integer = integer(&at, "integer", INT64_MIN, INT64_MAX);
		return;
	}
	OBJECT(&at, "name", "type", "real", "text");
	at = member(&at, "real");
	if (at.value && !json_is_number(at.value))
		complain(&at, "is not a number");
	else
		ret->real = json_number_value(at.value);
}

static void read_function(const struct at *at, struct bundle_function *ret)
{
	struct at list;

	text(at, "instance", ret->instance, sizeof(ret->instance));
	text(at, "function", ret->function, sizeof(ret->function));
	list = array(at, "params", FAAS_PARAMS_MAX, &ret->param_count);
	for (uint32_t i = 0; i < ret->param_count; i++)
		read_param(element(&list, i), &ret->params[i]);
	list = array(at, "outputs", FAAS_OUTPUTS_MAX, &ret->output_count);
	for (uint32_t i = 0; i < ret->output_count; i++)
		read_output(element(&list, i), &ret->outputs[i]);
}

static void read_kernel(struct at at, struct bundle_function *ret)
{
	struct at list;

	OBJECT(&at, "instance", "function", "params", "outputs", "maps");
	read_function(&at, ret);
	list = array(&at, "maps", FAAS_STATE_MAPS_MAX, &ret->map_count);
	for (uint32_t i = 0; i < ret->map_count; i++) {
		struct at map = element(&list, i);

		OBJECT(&map, "map", "name", "entries");
		text(&map, "map", ret->maps[i].map, sizeof(ret->maps[i].map));
		text(&map, "name", ret->maps[i].name, sizeof(ret->maps[i].name));
		ret->maps[i].entries = u32(&map, "entries", 0, UINT32_MAX);
	}
}

static void read_user(struct at at, struct bundle_function *ret)
{
	struct at list, state;

	OBJECT(&at, "instance", "function", "params", "outputs", "file", "state", "inputs", "key");
	read_function(&at, ret);
	text(&at, "file", ret->file, sizeof(ret->file));
	state = member(&at, "state");
	ret->has_state = state.value && !json_is_null(state.value);
	if (ret->has_state) {
		OBJECT(&state, "bytes", "version", "keys");
		ret->state_bytes = u32(&state, "bytes", 1, FAAS_STATE_BYTES_MAX);
		ret->state_version = u32(&state, "version", 1, UINT32_MAX);
		ret->state_keys = u32(&state, "keys", 1, FAAS_STATE_KEYS_MAX);
	}
	list = array(&at, "inputs", FAAS_INPUTS_MAX, &ret->input_count);
	for (uint32_t i = 0; i < ret->input_count; i++) {
		struct at input = element(&list, i);

		read_text(&input, ret->inputs[i], sizeof(ret->inputs[i]));
	}
	ret->key_count = read_key(&at, ret->key);
}

static void read_entry(struct at at, struct bundle_entry *ret)
{
	struct at from;

	OBJECT(&at, "from", "kind", "index", "key", "key_bytes", "payload_bytes_max");
	from = member(&at, "from");
	if (from.value && json_object_get(from.value, "trigger")) {
		OBJECT(&from, "trigger");
		ret->kernel_function = BUNDLE_FROM_TRIGGER;
		ret->output = u32(&from, "trigger", 0, FAAS_TRIGGERS_MAX - 1);
	} else {
		OBJECT(&from, "kernel", "output");
		ret->kernel_function = u32(&from, "kernel", 0, FAAS_KERNEL_FUNCTIONS_MAX - 1);
		ret->output = u32(&from, "output", 0, FAAS_OUTPUTS_MAX - 1);
	}
	ret->kind = (enum bundle_target_kind)word(&at, "kind", bundle_target_words);
	ret->index = u32(&at, "index", 0, UINT16_MAX);
	ret->key_count = read_key(&at, ret->key);
	ret->key_bytes = u32(&at, "key_bytes", 0, FAAS_KEY_BYTES_MAX);
	ret->payload_bytes_max = u32(&at, "payload_bytes_max", 0, FAAS_EVENT_PAYLOAD_MAX);
}

static uint32_t read_ports(const struct at *object, const char *key, uint16_t *ret)
{
	uint32_t count;
	struct at list = array(object, key, FAAS_TRIGGER_PORTS_MAX, &count);

	for (uint32_t i = 0; i < count; i++) {
		struct at port = element(&list, i);
		json_int_t value = json_integer_value(port.value);

		if (!json_is_integer(port.value) || value < 1 || value >= FAAS_PORTS)
			complain(&port, "is not a port, 1 to %d", FAAS_PORTS - 1);
		else
			ret[i] = (uint16_t)value;
	}
	return count;
}

static void read_trigger(struct at at, struct bundle_trigger *ret)
{
	struct bundle_match *match = &ret->match;
	struct at list;

	OBJECT(&at, "name", "id", "interfaces", "hook", "mode", "protocol", "destination_ports",
	       "source_ports", "to");
	text(&at, "name", ret->name, sizeof(ret->name));
	ret->id = u32(&at, "id", 1, UINT16_MAX);
	list = array(&at, "interfaces", FAAS_TRIGGER_INTERFACES_MAX, &ret->interface_count);
	for (uint32_t i = 0; i < ret->interface_count; i++) {
		struct at interface = element(&list, i);

		read_text(&interface, ret->interfaces[i], sizeof(ret->interfaces[i]));
	}
	ret->hook = (enum bundle_hook)word(&at, "hook", bundle_hook_words);
	ret->mode = (enum bundle_mode)word(&at, "mode", bundle_mode_words);
	match->protocol = bundle_protocol_values[word(&at, "protocol", bundle_protocol_words)];
	match->destination_port_count =
		read_ports(&at, "destination_ports", match->destination_ports);
	match->source_port_count = read_ports(&at, "source_ports", match->source_ports);
	read_target(member(&at, "to"), &ret->to);
}

static void read_sink(struct at at, struct bundle_sink *ret)
{
	text(&at, "name", ret->name, sizeof(ret->name));
	ret->kind = (enum bundle_sink_kind)word(&at, "kind", bundle_sink_words);
	if (ret->kind == SINK_UDP) {
		OBJECT(&at, "name", "kind", "host", "port");
		text(&at, "host", ret->host, sizeof(ret->host));
		ret->port = (uint16_t)u32(&at, "port", 1, FAAS_PORTS - 1);
		return;
	}
	OBJECT(&at, "name", "kind", "path", "rotate_bytes", "keep");
	text(&at, "path", ret->path, sizeof(ret->path));
	ret->rotate_bytes = (uint64_t)integer(&at, "rotate_bytes", 0, INT64_MAX);
	ret->keep = u32(&at, "keep", 0, FAAS_SINK_KEEP_MAX);
}

static void read_kernel_field(struct at at, struct bundle_kernel_field *ret)
{
	OBJECT(&at, "kernel_function", "field");
	ret->kernel_function = u32(&at, "kernel_function", 0, FAAS_KERNEL_FUNCTIONS_MAX - 1);
	read_field(member(&at, "field"), &ret->field);
}

static void read_file(struct at at, struct bundle_file *ret)
{
	OBJECT(&at, "path", "sha256");
	text(&at, "path", ret->path, sizeof(ret->path));
	text(&at, "sha256", ret->sha256, sizeof(ret->sha256));
}

/* Read the list @p key into @p items, each with @p read. */
#define READ_LIST(object, key, items, count, read)                                                 \
	do {                                                                                       \
		struct at list_ = array(object, key, sizeof(items) / sizeof((items)[0]), count);   \
                                                                                                   \
		for (uint32_t i_ = 0; i_ < *(count); i_++)                                         \
			read(element(&list_, i_), &(items)[i_]);                                   \
	} while (0)

static void read_bundle(struct at at, struct bundle *ret)
{
	OBJECT(&at, "format", "workflow", "version", "on_failure", "overload_packet",
	       "queue_events", "triggers", "kernel", "kernel_fields", "user", "entries", "sinks",
	       "files");
	text(&at, "workflow", ret->name, sizeof(ret->name));
	text(&at, "version", ret->version, sizeof(ret->version));
	ret->on_failure_drop = word(&at, "on_failure", bundle_pass_drop_words);
	ret->overload_drop = word(&at, "overload_packet", bundle_pass_drop_words);
	ret->queue_events = u32(&at, "queue_events", FAAS_QUEUE_EVENTS_MIN, FAAS_QUEUE_EVENTS_MAX);
	READ_LIST(&at, "triggers", ret->triggers, &ret->trigger_count, read_trigger);
	READ_LIST(&at, "kernel", ret->kernel, &ret->kernel_count, read_kernel);
	READ_LIST(&at, "kernel_fields", ret->kernel_fields, &ret->kernel_field_count,
		  read_kernel_field);
	READ_LIST(&at, "user", ret->user, &ret->user_count, read_user);
	READ_LIST(&at, "entries", ret->entries, &ret->entry_count, read_entry);
	READ_LIST(&at, "sinks", ret->sinks, &ret->sink_count, read_sink);
	READ_LIST(&at, "files", ret->files, &ret->file_count, read_file);
}

int bundle_parse(const char *json, size_t bytes, const char *place, struct bundle *ret,
		 struct diags *diags)
{
	struct reader reader = {.place = place, .diags = diags};
	struct at top = {.reader = &reader};
	struct bundle *bundle = NULL;
	json_t *object = NULL;
	json_error_t error;
	int err = -1;

	if (bytes > FAAS_MANIFEST_BYTES_MAX) {
		diag_add(diags, DIAG_INVALID, place, 0, 0, NULL,
			 "the manifest has %zu bytes, the limit is %d", bytes,
			 FAAS_MANIFEST_BYTES_MAX);
		return -1;
	}
	object = json_loadb(json, bytes, JSON_REJECT_DUPLICATES, &error);
	bundle = calloc(1, sizeof(*bundle));
	if (!bundle) {
		diag_add(diags, DIAG_FAILED, place, 0, 0, NULL, "out of memory");
		goto cleanup;
	}
	if (!object) {
		diag_add(diags, DIAG_INVALID, place, error.line > 0 ? (unsigned int)error.line : 0,
			 error.column > 0 ? (unsigned int)error.column : 0,
			 "build the bundle again with `ebpf-faas build`", "not JSON: %s",
			 error.text);
		goto cleanup;
	}
	top.value = object;
	/* Another format has other members: name that alone. */
	if (json_is_object(object) &&
	    json_integer_value(json_object_get(object, "format")) != BUNDLE_FORMAT) {
		diag_add(diags, DIAG_INVALID, place, 0, 0,
			 "build the bundle again with this version of `ebpf-faas build`",
			 "the bundle is not of format %d", BUNDLE_FORMAT);
		goto cleanup;
	}
	read_bundle(top, bundle);
	if (reader.failed || bundle_check(bundle, place, diags))
		goto cleanup;
	*ret = *bundle;
	err = 0;
cleanup:
	json_decref(object);
	free(bundle);
	return err;
}
