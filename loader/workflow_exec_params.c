// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * param_types: what parameters a program has. Their values stand in `params`, as those of
 * functions in C, and are read alike (workflow_params.c).
 */
#include "workflow_model.h"

#include <errno.h>
#include <string.h>

#include "bundle_names.h"

#define PARAM_WHAT_BYTES (FAAS_IDENTIFIER_BYTES + 32)

/* What a program can be given, see exec_hello.h. */
static const char *const type_words[] = {"u64",	     "s64",   "f64",	"decimal", "bool",
					 "duration", "bytes", "choice", "trigger", NULL};

static const struct key_rule type_rules[] = {
	{"type", KEY_REQUIRED, "write `type: u64`, or another type"},
	{"default", KEY_OPTIONAL, NULL},
	{"min", KEY_OPTIONAL, NULL},
	{"max", KEY_OPTIONAL, NULL},
	{"words", KEY_OPTIONAL, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

static bool has_range(enum bundle_param_type type)
{
	return type != PARAM_BOOL && type != PARAM_CHOICE && type != PARAM_TRIGGER;
}

static bool read_type(struct model *model, const struct yaml_node *node, const char *what,
		      struct function_param *ret)
{
	int word = model_word(model, node, what, type_words, NULL);

	if (word < 0)
		return false;
	ret->type = (enum bundle_param_type)bundle_word(bundle_param_type_words, type_words[word]);
	return true;
}

static bool read_value(struct model *model, const struct function_param *param,
		       const struct yaml_node *node, const char *what, char *ret_text, size_t bytes,
		       struct value *ret)
{
	const char *text = model_text(model, node, what);
	char advice[96], why[160];
	int err;

	if (!text)
		return false;
	err = strlen(text) < bytes ? value_parse(param->type, text, ret) : -EINVAL;
	if (err) {
		value_explain(param->type, err, why, sizeof(why));
		snprintf(advice, sizeof(advice), "write %s", value_example(param->type));
		model_complain(model, node, advice, "%s: `%.64s` %s", what, text, why);
		return false;
	}
	snprintf(ret_text, bytes, "%s", text);
	return true;
}

static void read_words(struct model *model, const struct yaml_node *node, const char *what,
		       struct function_param *ret)
{
	model_for_each_item (item, node) {
		const char *text = model_text(model, item, what);

		if (!text)
			continue;
		if (ret->choice_count == FAAS_CHOICES_MAX) {
			model_complain(model, item, "remove some", "%s: more than %d", what,
				       FAAS_CHOICES_MAX);
			return;
		}
		if (!bundle_identifier_valid(text)) {
			model_complain(model, item, "rename it",
				       "%s: a word is a C identifier of at most %d characters",
				       what, FAAS_IDENTIFIER_BYTES - 1);
			continue;
		}
		memcpy(ret->choices[ret->choice_count++], text, strlen(text) + 1);
	}
}

/* The default of a choice, one of its words. */
static void read_default_word(struct model *model, const struct yaml_node *node, const char *what,
			      struct function_param *ret)
{
	const char *words[FAAS_CHOICES_MAX + 1] = {NULL};
	int word;

	for (uint32_t i = 0; i < ret->choice_count; i++)
		words[i] = ret->choices[i];
	word = model_word(model, node, what, words, NULL);
	if (word < 0)
		return;
	ret->default_value.integer = word;
	snprintf(ret->default_text, sizeof(ret->default_text), "%s", words[word]);
}

static void read_default(struct model *model, const struct yaml_node *node, const char *name,
			 struct function_param *ret)
{
	char what[PARAM_WHAT_BYTES];

	snprintf(what, sizeof(what), "the default of `%s`", name);
	if (ret->type == PARAM_TRIGGER) {
		model_complain(model, node, "remove it", "%s: a trigger has none", what);
		return;
	}
	ret->required = false;
	if (ret->type == PARAM_CHOICE) {
		read_default_word(model, node, what, ret);
		return;
	}
	if (!read_value(model, ret, node, what, ret->default_text, sizeof(ret->default_text),
			&ret->default_value))
		return;
	if ((ret->has_min && value_compare(ret->type, &ret->default_value, &ret->min) < 0) ||
	    (ret->has_max && value_compare(ret->type, &ret->default_value, &ret->max) > 0))
		model_complain(model, node, "let `min` and `max` enclose it",
			       "%s is out of its range", what);
}

static void read_range(struct model *model, const struct yaml_node *body, const char *name,
		       struct function_param *ret)
{
	const struct yaml_node *min = yaml_get(body, "min"), *max = yaml_get(body, "max");
	char what[PARAM_WHAT_BYTES];

	if ((min || max) && !has_range(ret->type)) {
		model_complain(model, min ? min : max, "remove it",
			       "`%s`: a %s has no smallest or largest value", name,
			       bundle_param_type_name(ret->type));
		return;
	}
	snprintf(what, sizeof(what), "`min` of `%s`", name);
	if (min)
		ret->has_min = read_value(model, ret, min, what, ret->min_text,
					  sizeof(ret->min_text), &ret->min);
	snprintf(what, sizeof(what), "`max` of `%s`", name);
	if (max)
		ret->has_max = read_value(model, ret, max, what, ret->max_text,
					  sizeof(ret->max_text), &ret->max);
	if (!ret->has_min || !ret->has_max || value_compare(ret->type, &ret->min, &ret->max) <= 0)
		return;
	model_complain(model, min, "write the smaller one as `min`",
		       "`%s`: `min` is larger than `max`", name);
	ret->has_min = ret->has_max = false;
}

/* Given with more than its type. */
static void read_body(struct model *model, const struct yaml_node *key, struct function_param *ret)
{
	const struct yaml_node *body = key->value, *type = yaml_get(body, "type");
	const struct yaml_node *words = yaml_get(body, "words"), *given = yaml_get(body, "default");
	char what[PARAM_WHAT_BYTES];

	snprintf(what, sizeof(what), "parameter `%s`", key->text);
	if (!model_keys(model, body, key, what, type_rules) || !type)
		return;
	snprintf(what, sizeof(what), "the type of `%s`", key->text);
	if (!read_type(model, type, what, ret))
		return;
	snprintf(what, sizeof(what), "the words of `%s`", key->text);
	if (words && ret->type == PARAM_CHOICE)
		read_words(model, words, what, ret);
	else if (words)
		model_complain(model, words, "remove them, or write `type: choice`",
			       "%s: it is no choice", what);
	read_range(model, body, key->text, ret);
	if (given)
		read_default(model, given, key->text, ret);
}

static void declare_param(struct model *model, const struct yaml_node *key,
			  struct function_param *ret)
{
	char what[PARAM_WHAT_BYTES];

	memcpy(ret->name, key->text, strlen(key->text) + 1);
	ret->required = true;
	snprintf(what, sizeof(what), "the type of `%s`", key->text);
	if (key->value->kind == YAML_MAPPING)
		read_body(model, key, ret);
	else if (!read_type(model, key->value, what, ret))
		return;
	if (ret->type == PARAM_CHOICE && !ret->choice_count)
		model_complain(model, key, "write {type: choice, words: [WORD, ...]}",
			       "`%s` has no words to choose from", key->text);
	if (ret->type == PARAM_TRIGGER) {
		ret->required = false;
		snprintf(ret->default_text, sizeof(ret->default_text), "none");
	}
}

void model_declare_params(struct model *model, struct model_function *function)
{
	const struct yaml_node *node = yaml_get(function->body, "param_types");
	struct function *declared = function->declared;

	if (!node)
		return;
	if (node->kind != YAML_MAPPING) {
		model_complain(model, node, "write {PARAMETER: TYPE}",
			       "`param_types` must be a mapping, not %s", yaml_kind_name(node));
		return;
	}
	yaml_for_each (key, node) {
		if (declared->param_count == FAAS_PARAMS_MAX) {
			model_complain(model, key, "put some into a file",
				       "more than %d parameters", FAAS_PARAMS_MAX);
			return;
		}
		if (!bundle_identifier_valid(key->text)) {
			model_complain(model, key, "rename it",
				       "the name of a parameter is a C identifier of at most %d "
				       "characters",
				       FAAS_IDENTIFIER_BYTES - 1);
			continue;
		}
		declare_param(model, key, &declared->params[declared->param_count++]);
	}
}
