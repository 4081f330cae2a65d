// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The manifest has all of a bundle, with numbers in the place of names. Here names are
 * put back, and what only numbers the parts is left out; then two trees are compared.
 */
#include "bundle_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workflow_value.h"

#define PATH_BYTES 512
#define DIGEST_CHARS 12 /* of a file's digest: enough to see that it is another */

/* Of a manifest, what says nothing to a person: numbers of parts, what follows from
 * the rest, names that became keys. */
static const char *const left_out[] = {"id",   "origin",  "entry", "index",	   "format",
				       "file", "entries", "name",  "instance",	   "files",
				       "map",  "type",	  "unit",  "kernel_fields"};

static bool is_left_out(const char *key)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (!strcmp(key, left_out[i]))
			return true;
	return false;
}

static json_t *simplify(const struct bundle *bundle, const char *key, const json_t *value);

/* The name of what a target leads to. */
static const char *target_name(const struct bundle *bundle, const json_t *target)
{
	const char *kind = json_string_value(json_object_get(target, "kind"));
	const char *verdict = json_string_value(json_object_get(target, "verdict"));
	json_int_t index = json_integer_value(json_object_get(target, "index"));
	json_int_t redirect = json_integer_value(json_object_get(target, "redirect"));

	if (verdict && json_object_get(target, "redirect") && redirect < bundle->redirect_count)
		return bundle->redirects[redirect];
	if (verdict)
		return verdict;
	if (kind && !strcmp(kind, "kernel") && index < bundle->kernel_count)
		return bundle->kernel[index].instance;
	if (kind && !strcmp(kind, "user") && index < bundle->user_count)
		return bundle->user[index].instance;
	if (kind && !strcmp(kind, "sink") && index < bundle->sink_count)
		return bundle->sinks[index].name;
	return "?";
}

static json_t *targets_text(const struct bundle *bundle, const json_t *targets)
{
	char text[FAAS_OUTPUT_TARGETS_MAX * (FAAS_NAME_BYTES + 2)] = "";
	const json_t *target;
	size_t i, used = 0;

	json_array_foreach (targets, i, target)
		if (used < sizeof(text))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
						 i ? ", " : "", target_name(bundle, target));
	return json_string(text);
}

static json_t *plain_text(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
	json_t *result;

	if (json_is_string(value))
		result = json_string(json_string_value(value));
	else
		result = text ? json_string(text) : NULL;
	free(text);
	return result;
}

/* What an element of a list is called; NULL: it has no name. */
static const char *name_of(const json_t *item)
{
	static const char *const keys[] = {"instance", "name", "map"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_is_string(json_object_get(item, keys[i])))
			return json_string_value(json_object_get(item, keys[i]));
	return NULL;
}

static json_t *simplify_list(const struct bundle *bundle, const char *key, const json_t *list)
{
	json_t *result, *item;
	size_t i;

	if (!strcmp(key, "targets"))
		return targets_text(bundle, list);
	if (!name_of(json_array_get(list, 0)))
		return plain_text(list);
	result = json_object();
	json_array_foreach (list, i, item)
		if (name_of(item))
			json_object_set_new(result, name_of(item), simplify(bundle, key, item));
	return result;
}

/* Numbers whose key ends in their unit: the value as people write it, and in @p name the
 * key without the unit. NULL: it is another value. */
static json_t *value_text(const char *key, const json_t *value, char *name, size_t bytes)
{
	static const struct {
		const char *suffix;
		enum bundle_param_type type;
	} units[] = {{"_ns", PARAM_DURATION}, {"_bytes", PARAM_BYTES}};
	struct value number = {.integer = json_integer_value(value)};
	char text[FAAS_VALUE_BYTES];

	for (size_t i = 0; json_is_integer(value) && i < sizeof(units) / sizeof(units[0]); i++) {
		size_t chars = strlen(key), suffix = strlen(units[i].suffix);

		if (chars <= suffix || strcmp(key + chars - suffix, units[i].suffix) != 0)
			continue;
		value_print(units[i].type, &number, text, sizeof(text));
		snprintf(name, bytes, "%.*s", (int)(chars - suffix), key);
		return json_string(text);
	}
	return NULL;
}

/* Of a function that a number names. NULL: @p key names none so. */
static const char *function_name(const struct bundle *bundle, const char *key, const json_t *value)
{
	json_int_t index = json_integer_value(value);

	if (!json_is_integer(value))
		return NULL;
	if (!strcmp(key, "function") && index < bundle->user_count)
		return bundle->user[index].instance;
	if (!strcmp(key, "kernel") && index < bundle->kernel_count)
		return bundle->kernel[index].instance;
	return NULL;
}

static void add_member(const struct bundle *bundle, const char *key, const json_t *value,
		       json_t *object)
{
	char name[FAAS_IDENTIFIER_BYTES];
	json_t *text = value_text(key, value, name, sizeof(name));

	if (text)
		json_object_set_new(object, name, text);
	else if (function_name(bundle, key, value))
		json_object_set_new(object, key, json_string(function_name(bundle, key, value)));
	else
		json_object_set_new(object, key, simplify(bundle, key, value));
}

static json_t *simplify(const struct bundle *bundle, const char *key, const json_t *value)
{
	json_t *result, *inner;
	const char *name;

	if (json_is_array(value))
		return simplify_list(bundle, key, value);
	if (!json_is_object(value))
		return plain_text(value);
	/* A parameter is what was written; a field, its type and unit. */
	if (!strcmp(key, "params"))
		return plain_text(json_object_get(value, "text"));
	if (!strcmp(key, "fields"))
		return plain_text(value);
	result = json_object();
	json_object_foreach ((json_t *)value, name, inner)
		if (!is_left_out(name))
			add_member(bundle, name, inner, result);
	return result;
}

/* The code of a function, to see whether it is another. */
static json_t *digest_text(const struct bundle *bundle, const char *path)
{
	char text[DIGEST_CHARS + 1] = "";

	for (uint32_t i = 0; i < bundle->file_count; i++)
		if (!strcmp(bundle->files[i].path, path))
			snprintf(text, sizeof(text), "%s", bundle->files[i].sha256);
	return json_string(text);
}

/* Functions of both tiers in one place, as in the file; their code by its digest. */
static json_t *view(const struct bundle *bundle)
{
	char *text = bundle_print(bundle);
	json_t *manifest = text ? json_loads(text, 0, NULL) : NULL;
	json_t *result = manifest ? simplify(bundle, "", manifest) : NULL;
	json_t *functions = json_object(), *tier;

	free(text);
	json_decref(manifest);
	if (!result || !functions) {
		json_decref(functions);
		return result;
	}
	for (uint32_t i = 0; i < bundle->user_count; i++)
		json_object_set_new(
			json_object_get(json_object_get(result, "user"), bundle->user[i].instance),
			"code", digest_text(bundle, bundle->user[i].file));
	tier = json_object_get(result, "kernel");
	if (json_is_object(tier))
		json_object_update(functions, tier);
	tier = json_object_get(result, "user");
	if (json_is_object(tier))
		json_object_update(functions, tier);
	json_object_del(result, "kernel");
	json_object_del(result, "user");
	json_object_set_new(result, "functions", functions);
	json_object_set_new(result, "kernel_code", digest_text(bundle, BUNDLE_KERNEL_OBJECT));
	return result;
}

static void add(json_t *list, const char *path, const json_t *there, const json_t *here)
{
	json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "path", path, "there",
					      there ? plain_text(there) : json_null(), "here",
					      here ? plain_text(here) : json_null()));
}

static void compare(json_t *list, const char *path, json_t *there, json_t *here)
{
	char inner[PATH_BYTES];
	const char *key;
	json_t *value;

	if (!there || !here || !json_is_object(there) || !json_is_object(here)) {
		if (!there || !here || !json_equal(there, here))
			add(list, path, there, here);
		return;
	}
	json_object_foreach (there, key, value) {
		snprintf(inner, sizeof(inner), "%s%s%s", path, path[0] ? "." : "", key);
		compare(list, inner, value, json_object_get(here, key));
	}
	json_object_foreach (here, key, value) {
		snprintf(inner, sizeof(inner), "%s%s%s", path, path[0] ? "." : "", key);
		if (!json_object_get(there, key))
			compare(list, inner, NULL, value);
	}
}

json_t *bundle_diff(const struct bundle *a, const struct bundle *b)
{
	json_t *there = view(a), *here = view(b), *list = json_array();

	if (there && here && list)
		compare(list, "", there, here);
	json_decref(there);
	json_decref(here);
	return list;
}
