// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a function declares: the texts of its .faas.meta section. */
#include "function_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle_names.h"
#include "utf8.h"

#define COLUMNS_MAX 8
#define TEXTS_MAX 512
#define TEXT_BYTES_MAX 2048

const char *function_tier_name(enum function_tier tier)
{
	return tier == TIER_KERNEL ? "kernel" : "user";
}

void reader_complain(struct reader *reader, const char *format, ...)
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

char *reader_strip(char *text)
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

void reader_take(struct reader *reader, const char *what, const char *text, char *ret, size_t bytes)
{
	if (strlen(text) >= bytes)
		reader_complain(reader, "%s is longer than %zu bytes: \"%.40s...\"", what,
				bytes - 1, text);
	else
		memcpy(ret, text, strlen(text) + 1);
}

void reader_take_identifier(struct reader *reader, const char *what, const char *text,
			    char ret[FAAS_IDENTIFIER_BYTES])
{
	if (bundle_identifier_valid(text))
		memcpy(ret, text, strlen(text) + 1);
	else
		reader_complain(reader,
				"%s \"%.40s\" is not a C identifier of at most %d characters", what,
				text, FAAS_IDENTIFIER_BYTES - 1);
}

/* output  NAME  DOC */
static void on_output(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	struct function_output *output;

	if (function->output_count == FAAS_OUTPUTS_MAX) {
		reader_complain(reader, "more than %d outputs", FAAS_OUTPUTS_MAX);
		return;
	}
	output = &function->outputs[function->output_count++];
	reader_take_identifier(reader, "output", reader_strip(columns[1]), output->name);
	if (reader->tier == TIER_KERNEL && bundle_output_reserved(output->name))
		reader_complain(reader,
				"an output cannot be named `%s`: its counter has that name in C",
				output->name);
	reader_take(reader, "the documentation of an output", columns[2], output->doc,
		    sizeof(output->doc));
}

/* field  OUTPUT  NAME  TYPE  UNIT  DOC */
static void on_field(struct reader *reader, char *const columns[])
{
	int type = bundle_word(bundle_field_type_words, reader_strip(columns[3]));
	struct function_output *output = NULL;
	struct bundle_field *field;

	for (uint32_t i = 0; i < reader->function->output_count; i++)
		if (!strcmp(reader->function->outputs[i].name, reader_strip(columns[1])))
			output = &reader->function->outputs[i];
	if (!output) {
		reader_complain(reader,
				"a field of output \"%.40s\", which is not declared before it",
				columns[1]);
		return;
	}
	if (type < 0 || (type == FAAS_FIELD_F64 && reader->tier == TIER_KERNEL)) {
		reader_complain(reader, "field \"%.40s\": no type \"%.40s\" in the %s tier",
				columns[2], columns[3], function_tier_name(reader->tier));
		return;
	}
	if (output->field_count == FAAS_FIELDS_MAX) {
		reader_complain(reader, "output %s has more than %d fields", output->name,
				FAAS_FIELDS_MAX);
		return;
	}
	field = &output->fields[output->field_count];
	reader_take_identifier(reader, "field", reader_strip(columns[2]), field->name);
	reader_take(reader, "a unit", reader_strip(columns[4]), field->unit, sizeof(field->unit));
	reader_take(reader, "the documentation of a field", columns[5],
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

	name = reader_strip(name);
	for (uint32_t i = 0; i < function->map_count; i++)
		if (!strcmp(function->maps[i].name, name))
			return &function->maps[i];
	if (function->map_count == FAAS_STATE_MAPS_MAX) {
		reader_complain(reader, "more than %d maps with a size or contents of their own",
				FAAS_STATE_MAPS_MAX);
		return NULL;
	}
	map = &function->maps[function->map_count++];
	reader_take_identifier(reader, "map", name, map->name);
	return map;
}

/* map  NAME  PARAM */
static void on_map(struct reader *reader, char *const columns[])
{
	struct function_map *map = take_map(reader, columns[1]);
	int param = find_param(reader->function, reader_strip(columns[2]), PARAM_U32);

	if (!map)
		return;
	if (map->is_sized)
		reader_complain(reader, "two sizes of map %s", map->name);
	if (param < 0)
		reader_complain(
			reader,
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
	int param = find_param(reader->function, reader_strip(columns[2]), PARAM_FILE);

	if (!map)
		return;
	if (map->is_filled)
		reader_complain(reader, "map %s is filled from two files", map->name);
	if (param < 0)
		reader_complain(reader,
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
	const char *name = reader_strip(columns[1]);
	int param = find_param(function, reader_strip(columns[2]), PARAM_LAYOUT);

	if (param < 0) {
		reader_complain(
			reader,
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
			reader_complain(reader, "the fields of output %s twice", name);
		output->is_laid_out = true;
		output->layout_param = (uint32_t)param;
		return;
	}
	reader_complain(reader, "fields of output \"%.40s\", which is not declared before it",
			name);
}

/* input  NAME  DOC */
static void on_input(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	struct function_input *input;

	if (function->input_count == FAAS_INPUTS_MAX) {
		reader_complain(reader, "more than %d inputs", FAAS_INPUTS_MAX);
		return;
	}
	input = &function->inputs[function->input_count++];
	reader_take_identifier(reader, "input", reader_strip(columns[1]), input->name);
	reader_take(reader, "the documentation of an input", columns[2], input->doc,
		    sizeof(input->doc));
}

/* optional  NAME */
static void on_optional(struct reader *reader, char *const columns[])
{
	struct function *function = reader->function;
	const char *name = reader_strip(columns[1]);

	for (uint32_t i = 0; i < function->input_count; i++) {
		if (strcmp(function->inputs[i].name, name))
			continue;
		function->inputs[i].optional = true;
		return;
	}
	reader_complain(reader, "\"%.40s\" is optional, and no input declared before it", name);
}

/* state  VERSION */
static void on_state(struct reader *reader, char *const columns[])
{
	struct value version;

	if (reader->function->has_state)
		reader_complain(reader, "more than one state");
	reader->function->has_state = true;
	if (value_parse(PARAM_U32, reader_strip(columns[1]), &version) || version.integer < 1)
		reader_complain(reader,
				"the version of the state, \"%.40s\", is not a number from 1 on",
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
		reader_complain(reader, "more than %d verdicts", FAAS_VERDICTS_MAX);
		return;
	}
	verdict = &function->verdicts[function->verdict_count++];
	reader_take_identifier(reader, "verdict", reader_strip(columns[1]), verdict->name);
	reader_take(reader, "the documentation of a verdict", columns[2], verdict->doc,
		    sizeof(verdict->doc));
	for (uint32_t i = 0; i + 1 < function->verdict_count; i++)
		if (!strcmp(function->verdicts[i].name, verdict->name))
			reader_complain(reader, "two verdicts %s", verdict->name);
}

/* verdicts  NAME  PARAM */
static void on_verdicts(struct reader *reader, char *const columns[])
{
	struct function_map *map = take_map(reader, columns[1]);
	int param = find_param(reader->function, reader_strip(columns[2]), PARAM_SET);

	if (!map)
		return;
	for (uint32_t i = 0; i < reader->function->map_count; i++)
		if (reader->function->maps[i].takes_verdicts)
			reader_complain(reader, "more than one map for verdicts");
	if (param < 0)
		reader_complain(reader,
				"the keys of map %s, \"%.40s\", are no set declared before it",
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
		reader_complain(reader, "more than one function in one source");
	reader->is_function = true;
	if (strcmp(columns[1], function_tier_name(reader->tier)))
		reader_complain(reader, "this is a function of the %.40s tier, not of the %s tier",
				columns[1], function_tier_name(reader->tier));
	reader_take(reader, "the documentation of the function", columns[2], reader->function->doc,
		    sizeof(reader->function->doc));
}

static const struct {
	const char *word;
	unsigned int columns;
	bool kernel, user;
	void (*take)(struct reader *reader, char *const columns[]);
} texts[] = {
	{"function", 3, true, true, on_function},
	{"param", 8, true, true, reader_on_param},
	{"output", 3, true, true, on_output},
	{"field", 6, true, true, on_field},
	{"map", 3, true, false, on_map},
	{"contents", 3, true, false, on_contents},
	{"changeable", 2, true, false, reader_on_changeable},
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
		reader_complain(reader, "a declaration of more than %d bytes: \"%.40s...\"",
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
			reader_complain(reader, "\"%s\" has no meaning in the %s tier", columns[0],
					function_tier_name(reader->tier));
		else if (at || count != texts[i].columns)
			reader_complain(reader, "a declaration \"%s\" that has not %u columns",
					columns[0], texts[i].columns);
		else
			texts[i].take(reader, columns);
		return;
	}
	reader_complain(reader, "a declaration \"%.40s\" that this version does not know",
			columns[0]);
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
		reader_complain(reader, "more than %d declarations", TEXTS_MAX);
	else if (!digits || digits > 9 || text[digits] != '\t')
		reader_complain(reader, "a declaration without a number: \"%.40s\"", text);
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
		reader_complain(&reader, "the declarations end in the middle of one");
	else if (!is_text(text, bytes))
		reader_complain(&reader, "the declarations are not UTF-8 text");
	else
		take_all(&reader, text, text + bytes);
	if (!reader.failed && !reader.is_function)
		reader_complain(&reader, "it declares no function: %s is missing",
				tier == TIER_KERNEL ? "FAAS_KERNEL_FUNCTION"
						    : "FAAS_USER_FUNCTION");
	if (!reader.failed)
		reader_check(&reader);
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
