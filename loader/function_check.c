// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Declarations of a function that do not go together. */
#include "function_reader.h"

#include <string.h>

static bool gives_fields(const struct function *function, uint32_t param)
{
	for (uint32_t i = 0; i < function->output_count; i++)
		if (function->outputs[i].is_laid_out && function->outputs[i].layout_param == param)
			return true;
	return false;
}

static bool fills_map(const struct function *function, uint32_t param)
{
	for (uint32_t i = 0; i < function->map_count; i++)
		if (function->maps[i].is_filled && function->maps[i].file_param == param)
			return true;
	return false;
}

/* A parameter that gives nothing; two layouts, for a function has one. */
static void check_sources(struct reader *reader)
{
	const struct function *function = reader->function;
	uint32_t layouts = 0;

	for (uint32_t i = 0; i < function->param_count; i++) {
		const struct function_param *param = &function->params[i];

		if (param->type == PARAM_FILE && !fills_map(function, i))
			reader_complain(reader, "parameter %s is a file that fills no map",
					param->name);
		if (param->type == PARAM_LAYOUT && !gives_fields(function, i))
			reader_complain(reader,
					"parameter %s is a layout that gives no output its fields",
					param->name);
		if (param->type == PARAM_LAYOUT && ++layouts > 1)
			reader_complain(reader, "parameter %s is a second layout", param->name);
	}
}

/* Names that are used twice; and in the kernel tier a field is one field, in
 * whichever outputs it stands. */
static void check_names(struct reader *reader)
{
	const struct function *function = reader->function;

	for (uint32_t i = 0; i < function->param_count; i++)
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(function->params[i].name, function->params[k].name))
				reader_complain(reader, "two parameters %s",
						function->params[i].name);
	for (uint32_t i = 0; i < function->input_count; i++)
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(function->inputs[i].name, function->inputs[k].name))
				reader_complain(reader, "two inputs %s", function->inputs[i].name);
	for (uint32_t i = 0; i < function->output_count; i++)
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(function->outputs[i].name, function->outputs[k].name))
				reader_complain(reader, "two outputs %s",
						function->outputs[i].name);
}

static void check_batch(struct reader *reader)
{
	const struct function *function = reader->function;

	if (!function->has_batch)
		return;
	if (function->has_state || function->has_timer)
		reader_complain(reader, "a function with FAAS_BATCH has no state and no timers");
}

static void check_fields(struct reader *reader)
{
	const struct bundle_field *fields[FAAS_OUTPUTS_MAX * FAAS_FIELDS_MAX];
	uint32_t outputs[FAAS_OUTPUTS_MAX * FAAS_FIELDS_MAX], count = 0;

	for (uint32_t i = 0; i < reader->function->output_count; i++)
		for (uint32_t k = 0; k < reader->function->outputs[i].field_count; k++) {
			fields[count] = &reader->function->outputs[i].fields[k];
			outputs[count++] = i;
		}
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < i; k++) {
			if (strcmp(fields[i]->name, fields[k]->name))
				continue;
			if (outputs[i] == outputs[k])
				reader_complain(reader, "two fields %s in one output",
						fields[i]->name);
			else if (reader->tier == TIER_KERNEL &&
				 (fields[i]->type != fields[k]->type ||
				  strcmp(fields[i]->unit, fields[k]->unit)))
				reader_complain(
					reader,
					"field %s has one type and unit in one output and others "
					"in another",
					fields[i]->name);
		}
}

void reader_check(struct reader *reader)
{
	check_names(reader);
	check_sources(reader);
	check_fields(reader);
	check_batch(reader);
}
