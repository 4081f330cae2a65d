// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bundle.h"

#include <stdlib.h>

#include <jansson.h>

#include "bundle_match.h"
#include "bundle_names.h"
#include "bundle_state.h"

/* Every maker below returns-owned, or NULL without memory; json_pack and
 * append() pass a NULL on, so that one check at the end covers all. */
static int append(json_t *array, json_t *item)
{
	return json_array_append_new(array, item);
}

static json_t *print_target(const struct bundle_target *target)
{
	bool has_entry = target->kind == TARGET_USER || target->kind == TARGET_SINK;
	const char *kind = bundle_target_words[target->kind];

	if (target->kind == TARGET_VERDICT && target->index == VERDICT_REDIRECT)
		return json_pack("{s:s, s:s, s:I}", "kind", kind, "verdict",
				 bundle_verdict_words[target->index], "redirect",
				 (json_int_t)target->redirect);
	if (target->kind == TARGET_VERDICT)
		return json_pack("{s:s, s:s}", "kind", kind, "verdict",
				 bundle_verdict_words[target->index]);
	if (has_entry && target->entry != BUNDLE_NO_ENTRY)
		return json_pack("{s:s, s:I, s:I}", "kind", kind, "index",
				 (json_int_t)target->index, "entry", (json_int_t)target->entry);
	return json_pack("{s:s, s:I}", "kind", kind, "index", (json_int_t)target->index);
}

static json_t *print_field(const struct bundle_field *field)
{
	return json_pack("{s:s, s:s, s:s}", "name", field->name, "type",
			 bundle_field_type_words[field->type], "unit", field->unit);
}

static json_t *print_output(const struct bundle_output *output)
{
	json_t *targets = json_array(), *fields = json_array();
	int err = 0;

	for (uint32_t i = 0; i < output->target_count; i++)
		err |= append(targets, print_target(&output->targets[i]));
	for (uint32_t i = 0; i < output->field_count; i++)
		err |= append(fields, print_field(&output->fields[i]));
	if (err) {
		json_decref(targets);
		json_decref(fields);
		return NULL;
	}
	return json_pack("{s:s, s:I, s:o, s:o}", "name", output->name, "origin",
			 (json_int_t)output->origin, "targets", targets, "fields", fields);
}

static json_t *print_param(const struct bundle_param *param)
{
	const char *type = bundle_param_type_words[param->type];

	if (param->type == PARAM_F64)
		return json_pack("{s:s, s:s, s:f, s:s, s:b}", "name", param->name, "type", type,
				 "real", param->real, "text", param->text, "changeable",
				 param->changeable);
	if (param->changeable)
		return json_pack("{s:s, s:s, s:I, s:s, s:b, s:I, s:I}", "name", param->name, "type",
				 type, "integer", (json_int_t)param->integer, "text", param->text,
				 "changeable", param->changeable, "min", (json_int_t)param->min,
				 "max", (json_int_t)param->max);
	return json_pack("{s:s, s:s, s:I, s:s, s:b}", "name", param->name, "type", type, "integer",
			 (json_int_t)param->integer, "text", param->text, "changeable",
			 param->changeable);
}

static json_t *print_key(const enum bundle_key_part *key, uint32_t count)
{
	json_t *parts = json_array();

	for (uint32_t i = 0; i < count; i++)
		if (append(parts, json_string(bundle_key_part_words[key[i]]))) {
			json_decref(parts);
			return NULL;
		}
	return parts;
}

/* What both tiers have. */
static json_t *print_function(const struct bundle_function *function)
{
	json_t *params = json_array(), *outputs = json_array();
	int err = 0;

	for (uint32_t i = 0; i < function->param_count; i++)
		err |= append(params, print_param(&function->params[i]));
	for (uint32_t i = 0; i < function->output_count; i++)
		err |= append(outputs, print_output(&function->outputs[i]));
	if (err) {
		json_decref(params);
		json_decref(outputs);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:o, s:o}", "instance", function->instance, "function",
			 function->function, "params", params, "outputs", outputs);
}

static json_t *print_kernel(const struct bundle_function *function)
{
	json_t *object = print_function(function), *maps = json_array();
	int err = 0;

	for (uint32_t i = 0; i < function->map_count; i++)
		err |= append(maps, json_pack("{s:s, s:s, s:I, s:s, s:b}", "map",
					      function->maps[i].map, "name", function->maps[i].name,
					      "entries", (json_int_t)function->maps[i].entries,
					      "contents", function->maps[i].contents, "verdicts",
					      function->maps[i].takes_verdicts));
	err |= json_object_set_new(object, "observe", json_boolean(function->observe));
	err |= json_object_set_new(object, "separate", json_boolean(function->separate));
	err |= json_object_set_new(object, "maps", maps);
	if (err) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *print_layout_field(const struct faas_layout_field *field)
{
	return json_pack("{s:I, s:s, s:I, s:I, s:s, s:I}", "offset", (json_int_t)field->offset,
			 "type", bundle_layout_type_words[field->type], "first_bit",
			 (json_int_t)field->first_bit, "bit_count", (json_int_t)field->bit_count,
			 "field_type", bundle_field_type_words[field->field_type], "scale",
			 (json_int_t)field->scale);
}

static json_t *print_layout(const struct faas_layout *layout)
{
	json_t *fields = json_array();
	int err = 0;

	for (uint32_t i = 0; i < layout->count; i++)
		err |= append(fields, print_layout_field(&layout->fields[i]));
	if (err) {
		json_decref(fields);
		return NULL;
	}
	return fields;
}

static json_t *print_exec(const struct bundle_exec *exec)
{
	json_t *arguments;
	int err = 0;

	if (!exec->argument_count)
		return json_null();
	arguments = json_array();
	for (uint32_t i = 0; i < exec->argument_count; i++)
		err |= append(arguments, json_string(exec->arguments[i]));
	if (err) {
		json_decref(arguments);
		return NULL;
	}
	return json_pack("{s:o, s:s}", "arguments", arguments, "root", exec->root);
}

static json_t *print_user(const struct bundle_function *function)
{
	json_t *object = print_function(function), *inputs = json_array(), *state;
	json_t *verdicts = json_array();
	int err = 0;

	for (uint32_t i = 0; i < function->verdict_count; i++) {
		const struct bundle_verdict_to *verdict = &function->verdicts[i];

		err |= append(verdicts, json_pack("{s:s, s:o}", "name", verdict->name, "kernel",
						  verdict->kernel == BUNDLE_NO_FUNCTION
							  ? json_null()
							  : json_integer(verdict->kernel)));
	}
	for (uint32_t i = 0; i < function->input_count; i++)
		err |= append(inputs, json_string(function->inputs[i]));
	state = function->has_state ? json_pack("{s:s, s:I, s:I, s:I, s:o}", "mode",
						bundle_state_mode_words[function->state_mode],
						"bytes", (json_int_t)function->state_bytes,
						"version", (json_int_t)function->state_version,
						"keys", (json_int_t)function->state_keys, "fields",
						bundle_state_print(function))
				    : json_null();
	err |= json_object_set_new(object, "file", json_string(function->file));
	err |= json_object_set_new(object, "exec", print_exec(&function->exec));
	err |= json_object_set_new(object, "state", state);
	err |= json_object_set_new(object, "timer", json_boolean(function->has_timer));
	err |= json_object_set_new(object, "batch", json_boolean(function->has_batch));
	err |= json_object_set_new(object, "verdicts", verdicts);
	err |= json_object_set_new(object, "migrate", json_boolean(function->has_migrate));
	err |= json_object_set_new(object, "timeout_ns",
				   json_integer((json_int_t)function->timeout_ns));
	err |= json_object_set_new(object, "inputs", inputs);
	err |= json_object_set_new(object, "layout", print_layout(&function->layout));
	err |= json_object_set_new(object, "key", print_key(function->key, function->key_count));
	if (err) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *print_entry(const struct bundle_entry *entry)
{
	json_t *from =
		entry->kernel_function == BUNDLE_FROM_TRIGGER
			? json_pack("{s:I}", "trigger", (json_int_t)entry->output)
			: json_pack("{s:I, s:I}", "kernel", (json_int_t)entry->kernel_function,
				    "output", (json_int_t)entry->output);

	return json_pack("{s:o, s:s, s:I, s:o, s:I, s:I}", "from", from, "kind",
			 bundle_target_words[entry->kind], "index", (json_int_t)entry->index, "key",
			 print_key(entry->key, entry->key_count), "key_bytes",
			 (json_int_t)entry->key_bytes, "payload_bytes_max",
			 (json_int_t)entry->payload_bytes_max);
}

static json_t *print_range(const struct bundle_range *range)
{
	return json_pack("[i, i]", range->first, range->last);
}

static json_t *print_prefix(const struct bundle_prefix *prefix)
{
	char text[BUNDLE_PREFIX_TEXT_BYTES];

	bundle_prefix_print(prefix, text);
	return json_string(text);
}

static json_t *print_u8(const uint8_t *value)
{
	return json_integer(*value);
}

static json_t *print_u16(const uint16_t *value)
{
	return json_integer(*value);
}

static json_t *print_text(const char (*text)[FAAS_INTERFACE_BYTES])
{
	return json_string(*text);
}

/* Set @p key of @p object to the list of what @p print makes of each item. */
#define SET_LIST(object, key, items, count, print)                                                 \
	do {                                                                                       \
		json_t *list_ = json_array();                                                      \
                                                                                                   \
		for (uint32_t i_ = 0; i_ < (count); i_++)                                          \
			err |= append(list_, print(&(items)[i_]));                                 \
		err |= json_object_set_new(object, key, list_);                                    \
	} while (0)

static json_t *print_match(const struct bundle_match *match)
{
	json_t *object = json_pack(
		"{s:b, s:b, s:o}", "any", match->any, "either_port", match->either_port, "protocol",
		match->has_protocol ? json_integer(match->ip_protocol) : json_null());
	int err = 0;

	SET_LIST(object, "destination_ports", match->destination_ranges,
		 match->destination_range_count, print_range);
	SET_LIST(object, "source_ports", match->source_ranges, match->source_range_count,
		 print_range);
	SET_LIST(object, "destinations", match->destinations, match->destination_count,
		 print_prefix);
	SET_LIST(object, "sources", match->sources, match->source_count, print_prefix);
	SET_LIST(object, "icmp_types", match->icmp_types, match->icmp_type_count, print_u8);
	SET_LIST(object, "ethertypes", match->ethertypes, match->ethertype_count, print_u16);
	SET_LIST(object, "vlans", match->vlans, match->vlan_count, print_u16);
	if (err) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *print_trigger(const struct bundle_trigger *trigger)
{
	json_t *object = json_pack("{s:s, s:I, s:i, s:s, s:s, s:s, s:o}", "name", trigger->name,
				   "id", (json_int_t)trigger->id, "priority", trigger->priority,
				   "hook", bundle_hook_words[trigger->hook], "mode",
				   bundle_mode_words[trigger->mode], "importance",
				   bundle_importance_words[trigger->importance], "match",
				   print_match(&trigger->match));
	int err = 0;

	SET_LIST(object, "interfaces", trigger->interfaces, trigger->interface_count, print_text);
	SET_LIST(object, "targets", trigger->targets, trigger->target_count, print_target);
	if (err) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *print_health(const struct bundle_health *health)
{
	if (!health->given)
		return json_null();
	return json_pack("{s:I, s:o, s:I}", "for_ns", (json_int_t)health->for_ns, "max_lost",
			 health->max_lost == UINT64_MAX
				 ? json_null()
				 : json_integer((json_int_t)health->max_lost),
			 "max_drop_ratio_ppm", (json_int_t)health->max_drop_ratio_ppm);
}

static json_t *print_timer(const struct bundle_timer *timer)
{
	return json_pack("{s:s, s:I, s:I, s:I}", "name", timer->name, "id", (json_int_t)timer->id,
			 "every_ns", (json_int_t)timer->every_ns, "function",
			 (json_int_t)timer->function);
}

static json_t *print_storage(const struct bundle *bundle)
{
	if (!bundle->storage_bytes)
		return json_null();
	return json_pack("{s:I, s:s}", "bytes", (json_int_t)bundle->storage_bytes,
			 "when_unwritable", bundle_unwritable_words[bundle->storage_continue]);
}

static json_t *print_sink(const struct bundle_sink *sink)
{
	const char *kind = bundle_sink_words[sink->kind];

	if (sink->kind == SINK_UDP)
		return json_pack("{s:s, s:s, s:s, s:I}", "name", sink->name, "kind", kind, "host",
				 sink->host, "port", (json_int_t)sink->port);
	return json_pack("{s:s, s:s, s:s, s:I, s:I}", "name", sink->name, "kind", kind, "path",
			 sink->path, "rotate_bytes", (json_int_t)sink->rotate_bytes, "keep",
			 (json_int_t)sink->keep);
}

static json_t *print_kernel_field(const struct bundle_kernel_field *field)
{
	return json_pack("{s:I, s:o}", "kernel_function", (json_int_t)field->kernel_function,
			 "field", print_field(&field->field));
}

static json_t *print_file(const struct bundle_file *file)
{
	return json_pack("{s:s, s:s}", "path", file->path, "sha256", file->sha256);
}

static json_t *print_retry(const struct bundle *bundle)
{
	if (!bundle->retry_attempts)
		return json_null();
	return json_pack("{s:I, s:I, s:I}", "attempts", (json_int_t)bundle->retry_attempts,
			 "backoff_min_ns", (json_int_t)bundle->retry_backoff_min_ns,
			 "backoff_max_ns", (json_int_t)bundle->retry_backoff_max_ns);
}

static json_t *print_limits(const struct bundle_limits *limits)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "outputs_per_second",
			 (json_int_t)limits->outputs_per_second, "state_bytes",
			 (json_int_t)limits->state_bytes, "disk_bytes",
			 (json_int_t)limits->disk_bytes, "logs_per_second",
			 (json_int_t)limits->logs_per_second);
}

char *bundle_print(const struct bundle *bundle)
{
	json_t *object;
	char *text = NULL;
	int err = 0;

	object = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:o, s:o}", "format",
		BUNDLE_FORMAT, "workflow", bundle->name, "version", bundle->version, "on_failure",
		bundle_pass_drop_words[bundle->on_failure_drop], "overload_packet",
		bundle_pass_drop_words[bundle->overload_drop], "deadline_ns",
		(json_int_t)bundle->deadline_ns, "queue_events", (json_int_t)bundle->queue_events,
		"worker_class", bundle_class_words[bundle->worker_class], "worker_memory_bytes",
		(json_int_t)bundle->worker_memory_bytes, "worker_cpu_percent",
		(json_int_t)bundle->worker_cpu_percent, "worker_idle_ns",
		(json_int_t)bundle->worker_idle_ns, "storage", print_storage(bundle), "health",
		print_health(&bundle->health));
	err |= json_object_set_new(object, "retry", print_retry(bundle));
	err |= json_object_set_new(object, "limits", print_limits(&bundle->limits));
	SET_LIST(object, "redirects", bundle->redirects, bundle->redirect_count, print_text);
	SET_LIST(object, "triggers", bundle->triggers, bundle->trigger_count, print_trigger);
	SET_LIST(object, "timers", bundle->timers, bundle->timer_count, print_timer);
	SET_LIST(object, "kernel", bundle->kernel, bundle->kernel_count, print_kernel);
	SET_LIST(object, "kernel_fields", bundle->kernel_fields, bundle->kernel_field_count,
		 print_kernel_field);
	SET_LIST(object, "user", bundle->user, bundle->user_count, print_user);
	SET_LIST(object, "entries", bundle->entries, bundle->entry_count, print_entry);
	SET_LIST(object, "sinks", bundle->sinks, bundle->sink_count, print_sink);
	SET_LIST(object, "files", bundle->files, bundle->file_count, print_file);
	if (!err)
		/* 17 digits bring every double back as it was. */
		text = json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
	json_decref(object);
	return text;
}
