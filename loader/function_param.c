// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a function declares of its parameters. */
#include "function_reader.h"

#include <stdlib.h>
#include <string.h>

#include "bundle_names.h"

/* The words of a choice or set: a, b, c. */
static void take_choices(struct reader *reader, struct function_param *param, char *text)
{
	char *word, *rest = NULL;

	for (word = strtok_r(reader_strip(text), ",", &rest); word;
	     word = strtok_r(NULL, ",", &rest)) {
		if (param->choice_count == FAAS_CHOICES_MAX) {
			reader_complain(reader, "parameter %s has more than %d words", param->name,
					FAAS_CHOICES_MAX);
			return;
		}
		reader_take_identifier(reader, "the word", reader_strip(word),
				       param->choices[param->choice_count++]);
	}
	if (!param->choice_count)
		reader_complain(reader, "parameter %s has no words to choose from", param->name);
}

static int choice_index(const struct function_param *param, const char *word)
{
	for (uint32_t i = 0; i < param->choice_count; i++)
		if (!strcmp(param->choices[i], word))
			return (int)i;
	return -1;
}

/* The default of a choice or set is one of its words, or several. */
static void take_default_words(struct reader *reader, struct function_param *param,
			       const char *text)
{
	char words[FAAS_VALUE_BYTES], *word, *rest = NULL;
	int count = 0;

	snprintf(words, sizeof(words), "%s", text);
	for (word = strtok_r(words, ",| ", &rest); word; word = strtok_r(NULL, ",| ", &rest)) {
		int index = choice_index(param, word);

		count++;
		if (index < 0)
			reader_complain(reader,
					"the default of %s, \"%.40s\", is none of its words",
					param->name, word);
		else if (param->type == PARAM_SET)
			param->default_value.integer |= 1ll << index;
		else
			param->default_value.integer = index;
	}
	if (param->type == PARAM_CHOICE && count > 1)
		reader_complain(reader, "the default of %s is more than one word", param->name);
}

static bool take_value(struct reader *reader, const struct function_param *param, const char *what,
		       const char *text, struct value *ret)
{
	char why[160];
	int err;

	if (!*text)
		return false;
	/* stdbool.h turns true into 1 before the macro sees it. */
	if (param->type == PARAM_BOOL && (!strcmp(text, "0") || !strcmp(text, "1")))
		text = *text == '1' ? "true" : "false";
	err = value_parse(param->type, text, ret);
	if (!err)
		return true;
	value_explain(param->type, err, why, sizeof(why));
	reader_complain(reader, "the %s of parameter %s, \"%.40s\", %s", what, param->name, text,
			why);
	return false;
}

void reader_on_param(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	struct function_param *param;
	int type = bundle_word(bundle_param_type_words, reader_strip(columns[1]));
	char *text = reader_strip(columns[3]);

	if (function->param_count == FAAS_PARAMS_MAX) {
		reader_complain(reader, "more than %d parameters", FAAS_PARAMS_MAX);
		return;
	}
	param = &function->params[function->param_count++];
	reader_take_identifier(reader, "parameter", reader_strip(columns[2]), param->name);
	if (type < 0 || (type == PARAM_F64 && reader->tier == TIER_KERNEL) ||
	    (type == PARAM_FILE && reader->tier == TIER_USER) ||
	    ((type == PARAM_TRIGGER || type == PARAM_LAYOUT) && reader->tier == TIER_KERNEL)) {
		reader_complain(reader, "parameter %s: no type \"%.40s\" in the %s tier",
				param->name, columns[1], function_tier_name(reader->tier));
		return;
	}
	param->type = (enum bundle_param_type)type;
	reader_take(reader, "the documentation of a parameter", columns[6], param->doc,
		    sizeof(param->doc));
	reader_take(reader, "a default", text, param->default_text, sizeof(param->default_text));
	param->required = !*text;
	if (param->type == PARAM_FILE || param->type == PARAM_LAYOUT ||
	    param->type == PARAM_TRIGGER) {
		if (!param->required)
			reader_complain(reader, "parameter %s: a %s has no default", param->name,
					bundle_param_type_name(param->type));
		if (param->type == PARAM_TRIGGER) {
			param->required = false;
			snprintf(param->default_text, sizeof(param->default_text), "none");
		}
		return;
	}
	if (param->type == PARAM_CHOICE || param->type == PARAM_SET) {
		take_choices(reader, param, columns[7]);
		take_default_words(reader, param, text);
		return;
	}
	take_value(reader, param, "default", text, &param->default_value);
	text = reader_strip(columns[4]);
	reader_take(reader, "a minimum", text, param->min_text, sizeof(param->min_text));
	param->has_min = take_value(reader, param, "minimum", text, &param->min);
	text = reader_strip(columns[5]);
	reader_take(reader, "a maximum", text, param->max_text, sizeof(param->max_text));
	param->has_max = take_value(reader, param, "maximum", text, &param->max);
	if (!reader->failed && !param->required &&
	    ((param->has_min &&
	      value_compare(param->type, &param->default_value, &param->min) < 0) ||
	     (param->has_max &&
	      value_compare(param->type, &param->default_value, &param->max) > 0)))
		reader_complain(reader, "the default of parameter %s is not within its range",
				param->name);
}

void reader_on_changeable(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	const char *name = reader_strip(columns[1]);

	for (uint32_t i = 0; i < function->param_count; i++) {
		struct function_param *param = &function->params[i];

		if (strcmp(param->name, name))
			continue;
		if (param->type == PARAM_CHOICE || param->type == PARAM_SET ||
		    param->type == PARAM_FILE) /* the others are of the user tier */
			reader_complain(reader, "parameter %s cannot be changeable: it is a %s",
					name, bundle_param_type_name(param->type));
		param->changeable = true;
		return;
	}
	reader_complain(reader, "\"%.40s\" is changeable, and no parameter declared before it",
			name);
}
