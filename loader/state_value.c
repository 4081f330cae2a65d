// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A member's name is a path such as "buckets[].sum". Here it is followed into a tree of
 * JSON, once for each element of each array on the way.
 */
#include "state_value_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* ---- one number ---- */

static uint64_t load(const struct bundle_state_field *field, const uint8_t *at)
{
	uint64_t value = 0;

	if (!field->bits) {
		memcpy(&value, at, field->bytes); /* both architectures are little-endian */
		return value;
	}
	for (uint32_t i = 0; i < field->bits; i++) {
		uint32_t bit = field->bit + i;

		value |= (uint64_t)(at[bit / 8] >> bit % 8 & 1) << i;
	}
	return value;
}

static json_t *print_unsigned(uint64_t value)
{
	char text[24];

	if (value <= INT64_MAX)
		return json_integer((json_int_t)value);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return json_string(text);
}

static json_t *print_signed(const struct bundle_state_field *field, uint64_t value)
{
	uint32_t unused = 64 - bits_of(field);

	return json_integer((json_int_t)(value << unused) >> unused);
}

/* A float in JSON is a double: the one that is written as the float would be. */
static double widen(float value)
{
	char text[32];

	for (int digits = 6; digits <= 9; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, (double)value);
		if (strtof(text, NULL) == value)
			break;
	}
	return strtod(text, NULL);
}

static json_t *print_float(const struct bundle_state_field *field, const uint8_t *at)
{
	float single;
	double value;

	if (field->bytes == sizeof(single)) {
		memcpy(&single, at, sizeof(single));
		value = isfinite(single) ? widen(single) : (double)single;
	} else {
		memcpy(&value, at, sizeof(value));
	}
	if (isnan(value))
		return json_string("nan");
	if (isinf(value))
		return json_string(value > 0 ? "inf" : "-inf");
	return json_real(value);
}

static json_t *print_hex(const char *before, const uint8_t *at, uint32_t bytes)
{
	size_t chars = strlen(before);
	char *text = malloc(chars + 2 * (size_t)bytes + 1);
	json_t *value;

	if (!text)
		return NULL;
	memcpy(text, before, chars + 1);
	for (uint32_t i = 0; i < bytes; i++)
		snprintf(text + chars + 2 * (size_t)i, 3, "%02x", at[i]);
	value = json_string(text);
	free(text);
	return value;
}

static bool is_text(const char *text, size_t chars)
{
	const char *end = text + chars;

	while (text < end) {
		size_t character = utf8_character(text);

		if (!character || character > (size_t)(end - text))
			return false;
		text += character;
	}
	return true;
}

/* Up to its first NUL, if all behind that are zeros. */
static json_t *print_text(const uint8_t *at, uint32_t bytes)
{
	char *text = calloc(1, (size_t)bytes + 4); /* so that it ends */
	size_t chars;
	json_t *value = NULL;

	if (!text)
		return NULL;
	memcpy(text, at, bytes);
	chars = strlen(text);
	for (uint32_t i = (uint32_t)chars; i < bytes; i++)
		if (at[i])
			chars = SIZE_MAX;
	if (chars == SIZE_MAX || !is_text(text, chars) || !strncmp(text, "\\x", 2))
		value = print_hex("\\x", at, bytes);
	else
		value = json_string(text);
	free(text);
	return value;
}

static json_t *print_leaf(const struct bundle_state_field *field, const uint8_t *at)
{
	switch (field->type) {
	case STATE_FIELD_UNSIGNED:
		return print_unsigned(load(field, at));
	case STATE_FIELD_SIGNED:
		return print_signed(field, load(field, at));
	case STATE_FIELD_FLOAT:
		return print_float(field, at);
	case STATE_FIELD_BOOL:
		return json_boolean(load(field, at) != 0);
	case STATE_FIELD_TEXT:
		return print_text(at, field->bytes);
	case STATE_FIELD_BYTES:
		return print_hex("", at, field->bytes);
	}
	return NULL;
}

/* ---- into a tree ---- */

static int put_member(json_t *object, const struct bundle_state_field *field, const char *path,
		      uint32_t dimension, const uint8_t *at);

/* What stands at @p path below; into what is there already. Returns-owned. */
static json_t *put(json_t *there, const struct bundle_state_field *field, const char *path,
		   uint32_t dimension, const uint8_t *at)
{
	const struct bundle_state_dimension *array = &field->dimensions[dimension];
	json_t *value;

	if (!*path)
		return print_leaf(field, at);
	value = there ? json_incref(there) : *path == '[' ? json_array() : json_object();
	if (*path == '.') {
		if (put_member(value, field, path + 1, dimension, at))
			goto failed;
		return value;
	}
	for (uint32_t i = 0; i < array->count; i++) {
		json_t *before = json_array_get(value, i);
		json_t *item =
			put(before, field, path + 2, dimension + 1, at + (size_t)i * array->stride);

		if (before ? json_array_set_new(value, i, item)
			   : json_array_append_new(value, item))
			goto failed;
	}
	return value;
failed:
	json_decref(value);
	return NULL;
}

static int put_member(json_t *object, const struct bundle_state_field *field, const char *path,
		      uint32_t dimension, const uint8_t *at)
{
	char word[WORD_BYTES];
	const char *rest = take_word(path, word);

	return json_object_set_new(object, word,
				   put(json_object_get(object, word), field, rest, dimension, at));
}

json_t *state_value_print(const struct bundle_function *function, const uint8_t *data)
{
	json_t *object;

	if (!function->state_field_count)
		return print_hex("", data, function->state_bytes);
	object = json_object();
	for (uint32_t i = 0; i < function->state_field_count; i++) {
		const struct bundle_state_field *field = &function->state_fields[i];

		if (put_member(object, field, field->name, 0, data + field->offset)) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* ---- text ---- */

static void write_real(double value, FILE *stream)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	/* So that it reads back as what it was. */
	fprintf(stream, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

void state_value_write(const json_t *value, FILE *stream)
{
	const char *key, *before = "";
	json_t *item;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		fputc('{', stream);
		json_object_foreach ((json_t *)value, key, item) {
			json_t *name = json_string(key);

			fputs(before, stream);
			json_dumpf(name, stream, JSON_ENCODE_ANY);
			json_decref(name);
			fputc(':', stream);
			state_value_write(item, stream);
			before = ",";
		}
		fputc('}', stream);
		return;
	case JSON_ARRAY:
		fputc('[', stream);
		json_array_foreach (value, i, item) {
			fputs(before, stream);
			state_value_write(item, stream);
			before = ",";
		}
		fputc(']', stream);
		return;
	case JSON_REAL:
		write_real(json_real_value(value), stream);
		return;
	default:
		json_dumpf(value, stream, JSON_ENCODE_ANY);
	}
}
