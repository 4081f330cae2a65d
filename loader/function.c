// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a function declares: the texts of its .faas.meta section. */
#include "function.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle_names.h"
#include "utf8.h"

#define COLUMNS_MAX 8
#define TEXTS_MAX 512
#define TEXT_BYTES_MAX 2048

struct reader {
	const char *place;
	struct diags *diags;
	struct function *function;
	enum function_tier tier;
	bool is_function; /* its "function" text was there */
	bool failed;
};

const char *function_tier_name(enum function_tier tier)
{
	return tier == TIER_KERNEL ? "kernel" : "user";
}

static void __attribute__((format(printf, 2, 3)))
complain(struct reader *reader, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diag_add(reader->diags, DIAG_INVALID, reader->place, 0, 0, "see ebpf-faas-function(7)",
		 "%s", text);
	reader->failed = true;
}

/*
 * Blanks, and the quotes and brackets that the preprocessor leaves around what
 * the author wrote, say nothing: "(a, b)" and a, b are the same. In place.
 */
static char *strip(char *text)
{
	size_t chars;

	for (;;) {
		while (*text == ' ')
			text++;
		chars = strlen(text);
		while (chars && text[chars - 1] == ' ')
			text[--chars] = '\0';
		if (chars < 2 || !((text[0] == '"' && text[chars - 1] == '"') ||
				   (text[0] == '(' && text[chars - 1] == ')')))
			return text;
		text[chars - 1] = '\0';
		text++;
	}
}

static void take(struct reader *reader, const char *what, const char *text, char *ret, size_t bytes)
{
	if (strlen(text) >= bytes)
		complain(reader, "%s is longer than %zu bytes: \"%.40s...\"", what, bytes - 1,
			 text);
	else
		memcpy(ret, text, strlen(text) + 1);
}

static void take_identifier(struct reader *reader, const char *what, const char *text,
			    char ret[FAAS_IDENTIFIER_BYTES])
{
	if (bundle_identifier_valid(text))
		memcpy(ret, text, strlen(text) + 1);
	else
		complain(reader, "%s \"%.40s\" is not a C identifier of at most %d characters",
			 what, text, FAAS_IDENTIFIER_BYTES - 1);
}

/* The words of a choice or set: a, b, c. */
static void take_choices(struct reader *reader, struct function_param *param, char *text)
{
	char *word, *rest = NULL;

	for (word = strtok_r(strip(text), ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (param->choice_count == FAAS_CHOICES_MAX) {
			complain(reader, "parameter %s has more than %d words", param->name,
				 FAAS_CHOICES_MAX);
			return;
		}
		take_identifier(reader, "the word", strip(word),
				param->choices[param->choice_count++]);
	}
	if (!param->choice_count)
		complain(reader, "parameter %s has no words to choose from", param->name);
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
			complain(reader, "the default of %s, \"%.40s\", is none of its words",
				 param->name, word);
		else if (param->type == PARAM_SET)
			param->default_value.integer |= 1ll << index;
		else
			param->default_value.integer = index;
	}
	if (param->type == PARAM_CHOICE && count > 1)
		complain(reader, "the default of %s is more than one word", param->name);
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
	complain(reader, "the %s of parameter %s, \"%.40s\", %s", what, param->name, text, why);
	return false;
}

/* param  TYPE  NAME  DEFAULT  MIN  MAX  DOC  CHOICES */
static void on_param(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	struct function_param *param;
	int type = bundle_word(bundle_param_type_words, strip(columns[1]));
	char *text = strip(columns[3]);

	if (function->param_count == FAAS_PARAMS_MAX) {
		complain(reader, "more than %d parameters", FAAS_PARAMS_MAX);
		return;
	}
	param = &function->params[function->param_count++];
	take_identifier(reader, "parameter", strip(columns[2]), param->name);
	if (type < 0 || (type == PARAM_F64 && reader->tier == TIER_KERNEL) ||
	    (type == PARAM_FILE && reader->tier == TIER_USER) ||
	    ((type == PARAM_TRIGGER || type == PARAM_LAYOUT) && reader->tier == TIER_KERNEL)) {
		complain(reader, "parameter %s: no type \"%.40s\" in the %s tier", param->name,
			 columns[1], function_tier_name(reader->tier));
		return;
	}
	param->type = (enum bundle_param_type)type;
	take(reader, "the documentation of a parameter", columns[6], param->doc,
	     sizeof(param->doc));
	take(reader, "a default", text, param->default_text, sizeof(param->default_text));
	param->required = !*text;
	if (param->type == PARAM_FILE || param->type == PARAM_LAYOUT ||
	    param->type == PARAM_TRIGGER) {
		if (!param->required)
			complain(reader, "parameter %s: a %s has no default", param->name,
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
	text = strip(columns[4]);
	take(reader, "a minimum", text, param->min_text, sizeof(param->min_text));
	param->has_min = take_value(reader, param, "minimum", text, &param->min);
	text = strip(columns[5]);
	take(reader, "a maximum", text, param->max_text, sizeof(param->max_text));
	param->has_max = take_value(reader, param, "maximum", text, &param->max);
	if (!reader->failed && !param->required &&
	    ((param->has_min &&
	      value_compare(param->type, &param->default_value, &param->min) < 0) ||
	     (param->has_max &&
	      value_compare(param->type, &param->default_value, &param->max) > 0)))
		complain(reader, "the default of parameter %s is not within its range",
			 param->name);
}

/* output  NAME  DOC */
static void on_output(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	struct function_output *output;

	if (function->output_count == FAAS_OUTPUTS_MAX) {
		complain(reader, "more than %d outputs", FAAS_OUTPUTS_MAX);
		return;
	}
	output = &function->outputs[function->output_count++];
	take_identifier(reader, "output", strip(columns[1]), output->name);
	if (reader->tier == TIER_KERNEL && bundle_output_reserved(output->name))
		complain(reader, "an output cannot be named `%s`: its counter has that name in C",
			 output->name);
	take(reader, "the documentation of an output", columns[2], output->doc,
	     sizeof(output->doc));
}

/* field  OUTPUT  NAME  TYPE  UNIT  DOC */
static void on_field(struct reader *reader, char *const columns[])
{
	int type = bundle_word(bundle_field_type_words, strip(columns[3]));
	struct function_output *output = NULL;
	struct bundle_field *field;

	for (uint32_t i = 0; i < reader->function->output_count; i++)
		if (!strcmp(reader->function->outputs[i].name, strip(columns[1])))
			output = &reader->function->outputs[i];
	if (!output) {
		complain(reader, "a field of output \"%.40s\", which is not declared before it",
			 columns[1]);
		return;
	}
	if (type < 0 || (type == FAAS_FIELD_F64 && reader->tier == TIER_KERNEL)) {
		complain(reader, "field \"%.40s\": no type \"%.40s\" in the %s tier", columns[2],
			 columns[3], function_tier_name(reader->tier));
		return;
	}
	if (output->field_count == FAAS_FIELDS_MAX) {
		complain(reader, "output %s has more than %d fields", output->name,
			 FAAS_FIELDS_MAX);
		return;
	}
	field = &output->fields[output->field_count];
	take_identifier(reader, "field", strip(columns[2]), field->name);
	take(reader, "a unit", strip(columns[4]), field->unit, sizeof(field->unit));
	take(reader, "the documentation of a field", columns[5],
	     output->field_docs[output->field_count], sizeof(output->field_docs[0]));
	field->type = (enum faas_field_type)type;
	output->field_count++;
}

/* The parameter of this type and name, or -1. */
static int find_param(const struct function *function, const char *name,
		      enum bundle_param_type type)
{
	for (uint32_t i = 0; i < function->param_count; i++)
		if (!strcmp(function->params[i].name, name) && function->params[i].type == type)
			return (int)i;
	return -1;
}

/* The map of this name, noted if it is new. NULL with a complaint. */
static struct function_map *take_map(struct reader *reader, char *name)
{
	struct function *function = reader->function;
	struct function_map *map;

	name = strip(name);
	for (uint32_t i = 0; i < function->map_count; i++)
		if (!strcmp(function->maps[i].name, name))
			return &function->maps[i];
	if (function->map_count == FAAS_STATE_MAPS_MAX) {
		complain(reader, "more than %d maps with a size or contents of their own",
			 FAAS_STATE_MAPS_MAX);
		return NULL;
	}
	map = &function->maps[function->map_count++];
	take_identifier(reader, "map", name, map->name);
	return map;
}

/* map  NAME  PARAM */
static void on_map(struct reader *reader, char *const columns[])
{
	struct function_map *map = take_map(reader, columns[1]);
	int param = find_param(reader->function, strip(columns[2]), PARAM_U32);

	if (!map)
		return;
	if (map->is_sized)
		complain(reader, "two sizes of map %s", map->name);
	if (param < 0)
		complain(reader,
			 "the size of map %s, \"%.40s\", is no u32 parameter declared before it",
			 map->name, columns[2]);
	else
		map->size_param = (uint32_t)param;
	map->is_sized = true;
}

/* contents  NAME  PARAM */
static void on_contents(struct reader *reader, char *const columns[])
{
	struct function_map *map = take_map(reader, columns[1]);
	int param = find_param(reader->function, strip(columns[2]), PARAM_FILE);

	if (!map)
		return;
	if (map->is_filled)
		complain(reader, "map %s is filled from two files", map->name);
	if (param < 0)
		complain(reader,
			 "the contents of map %s, \"%.40s\", are no file parameter declared "
			 "before it",
			 map->name, columns[2]);
	else
		map->file_param = (uint32_t)param;
	map->is_filled = true;
}

/* fields  OUTPUT  PARAM */
static void on_fields(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	const char *name = strip(columns[1]);
	int param = find_param(function, strip(columns[2]), PARAM_LAYOUT);

	if (param < 0) {
		complain(reader,
			 "the fields of output %.40s, \"%.40s\", are no layout parameter declared "
			 "before it",
			 name, columns[2]);
		return;
	}
	for (uint32_t i = 0; i < function->output_count; i++) {
		struct function_output *output = &function->outputs[i];

		if (strcmp(output->name, name))
			continue;
		if (output->is_laid_out)
			complain(reader, "the fields of output %s twice", name);
		output->is_laid_out = true;
		output->layout_param = (uint32_t)param;
		return;
	}
	complain(reader, "fields of output \"%.40s\", which is not declared before it", name);
}

/* changeable  NAME */
static void on_changeable(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	const char *name = strip(columns[1]);

	for (uint32_t i = 0; i < function->param_count; i++) {
		struct function_param *param = &function->params[i];

		if (strcmp(param->name, name))
			continue;
		if (param->type == PARAM_CHOICE || param->type == PARAM_SET ||
		    param->type == PARAM_FILE) /* the others are of the user tier */
			complain(reader, "parameter %s cannot be changeable: it is a %s", name,
				 bundle_param_type_name(param->type));
		param->changeable = true;
		return;
	}
	complain(reader, "\"%.40s\" is changeable, and no parameter declared before it", name);
}

/* input  NAME  DOC */
static void on_input(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	struct function_input *input;

	if (function->input_count == FAAS_INPUTS_MAX) {
		complain(reader, "more than %d inputs", FAAS_INPUTS_MAX);
		return;
	}
	input = &function->inputs[function->input_count++];
	take_identifier(reader, "input", strip(columns[1]), input->name);
	take(reader, "the documentation of an input", columns[2], input->doc, sizeof(input->doc));
}

/* optional  NAME */
static void on_optional(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	const char *name = strip(columns[1]);

	for (uint32_t i = 0; i < function->input_count; i++) {
		if (strcmp(function->inputs[i].name, name))
			continue;
		function->inputs[i].optional = true;
		return;
	}
	complain(reader, "\"%.40s\" is optional, and no input declared before it", name);
}

/* state  VERSION */
static void on_state(struct reader *reader, char *const columns[])
{
	struct value version;

	if (reader->function->has_state)
		complain(reader, "more than one state");
	reader->function->has_state = true;
	if (value_parse(PARAM_U32, strip(columns[1]), &version) || version.integer < 1)
		complain(reader, "the version of the state, \"%.40s\", is not a number from 1 on",
			 columns[1]);
	else
		reader->function->state_version = (uint32_t)version.integer;
}

/* verdict  NAME  DOC */
static void on_verdict(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	struct function_verdict *verdict;

	if (function->verdict_count == FAAS_VERDICTS_MAX) {
		complain(reader, "more than %d verdicts", FAAS_VERDICTS_MAX);
		return;
	}
	verdict = &function->verdicts[function->verdict_count++];
	take_identifier(reader, "verdict", strip(columns[1]), verdict->name);
	take(reader, "the documentation of a verdict", columns[2], verdict->doc,
	     sizeof(verdict->doc));
	for (uint32_t i = 0; i + 1 < function->verdict_count; i++)
		if (!strcmp(function->verdicts[i].name, verdict->name))
			complain(reader, "two verdicts %s", verdict->name);
}

/* verdicts  NAME  PARAM */
static void on_verdicts(struct reader *reader, char *const columns[])
{
	struct function_map *map = take_map(reader, columns[1]);
	int param = find_param(reader->function, strip(columns[2]), PARAM_SET);

	if (!map)
		return;
	for (uint32_t i = 0; i < reader->function->map_count; i++)
		if (reader->function->maps[i].takes_verdicts)
			complain(reader, "more than one map for verdicts");
	if (param < 0)
		complain(reader, "the keys of map %s, \"%.40s\", are no set declared before it",
			 map->name, columns[2]);
	else
		map->key_param = (uint32_t)param;
	map->takes_verdicts = true;
}

/* batch */
static void on_batch(struct reader *reader, char *const columns[])
{
	(void)columns;
	reader->function->has_batch = true;
}

/* timer */
static void on_timer(struct reader *reader, char *const columns[])
{
	(void)columns;
	reader->function->has_timer = true;
}

/* migrate */
static void on_migrate(struct reader *reader, char *const columns[])
{
	(void)columns;
	reader->function->has_migrate = true;
}

/* function  TIER  DOC */
static void on_function(struct reader *reader, char *const columns[])
{
	if (reader->is_function)
		complain(reader, "more than one function in one source");
	reader->is_function = true;
	if (strcmp(columns[1], function_tier_name(reader->tier)))
		complain(reader, "this is a function of the %.40s tier, not of the %s tier",
			 columns[1], function_tier_name(reader->tier));
	take(reader, "the documentation of the function", columns[2], reader->function->doc,
	     sizeof(reader->function->doc));
}

static const struct {
	const char *word;
	unsigned int columns;
	bool kernel, user;
	void (*take)(struct reader *reader, char *const columns[]);
} texts[] = {
	{"function", 3, true, true, on_function},
	{"param", 8, true, true, on_param},
	{"output", 3, true, true, on_output},
	{"field", 6, true, true, on_field},
	{"map", 3, true, false, on_map},
	{"contents", 3, true, false, on_contents},
	{"changeable", 2, true, false, on_changeable},
	{"fields", 3, false, true, on_fields},
	{"input", 3, false, true, on_input},
	{"optional", 2, false, true, on_optional},
	{"state", 2, false, true, on_state},
	{"timer", 1, false, true, on_timer},
	{"batch", 1, false, true, on_batch},
	{"verdict", 3, false, true, on_verdict},
	{"verdicts", 3, true, false, on_verdicts},
	{"migrate", 1, false, true, on_migrate},
};

/* One text. Cuts it up in a copy. */
static void on_text(struct reader *reader, const char *text)
{
	char copy[TEXT_BYTES_MAX], *columns[COLUMNS_MAX] = {NULL}, *at = copy;
	unsigned int count = 0;

	if (strlen(text) >= sizeof(copy)) {
		complain(reader, "a declaration of more than %d bytes: \"%.40s...\"",
			 TEXT_BYTES_MAX - 1, text);
		return;
	}
	memcpy(copy, text, strlen(text) + 1);
	while (at && count < COLUMNS_MAX) {
		columns[count++] = at;
		at = strchr(at, '\t');
		if (at)
			*at++ = '\0';
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(texts[i].word, columns[0]))
			continue;
		if (!(reader->tier == TIER_KERNEL ? texts[i].kernel : texts[i].user))
			complain(reader, "\"%s\" has no meaning in the %s tier", columns[0],
				 function_tier_name(reader->tier));
		else if (at || count != texts[i].columns)
			complain(reader, "a declaration \"%s\" that has not %u columns", columns[0],
				 texts[i].columns);
		else
			texts[i].take(reader, columns);
		return;
	}
	complain(reader, "a declaration \"%.40s\" that this version does not know", columns[0]);
}

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
			complain(reader, "parameter %s is a file that fills no map", param->name);
		if (param->type == PARAM_LAYOUT && !gives_fields(function, i))
			complain(reader, "parameter %s is a layout that gives no output its fields",
				 param->name);
		if (param->type == PARAM_LAYOUT && ++layouts > 1)
			complain(reader, "parameter %s is a second layout", param->name);
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
				complain(reader, "two parameters %s", function->params[i].name);
	for (uint32_t i = 0; i < function->input_count; i++)
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(function->inputs[i].name, function->inputs[k].name))
				complain(reader, "two inputs %s", function->inputs[i].name);
	for (uint32_t i = 0; i < function->output_count; i++)
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(function->outputs[i].name, function->outputs[k].name))
				complain(reader, "two outputs %s", function->outputs[i].name);
}

static void check_batch(struct reader *reader)
{
	const struct function *function = reader->function;

	if (!function->has_batch)
		return;
	if (function->has_state || function->has_timer)
		complain(reader, "a function with FAAS_BATCH has no state and no timers");
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
				complain(reader, "two fields %s in one output", fields[i]->name);
			else if (reader->tier == TIER_KERNEL &&
				 (fields[i]->type != fields[k]->type ||
				  strcmp(fields[i]->unit, fields[k]->unit)))
				complain(reader,
					 "field %s has one type and unit in one output and others "
					 "in another",
					 fields[i]->name);
		}
}

/* It goes into JSON and onto terminals. The last byte is NUL. */
static bool is_text(const char *text, size_t bytes)
{
	const char *end = text + bytes;

	while (text < end) {
		size_t character = utf8_character(text);

		if (!character || (*text && *text != '\t' && utf8_is_control(text, character)))
			return false;
		text += character;
	}
	return true;
}

/* One declaration, and its number in the order of the source. */
struct declaration {
	uint32_t number;
	const char *text;
};

static int compare_declarations(const void *a, const void *b)
{
	const struct declaration *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

/* "NUMBER TAB TEXT" */
static void take_declaration(struct reader *reader, const char *text, struct declaration *list,
			     unsigned int *count)
{
	size_t digits = strspn(text, "0123456789");

	if (*count == TEXTS_MAX)
		complain(reader, "more than %d declarations", TEXTS_MAX);
	else if (!digits || digits > 9 || text[digits] != '\t')
		complain(reader, "a declaration without a number: \"%.40s\"", text);
	else
		list[(*count)++] = (struct declaration){.number = (uint32_t)strtoul(text, NULL, 10),
							.text = text + digits + 1};
}

static void take_all(struct reader *reader, const char *text, const char *end)
{
	struct declaration list[TEXTS_MAX] = {0};
	unsigned int count = 0;

	for (; text < end && !reader->failed; text += strlen(text) + 1)
		if (*text) /* empty ones are padding */
			take_declaration(reader, text, list, &count);
	qsort(list, count, sizeof(list[0]), compare_declarations);
	for (unsigned int i = 0; i < count && !reader->failed; i++)
		on_text(reader, list[i].text);
}

int function_describe(const char *text, size_t bytes, enum function_tier tier, const char *place,
		      struct function *ret, struct diags *diags)
{
	struct function *function = calloc(1, sizeof(*function));
	struct reader reader = {.place = place, .diags = diags, .function = function, .tier = tier};

	if (!function)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (bytes && text[bytes - 1])
		complain(&reader, "the declarations end in the middle of one");
	else if (!is_text(text, bytes))
		complain(&reader, "the declarations are not UTF-8 text");
	else
		take_all(&reader, text, text + bytes);
	if (!reader.failed && !reader.is_function)
		complain(&reader, "it declares no function: %s is missing",
			 tier == TIER_KERNEL ? "FAAS_KERNEL_FUNCTION" : "FAAS_USER_FUNCTION");
	if (!reader.failed) {
		check_names(&reader);
		check_sources(&reader);
		check_fields(&reader);
		check_batch(&reader);
	}
	if (!reader.failed) {
		memcpy(function->name, ret->name, sizeof(function->name));
		memcpy(function->object, ret->object, sizeof(function->object));
		memcpy(function->source, ret->source, sizeof(function->source));
		function->tier = tier;
		*ret = *function;
	}
	free(function);
	return reader.failed ? -1 : 0;
}
