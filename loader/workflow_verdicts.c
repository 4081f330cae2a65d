// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* verdicts: which kernel function takes what a user function decides about a key. */
#include "workflow_model.h"

#include <string.h>

#include "bundle_names.h"
#include "suggest.h"

struct model_function *model_find_function(struct model *model, const char *name)
{
	for (uint32_t i = 0; i < model->function_count; i++)
		if (!strcmp(model->functions[i].key->text, name))
			return &model->functions[i];
	return NULL;
}

/* The map that takes verdicts, NULL: the function has none. */
static const struct function_map *map_of(const struct function *declared)
{
	for (uint32_t i = 0; i < declared->map_count; i++)
		if (declared->maps[i].takes_verdicts)
			return &declared->maps[i];
	return NULL;
}

static void read_target(struct model *model, const struct yaml_node *node,
			const struct yaml_node **ret)
{
	static const char advice[] = "name a kernel function that takes verdicts, such as a `gate`";
	const char *text = model_text(model, node, "where a verdict leads to");
	const struct model_function *target = text ? model_find_function(model, text) : NULL;

	if (!text)
		return;
	if (!target)
		model_complain(model, node, advice, "no function is named `%s`", text);
	else if (target->declared && (target->tier == TIER_USER || !map_of(target->declared)))
		model_complain(model, node, advice, "%s (%s) takes no verdicts", text,
			       target->declared->name);
	else
		*ret = node;
}

void model_read_verdicts(struct model *model, struct model_function *function)
{
	const struct yaml_node *node = yaml_get(function->body, "verdicts");
	const struct function *declared = function->declared;

	if (!node)
		return;
	if (node->kind != YAML_MAPPING) {
		model_complain(model, node, "write {VERDICT: FUNCTION}",
			       "`verdicts` must be a mapping, not %s", yaml_kind_name(node));
		return;
	}
	yaml_for_each (key, node) {
		const char *words[FAAS_VERDICTS_MAX];
		char advice[512] = "it gives no verdicts";
		uint32_t i = 0;

		if (!declared)
			return;
		for (; i < declared->verdict_count; i++) {
			words[i] = declared->verdicts[i].name;
			if (!strcmp(words[i], key->text))
				break;
		}
		if (i < declared->verdict_count) {
			read_target(model, key->value, &function->verdict_nodes[i]);
			continue;
		}
		if (i)
			suggest_advice(key->text, words, i, "its verdicts", advice, sizeof(advice));
		model_complain(model, key, advice, "%s has no verdict `%s`", declared->name,
			       key->text);
	}
}

/* Whether the parts of the event's key are the words of the set. */
static bool same_parts(const struct model_function *function, const struct function_param *param,
		       uint64_t words)
{
	uint64_t parts = 0;

	for (uint32_t i = 0; i < function->event_key_count; i++)
		for (uint32_t k = 0; k < param->choice_count; k++)
			if (!strcmp(param->choices[k],
				    bundle_key_part_name(function->event_key[i])))
				parts |= 1ull << k;
	return parts == words;
}

static void check_key(struct model *model, const struct model_function *function,
		      const struct yaml_node *node)
{
	const struct model_function *target = model_find_function(model, node->text);
	const struct function_map *map =
		target && target->declared ? map_of(target->declared) : NULL;
	char key[128];

	if (!map)
		return; /* has been said */
	if (same_parts(function, &target->declared->params[map->key_param],
		       (uint64_t)target->params[map->key_param].integer))
		return;
	model_key_text(function->event_key, function->event_key_count, key, sizeof(key));
	model_complain(model, node, "write the same parts in both",
		       "%s decides about the key %s, and `%s` of %s is another: %s",
		       function->key->text, key, target->declared->params[map->key_param].name,
		       node->text, target->params[map->key_param].text);
}

void model_check_verdicts(struct model *model, const struct model_function *function)
{
	for (uint32_t i = 0; i < FAAS_VERDICTS_MAX; i++)
		if (function->verdict_nodes[i])
			check_key(model, function, function->verdict_nodes[i]);
}
