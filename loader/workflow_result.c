// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The bundle of a workflow that has no mistake left, but for limits that only
 * show when it is put together.
 */
#include "workflow_model.h"

#include <string.h>

struct result {
	struct model *model;
	struct bundle *bundle;
	uint32_t origins;
};

static const struct yaml_node *functions_place(const struct model *model)
{
	return model->functions_key ? model->functions_key : model->triggers[0].key;
}

/* Number the functions of each tier in the order of the graph. */
static void number_functions(struct result *result)
{
	struct model *model = result->model;
	struct bundle *bundle = result->bundle;

	for (uint32_t i = 0; i < model->function_count; i++) {
		struct model_function *function = &model->functions[model->order[i]];

		function->result_index = function->tier == TIER_KERNEL ? bundle->kernel_count++
								       : bundle->user_count++;
	}
}

/* A way out of the kernel tier. */
static void add_entry(struct result *result, uint32_t kernel_function, uint32_t output,
		      struct link *link)
{
	struct bundle *bundle = result->bundle;
	const struct model_function *function = &result->model->functions[link->index];
	struct bundle_entry *entry;

	if (link->kind == LINK_VERDICT ||
	    (link->kind == LINK_FUNCTION && function->tier == TIER_KERNEL))
		return;
	if (bundle->entry_count == FAAS_ENTRIES_MAX) {
		model_complain(result->model, link->node, "split the workflow",
			       "more than %d ways from the kernel tier to user functions and sinks",
			       FAAS_ENTRIES_MAX);
		return;
	}
	link->entry = bundle->entry_count++;
	entry = &bundle->entries[link->entry];
	entry->kernel_function = kernel_function;
	entry->output = output;
	entry->payload_bytes_max = FAAS_EVENT_PAYLOAD_MAX;
	if (link->kind == LINK_SINK) {
		entry->kind = TARGET_SINK;
		entry->index = link->index;
		return;
	}
	entry->kind = TARGET_USER;
	entry->index = function->result_index;
	entry->key_count = function->event_key_count;
	memcpy(entry->key, function->event_key, sizeof(entry->key));
	for (uint32_t i = 0; i < entry->key_count; i++)
		entry->key_bytes += bundle_key_part_bytes(entry->key[i]);
}

static struct bundle_target target_of(const struct result *result, const struct link *link)
{
	struct bundle_target target = {
		.entry = link->entry, .index = link->index, .redirect = link->redirect};

	switch (link->kind) {
	case LINK_FUNCTION:
		target.kind = result->model->functions[link->index].tier == TIER_KERNEL
				      ? TARGET_KERNEL
				      : TARGET_USER;
		target.index = result->model->functions[link->index].result_index;
		break;
	case LINK_SINK:
		target.kind = TARGET_SINK;
		break;
	case LINK_VERDICT:
	case LINK_BROKEN: /* there is none left */
		target.kind = TARGET_VERDICT;
		break;
	}
	return target;
}

static void add_outputs(struct result *result, struct model_function *function,
			struct bundle_function *ret)
{
	const struct function *declared = function->declared;

	ret->output_count = declared->output_count;
	for (uint32_t i = 0; i < declared->output_count; i++) {
		struct bundle_output *output = &ret->outputs[i];

		snprintf(output->name, sizeof(output->name), "%s", declared->outputs[i].name);
		output->origin = result->origins++;
		if (declared->tier == TIER_USER) {
			output->field_count = declared->outputs[i].field_count;
			memcpy(output->fields, declared->outputs[i].fields, sizeof(output->fields));
		}
		output->target_count = function->outputs[i].link_count;
		for (uint32_t k = 0; k < output->target_count; k++) {
			struct link *link = &function->outputs[i].links[k];

			if (declared->tier == TIER_KERNEL)
				add_entry(result, function->result_index, i, link);
			output->targets[k] = target_of(result, link);
		}
	}
}

/* The same field in several outputs of a function is one field. */
static void add_kernel_fields(struct result *result, const struct model_function *function)
{
	struct bundle *bundle = result->bundle;
	const struct function *declared = function->declared;
	uint32_t first = bundle->kernel_field_count;

	for (uint32_t i = 0; i < declared->output_count; i++)
		for (uint32_t k = 0; k < declared->outputs[i].field_count; k++) {
			const struct bundle_field *field = &declared->outputs[i].fields[k];
			bool there = false;

			for (uint32_t l = first; l < bundle->kernel_field_count; l++)
				there |= !strcmp(bundle->kernel_fields[l].field.name, field->name);
			if (there)
				continue;
			if (bundle->kernel_field_count == FAAS_RECORD_FIELDS_MAX) {
				model_complain(result->model, function->key, "split the workflow",
					       "field `%s` of %s is one more than the kernel "
					       "functions of a workflow may set together, %d",
					       field->name, declared->name, FAAS_RECORD_FIELDS_MAX);
				return;
			}
			bundle->kernel_fields[bundle->kernel_field_count++] =
				(struct bundle_kernel_field){
					.kernel_function = function->result_index, .field = *field};
		}
}

static void add_kernel(struct result *result, const struct model_function *function,
		       struct bundle_function *ret)
{
	const struct function *declared = function->declared;

	ret->observe = function->observe;
	ret->map_count = declared->map_count;
	for (uint32_t i = 0; i < declared->map_count; i++) {
		snprintf(ret->maps[i].map, sizeof(ret->maps[i].map), "%s", declared->maps[i].name);
		ret->maps[i].takes_verdicts = declared->maps[i].takes_verdicts;
		if (declared->maps[i].is_sized)
			ret->maps[i].entries =
				(uint32_t)function->params[declared->maps[i].size_param].integer;
		if (declared->maps[i].is_filled)
			snprintf(ret->maps[i].contents, sizeof(ret->maps[i].contents),
				 BUNDLE_DATA_PREFIX "%s.%s", function->key->text,
				 declared->params[declared->maps[i].file_param].name);
	}
	add_kernel_fields(result, function);
}

static void add_user(struct model *model, const struct model_function *function,
		     struct bundle_function *ret)
{
	const struct function *declared = function->declared;

	ret->exec = function->exec;
	snprintf(ret->file, sizeof(ret->file), "user/%s.%s", ret->instance,
		 ret->exec.argument_count ? "tar" : "so");
	ret->has_state = function->has_state;
	ret->state_mode = function->state_mode;
	if (ret->has_state) {
		ret->state_bytes = declared->state_bytes;
		ret->state_version = declared->state_version;
		ret->state_keys = function->state_keys;
		memcpy(ret->state_fields, declared->state_fields, sizeof(ret->state_fields));
		ret->state_field_count = declared->state_field_count;
	}
	ret->has_timer = declared->has_timer;
	ret->has_batch = declared->has_batch;
	ret->verdict_count = declared->verdict_count;
	for (uint32_t i = 0; i < declared->verdict_count; i++) {
		const struct yaml_node *to = function->verdict_nodes[i];

		snprintf(ret->verdicts[i].name, sizeof(ret->verdicts[i].name), "%s",
			 declared->verdicts[i].name);
		ret->verdicts[i].kernel = to ? model_find_function(model, to->text)->result_index
					     : BUNDLE_NO_FUNCTION;
	}
	ret->has_migrate = declared->has_migrate;
	ret->timeout_ns = function->timeout_ns;
	ret->input_count = declared->input_count;
	for (uint32_t i = 0; i < declared->input_count; i++)
		snprintf(ret->inputs[i], sizeof(ret->inputs[i]), "%s", declared->inputs[i].name);
	ret->layout = function->layout;
	ret->key_count = function->event_key_count;
	memcpy(ret->key, function->event_key, sizeof(ret->key));
}

static void add_function(struct result *result, struct model_function *function,
			 struct workflow *workflow)
{
	const struct function *declared = function->declared;
	uint32_t index = function->result_index;
	bool kernel = declared->tier == TIER_KERNEL;
	struct bundle_function *ret =
		kernel ? &result->bundle->kernel[index] : &result->bundle->user[index];
	char *object = kernel ? workflow->kernel_objects[index] : workflow->user_objects[index];

	snprintf(ret->instance, sizeof(ret->instance), "%s", function->key->text);
	snprintf(ret->function, sizeof(ret->function), "%s", declared->name);
	snprintf(object, FAAS_PATH_BYTES, "%s", declared->object);
	ret->param_count = declared->param_count;
	memcpy(ret->params, function->params, sizeof(ret->params));
	add_outputs(result, function, ret);
	if (kernel)
		add_kernel(result, function, ret);
	else
		add_user(result->model, function, ret);
}

void model_result(struct model *model, struct workflow *ret)
{
	struct result result = {.model = model, .bundle = &ret->bundle};
	struct bundle *bundle = &ret->bundle;

	*bundle = model->head;
	number_functions(&result);
	ret->data_count = model->data_count;
	memcpy(ret->data, model->data, sizeof(ret->data));
	bundle->sink_count = model->sink_count;
	for (uint32_t i = 0; i < model->sink_count; i++)
		bundle->sinks[i] = model->sinks[i].result;
	bundle->trigger_count = model->trigger_count;
	for (uint32_t i = 0; i < model->trigger_count; i++) {
		struct model_trigger *trigger = &model->triggers[i];

		trigger->result.target_count = trigger->link_count;
		for (uint32_t k = 0; k < trigger->link_count; k++) {
			add_entry(&result, BUNDLE_FROM_TRIGGER, i, &trigger->links[k]);
			trigger->result.targets[k] = target_of(&result, &trigger->links[k]);
		}
		bundle->triggers[i] = trigger->result;
	}
	bundle->timer_count = model->timer_count;
	for (uint32_t i = 0; i < model->timer_count; i++) {
		bundle->timers[i] = model->timers[i].result;
		bundle->timers[i].function =
			model->functions[model->timers[i].function].result_index;
	}
	for (enum function_tier tier = TIER_KERNEL; tier <= TIER_USER; tier++)
		for (uint32_t i = 0; i < model->function_count; i++) {
			struct model_function *function = &model->functions[model->order[i]];

			if (function->tier == tier)
				add_function(&result, function, ret);
		}
	if (bundle->timer_count && !bundle->entry_count)
		model_complain(
			model, model->timers[0].key,
			"lead an output of a kernel function to a user function or a sink",
			"a workflow with timers, of which no event leaves the kernel tier, is "
			"not supported by this version");
	if (model->overload_key && !bundle->entry_count)
		model_complain(model, model->overload_key,
			       "remove it, or lead an output of a kernel function to a user "
			       "function or a sink",
			       "`overload` is about events, and none leaves the kernel tier");
	if (result.origins > FAAS_ORIGINS_MAX)
		model_complain(model, functions_place(model), "split the workflow",
			       "the functions have %u outputs together, the limit is %d",
			       result.origins, FAAS_ORIGINS_MAX);
}
