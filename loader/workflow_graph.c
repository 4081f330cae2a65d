// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The graph: no cycles, kernel before user, everything is reached. */
#include "workflow_model.h"

#include <string.h>

#include "bundle_names.h"

enum mark { UNSEEN, OPEN, DONE };

struct walk {
	struct model *model;
	enum mark marks[MODEL_FUNCTIONS_MAX];
	uint32_t path[MODEL_FUNCTIONS_MAX];
	const struct link *links[MODEL_FUNCTIONS_MAX]; /* by which the path came there */
	uint32_t depth;
	uint32_t first; /* place in model->order that is filled last */
	bool cycle;
};

/* "a -> b -> a", from that one on that stands first in the file: the output that
 * leads back to it is the one to look at. */
static void complain_cycle(struct walk *walk, const struct link *link)
{
	const struct model *model = walk->model;
	uint32_t begin = 0, first, count;
	char text[DIAG_TEXT_BYTES - 64];
	size_t used = 0;

	while (walk->path[begin] != link->index)
		begin++;
	count = walk->depth - begin;
	first = begin;
	for (uint32_t i = begin; i < walk->depth; i++)
		if (walk->path[i] < walk->path[first])
			first = i;
	for (uint32_t i = 0; i < count && used < sizeof(text); i++) {
		uint32_t at = begin + (first - begin + i) % count;

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s -> ",
					 model->functions[walk->path[at]].key->text);
	}
	model_complain(walk->model, first == begin ? link->node : walk->links[first]->node,
		       "lead one of these outputs elsewhere", "a cycle: %s%s", text,
		       model->functions[walk->path[first]].key->text);
	walk->cycle = true;
}

/* Depth first; there are at most MODEL_FUNCTIONS_MAX levels. A function gets its
 * place when all that come after it have theirs. */
static void visit(struct walk *walk, uint32_t index, const struct link *from)
{
	const struct model_function *function = &walk->model->functions[index];

	walk->marks[index] = OPEN;
	walk->links[walk->depth] = from;
	walk->path[walk->depth++] = index;
	for (uint32_t i = 0; i < FAAS_OUTPUTS_MAX; i++)
		for (uint32_t k = 0; k < function->outputs[i].link_count; k++) {
			const struct link *link = &function->outputs[i].links[k];

			if (link->kind != LINK_FUNCTION)
				continue;
			if (walk->marks[link->index] == OPEN)
				complain_cycle(walk, link);
			else if (walk->marks[link->index] == UNSEEN)
				visit(walk, link->index, link);
		}
	walk->depth--;
	walk->marks[index] = DONE;
	walk->model->order[--walk->first] = index;
}

static void check_user_link(struct model *model, const struct link *link)
{
	if (link->kind == LINK_VERDICT && link->index == VERDICT_REPLY)
		model_later(model, link->node, "lead it to a sink",
			    "`reply` from a user function is");
	else if (link->kind == LINK_VERDICT)
		model_complain(model, link->node,
			       "decide in a kernel function, before the user tier",
			       "a user function cannot %s the packet: it is gone by then",
			       bundle_verdict_words[link->index]);
	else if (link->kind == LINK_FUNCTION && model->functions[link->index].declared &&
		 model->functions[link->index].declared->has_batch)
		model_complain(model, link->node, "lead an output of a kernel function to it",
			       "%s (%s) takes events in batches, from the kernel tier only",
			       link->node->text, model->functions[link->index].declared->name);
	else if (link->kind == LINK_FUNCTION && model->functions[link->index].tier_known &&
		 model->functions[link->index].tier == TIER_KERNEL)
		model_complain(model, link->node, "put kernel functions before user functions",
			       "the kernel function %s comes after a user function",
			       link->node->text);
}

static void mark_function(struct model *model, uint32_t index)
{
	struct model_function *function = &model->functions[index];

	if (function->reached)
		return;
	function->reached = true;
	for (uint32_t i = 0; i < FAAS_OUTPUTS_MAX; i++)
		for (uint32_t k = 0; k < function->outputs[i].link_count; k++) {
			const struct link *link = &function->outputs[i].links[k];

			if (link->kind == LINK_SINK)
				model->sinks[link->index].reached = true;
			else if (link->kind == LINK_FUNCTION)
				mark_function(model, link->index);
		}
}

static void check_reached(struct model *model)
{
	/* With an unknown target, everything behind it would be blamed. */
	if (model->links_broken)
		return;
	for (uint32_t i = 0; i < model->trigger_count; i++)
		for (uint32_t k = 0; k < model->triggers[i].link_count; k++) {
			const struct link *link = &model->triggers[i].links[k];

			if (link->kind == LINK_SINK)
				model->sinks[link->index].reached = true;
			else if (link->kind == LINK_FUNCTION)
				mark_function(model, link->index);
		}
	for (uint32_t i = 0; i < model->timer_count; i++)
		mark_function(model, model->timers[i].function);
	for (uint32_t i = 0; i < model->function_count; i++)
		if (!model->functions[i].reached)
			model_complain(model, model->functions[i].key,
				       "lead a trigger or an output to it, or remove it",
				       "function %s is never reached",
				       model->functions[i].key->text);
	for (uint32_t i = 0; i < model->sink_count; i++)
		if (!model->sinks[i].reached)
			model_complain(model, model->sinks[i].key,
				       "lead an output to it, or remove it",
				       "nothing is sent to sink %s", model->sinks[i].key->text);
}

bool model_check_graph(struct model *model)
{
	struct walk walk = {.model = model, .first = model->function_count};

	/* From the last to the first, so that functions that do not depend on
	 * each other keep the order of the file. */
	for (uint32_t i = model->function_count; i-- > 0;)
		if (walk.marks[i] == UNSEEN)
			visit(&walk, i, NULL);
	for (uint32_t i = 0; i < model->function_count; i++) {
		const struct model_function *function = &model->functions[i];

		for (uint32_t k = 0; k < FAAS_OUTPUTS_MAX; k++)
			for (uint32_t l = 0; l < function->outputs[k].link_count; l++)
				if (function->tier_known && function->tier == TIER_USER)
					check_user_link(model, &function->outputs[k].links[l]);
	}
	check_reached(model);
	return !walk.cycle;
}
