// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where triggers and outputs lead: to functions, sinks and verdicts. */
#include "workflow_model.h"

#include <string.h>

#include "bundle_names.h"
#include "suggest.h"

#define TARGETS_MAX (MODEL_FUNCTIONS_MAX + FAAS_SINKS_MAX + 4)

static const struct key_rule redirect_rules[] = {
	{"redirect", KEY_REQUIRED, "write {redirect: INTERFACE}"},
	{NULL, KEY_OPTIONAL, NULL},
};

static void complain_target(struct model *model, const struct yaml_node *node)
{
	const char *words[TARGETS_MAX];
	char advice[512];
	size_t count = 0;

	for (uint32_t i = 0; i < model->function_count; i++)
		words[count++] = model->functions[i].key->text;
	for (uint32_t i = 0; i < model->sink_count; i++)
		words[count++] = model->sinks[i].key->text;
	for (uint32_t i = 0; bundle_verdict_words[i]; i++)
		words[count++] =
			i == VERDICT_REDIRECT ? "{redirect: INTERFACE}" : bundle_verdict_words[i];
	suggest_advice(node->text, words, count, "there are", advice, sizeof(advice));
	model_complain(model, node, advice, "no function or sink is named `%s`", node->text);
}

/* {redirect: INTERFACE}. Each interface is in the bundle once. */
static void link_redirect(struct model *model, const struct yaml_node *node, struct link *ret)
{
	const struct yaml_node *interface = yaml_get(node, "redirect");
	const char *text;
	uint32_t index = 0;

	if (!model_keys(model, node, node, "a target", redirect_rules))
		return;
	text = model_text(model, interface, "`redirect`");
	if (!text)
		return;
	if (!bundle_interface_valid(text) || strpbrk(text, "*?[")) {
		model_complain(model, interface, "`ip link` lists the names of interfaces",
			       "`redirect`: `%s` cannot be the name of an interface", text);
		return;
	}
	while (index < model->head.redirect_count && strcmp(model->head.redirects[index], text))
		index++;
	if (index == FAAS_REDIRECTS_MAX) {
		model_complain(model, interface, "split the workflow",
			       "%s is one interface more than a workflow may redirect to, %d", text,
			       FAAS_REDIRECTS_MAX);
		return;
	}
	if (index == model->head.redirect_count)
		snprintf(model->head.redirects[model->head.redirect_count++], FAAS_INTERFACE_BYTES,
			 "%s", text);
	ret->kind = LINK_VERDICT;
	ret->index = VERDICT_REDIRECT;
	ret->redirect = index;
}

static void resolve(struct model *model, const struct yaml_node *node, struct link *ret)
{
	const char *text;
	int verdict;

	*ret = (struct link){.kind = LINK_BROKEN, .node = node, .entry = BUNDLE_NO_ENTRY};
	if (node->kind == YAML_MAPPING && yaml_key(node, "redirect")) {
		link_redirect(model, node, ret);
		return;
	}
	text = model_text(model, node, "a target");
	if (!text)
		return;
	if (!strcmp(text, bundle_verdict_words[VERDICT_REDIRECT])) {
		model_complain(model, node, "write {redirect: INTERFACE}",
			       "`redirect` does not say to which interface");
		return;
	}
	verdict = bundle_word(bundle_verdict_words, text);
	if (verdict >= 0) {
		ret->kind = LINK_VERDICT;
		ret->index = (uint32_t)verdict;
	}
	for (uint32_t i = 0; i < model->function_count && verdict < 0; i++)
		if (!strcmp(model->functions[i].key->text, text)) {
			ret->kind = LINK_FUNCTION;
			ret->index = i;
			break;
		}
	for (uint32_t i = 0; i < model->sink_count && ret->kind == LINK_BROKEN; i++)
		if (!strcmp(model->sinks[i].key->text, text)) {
			ret->kind = LINK_SINK;
			ret->index = i;
		}
	if (ret->kind == LINK_BROKEN)
		complain_target(model, node);
}

/* ---- lists of targets ---- */

static bool is_same(const struct link *a, const struct link *b)
{
	return a->kind != LINK_BROKEN && a->kind == b->kind && a->index == b->index;
}

static const char *link_text(const struct link *link)
{
	return link->node->kind == YAML_MAPPING ? "redirect" : link->node->text;
}

static bool stays_in_kernel(const struct model *model, const struct link *link)
{
	return link->kind == LINK_VERDICT ||
	       (link->kind == LINK_FUNCTION && model->functions[link->index].tier_known &&
		model->functions[link->index].tier == TIER_KERNEL);
}

void model_add_link(struct model *model, const struct link_list *list, const char *from,
		    bool from_kernel, const struct yaml_node *node)
{
	struct link *link = &list->links[*list->count];

	if (*list->count == list->max) {
		model_complain(model, node, "lead it to a function that has more outputs",
			       "%s has more than %u targets", from, list->max);
		return;
	}
	resolve(model, node, link);
	model->links_broken |= link->kind == LINK_BROKEN;
	for (uint32_t i = 0; i < *list->count; i++) {
		const struct link *other = &list->links[i];

		if (is_same(link, other)) {
			model_complain(model, node, "remove one of them", "%s leads to `%s` twice",
				       from, node->text);
			return;
		}
		if (from_kernel && stays_in_kernel(model, link) && stays_in_kernel(model, other)) {
			model_complain(model, node,
				       "a packet goes one way in the kernel; several targets may "
				       "only be user functions and sinks beside it",
				       "%s leads to `%s` and `%s`, which are both in the kernel",
				       from, link_text(other), link_text(link));
			return;
		}
	}
	++*list->count;
}
