// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bundle_names.h"

void __attribute__((format(printf, 2, 3)))
manifest_complain(const struct manifest_at *at, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diag_add(at->reader->diags, DIAG_INVALID, at->reader->place, 0, 0,
		 "build the bundle again with `ebpf-faas build`", "%s %s",
		 at->path[0] ? at->path : "the manifest", text);
	at->reader->failed = true;
}

static void __attribute__((format(printf, 3, 4)))
path_append(struct manifest_at *at, const struct manifest_at *parent, const char *format, ...)
{
	size_t used = strlen(parent->path);
	va_list arguments;

	memcpy(at->path, parent->path, used + 1);
	va_start(arguments, format);
	vsnprintf(at->path + used, sizeof(at->path) - used, format, arguments);
	va_end(arguments);
}

struct manifest_at manifest_member(const struct manifest_at *object, const char *key)
{
	struct manifest_at at = {.reader = object->reader};

	path_append(&at, object, "%s%s", object->path[0] ? "." : "", key);
	if (!object->value)
		return at;
	at.value = json_object_get(object->value, key);
	if (!at.value)
		manifest_complain(&at, "is missing");
	return at;
}

struct manifest_at manifest_element(const struct manifest_at *array, size_t index)
{
	struct manifest_at at = {.reader = array->reader,
				 .value = json_array_get(array->value, index)};

	path_append(&at, array, "[%zu]", index);
	return at;
}

void manifest_object(struct manifest_at *at, const char *const keys[])
{
	const char *key;
	json_t *value;

	if (!at->value)
		return;
	if (!json_is_object(at->value)) {
		manifest_complain(at, "is not an object");
		at->value = NULL;
		return;
	}
	json_object_foreach ((json_t *)at->value, key, value)
		if (bundle_word(keys, key) < 0)
			manifest_complain(at, "has an unknown member \"%s\"", key);
}

struct manifest_at manifest_array(const struct manifest_at *object, const char *key, uint32_t max,
				  uint32_t *ret_count)
{
	struct manifest_at at = manifest_member(object, key);

	*ret_count = 0;
	if (!at.value)
		return at;
	if (!json_is_array(at.value))
		manifest_complain(&at, "is not an array");
	else if (json_array_size(at.value) > max)
		manifest_complain(&at, "has %zu items, the limit is %u", json_array_size(at.value),
				  max);
	else
		*ret_count = (uint32_t)json_array_size(at.value);
	return at;
}

void manifest_read_text(const struct manifest_at *at, char *ret, size_t bytes)
{
	if (!at->value)
		return;
	if (!json_is_string(at->value))
		manifest_complain(at, "is not a string");
	else if (json_string_length(at->value) >= bytes)
		manifest_complain(at, "is longer than %zu bytes", bytes - 1);
	else
		/* No NUL inside: the parser refuses \u0000. */
		snprintf(ret, bytes, "%s", json_string_value(at->value));
}

void manifest_text(const struct manifest_at *object, const char *key, char *ret, size_t bytes)
{
	struct manifest_at at = manifest_member(object, key);

	manifest_read_text(&at, ret, bytes);
}

int64_t manifest_read_integer(const struct manifest_at *at, int64_t min, int64_t max)
{
	json_int_t value = json_integer_value(at->value);

	if (!at->value)
		return min;
	if (!json_is_integer(at->value))
		manifest_complain(at, "is not an integer");
	else if (value < min || value > max)
		manifest_complain(at, "is %lld, which is not within %lld and %lld",
				  (long long)value, (long long)min, (long long)max);
	else
		return value;
	return min;
}

int64_t manifest_integer(const struct manifest_at *object, const char *key, int64_t min,
			 int64_t max)
{
	struct manifest_at at = manifest_member(object, key);

	return manifest_read_integer(&at, min, max);
}

uint32_t manifest_u32(const struct manifest_at *object, const char *key, uint32_t min, uint32_t max)
{
	return (uint32_t)manifest_integer(object, key, min, max);
}

unsigned int manifest_read_word(const struct manifest_at *at, const char *const words[])
{
	int index;

	if (!at->value)
		return 0;
	index = json_is_string(at->value) ? bundle_word(words, json_string_value(at->value)) : -1;
	if (index < 0)
		manifest_complain(at, "is not one of the words that may stand here");
	return index < 0 ? 0 : (unsigned int)index;
}

unsigned int manifest_word(const struct manifest_at *object, const char *key,
			   const char *const words[])
{
	struct manifest_at at = manifest_member(object, key);

	return manifest_read_word(&at, words);
}

bool manifest_bool(const struct manifest_at *object, const char *key)
{
	struct manifest_at at = manifest_member(object, key);

	if (at.value && !json_is_boolean(at.value))
		manifest_complain(&at, "is neither true nor false");
	return json_is_true(at.value);
}
