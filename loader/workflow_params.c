// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* params: values for the parameters that a function declares. */
#include "workflow_model.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "phrase.h"
#include "suggest.h"

static void use_default(const struct function_param *declared, struct bundle_param *ret)
{
	ret->integer = declared->default_value.integer;
	ret->real = declared->default_value.real;
	snprintf(ret->text, sizeof(ret->text), "%s", declared->default_text);
}

/* What may be given, for advice. */
static void describe_range(const struct function_param *declared, char *ret, size_t bytes)
{
	if (declared->has_min && declared->has_max)
		snprintf(ret, bytes, "allowed are %s to %s", declared->min_text,
			 declared->max_text);
	else if (declared->has_min)
		snprintf(ret, bytes, "allowed is %s or more", declared->min_text);
	else if (declared->has_max)
		snprintf(ret, bytes, "allowed is %s or less", declared->max_text);
	else
		snprintf(ret, bytes, "write %s", value_example(declared->type));
}

static int find_word(struct model *model, const struct function_param *declared,
		     const struct yaml_node *node)
{
	const char *text, *words[FAAS_CHOICES_MAX];
	char advice[512], what[FAAS_IDENTIFIER_BYTES + 16];

	snprintf(what, sizeof(what), "parameter `%s`", declared->name);
	text = model_text(model, node, what);
	if (!text)
		return -1;
	for (uint32_t i = 0; i < declared->choice_count; i++) {
		words[i] = declared->choices[i];
		if (!strcmp(words[i], text))
			return (int)i;
	}
	suggest_advice(text, words, declared->choice_count, "its words", advice, sizeof(advice));
	model_complain(model, node, advice, "%s: `%s` is not one of its words", what, text);
	return -1;
}

static void read_set(struct model *model, const struct function_param *declared,
		     const struct yaml_node *node, struct bundle_param *ret)
{
	size_t used = 0;

	model_for_each_item (item, node) {
		int word = find_word(model, declared, item);

		if (word < 0)
			continue;
		if (ret->integer & 1ll << word)
			model_complain(model, item, "remove it",
				       "parameter `%s`: %s is there twice", declared->name,
				       item->text);
		ret->integer |= 1ll << word;
		if (used < sizeof(ret->text))
			used += (size_t)snprintf(ret->text + used, sizeof(ret->text) - used, "%s%s",
						 used ? "," : "", item->text);
	}
	if (node->kind == YAML_SEQUENCE && !node->count)
		model_complain(model, node, "name at least one of its words",
			       "parameter `%s`: the list is empty", declared->name);
}

static void read_number(struct model *model, const struct function_param *declared,
			const struct yaml_node *node, struct bundle_param *ret)
{
	char what[FAAS_IDENTIFIER_BYTES + 16], advice[160], why[160];
	const char *text;
	struct value value;
	int err;

	snprintf(what, sizeof(what), "parameter `%s`", declared->name);
	text = model_text(model, node, what);
	if (!text)
		return;
	describe_range(declared, advice, sizeof(advice));
	err = value_parse(declared->type, text, &value);
	if (err) {
		value_explain(declared->type, err, why, sizeof(why));
		model_complain(model, node, advice, "%s: `%s` %s", what, text, why);
		return;
	}
	if ((declared->has_min && value_compare(declared->type, &value, &declared->min) < 0) ||
	    (declared->has_max && value_compare(declared->type, &value, &declared->max) > 0)) {
		model_complain(model, node, advice, "%s: %s is out of range", what, text);
		return;
	}
	ret->integer = value.integer;
	ret->real = value.real;
	snprintf(ret->text, sizeof(ret->text), "%s", text);
}

static bool is_readable(struct model *model, const struct yaml_node *node, const char *what,
			const char *path)
{
	struct stat status;
	const char *why = NULL;

	if (access(path, R_OK) || stat(path, &status))
		why = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		why = "it is not a regular file";
	else if (status.st_size > FAAS_DATA_FILE_BYTES_MAX)
		why = "it has more than 64 MiB";
	if (why)
		model_complain(model, node, "paths begin at the directory of the workflow file",
			       "%s: cannot use %s: %s", what, path, why);
	return !why;
}

/* The file goes into the bundle under a name that is made from whose it is. */
static void read_file(struct model *model, const struct model_function *function,
		      const struct function_param *declared, const struct yaml_node *node,
		      struct bundle_param *ret)
{
	char what[FAAS_IDENTIFIER_BYTES + 16];
	const char *text, *slash = strrchr(model->place, '/');
	struct workflow_data *data = &model->data[model->data_count];
	int chars;

	snprintf(what, sizeof(what), "parameter `%s`", declared->name);
	text = model_text(model, node, what);
	if (!text)
		return;
	if (model->data_count == FAAS_DATA_FILES_MAX) {
		model_complain(model, node, "put what belongs together into one file",
			       "%s: one file more than a workflow may have, %d", what,
			       FAAS_DATA_FILES_MAX);
		return;
	}
	if (text[0] == '/' || !slash)
		chars = snprintf(data->source, sizeof(data->source), "%s", text);
	else
		chars = snprintf(data->source, sizeof(data->source), "%.*s/%s",
				 (int)(slash - model->place), model->place, text);
	if (chars >= (int)sizeof(data->source) || strlen(text) >= sizeof(ret->text)) {
		model_complain(model, node, "move the file", "%s: the path is too long", what);
		return;
	}
	if (!is_readable(model, node, what, data->source))
		return;
	snprintf(data->path, sizeof(data->path), BUNDLE_DATA_PREFIX "%.*s.%s", FAAS_NAME_BYTES,
		 function->key->text, declared->name);
	snprintf(ret->text, sizeof(ret->text), "%s", text);
	model->data_count++;
}

static void read_trigger(struct model *model, const struct function_param *declared,
			 const struct yaml_node *node, struct bundle_param *ret)
{
	char what[FAAS_IDENTIFIER_BYTES + 16], advice[512];
	const char *text, *words[FAAS_TRIGGERS_MAX + FAAS_TIMERS_MAX];
	uint32_t count = 0;

	snprintf(what, sizeof(what), "parameter `%s`", declared->name);
	text = model_text(model, node, what);
	if (!text)
		return;
	for (uint32_t i = 0; i < model->trigger_count; i++)
		words[count++] = model->triggers[i].key->text;
	for (uint32_t i = 0; i < model->timer_count; i++)
		words[count++] = model->timers[i].key->text;
	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(words[i], text))
			continue;
		ret->integer = bundle_trigger_id(text);
		snprintf(ret->text, sizeof(ret->text), "%s", text);
		return;
	}
	suggest_advice(text, words, count, "its triggers", advice, sizeof(advice));
	model_complain(model, node, advice, "%s: the workflow has no trigger `%s`", what, text);
}

static void read_param(struct model *model, struct model_function *function,
		       const struct function_param *declared, const struct yaml_node *node,
		       struct bundle_param *ret)
{
	int word;

	switch (declared->type) {
	case PARAM_CHOICE:
		word = find_word(model, declared, node);
		ret->integer = word < 0 ? 0 : word;
		if (word >= 0)
			snprintf(ret->text, sizeof(ret->text), "%s", declared->choices[word]);
		return;
	case PARAM_SET:
		read_set(model, declared, node, ret);
		return;
	case PARAM_FILE:
		read_file(model, function, declared, node, ret);
		return;
	case PARAM_TRIGGER:
		read_trigger(model, declared, node, ret);
		return;
	case PARAM_LAYOUT:
		model_read_layout(model, function, declared, node, ret);
		return;
	case PARAM_U32:
	case PARAM_U64:
	case PARAM_S64:
	case PARAM_BOOL:
	case PARAM_DURATION:
	case PARAM_BYTES:
	case PARAM_DECIMAL:
	case PARAM_F64:
		read_number(model, declared, node, ret);
		return;
	}
}

static void refuse_unknown(struct model *model, const struct model_function *function,
			   const struct yaml_node *key)
{
	const struct function *declared = function->declared;
	const char *words[FAAS_PARAMS_MAX];
	char advice[512];

	for (uint32_t i = 0; i < declared->param_count; i++) {
		words[i] = declared->params[i].name;
		if (!strcmp(words[i], key->text))
			return;
	}
	suggest_advice(key->text, words, declared->param_count, "its parameters", advice,
		       sizeof(advice));
	if (function->exec.argument_count && !advice[0])
		snprintf(advice, sizeof(advice), "declare it: `param_types: {%s: TYPE}`",
			 key->text);
	else if (!declared->param_count)
		snprintf(advice, sizeof(advice), "it has no parameters");
	model_complain(model, key, advice, "%s has no parameter `%s`", declared->name, key->text);
}

static void complain_missing(struct model *model, const struct model_function *function,
			     const struct function_param *param)
{
	const struct yaml_node *params = yaml_key(function->body, "params");
	char advice[FAAS_DOC_BYTES + 320], range[160];

	describe_range(param, range, sizeof(range));
	snprintf(advice, sizeof(advice), "write `params: {%s: VALUE}`; %s", param->name, range);
	if (param->doc[0])
		phrase_add(advice, sizeof(advice), " (%s)", param->doc);
	model_complain(model, params ? params : function->key, advice,
		       "function %s: %s needs parameter `%s`", function->key->text,
		       function->declared->name, param->name);
}

/* What `ebpf-faas set` may give: as far as the function says, or the type reaches. */
static void make_changeable(const struct function_param *param, struct bundle_param *ret)
{
	bool is_signed = param->type == PARAM_S64 || param->type == PARAM_DECIMAL;

	ret->changeable = true;
	ret->min = is_signed ? INT64_MIN : 0;
	ret->max = is_signed ? INT64_MAX : -1; /* all bits */
	if (param->type == PARAM_U32)
		ret->max = UINT32_MAX;
	if (param->type == PARAM_BOOL)
		ret->max = 1;
	if (param->has_min)
		ret->min = param->min.integer;
	if (param->has_max)
		ret->max = param->max.integer;
}

void model_read_params(struct model *model, struct model_function *function)
{
	const struct yaml_node *node = yaml_get(function->body, "params");
	const struct function *declared = function->declared;

	if (node && node->kind != YAML_MAPPING) {
		model_complain(model, node, "write {PARAMETER: VALUE}",
			       "`params` must be a mapping, not %s", yaml_kind_name(node));
		return;
	}
	for (uint32_t i = 0; i < declared->param_count; i++) {
		const struct function_param *param = &declared->params[i];
		const struct yaml_node *given = yaml_get(node, param->name);
		struct bundle_param *result = &function->params[i];

		snprintf(result->name, sizeof(result->name), "%s", param->name);
		result->type = param->type;
		if (param->changeable)
			make_changeable(param, result);
		if (given)
			read_param(model, function, param, given, result);
		else if (param->required)
			complain_missing(model, function, param);
		else
			use_default(param, result);
		function->layout_broken |= param->type == PARAM_LAYOUT && !function->layout.count;
	}
	if (!node)
		return;
	yaml_for_each (key, node)
		refuse_unknown(model, function, key);
}
