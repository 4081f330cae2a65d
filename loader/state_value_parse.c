// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* From JSON to a state: each member is looked up where state_value_print() puts it. */
#include "state_value_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

static void store(const struct bundle_state_field *field, uint64_t value, uint8_t *at)
{
	if (!field->bits) {
		memcpy(at, &value, field->bytes);
		return;
	}
	for (uint32_t i = 0; i < field->bits; i++) {
		uint32_t bit = field->bit + i;
		uint8_t mask = (uint8_t)(1u << bit % 8);

		at[bit / 8] = (uint8_t)((at[bit / 8] & ~mask) | (value >> i & 1 ? mask : 0));
	}
}

struct reader {
	const struct bundle_function *function;
	const struct bundle_state_field *field;
	char *why;
	size_t why_bytes;
};

static int __attribute__((format(printf, 2, 3)))
complain(const struct reader *reader, const char *format, ...)
{
	char text[160];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	snprintf(reader->why, reader->why_bytes, "%s%s%s", reader->field ? reader->field->name : "",
		 reader->field ? ": " : "", text);
	return -1;
}

static int take_unsigned(const struct reader *reader, const json_t *value, uint64_t *ret)
{
	uint32_t bits = bits_of(reader->field);
	const char *text = json_string_value(value);
	uint64_t number = (uint64_t)json_integer_value(value);
	char *end = NULL;

	if (text && *text >= '0' && *text <= '9' && strlen(text) <= 20) {
		number = strtoull(text, &end, 10);
		if (*end || (number == UINT64_MAX && strcmp(text, "18446744073709551615")))
			return complain(reader, "\"%s\" is no number", text);
	} else if (!json_is_integer(value) || json_integer_value(value) < 0) {
		return complain(reader, "is not an integer from 0 on");
	}
	if (bits < 64 && number >> bits)
		return complain(reader, "%" PRIu64 " does not fit into %u bits", number, bits);
	*ret = number;
	return 0;
}

static int take_signed(const struct reader *reader, const json_t *value, uint64_t *ret)
{
	uint32_t bits = bits_of(reader->field);
	int64_t number = json_integer_value(value);

	if (!json_is_integer(value))
		return complain(reader, "is not an integer");
	if (bits < 64 && (number >= 1ll << (bits - 1) || number < -(1ll << (bits - 1))))
		return complain(reader, "%" PRId64 " does not fit into %u bits", number, bits);
	*ret = (uint64_t)number;
	return 0;
}

static int take_float(const struct reader *reader, const json_t *value, uint8_t *at)
{
	const char *text = json_string_value(value);
	double number = json_number_value(value);
	float single;

	if (text && !strcmp(text, "nan"))
		number = (double)NAN;
	else if (text && !strcmp(text, "inf"))
		number = (double)INFINITY;
	else if (text && !strcmp(text, "-inf"))
		number = -(double)INFINITY;
	else if (!json_is_number(value))
		return complain(reader, "is not a number");
	if (reader->field->bytes == sizeof(number)) {
		memcpy(at, &number, sizeof(number));
		return 0;
	}
	single = (float)number;
	if (isinf(single) && !isinf(number))
		return complain(reader, "%g does not fit into 4 bytes", number);
	memcpy(at, &single, sizeof(single));
	return 0;
}

static int take_hex(const struct reader *reader, const char *text, uint8_t *at)
{
	static const char digits[] = "0123456789abcdef";
	size_t bytes = reader->field->bytes;

	if (strlen(text) != 2 * bytes || strspn(text, digits) != 2 * bytes)
		return complain(reader, "is not %zu hexadecimal digits", 2 * bytes);
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)((strchr(digits, text[2 * i]) - digits) << 4 |
				  (strchr(digits, text[2 * i + 1]) - digits));
	return 0;
}

static int take_text(const struct reader *reader, const char *text, uint8_t *at)
{
	size_t chars = strlen(text);

	if (!strncmp(text, "\\x", 2))
		return take_hex(reader, text + 2, at);
	if (chars > reader->field->bytes)
		return complain(reader, "is longer than %u bytes", reader->field->bytes);
	memcpy(at, text, chars); // NOLINT(bugprone-not-null-terminated-result): a field of bytes
	return 0;
}

static int take_leaf(const struct reader *reader, const json_t *value, uint8_t *at)
{
	enum bundle_state_type type = reader->field->type;
	uint64_t number = 0;
	int err = 0;

	switch (type) {
	case STATE_FIELD_FLOAT:
		return take_float(reader, value, at);
	case STATE_FIELD_TEXT:
	case STATE_FIELD_BYTES:
		if (!json_is_string(value))
			return complain(reader, "is not a string");
		return type == STATE_FIELD_TEXT ? take_text(reader, json_string_value(value), at)
						: take_hex(reader, json_string_value(value), at);
	case STATE_FIELD_BOOL:
		if (!json_is_boolean(value))
			return complain(reader, "is neither true nor false");
		number = json_is_true(value);
		break;
	case STATE_FIELD_UNSIGNED:
		err = take_unsigned(reader, value, &number);
		break;
	case STATE_FIELD_SIGNED:
		err = take_signed(reader, value, &number);
		break;
	}
	if (!err)
		store(reader->field, number, at);
	return err;
}

static int take(const struct reader *reader, const json_t *value, const char *path,
		uint32_t dimension, uint8_t *at)
{
	const struct bundle_state_dimension *array = &reader->field->dimensions[dimension];
	char word[WORD_BYTES];

	if (!value)
		return complain(reader, "is missing");
	if (!*path)
		return take_leaf(reader, value, at);
	if (*path == '.') {
		path = take_word(path + 1, word);
		return take(reader, json_object_get(value, word), path, dimension, at);
	}
	if (!json_is_array(value) || json_array_size(value) != array->count)
		return complain(reader, "is not an array of %u", array->count);
	for (uint32_t i = 0; i < array->count; i++)
		if (take(reader, json_array_get(value, i), path + 2, dimension + 1,
			 at + (size_t)i * array->stride))
			return -1;
	return 0;
}

/* Whether a member is @p path, or lies below it. */
static bool is_known(const struct bundle_function *function, const char *path)
{
	size_t chars = strlen(path);

	for (uint32_t i = 0; i < function->state_field_count; i++) {
		const char *name = function->state_fields[i].name;

		if (!strncmp(name, path, chars) && strchr(".[", name[chars]))
			return true;
	}
	return false;
}

/* No member of the tree is one that the state does not have. */
static int check_known(const struct reader *reader, const json_t *value, const char *path)
{
	char below[2 * FAAS_STATE_PATH_BYTES];
	const char *name;
	json_t *item;
	size_t i;

	json_array_foreach (value, i, item) {
		snprintf(below, sizeof(below), "%s[]", path);
		if (check_known(reader, item, below))
			return -1;
	}
	json_object_foreach ((json_t *)value, name, item) {
		snprintf(below, sizeof(below), "%s%s%.63s", path, *path ? "." : "", name);
		if (!is_known(reader->function, below))
			return complain(reader, "the state has no member %s", below);
		if (check_known(reader, item, below))
			return -1;
	}
	return 0;
}

int state_value_parse(const struct bundle_function *function, const json_t *value, uint8_t *ret,
		      char *why, size_t why_bytes)
{
	const struct bundle_state_field whole = {
		.name = "value", .type = STATE_FIELD_BYTES, .bytes = function->state_bytes};
	struct reader reader = {.function = function, .why = why, .why_bytes = why_bytes};

	memset(ret, 0, function->state_bytes);
	if (!function->state_field_count) {
		reader.field = &whole;
		return take_leaf(&reader, value, ret);
	}
	if (!json_is_object(value))
		return complain(&reader, "the value is not an object");
	if (check_known(&reader, value, ""))
		return -1;
	for (uint32_t i = 0; i < function->state_field_count; i++) {
		char word[WORD_BYTES];
		const char *rest;

		reader.field = &function->state_fields[i];
		rest = take_word(reader.field->name, word);
		if (take(&reader, json_object_get(value, word), rest, 0,
			 ret + reader.field->offset))
			return -1;
	}
	return 0;
}
