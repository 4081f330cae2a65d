// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "workflow_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bundle_names.h"
#include "suggest.h"

#define WORDS_MAX 32

void model_complain(struct model *model, const struct yaml_node *node, const char *advice,
		    const char *format, ...)
{
	char text[DIAG_TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diag_add(model->diags, DIAG_INVALID, node->file, node->line, node->column, advice, "%s",
		 text);
	model->failed = true;
}

void model_later(struct model *model, const struct yaml_node *node, const char *advice,
		 const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	model_complain(model, node, advice ? advice : "remove it",
		       "%s not supported by this version", text);
}

static void unknown_key(struct model *model, const struct yaml_node *key, const char *what,
			const struct key_rule *rules)
{
	const char *words[WORDS_MAX];
	char advice[512];
	size_t count = 0;

	for (; rules->name && count < WORDS_MAX; rules++)
		if (rules->need != KEY_LATER)
			words[count++] = rules->name;
	suggest_advice(key->text, words, count, "known keys", advice, sizeof(advice));
	model_complain(model, key, advice, "%s: unknown key `%s`", what, key->text);
}

bool model_keys(struct model *model, const struct yaml_node *node, const struct yaml_node *place,
		const char *what, const struct key_rule *rules)
{
	bool later = false;

	if (node->kind != YAML_MAPPING) {
		model_complain(model, yaml_is_null(node) ? place : node,
			       "write `key: value` lines below it, indented",
			       "%s must be a mapping, not %s", what,
			       yaml_is_null(node) ? "empty" : yaml_kind_name(node));
		return false;
	}
	yaml_for_each (key, node) {
		const struct key_rule *rule = rules;

		while (rule->name && strcmp(rule->name, key->text))
			rule++;
		if (!rule->name) {
			unknown_key(model, key, what, rules);
		} else if (rule->need == KEY_LATER) {
			model_later(model, key, rule->advice, "%s: `%s` is", what, key->text);
			later = true;
		}
	}
	/* What is not built yet may stand in the place of what is missing. */
	for (; rules->name && !later; rules++)
		if (rules->need == KEY_REQUIRED && !yaml_key(node, rules->name))
			model_complain(model, place, rules->advice, "%s: `%s` is missing", what,
				       rules->name);
	return true;
}

const char *model_text(struct model *model, const struct yaml_node *node, const char *what)
{
	if (node->kind == YAML_SCALAR && !yaml_is_null(node))
		return node->text;
	model_complain(model, node, NULL, "%s must be a single value, not %s", what,
		       node->kind == YAML_SCALAR ? "empty" : yaml_kind_name(node));
	return NULL;
}

int model_word(struct model *model, const struct yaml_node *node, const char *what,
	       const char *const words[], const char *const later[])
{
	const char *text = model_text(model, node, what);
	char advice[512];
	size_t count = 0;
	int index;

	if (!text)
		return -1;
	index = bundle_word(words, text);
	if (index >= 0)
		return index;
	while (words[count])
		count++;
	suggest_advice(text, words, count, "possible", advice, sizeof(advice));
	if (later && bundle_word(later, text) >= 0) {
		suggest_advice("", words, count, "supported", advice, sizeof(advice));
		model_later(model, node, advice, "%s: `%s` is", what, text);
	} else {
		model_complain(model, node, advice, "%s: `%s` is not known", what, text);
	}
	return -1;
}

bool model_number(struct model *model, const struct yaml_node *node, const char *what,
		  enum bundle_param_type type, uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *text = model_text(model, node, what);
	char why[160], advice[96];
	struct value value;
	int err;

	if (!text)
		return false;
	err = value_parse(type, text, &value);
	snprintf(advice, sizeof(advice), "allowed are %llu to %llu", (unsigned long long)min,
		 (unsigned long long)max);
	if (err) {
		value_explain(type, err, why, sizeof(why));
		model_complain(model, node, advice, "%s: `%s` %s", what, text, why);
		return false;
	}
	if ((uint64_t)value.integer < min || (uint64_t)value.integer > max) {
		model_complain(model, node, advice, "%s: %s is out of range", what, text);
		return false;
	}
	*ret = (uint64_t)value.integer;
	return true;
}

bool model_name(struct model *model, const struct yaml_node *key, const char *what)
{
	if (bundle_name_valid(key->text))
		return true;
	model_complain(model, key,
		       "names begin with a letter a-z, and go on with a-z, 0-9 and -, at most 32 "
		       "characters",
		       "`%s` is no name for a %s", key->text, what);
	return false;
}

void model_bounded(struct model *model, const struct yaml_node *node, const char *what,
		   enum bundle_param_type type, const char *min_text, const char *max_text,
		   uint64_t *ret)
{
	const char *text = model_text(model, node, what);
	struct value value, min, max;
	char why[160], advice[96];
	int err;

	if (!text)
		return;
	snprintf(advice, sizeof(advice), "allowed are %s to %s", min_text, max_text);
	err = value_parse(type, text, &value);
	if (err) {
		value_explain(type, err, why, sizeof(why));
		model_complain(model, node, advice, "%s: `%s` %s", what, text, why);
		return;
	}
	if (value_parse(type, min_text, &min) || value_parse(type, max_text, &max) ||
	    value_compare(type, &value, &min) < 0 || value_compare(type, &value, &max) > 0) {
		model_complain(model, node, advice, "%s: %s is out of range", what, text);
		return;
	}
	*ret = (uint64_t)value.integer;
}

const struct yaml_node *model_first_item(const struct yaml_node *node)
{
	return node->kind == YAML_SEQUENCE ? node->first : node;
}

const struct yaml_node *model_next_item(const struct yaml_node *node, const struct yaml_node *item)
{
	return node->kind == YAML_SEQUENCE ? item->next : NULL;
}

void model_key_text(const enum bundle_key_part *key, uint32_t count, char *ret, size_t bytes)
{
	size_t used = 0;

	snprintf(ret, bytes, "none");
	for (uint32_t i = 0; i < count && used < bytes; i++)
		used += (size_t)snprintf(ret + used, bytes - used, "%s%s", i ? ", " : "",
					 bundle_key_part_name(key[i]));
}
