// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* triggers: which packets a workflow gets. */
#include "workflow_model.h"

#include <string.h>

#include "bundle_names.h"

static const struct key_rule trigger_rules[] = {
	{"packet", KEY_REQUIRED, "write `packet: {interfaces: [NAME], match: {...}}`"},
	{"mode", KEY_OPTIONAL, NULL},
	{"to", KEY_REQUIRED, "write `to: FUNCTION`"},
	{"timer", KEY_LATER, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

static const struct key_rule packet_rules[] = {
	{"interfaces", KEY_REQUIRED, "write `interfaces: [NAME]`"},
	{"hook", KEY_OPTIONAL, NULL},
	{"match", KEY_REQUIRED, "write `match: {protocol: udp, destination_port: PORT}`"},
	{NULL, KEY_OPTIONAL, NULL},
};

static const struct key_rule match_rules[] = {
	{"protocol", KEY_REQUIRED, "write `protocol: udp` or `protocol: tcp`"},
	{"destination_port", KEY_OPTIONAL, NULL},
	{"source_port", KEY_OPTIONAL, NULL},
	{"port", KEY_OPTIONAL, NULL},
	{"source", KEY_LATER, "match by port, and let a kernel function look at addresses"},
	{"destination", KEY_LATER, "match by port, and let a kernel function look at addresses"},
	{"vlan", KEY_LATER, NULL},
	{"ethertype", KEY_LATER, NULL},
	{"icmp", KEY_LATER, NULL},
	{"any", KEY_LATER, "name the ports"},
	{NULL, KEY_OPTIONAL, NULL},
};

static const char *const hook_later[] = {"tc-ingress", "tc-egress", NULL};
static const char *const mode_later[] = {"observe", NULL};
static const char *const protocol_later[] = {"icmp", "icmpv6", "sctp", "any", NULL};

static void read_interface(struct model *model, const struct yaml_node *node,
			   struct model_trigger *trigger)
{
	struct bundle_trigger *result = &trigger->result;
	const char *text = model_text(model, node, "an interface");

	if (!text)
		return;
	if (!strcmp(text, "any") || strpbrk(text, "*?[")) {
		model_later(model, node, "name each interface",
			    strcmp(text, "any") ? "the pattern `%s` for interfaces is"
						: "`%s` as an interface is",
			    text);
		return;
	}
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

static bool is_range(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits && (text[digits] == '-' || text[digits] == ':') && text[digits + 1];
}

static void add_port(struct model *model, const struct yaml_node *node, const char *direction,
		     uint64_t port, uint16_t *ports, uint32_t *count)
{
	for (uint32_t i = 0; i < *count; i++)
		if (ports[i] == port) {
			model_complain(model, node, "remove it", "%s port %s is there twice",
				       direction, node->text);
			return;
		}
	if (*count == FAAS_TRIGGER_PORTS_MAX) {
		model_complain(model, node, "make another trigger",
			       "%s is one %s port more than a trigger may have, %d", node->text,
			       direction, FAAS_TRIGGER_PORTS_MAX);
		return;
	}
	ports[(*count)++] = (uint16_t)port;
}

static void read_ports(struct model *model, const struct yaml_node *match, const char *name,
		       bool destination, bool source, struct bundle_match *ret)
{
	const struct yaml_node *node = yaml_get(match, name);
	char what[32];

	if (!node)
		return;
	snprintf(what, sizeof(what), "`%s`", name);
	if (node->kind == YAML_SEQUENCE && !node->count)
		model_complain(model, node, "name a port", "%s is empty", what);
	model_for_each_item (item, node) {
		uint64_t port;

		if (item->kind == YAML_SCALAR && is_range(item->text)) {
			model_later(model, item, "list the ports: [5005, 5006]",
				    "the port range `%s` is", item->text);
			continue;
		}
		if (!model_number(model, item, what, PARAM_U32, 1, FAAS_PORTS - 1, &port))
			continue;
		if (destination)
			add_port(model, item, "destination", port, ret->destination_ports,
				 &ret->destination_port_count);
		if (source)
			add_port(model, item, "source", port, ret->source_ports,
				 &ret->source_port_count);
	}
}

static void read_match(struct model *model, const struct yaml_node *key, struct bundle_match *ret)
{
	const struct yaml_node *match = key->value, *protocol;
	int word;

	if (!model_keys(model, match, key, "`match`", match_rules))
		return;
	protocol = yaml_get(match, "protocol");
	word = protocol ? model_word(model, protocol, "`protocol`", bundle_protocol_words,
				     protocol_later)
			: -1;
	ret->protocol = word >= 0 ? bundle_protocol_values[word] : PROTOCOL_UDP;
	read_ports(model, match, "destination_port", true, false, ret);
	read_ports(model, match, "source_port", false, true, ret);
	read_ports(model, match, "port", true, true, ret);
	if (!yaml_key(match, "destination_port") && !yaml_key(match, "source_port") &&
	    !yaml_key(match, "port"))
		model_complain(model, key, "add `destination_port: PORT`",
			       "`match` names no port; matching all ports is not supported by this "
			       "version");
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
	if (hook) {
		word = model_word(model, hook, "`hook`", bundle_hook_words, hook_later);
		trigger->result.hook = word < 0 ? HOOK_XDP : (enum bundle_hook)word;
	}
	if (match)
		read_match(model, match, &trigger->result.match);
}

static void read_to(struct model *model, const struct yaml_node *node,
		    struct model_trigger *trigger)
{
	const struct yaml_node *first = model_first_item(node);

	trigger->to.kind = LINK_BROKEN;
	if (!first) {
		model_complain(model, node, "name a function or a sink", "`to` is empty");
		model->links_broken = true;
		return;
	}
	model_link(model, first, &trigger->to);
	model->links_broken |= trigger->to.kind == LINK_BROKEN;
	if (trigger->to.kind == LINK_VERDICT) {
		model_complain(model, first,
			       "name a kernel function; its outputs may lead to verdicts",
			       "a trigger leads to a function or a sink, not to the verdict `%s`",
			       first->text);
		trigger->to.kind = LINK_BROKEN;
		model->links_broken = true;
	}
	if (model_next_item(node, first))
		model_later(model, model_next_item(node, first),
			    "lead the trigger to a kernel function, and its output to both",
			    "a trigger with several targets is");
}

static void read_trigger(struct model *model, struct model_trigger *trigger)
{
	const struct yaml_node *key = trigger->key, *packet, *mode, *to;
	char what[FAAS_NAME_BYTES + 16];
	int word;

	snprintf(what, sizeof(what), "trigger %.*s", FAAS_NAME_BYTES, key->text);
	trigger->to.kind = LINK_BROKEN;
	if (!model_keys(model, key->value, key, what, trigger_rules)) {
		model->links_broken = true;
		return;
	}
	packet = yaml_key(key->value, "packet");
	mode = yaml_get(key->value, "mode");
	to = yaml_get(key->value, "to");
	if (packet)
		read_packet(model, packet, trigger);
	if (mode) {
		word = model_word(model, mode, "`mode`", bundle_mode_words, mode_later);
		trigger->result.mode = word < 0 ? MODE_COPY : (enum bundle_mode)word;
	}
	if (to)
		read_to(model, to, trigger);
	else
		model->links_broken = true;
}

/* ---- what two triggers of one workflow may not both have ---- */

static bool find_port(const uint16_t *a, uint32_t a_count, const uint16_t *b, uint32_t b_count,
		      uint16_t *ret)
{
	for (uint32_t i = 0; i < a_count; i++)
		for (uint32_t k = 0; k < b_count; k++)
			if (a[i] == b[k]) {
				*ret = a[i];
				return true;
			}
	return false;
}

static void compare_matches(struct model *model, const struct model_trigger *trigger,
			    const struct model_trigger *other, const struct yaml_node *interface)
{
	const struct bundle_match *a = &trigger->result.match, *b = &other->result.match;
	const char *direction = "destination";
	uint16_t port;
	bool both;

	if (a->protocol != b->protocol)
		return;
	both = find_port(a->destination_ports, a->destination_port_count, b->destination_ports,
			 b->destination_port_count, &port);
	if (!both) {
		direction = "source";
		both = find_port(a->source_ports, a->source_port_count, b->source_ports,
				 b->source_port_count, &port);
	}
	if (both)
		model_complain(model, interface, "a packet goes to one trigger: name it in one",
			       "triggers %s and %s both match %s port %u on %s", other->key->text,
			       trigger->key->text, direction, port, interface->text);
}

static void compare_triggers(struct model *model, const struct model_trigger *trigger,
			     const struct model_trigger *other)
{
	for (uint32_t i = 0; i < trigger->result.interface_count; i++)
		for (uint32_t k = 0; k < other->result.interface_count; k++) {
			if (strcmp(trigger->result.interfaces[i], other->result.interfaces[k]))
				continue;
			if (trigger->result.hook != other->result.hook)
				model_complain(model, trigger->interfaces[i],
					       "write the same `hook` in both",
					       "triggers %s and %s attach to %s in two ways",
					       other->key->text, trigger->key->text,
					       trigger->interfaces[i]->text);
			compare_matches(model, trigger, other, trigger->interfaces[i]);
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

		if (model->trigger_count == FAAS_TRIGGERS_MAX) {
			model_complain(model, key, "split the workflow", "more than %d triggers",
				       FAAS_TRIGGERS_MAX);
			model->links_broken = true;
			return;
		}
		trigger = &model->triggers[model->trigger_count++];
		trigger->key = key;
		trigger->result.id = model->trigger_count;
		if (model_name(model, key, "trigger"))
			snprintf(trigger->result.name, sizeof(trigger->result.name), "%s",
				 key->text);
		read_trigger(model, trigger);
		for (struct model_trigger *other = model->triggers; other < trigger; other++)
			compare_triggers(model, trigger, other);
	}
}
