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
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "bundle_names.h"
#include "bundle_read.h"
#include "bundle_state.h"
#include "manifest.h"

static uint32_t read_key(const struct manifest_at *object, enum bundle_key_part *ret)
{
	uint32_t count;
	struct manifest_at parts = manifest_array(object, "key", FAAS_KEY_PARTS_MAX, &count);

	for (uint32_t i = 0; i < count; i++) {
		struct manifest_at part = manifest_element(&parts, i);

		ret[i] = (enum bundle_key_part)manifest_read_word(&part, bundle_key_part_words);
	}
	return count;
}

void bundle_read_target(struct manifest_at at, struct bundle_target *ret)
{
	ret->entry = BUNDLE_NO_ENTRY;
	if (!at.value)
		return;
	ret->kind = (enum bundle_target_kind)manifest_word(&at, "kind", bundle_target_words);
	if (ret->kind == TARGET_VERDICT) {
		ret->index = manifest_word(&at, "verdict", bundle_verdict_words);
		if (ret->index != VERDICT_REDIRECT) {
			MANIFEST_OBJECT(&at, "kind", "verdict");
			return;
		}
		MANIFEST_OBJECT(&at, "kind", "verdict", "redirect");
		ret->redirect = manifest_u32(&at, "redirect", 0, FAAS_REDIRECTS_MAX - 1);
		return;
	}
	MANIFEST_OBJECT(&at, "kind", "index", "entry");
	/* bundle_check() knows how many there are of what it leads to. */
	ret->index = manifest_u32(&at, "index", 0, UINT16_MAX);
	if (at.value && json_object_get(at.value, "entry"))
		ret->entry = manifest_u32(&at, "entry", 0, FAAS_ENTRIES_MAX - 1);
}

static void read_field(struct manifest_at at, struct bundle_field *ret)
{
	MANIFEST_OBJECT(&at, "name", "type", "unit");
	manifest_text(&at, "name", ret->name, sizeof(ret->name));
	manifest_text(&at, "unit", ret->unit, sizeof(ret->unit));
	ret->type = (enum faas_field_type)manifest_word(&at, "type", bundle_field_type_words);
}

static void read_output(struct manifest_at at, struct bundle_output *ret)
{
	struct manifest_at list;

	MANIFEST_OBJECT(&at, "name", "origin", "targets", "fields");
	manifest_text(&at, "name", ret->name, sizeof(ret->name));
	ret->origin = manifest_u32(&at, "origin", 0, FAAS_ORIGINS_MAX - 1);
	list = manifest_array(&at, "targets", FAAS_OUTPUT_TARGETS_MAX, &ret->target_count);
	for (uint32_t i = 0; i < ret->target_count; i++)
		bundle_read_target(manifest_element(&list, i), &ret->targets[i]);
	list = manifest_array(&at, "fields", FAAS_FIELDS_MAX, &ret->field_count);
	for (uint32_t i = 0; i < ret->field_count; i++)
		read_field(manifest_element(&list, i), &ret->fields[i]);
}

static void read_param(struct manifest_at at, struct bundle_param *ret)
{
	manifest_text(&at, "name", ret->name, sizeof(ret->name));
	manifest_text(&at, "text", ret->text, sizeof(ret->text));
	ret->type = (enum bundle_param_type)manifest_word(&at, "type", bundle_param_type_words);
	ret->changeable = manifest_bool(&at, "changeable");
	if (ret->changeable && ret->type != PARAM_F64) {
		MANIFEST_OBJECT(&at, "name", "type", "integer", "text", "changeable", "min", "max");
		ret->integer = manifest_integer(&at, "integer", INT64_MIN, INT64_MAX);
		ret->min = manifest_integer(&at, "min", INT64_MIN, INT64_MAX);
		ret->max = manifest_integer(&at, "max", INT64_MIN, INT64_MAX);
		return;
	}
	if (ret->type != PARAM_F64) {
		MANIFEST_OBJECT(&at, "name", "type", "integer", "text", "changeable");
		ret->integer = manifest_integer(&at, "integer", INT64_MIN, INT64_MAX);
		return;
	}
	MANIFEST_OBJECT(&at, "name", "type", "real", "text", "changeable");
	at = manifest_member(&at, "real");
	if (at.value && !json_is_number(at.value))
		manifest_complain(&at, "is not a number");
	else
		ret->real = json_number_value(at.value);
}

static void read_function(const struct manifest_at *at, struct bundle_function *ret)
{
	struct manifest_at list;

	manifest_text(at, "instance", ret->instance, sizeof(ret->instance));
	manifest_text(at, "function", ret->function, sizeof(ret->function));
	list = manifest_array(at, "params", FAAS_PARAMS_MAX, &ret->param_count);
	for (uint32_t i = 0; i < ret->param_count; i++)
		read_param(manifest_element(&list, i), &ret->params[i]);
	list = manifest_array(at, "outputs", FAAS_OUTPUTS_MAX, &ret->output_count);
	for (uint32_t i = 0; i < ret->output_count; i++)
		read_output(manifest_element(&list, i), &ret->outputs[i]);
}

static void read_kernel(struct manifest_at at, struct bundle_function *ret)
{
	struct manifest_at list;

	MANIFEST_OBJECT(&at, "instance", "function", "params", "outputs", "maps", "observe",
			"separate");
	read_function(&at, ret);
	ret->observe = manifest_bool(&at, "observe");
	ret->separate = manifest_bool(&at, "separate");
	list = manifest_array(&at, "maps", FAAS_STATE_MAPS_MAX, &ret->map_count);
	for (uint32_t i = 0; i < ret->map_count; i++) {
		struct manifest_at map = manifest_element(&list, i);

		MANIFEST_OBJECT(&map, "map", "name", "entries", "contents", "verdicts");
		ret->maps[i].takes_verdicts = manifest_bool(&map, "verdicts");
		manifest_text(&map, "map", ret->maps[i].map, sizeof(ret->maps[i].map));
		manifest_text(&map, "name", ret->maps[i].name, sizeof(ret->maps[i].name));
		manifest_text(&map, "contents", ret->maps[i].contents,
			      sizeof(ret->maps[i].contents));
		ret->maps[i].entries = manifest_u32(&map, "entries", 0, UINT32_MAX);
	}
}

static void read_layout_field(struct manifest_at at, struct faas_layout_field *ret)
{
	MANIFEST_OBJECT(&at, "offset", "type", "first_bit", "bit_count", "field_type", "scale");
	ret->offset = manifest_u32(&at, "offset", 0, FAAS_EVENT_PAYLOAD_MAX - 1);
	ret->type = (uint8_t)manifest_word(&at, "type", bundle_layout_type_words);
	ret->first_bit = (uint8_t)manifest_u32(&at, "first_bit", 0, 63);
	ret->bit_count = (uint8_t)manifest_u32(&at, "bit_count", 0, 63);
	ret->field_type = (uint8_t)manifest_word(&at, "field_type", bundle_field_type_words);
	ret->scale = manifest_integer(&at, "scale", -FAAS_LAYOUT_SCALE_MAX, FAAS_LAYOUT_SCALE_MAX);
}

static void read_verdict(struct manifest_at at, struct bundle_verdict_to *ret)
{
	struct manifest_at kernel;

	MANIFEST_OBJECT(&at, "name", "kernel");
	manifest_text(&at, "name", ret->name, sizeof(ret->name));
	ret->kernel = BUNDLE_NO_FUNCTION;
	kernel = manifest_member(&at, "kernel");
	if (kernel.value && !json_is_null(kernel.value))
		ret->kernel =
			(uint32_t)manifest_read_integer(&kernel, 0, FAAS_KERNEL_FUNCTIONS_MAX - 1);
}

static void read_exec(struct manifest_at at, struct bundle_exec *ret)
{
	struct manifest_at list;

	if (!at.value || json_is_null(at.value))
		return;
	MANIFEST_OBJECT(&at, "arguments", "root");
	list = manifest_array(&at, "arguments", FAAS_EXEC_ARGUMENTS_MAX, &ret->argument_count);
	for (uint32_t i = 0; i < ret->argument_count; i++) {
		struct manifest_at argument = manifest_element(&list, i);

		manifest_read_text(&argument, ret->arguments[i], sizeof(ret->arguments[i]));
	}
	if (at.value && !ret->argument_count)
		manifest_complain(&at, "names no program");
	manifest_text(&at, "root", ret->root, sizeof(ret->root));
}

static void read_user(struct manifest_at at, struct bundle_function *ret)
{
	struct manifest_at list, state;

	MANIFEST_OBJECT(&at, "instance", "function", "params", "outputs", "file", "exec", "state",
			"timer", "batch", "verdicts", "migrate", "timeout_ns", "inputs", "layout",
			"key");
	read_function(&at, ret);
	manifest_text(&at, "file", ret->file, sizeof(ret->file));
	read_exec(manifest_member(&at, "exec"), &ret->exec);
	state = manifest_member(&at, "state");
	ret->has_state = state.value && !json_is_null(state.value);
	if (ret->has_state) {
		MANIFEST_OBJECT(&state, "mode", "bytes", "version", "keys", "fields");
		ret->state_mode = (enum bundle_state_mode)manifest_word(&state, "mode",
									bundle_state_mode_words);
		ret->state_bytes = manifest_u32(&state, "bytes", 1, FAAS_STATE_BYTES_MAX);
		ret->state_version = manifest_u32(&state, "version", 1, UINT32_MAX);
		ret->state_keys = manifest_u32(&state, "keys", 1, FAAS_STATE_KEYS_MAX);
		bundle_state_read(&state, ret);
	}
	ret->has_timer = manifest_bool(&at, "timer");
	ret->has_batch = manifest_bool(&at, "batch");
	list = manifest_array(&at, "verdicts", FAAS_VERDICTS_MAX, &ret->verdict_count);
	for (uint32_t i = 0; i < ret->verdict_count; i++)
		read_verdict(manifest_element(&list, i), &ret->verdicts[i]);
	ret->has_migrate = manifest_bool(&at, "migrate");
	ret->timeout_ns = (uint64_t)manifest_integer(&at, "timeout_ns", BUNDLE_TIMEOUT_MIN_NS,
						     BUNDLE_TIMEOUT_MAX_NS);
	list = manifest_array(&at, "inputs", FAAS_INPUTS_MAX, &ret->input_count);
	for (uint32_t i = 0; i < ret->input_count; i++) {
		struct manifest_at input = manifest_element(&list, i);

		manifest_read_text(&input, ret->inputs[i], sizeof(ret->inputs[i]));
	}
	list = manifest_array(&at, "layout", FAAS_FIELDS_MAX, &ret->layout.count);
	for (uint32_t i = 0; i < ret->layout.count; i++)
		read_layout_field(manifest_element(&list, i), &ret->layout.fields[i]);
	ret->key_count = read_key(&at, ret->key);
}

static void read_entry(struct manifest_at at, struct bundle_entry *ret)
{
	struct manifest_at from;

	MANIFEST_OBJECT(&at, "from", "kind", "index", "key", "key_bytes", "payload_bytes_max");
	from = manifest_member(&at, "from");
	if (from.value && json_object_get(from.value, "trigger")) {
		MANIFEST_OBJECT(&from, "trigger");
		ret->kernel_function = BUNDLE_FROM_TRIGGER;
		ret->output = manifest_u32(&from, "trigger", 0, FAAS_TRIGGERS_MAX - 1);
	} else {
		MANIFEST_OBJECT(&from, "kernel", "output");
		ret->kernel_function =
			manifest_u32(&from, "kernel", 0, FAAS_KERNEL_FUNCTIONS_MAX - 1);
		ret->output = manifest_u32(&from, "output", 0, FAAS_OUTPUTS_MAX - 1);
	}
	ret->kind = (enum bundle_target_kind)manifest_word(&at, "kind", bundle_target_words);
	ret->index = manifest_u32(&at, "index", 0, UINT16_MAX);
	ret->key_count = read_key(&at, ret->key);
	ret->key_bytes = manifest_u32(&at, "key_bytes", 0, FAAS_KEY_BYTES_MAX);
	ret->payload_bytes_max = manifest_u32(&at, "payload_bytes_max", 0, FAAS_EVENT_PAYLOAD_MAX);
}

static void read_sink(struct manifest_at at, struct bundle_sink *ret)
{
	manifest_text(&at, "name", ret->name, sizeof(ret->name));
	ret->kind = (enum bundle_sink_kind)manifest_word(&at, "kind", bundle_sink_words);
	if (ret->kind == SINK_UDP) {
		MANIFEST_OBJECT(&at, "name", "kind", "host", "port");
		manifest_text(&at, "host", ret->host, sizeof(ret->host));
		ret->port = (uint16_t)manifest_u32(&at, "port", 1, FAAS_PORTS - 1);
		return;
	}
	MANIFEST_OBJECT(&at, "name", "kind", "path", "rotate_bytes", "keep");
	manifest_text(&at, "path", ret->path, sizeof(ret->path));
	ret->rotate_bytes = (uint64_t)manifest_integer(&at, "rotate_bytes", 0, INT64_MAX);
	ret->keep = manifest_u32(&at, "keep", 0, FAAS_SINK_KEEP_MAX);
}

static void read_kernel_field(struct manifest_at at, struct bundle_kernel_field *ret)
{
	MANIFEST_OBJECT(&at, "kernel_function", "field");
	ret->kernel_function =
		manifest_u32(&at, "kernel_function", 0, FAAS_KERNEL_FUNCTIONS_MAX - 1);
	read_field(manifest_member(&at, "field"), &ret->field);
}

static void read_file(struct manifest_at at, struct bundle_file *ret)
{
	MANIFEST_OBJECT(&at, "path", "sha256");
	manifest_text(&at, "path", ret->path, sizeof(ret->path));
	manifest_text(&at, "sha256", ret->sha256, sizeof(ret->sha256));
}

/* Read the list @p key into @p items, each with @p read. */
#define READ_LIST(object, key, items, count, read)                                                 \
	do {                                                                                       \
		struct manifest_at list_ =                                                         \
			manifest_array(object, key, sizeof(items) / sizeof((items)[0]), count);    \
                                                                                                   \
		for (uint32_t i_ = 0; i_ < *(count); i_++)                                         \
			read(manifest_element(&list_, i_), &(items)[i_]);                          \
	} while (0)

static void read_health(struct manifest_at at, struct bundle_health *ret)
{
	struct manifest_at lost;

	ret->given = at.value && !json_is_null(at.value);
	if (!ret->given)
		return;
	MANIFEST_OBJECT(&at, "for_ns", "max_lost", "max_drop_ratio_ppm");
	ret->for_ns = (uint64_t)manifest_integer(&at, "for_ns", BUNDLE_HEALTH_MIN_NS,
						 BUNDLE_HEALTH_MAX_NS);
	lost = manifest_member(&at, "max_lost");
	ret->max_lost = lost.value && json_is_null(lost.value)
				? UINT64_MAX
				: (uint64_t)manifest_read_integer(&lost, 0, INT64_MAX);
	ret->max_drop_ratio_ppm =
		(uint64_t)manifest_integer(&at, "max_drop_ratio_ppm", 0, BUNDLE_RATIO_ONE);
}

static void read_storage(struct manifest_at at, struct bundle *ret)
{
	if (!at.value || json_is_null(at.value))
		return;
	MANIFEST_OBJECT(&at, "bytes", "when_unwritable");
	ret->storage_bytes = (uint64_t)manifest_integer(&at, "bytes", FAAS_STORAGE_BYTES_MIN,
							FAAS_STORAGE_BYTES_MAX);
	ret->storage_continue = manifest_word(&at, "when_unwritable", bundle_unwritable_words);
}

static void read_redirects(const struct manifest_at *object, struct bundle *ret)
{
	struct manifest_at list =
		manifest_array(object, "redirects", FAAS_REDIRECTS_MAX, &ret->redirect_count);

	for (uint32_t i = 0; i < ret->redirect_count; i++) {
		struct manifest_at name = manifest_element(&list, i);

		manifest_read_text(&name, ret->redirects[i], sizeof(ret->redirects[i]));
	}
}

static void read_retry(struct manifest_at at, struct bundle *ret)
{
	if (!at.value || json_is_null(at.value))
		return;
	MANIFEST_OBJECT(&at, "attempts", "backoff_min_ns", "backoff_max_ns");
	ret->retry_attempts = manifest_u32(&at, "attempts", 1, BUNDLE_RETRY_ATTEMPTS_MAX);
	ret->retry_backoff_min_ns = (uint64_t)manifest_integer(
		&at, "backoff_min_ns", BUNDLE_BACKOFF_MIN_NS, BUNDLE_BACKOFF_MAX_NS);
	ret->retry_backoff_max_ns = (uint64_t)manifest_integer(
		&at, "backoff_max_ns", (int64_t)ret->retry_backoff_min_ns, BUNDLE_BACKOFF_MAX_NS);
}

static void read_limits(struct manifest_at at, struct bundle_limits *ret)
{
	MANIFEST_OBJECT(&at, "outputs_per_second", "state_bytes", "disk_bytes", "logs_per_second");
	ret->outputs_per_second = (uint64_t)manifest_integer(&at, "outputs_per_second", 0,
							     (int64_t)BUNDLE_OUTPUTS_MAX);
	ret->state_bytes = (uint64_t)manifest_integer(&at, "state_bytes", 0, INT64_MAX);
	ret->disk_bytes = (uint64_t)manifest_integer(&at, "disk_bytes", 0, INT64_MAX);
	ret->logs_per_second =
		manifest_u32(&at, "logs_per_second", 0, FAAS_LOG_LINES_PER_SECOND_MAX);
}

static void read_bundle(struct manifest_at at, struct bundle *ret)
{
	MANIFEST_OBJECT(&at, "format", "workflow", "version", "on_failure", "retry", "limits",
			"overload_packet", "deadline_ns", "queue_events", "worker_class",
			"worker_memory_bytes", "worker_cpu_percent", "worker_idle_ns", "storage",
			"health", "redirects", "triggers", "timers", "kernel", "kernel_fields",
			"user", "entries", "sinks", "files");
	manifest_text(&at, "workflow", ret->name, sizeof(ret->name));
	manifest_text(&at, "version", ret->version, sizeof(ret->version));
	ret->on_failure_drop = manifest_word(&at, "on_failure", bundle_pass_drop_words);
	read_retry(manifest_member(&at, "retry"), ret);
	read_limits(manifest_member(&at, "limits"), &ret->limits);
	ret->overload_drop = manifest_word(&at, "overload_packet", bundle_pass_drop_words);
	ret->deadline_ns =
		(uint64_t)manifest_integer(&at, "deadline_ns", 0, BUNDLE_DEADLINE_MAX_NS);
	ret->queue_events =
		manifest_u32(&at, "queue_events", FAAS_QUEUE_EVENTS_MIN, FAAS_QUEUE_EVENTS_MAX);
	ret->worker_class =
		(enum bundle_worker_class)manifest_word(&at, "worker_class", bundle_class_words);
	ret->worker_memory_bytes = (uint64_t)manifest_integer(
		&at, "worker_memory_bytes", FAAS_WORKER_MEMORY_MIN, FAAS_WORKER_MEMORY_MAX);
	ret->worker_cpu_percent =
		manifest_u32(&at, "worker_cpu_percent", 0, FAAS_WORKER_CPU_PERCENT_MAX);
	ret->worker_idle_ns =
		(uint64_t)manifest_integer(&at, "worker_idle_ns", 0, FAAS_WORKER_IDLE_NS_MAX);
	read_storage(manifest_member(&at, "storage"), ret);
	read_health(manifest_member(&at, "health"), &ret->health);
	read_redirects(&at, ret);
	READ_LIST(&at, "triggers", ret->triggers, &ret->trigger_count, bundle_read_trigger);
	READ_LIST(&at, "timers", ret->timers, &ret->timer_count, bundle_read_timer);
	READ_LIST(&at, "kernel", ret->kernel, &ret->kernel_count, read_kernel);
	READ_LIST(&at, "kernel_fields", ret->kernel_fields, &ret->kernel_field_count,
		  read_kernel_field);
	READ_LIST(&at, "user", ret->user, &ret->user_count, read_user);
	READ_LIST(&at, "entries", ret->entries, &ret->entry_count, read_entry);
	READ_LIST(&at, "sinks", ret->sinks, &ret->sink_count, read_sink);
	READ_LIST(&at, "files", ret->files, &ret->file_count, read_file);
}

struct bundle *bundle_new(const char *json, size_t bytes, const char *place, struct diags *diags)
{
	struct manifest_reader reader = {.place = place, .diags = diags};
	struct manifest_at top = {.reader = &reader};
	struct bundle *bundle = NULL;
	json_t *object = NULL;
	json_error_t error;
	bool whole = false;

	if (bytes > FAAS_MANIFEST_BYTES_MAX) {
		diag_add(diags, DIAG_INVALID, place, 0, 0, NULL,
			 "the manifest has %zu bytes, the limit is %d", bytes,
			 FAAS_MANIFEST_BYTES_MAX);
		return NULL;
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
	whole = !reader.failed && !bundle_check(bundle, place, diags);
cleanup:
	json_decref(object);
	if (whole)
		return bundle;
	free(bundle);
	return NULL;
}

int bundle_parse(const char *json, size_t bytes, const char *place, struct bundle *ret,
		 struct diags *diags)
{
	struct bundle *bundle = bundle_new(json, bytes, place, diags);

	if (!bundle)
		return -1;
	*ret = *bundle;
	free(bundle);
	return 0;
}
