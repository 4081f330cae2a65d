// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * exec: functions that are a program. What others declare in their source stands in
 * the workflow: parameters (workflow_exec_params.c), outputs with their fields, the size of
 * the state, and whether there are timers.
 */
#include "workflow_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle_names.h"
#include "exec_files.h"
#include "paths.h"

/* What it is called where others have the name of a function of the library. */
#define EXEC_NAME "exec"

static const char *const exec_keys[] = {"files",	 "root",	"fields", "state_bytes",
					"state_version", "param_types", "timer",  NULL};
/* What belongs to functions in C. */
static const struct {
	const char *key;
	const char *advice;
} foreign_keys[] = {
	{"kernel", "remove one of them"},
	{"user", "remove one of them"},
	{"verdicts", "give verdicts in a function in C"},
	{"mode", "`mode` is for kernel functions"},
};

void model_refuse_exec_keys(struct model *model, const struct model_function *function)
{
	for (const char *const *key = exec_keys; *key; key++)
		if (yaml_key(function->body, *key))
			model_complain(model, yaml_key(function->body, *key), "remove it",
				       "`%s` is for functions with `exec`, %s has none", *key,
				       function->key->text);
}

static void refuse_foreign_keys(struct model *model, const struct model_function *function)
{
	for (size_t i = 0; i < sizeof(foreign_keys) / sizeof(foreign_keys[0]); i++) {
		const struct yaml_node *key = yaml_key(function->body, foreign_keys[i].key);

		if (key)
			model_complain(model, key, foreign_keys[i].advice,
				       "`%s` and `exec` do not go together in %s",
				       foreign_keys[i].key, function->key->text);
	}
}

static void read_arguments(struct model *model, const struct yaml_node *node,
			   struct bundle_exec *ret)
{
	model_for_each_item (item, node) {
		const char *text = model_text(model, item, "an argument of `exec`");

		if (!text)
			continue;
		if (ret->argument_count == FAAS_EXEC_ARGUMENTS_MAX) {
			model_complain(model, item, "put them into a file of its own",
				       "`exec` has more than %d arguments",
				       FAAS_EXEC_ARGUMENTS_MAX);
			return;
		}
		if (strlen(text) >= FAAS_EXEC_ARGUMENT_BYTES) {
			model_complain(model, item, "put it into a file of its own",
				       "an argument of `exec` is longer than %d bytes",
				       FAAS_EXEC_ARGUMENT_BYTES - 1);
			continue;
		}
		memcpy(ret->arguments[ret->argument_count++], text, strlen(text) + 1);
	}
	if (!ret->argument_count || !ret->arguments[0][0])
		model_complain(model, node, "write [PROGRAM, ARGUMENT, ...]",
			       "`exec` names no program");
}

static void read_root(struct model *model, const struct yaml_node *node, struct bundle_exec *ret)
{
	const char *text = model_text(model, node, "`root`");

	if (!text)
		return;
	if (text[0] != '/' || strlen(text) >= sizeof(ret->root))
		model_complain(model, node,
			       "name a directory of the machine that the workflow is loaded on",
			       "`root` is not an absolute path of at most %zu bytes",
			       sizeof(ret->root) - 1);
	else
		memcpy(ret->root, text, strlen(text) + 1);
}

/* Beside the workflow, or among the helpers that come with the program. False: nowhere. */
static bool find_file(const struct model *model, const char *text, char *ret)
{
	const char *slash = strrchr(model->place, '/');

	if (text[0] == '/' || !slash)
		(void)snprintf(ret, FAAS_PATH_BYTES, "%s", text);
	else
		(void)snprintf(ret, FAAS_PATH_BYTES, "%.*s/%s", (int)(slash - model->place),
			       model->place, text);
	if (!access(ret, R_OK))
		return true;
	(void)snprintf(ret, FAAS_PATH_BYTES, "%s/ebpf_faas/exec/%s", paths_include(), text);
	return !strchr(text, '/') && !access(ret, R_OK);
}

static bool read_file(struct model *model, const struct yaml_node *node, struct exec_file *ret)
{
	const char *text = model_text(model, node, "a file of `files`");
	const char *name;

	if (!text)
		return false;
	name = strrchr(text, '/');
	name = name ? name + 1 : text;
	if (!name[0] || strlen(name) >= sizeof(ret->name)) {
		model_complain(model, node, "rename it",
			       "`files`: the name of a file has 1 to %zu bytes",
			       sizeof(ret->name) - 1);
		return false;
	}
	memcpy(ret->name, name, strlen(name) + 1);
	if (find_file(model, text, ret->source))
		return true;
	model_complain(model, node, "name it as seen from the workflow file",
		       "`files`: cannot read %s: %s", text, strerror(errno));
	return false;
}

/* Into an archive in the build directory, which stands for a shared object. */
static void read_files(struct model *model, struct model_function *function,
		       const struct yaml_node *node)
{
	struct exec_file *files = calloc(FAAS_EXEC_FILES_MAX, sizeof(*files));
	struct function *declared = function->declared;
	uint32_t count = 0, failed = 0;
	int err;

	if (!files) {
		diag_fail(model->diags, DIAG_FAILED, NULL, "out of memory");
		model->failed = true;
		return;
	}
	for (const struct yaml_node *item = node ? model_first_item(node) : NULL; item;
	     item = model_next_item(node, item)) {
		bool twice = false;

		if (count == FAAS_EXEC_FILES_MAX) {
			model_complain(model, item, "pack them into one",
				       "`files` has more than %d files", FAAS_EXEC_FILES_MAX);
			break;
		}
		if (!read_file(model, item, &files[count]))
			continue;
		for (uint32_t i = 0; i < count; i++)
			twice |= !strcmp(files[i].name, files[count].name);
		if (twice)
			model_complain(model, item, "rename one of them",
				       "`files`: two files are called %s", files[count].name);
		else
			count++;
	}
	if (!model->failed && model->options && model->options->build_directory) {
		snprintf(declared->object, sizeof(declared->object), "%s/%s.tar",
			 model->options->build_directory, function->key->text);
		err = exec_files_write(declared->object, files, count, &failed);
		if (err)
			model_complain(model, node ? node : function->key,
				       "see whether it is a file, and the disk has space",
				       err == -EFBIG
					       ? "`files` with %s has more bytes than allowed: %s"
					       : "packing %s: %s",
				       count ? files[failed].name : "nothing", strerror(-err));
	}
	free(files);
}

static void read_fields(struct model *model, const struct yaml_node *node,
			struct function_output *output)
{
	if (node->kind != YAML_MAPPING) {
		model_complain(model, node, "write {FIELD: TYPE}",
			       "the fields of output `%s` must be a mapping, not %s", output->name,
			       yaml_kind_name(node));
		return;
	}
	yaml_for_each (key, node) {
		struct bundle_field *field = &output->fields[output->field_count];
		bool twice = false;
		int type;

		if (output->field_count == FAAS_FIELDS_MAX) {
			model_complain(model, key, "split the output",
				       "output `%s` has more than %d fields", output->name,
				       FAAS_FIELDS_MAX);
			return;
		}
		if (!bundle_identifier_valid(key->text)) {
			model_complain(model, key, "rename it",
				       "the name of a field is a C identifier of at most %d "
				       "characters",
				       FAAS_IDENTIFIER_BYTES - 1);
			continue;
		}
		for (uint32_t i = 0; i < output->field_count; i++)
			twice |= !strcmp(output->fields[i].name, key->text);
		type = model_word(model, key->value, "the type of a field", bundle_field_type_words,
				  NULL);
		if (twice || type < 0)
			continue;
		memcpy(field->name, key->text, strlen(key->text) + 1);
		field->type = (enum faas_field_type)type;
		output->field_count++;
	}
}

/* Those that are led somewhere, in the order of the file. */
static void read_declared_outputs(struct model *model, const struct model_function *function)
{
	const struct yaml_node *outputs = yaml_get(function->body, "outputs");
	const struct yaml_node *fields = yaml_get(function->body, "fields");
	struct function *declared = function->declared;

	if (outputs && outputs->kind == YAML_MAPPING)
		yaml_for_each (key, outputs) {
			struct function_output *output = &declared->outputs[declared->output_count];
			const struct yaml_node *of = yaml_get(fields, key->text);

			if (declared->output_count == FAAS_OUTPUTS_MAX) {
				model_complain(model, key, "split the function",
					       "more than %d outputs", FAAS_OUTPUTS_MAX);
				return;
			}
			if (!bundle_identifier_valid(key->text)) {
				model_complain(model, key, "rename it",
					       "the name of an output is a C identifier of at most "
					       "%d characters",
					       FAAS_IDENTIFIER_BYTES - 1);
				continue;
			}
			memcpy(output->name, key->text, strlen(key->text) + 1);
			if (of)
				read_fields(model, of, output);
			declared->output_count++;
		}
	if (fields && fields->kind != YAML_MAPPING) {
		model_complain(model, fields, "write {OUTPUT: {FIELD: TYPE}}",
			       "`fields` must be a mapping, not %s", yaml_kind_name(fields));
		return;
	}
	if (fields)
		yaml_for_each (key, fields)
			if (!outputs || !yaml_key(outputs, key->text))
				model_complain(model, key, "lead it somewhere in `outputs`",
					       "`fields` of output `%s`, which `outputs` does not "
					       "have",
					       key->text);
}

static void read_declared_state(struct model *model, const struct model_function *function)
{
	const struct yaml_node *bytes = yaml_get(function->body, "state_bytes");
	const struct yaml_node *version = yaml_get(function->body, "state_version");
	struct function *declared = function->declared;
	uint64_t number = 0;

	if (version && !bytes)
		model_complain(model, version, "write `state_bytes`, or remove it",
			       "`state_version` without a state");
	if (!bytes)
		return;
	declared->has_state = model_number(model, bytes, "`state_bytes`", PARAM_U32, 1,
					   FAAS_STATE_BYTES_MAX, &number);
	declared->state_bytes = (uint32_t)number;
	number = 1;
	if (version)
		(void)model_number(model, version, "`state_version`", PARAM_U32, 1, UINT32_MAX,
				   &number);
	declared->state_version = (uint32_t)number;
}

static void read_declared_timer(struct model *model, const struct model_function *function)
{
	const struct yaml_node *node = yaml_get(function->body, "timer");
	uint64_t number = 0;

	if (node && model_number(model, node, "`timer`", PARAM_BOOL, 0, 1, &number))
		function->declared->has_timer = number != 0;
}

void model_declare_exec(struct model *model, struct model_function *function)
{
	const struct yaml_node *root = yaml_get(function->body, "root");

	function->tier = TIER_USER;
	function->tier_known = true;
	function->library_name = NULL;
	refuse_foreign_keys(model, function);
	function->declared = calloc(1, sizeof(*function->declared));
	if (!function->declared) {
		diag_fail(model->diags, DIAG_FAILED, NULL, "out of memory");
		model->failed = true;
		return;
	}
	function->declared->tier = TIER_USER;
	function->declared->has_batch = true;
	snprintf(function->declared->name, sizeof(function->declared->name), EXEC_NAME);
	read_arguments(model, yaml_get(function->body, "exec"), &function->exec);
	if (root)
		read_root(model, root, &function->exec);
	read_declared_outputs(model, function);
	read_declared_state(model, function);
	read_declared_timer(model, function);
	model_declare_params(model, function);
	read_files(model, function, yaml_get(function->body, "files"));
}
