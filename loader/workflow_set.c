// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Overrides from the command line. An override changes the tree before it is
 * checked, so what it says is checked as if it stood in the file; its own text
 * takes the place of the file's name in diagnostics.
 */
#include "workflow_model.h"

#include <stdlib.h>
#include <string.h>

#include "suggest.h"

#define KEYS_MAX 64 /* candidates for a suggestion */

/* Returns false, for `return`. */
static bool fail(struct model *model, const char *place, size_t column, const char *advice,
		 const char *what, const char *word)
{
	diag_add(model->diags, DIAG_USAGE, place, 1, (unsigned int)column, advice, "`%s` %s", word,
		 what);
	return false;
}

/* Below these keys stand names that the author chose: an override does not add one. */
static bool holds_names(const char *key)
{
	return !strcmp(key, "triggers") || !strcmp(key, "functions") || !strcmp(key, "sinks");
}

static bool fail_unknown(struct model *model, const char *place, size_t column,
			 const struct yaml_node *parent, const char *word)
{
	const char *words[KEYS_MAX];
	char advice[512];
	size_t count = 0;

	yaml_for_each (key, parent)
		if (count < KEYS_MAX)
			words[count++] = key->text;
	suggest_advice(word, words, count, "the workflow's", advice, sizeof(advice));
	return fail(model, place, column, advice, "is not in the workflow", word);
}

/* One step down. NULL with a diagnostic if there is no such step. */
static struct yaml_node *descend(struct model *model, const char *place, size_t column,
				 struct yaml_node *node, const char *word,
				 const struct yaml_node *value, bool names)
{
	struct yaml_node *child = yaml_get(node, word);

	if (child && child->kind == YAML_MAPPING)
		return child;
	if (child && !yaml_is_null(child)) {
		fail(model, place, column, "end the path there", "holds no keys", word);
		return NULL;
	}
	if (names) {
		fail_unknown(model, place, column, node, word);
		return NULL;
	}
	child = yaml_mapping_new(model->document, value);
	if (!child || yaml_put(model->document, node, word, child)) {
		fail(model, place, column, NULL, "does not fit any more", word);
		return NULL;
	}
	return child;
}

static bool apply(struct model *model, struct yaml_node *root, const char *place, char *path,
		  struct yaml_node *value)
{
	char *word = path, *dot;
	bool names = false;

	for (;; word = dot + 1) {
		size_t column = strlen("--set ") + (size_t)(word - path) + 1;

		dot = strchr(word, '.');
		if (dot)
			*dot = '\0';
		if (!*word)
			return fail(model, place, column,
				    "write PATH=VALUE, such as "
				    "triggers.sensors.packet.interfaces=[eth1]",
				    "is an empty key", word);
		if (!dot && names && !yaml_key(root, word))
			return fail_unknown(model, place, column, root, word);
		if (!dot && yaml_put(model->document, root, word, value))
			return fail(model, place, column, NULL, "does not fit any more", word);
		if (!dot)
			return true;
		root = descend(model, place, column, root, word, value, names);
		if (!root)
			return false;
		names = word == path && holds_names(word);
	}
}

static bool apply_one(struct model *model, struct yaml_node *root, const char *set)
{
	const char *equals = strchr(set, '=');
	size_t before = equals ? strlen("--set ") + (size_t)(equals - set) + 1 : 0;
	size_t bytes = strlen("--set ") + strlen(set) + 1;
	char *place = malloc(bytes), *text = malloc(bytes), *path = strdup(set);
	struct yaml_node *value = NULL;
	bool applied = false;

	if (!place || !text || !path) {
		diag_fail(model->diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	snprintf(place, bytes, "--set %s", set);
	if (!equals || equals == set) {
		diag_add(model->diags, DIAG_USAGE, place, 0, 0,
			 "write PATH=VALUE, such as triggers.sensors.packet.interfaces=[eth1]",
			 "this override has no %s", equals ? "path" : "=");
		goto cleanup;
	}
	/* With blanks in the place of the path, columns count from the option. */
	snprintf(text, bytes, "%*s%s", (int)before, "", equals + 1);
	if (yaml_parse(model->document, text, strlen(text), place, &value, model->diags))
		goto cleanup;
	if (!value) {
		diag_add(model->diags, DIAG_USAGE, place, 1, (unsigned int)before + 1,
			 "write a value as YAML does, such as 5005 or [eth0, eth1]",
			 "this override has no value");
		goto cleanup;
	}
	path[equals - set] = '\0';
	applied = apply(model, root, value->file, path, value);
cleanup:
	free(place);
	free(text);
	free(path);
	return applied;
}

bool model_apply_sets(struct model *model, struct yaml_node *root)
{
	bool applied = true;

	for (unsigned int i = 0; i < model->options->set_count; i++)
		applied &= apply_one(model, root, model->options->sets[i]);
	model->failed |= !applied;
	return applied;
}
