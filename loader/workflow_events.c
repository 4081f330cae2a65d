// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What events carry. The key comes in where the kernel tier hands over, and stays
 * with the event. Fields: what kernel functions set goes with the packet and into
 * the events made of it; what a user function emits replaces that.
 */
#include "workflow_model.h"

#include <string.h>

struct key {
	bool known;
	enum bundle_key_part parts[FAAS_KEY_PARTS_MAX];
	uint32_t count;
	const char *from; /* who brings it, for messages */
};

/* What is known of one function's events. */
struct incoming {
	bool direct;	 /* from the kernel tier, or from a trigger */
	bool incomplete; /* something upstream is unknown: do not blame this one */
	/* The timer that makes events without a key, here or upstream; NULL: none. */
	const struct model_timer *keyless;
	struct key inherited;
	struct key key; /* in the end */
	/* Bit k of [i]: output k of function i is on a way to here. */
	uint8_t passed[MODEL_FUNCTIONS_MAX];
	/* Bit i: the function's input i is set on some way to here. */
	uint32_t inputs;
};

struct events {
	struct model *model;
	struct incoming incoming[MODEL_FUNCTIONS_MAX];
};

static bool same_key(const struct key *a, const struct key *b)
{
	/* The order of parts makes the bytes of the key, so it counts. */
	return a->count == b->count && !memcmp(a->parts, b->parts, a->count * sizeof(a->parts[0]));
}

static void own_key(const struct model_function *function, struct key *ret)
{
	ret->known = true;
	ret->count = function->event_key_count;
	memcpy(ret->parts, function->event_key, sizeof(ret->parts));
	ret->from = function->key->text;
}

static void complain_keys(struct model *model, const struct yaml_node *node, const char *name,
			  const struct key *a, const struct key *b)
{
	char text[2][128];

	model_key_text(a->parts, a->count, text[0], sizeof(text[0]));
	model_key_text(b->parts, b->count, text[1], sizeof(text[1]));
	model_complain(model, node,
		       "all user functions behind one handoff share its key: write the same `key` "
		       "where the kernel hands over",
		       "function %s gets events with two keys: %s (from %s) and %s (from %s)", name,
		       text[0], a->from, text[1], b->from);
}

/* A timer calls a function with state once for each key, which events must have
 * brought; and any other once, without a key. */
static void settle_timers(struct events *events, uint32_t index)
{
	struct incoming *incoming = &events->incoming[index];
	const struct model *model = events->model;
	bool keyed = model->functions[index].has_state &&
		     (incoming->direct || incoming->inherited.known);

	for (uint32_t i = 0; i < model->timer_count && !keyed; i++)
		if (model->timers[i].to && model->timers[i].function == index)
			incoming->keyless = &model->timers[i];
}

static void settle_key(struct events *events, uint32_t index)
{
	struct incoming *incoming = &events->incoming[index];
	struct model_function *function = &events->model->functions[index];
	const struct yaml_node *node = function->key_node ? function->key_node : function->key;
	struct key own;

	if (incoming->keyless && function->has_state)
		model_complain(events->model, incoming->keyless->key,
			       "lead it to a function with state, which is called once for each "
			       "key; or `state: none` behind it",
			       "function %s keeps state for each key, and timer %s leads to it "
			       "without a key",
			       function->key->text, incoming->keyless->key->text);
	/* No event comes here, or it is not known from where: said elsewhere. */
	if (!incoming->direct && !incoming->inherited.known)
		return;
	own_key(function, &own);
	incoming->key = incoming->inherited;
	if (incoming->direct) {
		if (incoming->inherited.known && !same_key(&own, &incoming->inherited)) {
			complain_keys(events->model, node, function->key->text, &own,
				      &incoming->inherited);
			own.known = false;
		}
		incoming->key = own;
	} else if (function->key_node && incoming->inherited.known &&
		   !same_key(&own, &incoming->inherited)) {
		char text[128];

		model_key_text(incoming->inherited.parts, incoming->inherited.count, text,
			       sizeof(text));
		model_complain(events->model, node,
			       "remove it here; the key is chosen where the kernel hands over",
			       "function %s has the key of its events, which is %s (from %s)",
			       function->key->text, text, incoming->inherited.from);
	}
	if (function->key_broken)
		incoming->key.known = false;
	if (!incoming->key.known)
		return;
	if (function->has_state && !incoming->key.count)
		model_complain(
			events->model, function->key,
			incoming->direct
				? "write `key: source_address`, or another part, below it; or "
				  "`state: none`"
				: "write a `key` on the user function where the kernel hands "
				  "over; or `state: none` here",
			"function %s keeps state and has no key", function->key->text);
	function->event_key_count = incoming->key.count;
	memcpy(function->event_key, incoming->key.parts, sizeof(function->event_key));
}

/* Mark the inputs of @p to that an output's fields set. */
static void set_inputs(const struct function *from, uint32_t output, const struct function *to,
		       uint32_t *inputs)
{
	for (uint32_t i = 0; i < to->input_count; i++)
		for (uint32_t k = 0; k < from->outputs[output].field_count; k++)
			if (!strcmp(from->outputs[output].fields[k].name, to->inputs[i].name))
				*inputs |= 1u << i;
}

static void enter_from_kernel(struct events *events, uint32_t from, uint32_t output, uint32_t to)
{
	const struct model *model = events->model;
	const struct function *target = model->functions[to].declared;
	struct incoming *incoming = &events->incoming[to];

	incoming->direct = true;
	if (!target)
		return;
	for (uint32_t i = 0; i < model->function_count; i++) {
		const struct function *function = model->functions[i].declared;
		unsigned int passed = events->incoming[from].passed[i];

		if (i == from)
			passed |= 1u << output;
		for (uint32_t k = 0; passed && function && k < function->output_count; k++)
			if (passed & 1u << k)
				set_inputs(function, k, target, &incoming->inputs);
	}
}

static void pass_on(struct events *events, uint32_t from, uint32_t output, uint32_t to)
{
	struct model *model = events->model;
	const struct model_function *source = &model->functions[from];
	const struct model_function *target = &model->functions[to];
	struct incoming *before = &events->incoming[from], *after = &events->incoming[to];

	after->incomplete |= before->incomplete || !source->declared || source->layout_broken;
	if (!after->keyless)
		after->keyless = before->keyless;
	if (source->tier == TIER_KERNEL && target->tier == TIER_KERNEL) {
		for (uint32_t i = 0; i < MODEL_FUNCTIONS_MAX; i++)
			after->passed[i] |= before->passed[i];
		after->passed[from] |= (uint8_t)(1u << output);
	} else if (source->tier == TIER_KERNEL) {
		enter_from_kernel(events, from, output, to);
	} else if (target->tier == TIER_USER) {
		if (source->declared && target->declared)
			set_inputs(source->declared, output, target->declared, &after->inputs);
		if (!before->key.known)
			return;
		if (!after->inherited.known) {
			after->inherited = before->key;
			after->inherited.from = source->key->text;
		} else if (!same_key(&after->inherited, &before->key)) {
			struct key key = before->key;

			key.from = source->key->text;
			complain_keys(model, target->key, target->key->text, &after->inherited,
				      &key);
		}
	}
}

static void check_inputs(struct events *events, uint32_t index)
{
	const struct incoming *incoming = &events->incoming[index];
	const struct model_function *function = &events->model->functions[index];

	if (!function->declared || !function->reached || incoming->incomplete)
		return;
	for (uint32_t i = 0; i < function->declared->input_count; i++)
		if (!(incoming->inputs & 1u << i) && !function->declared->inputs[i].optional)
			model_complain(events->model, function->key,
				       "put a function that sets it on the way to it; "
				       "`ebpf-faas functions` shows the fields of each",
				       "function %s reads the field `%s`, which no function before "
				       "it sets",
				       function->key->text, function->declared->inputs[i].name);
}

void model_check_events(struct model *model)
{
	struct events events = {.model = model};

	for (uint32_t i = 0; i < model->trigger_count; i++)
		for (uint32_t k = 0; k < model->triggers[i].link_count; k++)
			if (model->triggers[i].links[k].kind == LINK_FUNCTION)
				events.incoming[model->triggers[i].links[k].index].direct = true;
	for (uint32_t i = 0; i < model->function_count; i++) {
		uint32_t index = model->order[i];
		const struct model_function *function = &model->functions[index];

		if (!function->tier_known) {
			events.incoming[index].incomplete = true;
		} else if (function->tier == TIER_USER) {
			settle_timers(&events, index);
			settle_key(&events, index);
			if (events.incoming[index].key.known)
				model_check_verdicts(model, function);
			check_inputs(&events, index);
		}
		for (uint32_t k = 0; k < FAAS_OUTPUTS_MAX; k++)
			for (uint32_t l = 0; l < function->outputs[k].link_count; l++)
				if (function->outputs[k].links[l].kind == LINK_FUNCTION)
					pass_on(&events, index, k,
						function->outputs[k].links[l].index);
	}
}
