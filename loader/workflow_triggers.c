// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* triggers: which packets a workflow gets. */
#include "workflow_model.h"

#include <fnmatch.h>
#include <string.h>

#include "bundle_match.h"
#include "bundle_names.h"

static const struct key_rule trigger_rules[] = {
	{"packet", KEY_REQUIRED,
	 "write `packet: {interfaces: [NAME], match: {...}}`, or `timer: {every: 60s}`"},
	{"mode", KEY_OPTIONAL, NULL},
	{"priority", KEY_OPTIONAL, NULL},
	{"importance", KEY_OPTIONAL, NULL},
	{"to", KEY_REQUIRED, "write `to: FUNCTION`"},
	{NULL, KEY_OPTIONAL, NULL},
};

static const struct key_rule packet_rules[] = {
	{"interfaces", KEY_REQUIRED, "write `interfaces: [NAME]`"},
	{"hook", KEY_OPTIONAL, NULL},
	{"match", KEY_REQUIRED, "write `match: {protocol: udp, destination_port: PORT}`"},
	{NULL, KEY_OPTIONAL, NULL},
};

static void read_interface(struct model *model, const struct yaml_node *node,
			   struct model_trigger *trigger)
{
	struct bundle_trigger *result = &trigger->result;
	const char *text = model_text(model, node, "an interface");

	if (!text)
		return;
	if (!bundle_interface_valid(text)) {
		model_complain(model, node, "`ip link` lists the names of interfaces",
			       "`%s` cannot be the name of an interface", text);
		return;
	}
	for (uint32_t i = 0; i < result->interface_count; i++)
		if (!strcmp(result->interfaces[i], text)) {
			model_complain(model, node, "remove it", "interface %s is there twice",
				       text);
			return;
		}
	if (result->interface_count == FAAS_TRIGGER_INTERFACES_MAX) {
		model_complain(model, node, "make another trigger",
			       "%s is one interface more than a trigger may have, %d", text,
			       FAAS_TRIGGER_INTERFACES_MAX);
		return;
	}
	trigger->interfaces[result->interface_count] = node;
	snprintf(result->interfaces[result->interface_count++], FAAS_INTERFACE_BYTES, "%s", text);
}

static void check_any(struct model *model, const struct model_trigger *trigger)
{
	const struct bundle_trigger *result = &trigger->result;

	for (uint32_t i = 0; i < result->interface_count && result->interface_count > 1; i++)
		if (!strcmp(result->interfaces[i], BUNDLE_ANY_INTERFACE))
			model_complain(model, trigger->interfaces[i],
				       "remove it, or the names beside it",
				       "`any` is every interface, and stands alone");
}

static void read_packet(struct model *model, const struct yaml_node *key,
			struct model_trigger *trigger)
{
	const struct yaml_node *interfaces, *hook, *match;
	int word;

	if (!model_keys(model, key->value, key, "`packet`", packet_rules))
		return;
	interfaces = yaml_get(key->value, "interfaces");
	hook = yaml_get(key->value, "hook");
	match = yaml_key(key->value, "match");
	if (interfaces && interfaces->kind == YAML_SEQUENCE && !interfaces->count)
		model_complain(model, interfaces, "name an interface, such as [eth0]",
			       "`interfaces` is empty");
	if (interfaces)
		model_for_each_item (item, interfaces)
			read_interface(model, item, trigger);
	check_any(model, trigger);
	if (hook) {
		word = model_word(model, hook, "`hook`", bundle_hook_words, NULL);
		trigger->result.hook = word < 0 ? HOOK_XDP : (enum bundle_hook)word;
	}
	if (match)
		model_read_match(model, match, &trigger->result.match);
}

static void read_to(struct model *model, const struct yaml_node *node,
		    struct model_trigger *trigger)
{
	const struct link_list list = {trigger->links, FAAS_TRIGGER_TARGETS_MAX,
				       &trigger->link_count};

	if (!model_first_item(node)) {
		model_complain(model, node, "name a function or a sink", "`to` is empty");
		model->links_broken = true;
	}
	model_for_each_item (item, node) {
		uint32_t before = trigger->link_count;

		model_add_link(model, &list, "the trigger", true, item);
		if (trigger->link_count == before || trigger->links[before].kind != LINK_VERDICT)
			continue;
		model_complain(model, item,
			       "name a kernel function; its outputs may lead to verdicts",
			       "a trigger leads to functions and sinks, not to the verdict `%s`",
			       bundle_verdict_words[trigger->links[before].index]);
		trigger->link_count--;
		model->links_broken = true;
	}
}

/* Lower than 0 as well, which model_number() does not take. */
static void read_priority(struct model *model, const struct yaml_node *node,
			  struct model_trigger *trigger)
{
	const char *text = model_text(model, node, "`priority`");
	struct value value;

	if (!text)
		return;
	if (value_parse(PARAM_S64, text, &value) || value.integer < -BUNDLE_PRIORITY_MAX ||
	    value.integer > BUNDLE_PRIORITY_MAX)
		model_complain(model, node, "write a number from -1000 to 1000; the higher wins",
			       "`priority`: `%s` is no priority", text);
	else
		trigger->result.priority = (int16_t)value.integer;
}

static void read_trigger(struct model *model, struct model_trigger *trigger)
{
	const struct yaml_node *key = trigger->key, *packet, *mode, *priority, *importance, *to;
	char what[FAAS_NAME_BYTES + 16];
	int word;

	snprintf(what, sizeof(what), "trigger %.*s", FAAS_NAME_BYTES, key->text);
	if (!model_keys(model, key->value, key, what, trigger_rules)) {
		model->links_broken = true;
		return;
	}
	packet = yaml_key(key->value, "packet");
	mode = yaml_get(key->value, "mode");
	priority = yaml_get(key->value, "priority");
	importance = yaml_get(key->value, "importance");
	to = yaml_get(key->value, "to");
	if (packet)
		read_packet(model, packet, trigger);
	if (mode) {
		word = model_word(model, mode, "`mode`", bundle_mode_words, NULL);
		trigger->result.mode = word < 0 ? MODE_COPY : (enum bundle_mode)word;
	}
	if (priority)
		read_priority(model, priority, trigger);
	if (importance) {
		word = model_word(model, importance, "`importance`", bundle_importance_words, NULL);
		trigger->result.importance =
			word < 0 ? IMPORTANCE_NORMAL : (enum bundle_importance)word;
	}
	if (to)
		read_to(model, to, trigger);
	else
		model->links_broken = true;
}

/* ---- what two triggers of one workflow may not both have ---- */

/* Whether one interface may be meant by both. Two patterns may overlap in a way that
 * shows only when they are resolved, which load does. */
static bool interfaces_meet(const char *a, const char *b)
{
	return !strcmp(a, BUNDLE_ANY_INTERFACE) || !strcmp(b, BUNDLE_ANY_INTERFACE) ||
	       !strcmp(a, b) || !fnmatch(a, b, 0) || !fnmatch(b, a, 0);
}

static bool is_xdp(enum bundle_hook hook)
{
	return hook == HOOK_XDP || hook == HOOK_XDP_GENERIC;
}

/* On an interface that both are on. */
static void compare_there(struct model *model, const struct model_trigger *trigger,
			  const struct model_trigger *other, const struct yaml_node *interface)
{
	const struct bundle_trigger *a = &trigger->result, *b = &other->result;
	char what[BUNDLE_CONFLICT_BYTES];

	if (a->hook != b->hook && is_xdp(a->hook) && is_xdp(b->hook))
		model_complain(model, interface, "write the same `hook` in both",
			       "triggers %s and %s attach to %s in two ways", other->key->text,
			       trigger->key->text, interface->text);
	else if (a->hook == b->hook && a->priority == b->priority &&
		 bundle_match_conflict(&a->match, &b->match, what))
		model_complain(model, interface,
			       "a packet goes to one trigger: match it in one, or write "
			       "`priority: 1` in the one that wins",
			       "triggers %s and %s both match %s on %s, equally specific",
			       other->key->text, trigger->key->text, what, interface->text);
}

static void compare_triggers(struct model *model, const struct model_trigger *trigger,
			     const struct model_trigger *other)
{
	if (trigger->result.id == other->result.id)
		model_complain(model, trigger->key, "rename one of them",
			       "triggers %s and %s get the same id from their names, %u",
			       other->key->text, trigger->key->text, trigger->result.id);
	for (uint32_t i = 0; i < trigger->result.interface_count; i++)
		for (uint32_t k = 0; k < other->result.interface_count; k++)
			if (interfaces_meet(trigger->result.interfaces[i],
					    other->result.interfaces[k])) {
				compare_there(model, trigger, other, trigger->interfaces[i]);
				break;
			}
}

void model_read_triggers(struct model *model, const struct yaml_node *node)
{
	if (!node)
		return;
	if (node->kind != YAML_MAPPING || !node->count) {
		model_complain(model, node,
			       "write a trigger below it: its name, and what it matches",
			       "`triggers` must be a mapping with at least one trigger");
		model->links_broken = true;
		return;
	}
	yaml_for_each (key, node) {
		struct model_trigger *trigger;

		if (key->value->kind == YAML_MAPPING && yaml_key(key->value, "timer")) {
			model_read_timer(model, key);
			continue;
		}
		if (model->trigger_count == FAAS_TRIGGERS_MAX) {
			model_complain(model, key, "split the workflow", "more than %d triggers",
				       FAAS_TRIGGERS_MAX);
			model->links_broken = true;
			return;
		}
		trigger = &model->triggers[model->trigger_count++];
		trigger->key = key;
		trigger->result.id = bundle_trigger_id(key->text);
		if (model_name(model, key, "trigger"))
			snprintf(trigger->result.name, sizeof(trigger->result.name), "%s",
				 key->text);
		read_trigger(model, trigger);
		for (struct model_trigger *other = model->triggers; other < trigger; other++)
			compare_triggers(model, trigger, other);
	}
	if (!model->trigger_count && !model->links_broken)
		model_complain(model, node, "write a trigger of packets as well",
			       "a workflow with timers and no trigger of packets is not supported "
			       "by this version");
	model_compare_timers(model);
}
