// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* overload: what happens to events that the worker does not manage, and to their
 * packets; on_failure: packets while nothing of the workflow runs. */
#include "workflow_model.h"

#include "bundle_names.h"

static const struct key_rule overload_rules[] = {
	{"packet", KEY_OPTIONAL, NULL},
	{"event", KEY_OPTIONAL, NULL},
	{"deadline", KEY_OPTIONAL, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

static const char *const event_words[] = {"lose", "shed", NULL};

/* With `event: shed`. Behind the workers, whose class says how late they may look. */
static void read_deadline(struct model *model, const struct yaml_node *key)
{
	const struct yaml_node *deadline = yaml_get(key->value, "deadline");
	bool economy = model->head.worker_class == WORKER_ECONOMY;

	if (deadline)
		model_bounded(
			model, deadline, economy ? "`deadline` with class economy" : "`deadline`",
			PARAM_DURATION, economy ? "4ms" : "1ms", "10s", &model->head.deadline_ns);
	else
		model_complain(model, key,
			       "write `deadline: 5ms`: the time within which an event that is "
			       "not shed is to be processed",
			       "`event: shed` needs a `deadline`");
	model->overload_key = key;
}

/* Where nothing is shed, nothing may say what is shed first. */
static void refuse_importance(struct model *model)
{
	for (uint32_t i = 0; i < model->trigger_count; i++) {
		const struct yaml_node *body = model->triggers[i].key->value;
		const struct yaml_node *importance =
			body->kind == YAML_MAPPING ? yaml_key(body, "importance") : NULL;

		if (importance)
			model_complain(model, importance,
				       "write `overload: {event: shed, deadline: 5ms}`, or remove "
				       "it",
				       "`importance` says whose events are shed first, and none "
				       "are");
	}
}

void model_read_overload(struct model *model, const struct yaml_node *root)
{
	const struct yaml_node *key = yaml_key(root, "overload"), *packet, *event;
	const struct yaml_node *on_failure = yaml_get(root, "on_failure");
	int word = 0;

	if (on_failure)
		model->head.on_failure_drop = model_word(model, on_failure, "`on_failure`",
							 bundle_pass_drop_words, NULL) == 1;
	if (!key) {
		refuse_importance(model);
		return;
	}
	if (!model_keys(model, key->value, key, "`overload`", overload_rules))
		return;
	packet = yaml_get(key->value, "packet");
	event = yaml_get(key->value, "event");
	if (packet && model_word(model, packet, "`packet`", bundle_pass_drop_words, NULL) == 1) {
		model->head.overload_drop = true;
		model->overload_key = key;
	}
	if (event)
		word = model_word(model, event, "`event`", event_words, NULL);
	if (word == 1) {
		read_deadline(model, key);
		return;
	}
	if (word == 0 && yaml_key(key->value, "deadline"))
		model_complain(model, yaml_key(key->value, "deadline"),
			       "write `event: shed` beside it, or remove it",
			       "`deadline` is for events that are shed, and none are");
	refuse_importance(model);
}
