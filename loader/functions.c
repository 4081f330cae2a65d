// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas functions: what the library has, as the functions declare it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "build.h"
#include "command.h"
#include "function.h"
#include "output.h"
#include "paths.h"
#include "suggest.h"

/* ---- text ---- */

static void print_param(const struct function_param *param)
{
	printf("    %s  %s%s", param->name, param->changeable ? "changeable " : "",
	       bundle_param_type_name(param->type));
	if (param->required)
		printf(", required");
	else
		printf(", default %s", param->default_text);
	if (param->has_min || param->has_max)
		printf(", %s to %s", param->has_min ? param->min_text : "any",
		       param->has_max ? param->max_text : "any");
	for (uint32_t i = 0; i < param->choice_count; i++)
		printf("%s%s", i ? ", " : ", of: ", param->choices[i]);
	printf("\n        %s\n", param->doc);
}

static void print_output(const struct function *function, const struct function_output *output)
{
	printf("    %s\n        %s\n", output->name, output->doc);
	for (uint32_t i = 0; i < output->field_count; i++) {
		const struct bundle_field *field = &output->fields[i];

		printf("        field %s  %s%s%s  %s\n", field->name,
		       bundle_field_type_name(field->type), field->unit[0] ? ", in " : "",
		       field->unit, output->field_docs[i]);
	}
	if (output->is_laid_out)
		printf("        fields as %s says\n", function->params[output->layout_param].name);
}

static void print_function(const struct function *function)
{
	printf("%s (%s)\n    %s\n", function->name, function_tier_name(function->tier),
	       function->doc);
	if (function->param_count)
		printf("  parameters\n");
	for (uint32_t i = 0; i < function->param_count; i++)
		print_param(&function->params[i]);
	if (function->input_count)
		printf("  inputs\n");
	for (uint32_t i = 0; i < function->input_count; i++)
		printf("    %s%s\n        %s\n", function->inputs[i].name,
		       function->inputs[i].optional ? "  optional" : "", function->inputs[i].doc);
	if (function->output_count)
		printf("  outputs\n");
	for (uint32_t i = 0; i < function->output_count; i++)
		print_output(function, &function->outputs[i]);
	if (function->has_state)
		printf("  state\n    %u bytes for each key, version %u%s\n", function->state_bytes,
		       function->state_version,
		       function->has_migrate ? ", takes over other versions" : "");
	if (function->has_timer)
		printf("  timer\n    %s\n",
		       function->has_state ? "one for each key" : "by triggers only");
	for (uint32_t i = 0; i < function->verdict_count; i++)
		printf("%s    %s\n        %s\n", i ? "" : "  verdicts\n",
		       function->verdicts[i].name, function->verdicts[i].doc);
	for (uint32_t i = 0; i < function->map_count; i++) {
		const struct function_map *map = &function->maps[i];

		printf("%s    map %s", i ? "" : "  state\n", map->name);
		if (map->is_sized)
			printf(", of as many entries as %s says",
			       function->params[map->size_param].name);
		if (map->is_filled)
			printf(", filled from the file %s", function->params[map->file_param].name);
		if (map->takes_verdicts)
			printf(", takes verdicts about keys of %s",
			       function->params[map->key_param].name);
		putchar('\n');
	}
}

/* ---- JSON: returns-owned; a NULL inside makes the whole NULL ---- */

static json_t *optional_text(bool there, const char *text)
{
	return there ? json_string(text) : json_null();
}

static json_t *param_json(const struct function_param *param)
{
	json_t *words = json_array();

	for (uint32_t i = 0; i < param->choice_count; i++)
		json_array_append_new(words, json_string(param->choices[i]));
	return json_pack(
		"{s:s, s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:s}", "name", param->name, "type",
		bundle_param_type_name(param->type), "required", param->required, "changeable",
		param->changeable, "default", optional_text(!param->required, param->default_text),
		"min", optional_text(param->has_min, param->min_text), "max",
		optional_text(param->has_max, param->max_text), "words", words, "doc", param->doc);
}

static json_t *output_of(const struct function *function, const struct function_output *output)
{
	json_t *fields = json_array();

	for (uint32_t i = 0; i < output->field_count; i++)
		json_array_append_new(
			fields,
			json_pack("{s:s, s:s, s:s, s:s}", "name", output->fields[i].name, "type",
				  bundle_field_type_name(output->fields[i].type), "unit",
				  output->fields[i].unit, "doc", output->field_docs[i]));
	return json_pack(
		"{s:s, s:s, s:o, s:o}", "name", output->name, "doc", output->doc, "fields", fields,
		"fields_of",
		optional_text(output->is_laid_out, function->params[output->layout_param].name));
}

static json_t *map_json(const struct function *function, const struct function_map *map)
{
	return json_pack("{s:s, s:o, s:o}", "map", map->name, "entries",
			 optional_text(map->is_sized, function->params[map->size_param].name),
			 "contents",
			 optional_text(map->is_filled, function->params[map->file_param].name));
}

static json_t *state_json(const struct function *function)
{
	json_t *maps;

	if (function->tier == TIER_USER)
		return function->has_state
			       ? json_pack("{s:i, s:I}", "bytes", (int)function->state_bytes,
					   "version", (json_int_t)function->state_version)
			       : json_null();
	maps = json_array();
	for (uint32_t i = 0; i < function->map_count; i++)
		json_array_append_new(maps, map_json(function, &function->maps[i]));
	return json_pack("{s:o}", "maps", maps);
}

static json_t *function_json(const struct function *function)
{
	json_t *params = json_array(), *inputs = json_array(), *outputs = json_array();

	for (uint32_t i = 0; i < function->param_count; i++)
		json_array_append_new(params, param_json(&function->params[i]));
	for (uint32_t i = 0; i < function->input_count; i++)
		json_array_append_new(inputs,
				      json_pack("{s:s, s:s, s:b}", "name", function->inputs[i].name,
						"doc", function->inputs[i].doc, "optional",
						function->inputs[i].optional));
	for (uint32_t i = 0; i < function->output_count; i++)
		json_array_append_new(outputs, output_of(function, &function->outputs[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "name", function->name, "tier",
			 function_tier_name(function->tier), "doc", function->doc, "path",
			 function->source[0] ? function->source : function->object, "params",
			 params, "inputs", inputs, "outputs", outputs, "state",
			 state_json(function));
}

/* ---- the verb ---- */

static void complain_unknown(const char *name, const struct function_name *names,
			     unsigned int count, struct diags *diags)
{
	const char **words = calloc(count + 1, sizeof(*words));
	char advice[512] = "";

	for (unsigned int i = 0; words && i < count; i++)
		words[i] = names[i].name;
	if (words)
		suggest_advice(name, words, count, "there are", advice, sizeof(advice));
	diag_fail(diags, DIAG_NOT_FOUND, advice[0] ? advice : "name its directory with --funcs",
		  "no function `%s`", name);
	free(words);
}

/* Read the functions that are asked for: *ret_count of them into @p ret. */
static int read_functions(const struct function_library *library, const char *name,
			  struct function **ret, unsigned int *ret_count, struct diags *diags)
{
	struct function_name *names = NULL;
	struct function *functions = NULL;
	unsigned int count = 0, found = 0;
	int err = 0;

	if (function_list(library, &names, &count))
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	functions = calloc(count + 1, sizeof(*functions));
	if (!functions) {
		err = diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	for (unsigned int i = 0; i < count; i++) {
		if (name && strcmp(names[i].name, name))
			continue;
		if (function_find(library, names[i].tier, names[i].name, &functions[found], diags))
			err = -1;
		else
			found++;
	}
	if (name && !found && !err) {
		complain_unknown(name, names, count, diags);
		err = -1;
	}
cleanup:
	free(names);
	if (err) {
		free(functions);
		return -1;
	}
	*ret = functions;
	*ret_count = found;
	return 0;
}

static void print_all(const struct options *options, const struct function *functions,
		      unsigned int count)
{
	json_t *list;

	if (!options->json) {
		for (unsigned int i = 0; i < count; i++) {
			if (i)
				putchar('\n');
			print_function(&functions[i]);
		}
		return;
	}
	list = json_array();
	for (unsigned int i = 0; i < count; i++)
		json_array_append_new(list, function_json(&functions[i]));
	output_json(json_pack("{s:o}", "functions", list));
}

int verb_functions(const struct options *options, struct diags *diags)
{
	struct function_library library = {.count = 0};
	struct function *functions = NULL;
	struct build_scratch scratch = {.path = ""};
	unsigned int count = 0;
	int err;

	library.directories[library.count++] = "funcs";
	for (unsigned int i = 0; i < options->directory_count; i++)
		library.directories[library.count++] = options->directories[i];
	library.directories[library.count++] = paths_functions();
	if (build_scratch_make(&scratch, diags))
		return diags_exit_status(diags);
	library.build_directory = scratch.path;
	err = read_functions(&library, options->argument_count ? options->arguments[0] : NULL,
			     &functions, &count, diags);
	build_scratch_remove(&scratch);
	if (!err)
		print_all(options, functions, count);
	free(functions);
	return err ? diags_exit_status(diags) : 0;
}

_Static_assert(COMMAND_DIRECTORIES_MAX + 2 <= FUNCTION_DIRECTORIES_MAX, "all directories fit");
