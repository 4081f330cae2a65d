// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "exec_hello.h"

#include <jansson.h>

#include "bundle_names.h"

static json_t *describe_fields(const struct bundle_output *output)
{
	json_t *fields = json_array();

	for (uint32_t i = 0; i < output->field_count; i++)
		(void)json_array_append_new(
			fields, json_pack("{s:s, s:s}", "name", output->fields[i].name, "type",
					  bundle_field_type_words[output->fields[i].type]));
	return fields;
}

char *exec_hello(const struct bundle *bundle, uint32_t number)
{
	const struct bundle_function *function = &bundle->user[number];
	json_t *outputs = json_array(), *fields = json_array(), *key = json_array(), *all;
	char *text;

	for (uint32_t i = 0; i < function->output_count; i++)
		(void)json_array_append_new(
			outputs, json_pack("{s:s, s:o}", "name", function->outputs[i].name,
					   "fields", describe_fields(&function->outputs[i])));
	for (uint32_t i = 0; i < bundle->kernel_field_count; i++)
		(void)json_array_append_new(
			fields,
			json_pack("{s:s, s:s}", "name", bundle->kernel_fields[i].field.name, "type",
				  bundle_field_type_words[bundle->kernel_fields[i].field.type]));
	for (uint32_t i = 0; i < function->key_count; i++)
		(void)json_array_append_new(key,
					    json_string(bundle_key_part_name(function->key[i])));
	all = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I}", "workflow", bundle->name,
			"version", bundle->version, "function", function->instance, "outputs",
			outputs, "fields", fields, "key", key, "state_bytes",
			(json_int_t)(function->has_state ? function->state_bytes : 0),
			"state_version",
			(json_int_t)(function->has_state ? function->state_version : 0));
	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	return text;
}
