// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* triggers of time: which function is called how often. */
#include "workflow_model.h"

#include <string.h>

static const struct key_rule trigger_rules[] = {
	{"timer", KEY_REQUIRED, NULL},
	{"to", KEY_REQUIRED, "write `to: FUNCTION`"},
	{NULL, KEY_OPTIONAL, NULL},
};

static const struct key_rule timer_rules[] = {
	{"every", KEY_REQUIRED, "write `every: 60s`"},
	{NULL, KEY_OPTIONAL, NULL},
};

static void read_every(struct model *model, const struct yaml_node *key, struct model_timer *timer)
{
	const struct yaml_node *every;
	struct value value;
	const char *text;
	char why[160];
	int err;

	if (!model_keys(model, key->value, key, "`timer`", timer_rules))
		return;
	every = yaml_get(key->value, "every");
	text = every ? model_text(model, every, "`every`") : NULL;
	if (!text)
		return;
	err = value_parse(PARAM_DURATION, text, &value);
	if (err) {
		value_explain(PARAM_DURATION, err, why, sizeof(why));
		model_complain(model, every, "write a duration, such as 60s", "`every`: `%s` %s",
			       text, why);
	} else if ((uint64_t)value.integer < BUNDLE_TIMER_MIN_NS ||
		   (uint64_t)value.integer > BUNDLE_TIMER_MAX_NS) {
		model_complain(model, every, "allowed are 1ms to 366d",
			       "`every`: %s is out of range", text);
	} else {
		timer->result.every_ns = (uint64_t)value.integer;
	}
}

static void read_to(struct model *model, const struct yaml_node *node, struct model_timer *timer)
{
	static const char advice[] = "name one user function that has faas_on_timer; "
				     "`ebpf-faas functions` shows which have";
	static const char exec_advice[] = "write `timer: true` there, and have it take timers";
	const char *text = model_text(model, node, "`to` of a timer");
	const struct model_function *function = text ? model_find_function(model, text) : NULL;

	if (!function) {
		if (text)
			model_complain(model, node, advice, "no function is named `%s`", text);
		model->links_broken = true;
		return;
	}
	/* What is wrong with the function itself is said there. */
	if (function->tier_known && function->tier == TIER_KERNEL)
		model_complain(model, node, advice,
			       "a timer leads to a user function, and %s is a "
			       "kernel function",
			       text);
	else if (function->declared && !function->declared->has_timer)
		model_complain(model, node, function->exec.argument_count ? exec_advice : advice,
			       function->exec.argument_count ? "%s (%s) has no `timer`"
							     : "%s (%s) has no faas_on_timer",
			       text, function->declared->name);
	timer->to = node;
	timer->function = (uint32_t)(function - model->functions);
}

void model_read_timer(struct model *model, const struct yaml_node *key)
{
	const struct yaml_node *to = yaml_get(key->value, "to");
	struct model_timer *timer;
	char what[FAAS_NAME_BYTES + 16];

	snprintf(what, sizeof(what), "trigger %.*s", FAAS_NAME_BYTES, key->text);
	if (yaml_key(key->value, "packet")) {
		model_complain(model, key, "make two triggers of it",
			       "%s is one of packets and one of time", what);
		model->links_broken = true;
		return;
	}
	if (model->timer_count == FAAS_TIMERS_MAX) {
		model_complain(model, key, "split the workflow", "more than %d triggers of time",
			       FAAS_TIMERS_MAX);
		model->links_broken = true;
		return;
	}
	timer = &model->timers[model->timer_count++];
	timer->key = key;
	timer->result.id = bundle_trigger_id(key->text);
	if (model_name(model, key, "trigger"))
		snprintf(timer->result.name, sizeof(timer->result.name), "%s", key->text);
	(void)model_keys(model, key->value, key, what, trigger_rules);
	read_every(model, yaml_key(key->value, "timer"), timer);
	if (to)
		read_to(model, to, timer);
	else
		model->links_broken = true;
}

static void compare(struct model *model, const struct model_timer *timer,
		    const struct yaml_node *other, uint32_t id)
{
	if (timer->result.id == id)
		model_complain(model, timer->key, "rename one of them",
			       "triggers %s and %s get the same id from their names, %u",
			       other->text, timer->key->text, id);
}

void model_compare_timers(struct model *model)
{
	for (uint32_t i = 0; i < model->timer_count; i++) {
		for (uint32_t k = 0; k < i; k++)
			compare(model, &model->timers[i], model->timers[k].key,
				model->timers[k].result.id);
		for (uint32_t k = 0; k < model->trigger_count; k++)
			compare(model, &model->timers[i], model->triggers[k].key,
				model->triggers[k].result.id);
	}
}
