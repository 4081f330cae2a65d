// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "exec_hello.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

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

/* Numbers of 64 bits are text: not every reader of JSON has room for them. */
static json_t *print_value(const struct bundle_param *param)
{
	char digits[24];

	switch (param->type) {
	case PARAM_F64:
		return json_real(param->real);
	case PARAM_DECIMAL:
		return json_real((double)param->integer / FAAS_DECIMAL_ONE);
	case PARAM_BOOL:
		return json_boolean(param->integer);
	case PARAM_TRIGGER:
		return json_integer((json_int_t)param->integer);
	case PARAM_S64:
		(void)snprintf(digits, sizeof(digits), "%" PRId64, param->integer);
		return json_string(digits);
	case PARAM_U32:
	case PARAM_U64:
	case PARAM_DURATION:
	case PARAM_BYTES:
		(void)snprintf(digits, sizeof(digits), "%" PRIu64, (uint64_t)param->integer);
		return json_string(digits);
	case PARAM_CHOICE:
	case PARAM_SET:
	case PARAM_FILE:
	case PARAM_LAYOUT:
		break;
	}
	return json_string(param->text);
}

static json_t *describe_params(const struct bundle_function *function)
{
	json_t *params = json_array();

	for (uint32_t i = 0; i < function->param_count; i++)
		(void)json_array_append_new(
			params, json_pack("{s:s, s:s, s:o}", "name", function->params[i].name,
					  "type", bundle_param_type_words[function->params[i].type],
					  "value", print_value(&function->params[i])));
	return params;
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
	all = json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:b}", "workflow", bundle->name,
		"version", bundle->version, "function", function->instance, "params",
		describe_params(function), "outputs", outputs, "fields", fields, "key", key,
		"state_bytes", (json_int_t)(function->has_state ? function->state_bytes : 0),
		"state_version", (json_int_t)(function->has_state ? function->state_version : 0),
		"timer", function->has_timer);
	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	return text;
}
