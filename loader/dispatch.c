// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dispatch.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_internal.h"

#define RECENT 256

int dispatch_open(const struct dispatch_storage *storage, struct dispatch **ret)
{
	struct dispatch *dispatch = calloc(1, sizeof(*dispatch));

	if (!dispatch)
		return -ENOMEM;
	dispatch->storage = storage;
	dispatch->ports = calloc(FAAS_PORTS, sizeof(*dispatch->ports));
	dispatch->classes = calloc(FAAS_CLASSES, sizeof(*dispatch->classes));
	if (!dispatch->ports || !dispatch->classes) {
		dispatch_close(dispatch);
		return -ENOMEM;
	}
	if (storage) {
		memcpy(dispatch->ports, storage->ports, FAAS_PORTS * sizeof(*dispatch->ports));
		for (uint32_t class = 0; class < FAAS_CLASSES; class ++)
			dispatch->classes[class] = storage->classes[class].ref;
		dispatch->stages = *storage->stages;
	}
	*ret = dispatch;
	return 0;
}

void dispatch_close(struct dispatch *dispatch)
{
	if (!dispatch)
		return;
	for (enum dispatch_map map = 0; map < DISPATCH_MAPS; map++)
		free(dispatch->keyed[map].places);
	free(dispatch->ports);
	free(dispatch->classes);
	free(dispatch->made);
	free(dispatch->index);
	free(dispatch);
}

bool dispatch_empty(const struct dispatch *dispatch)
{
	const struct faas_trigger_ref *ports = &dispatch->ports[0].udp_destination;

	for (size_t i = 0; i < PORT_REFS; i++)
		if (ports[i].slot)
			return false;
	for (size_t i = 0; i < FAAS_CLASSES; i++)
		if (dispatch->classes[i].slot)
			return false;
	for (enum dispatch_map map = 0; map < DISPATCH_MAPS; map++)
		if (dispatch->keyed[map].loaded ? keyed_present(&dispatch->keyed[map]) != 0
						: (dispatch->stages & keyed_stage(map)) != 0)
			return false;
	return true;
}

/* ---- ports ------------------------------------------------------------------- */

/* Chains that a change has just been applied to: neighbouring ports share them. */
struct recent {
	struct faas_trigger_ref from[RECENT], to[RECENT];
	bool used[RECENT];
};

static struct faas_trigger_ref *port_ref(struct dispatch *dispatch, uint32_t port,
					 enum dispatch_place place)
{
	struct faas_port_entry *entry = &dispatch->ports[port];

	switch (place) {
	case PLACE_UDP_DESTINATION:
		return &entry->udp_destination;
	case PLACE_TCP_DESTINATION:
		return &entry->tcp_destination;
	case PLACE_UDP_SOURCE:
		return &entry->udp_source;
	default:
		return &entry->tcp_source;
	}
}

/* The rule that a direct ref at a port stands for. */
static struct faas_rule port_rule(uint32_t port, enum dispatch_place place)
{
	bool udp = place == PLACE_UDP_DESTINATION || place == PLACE_UDP_SOURCE;
	struct faas_rule rule = {.named = FAAS_RULE_PROTOCOL,
				 .protocol = udp ? IPPROTO_UDP : IPPROTO_TCP};

	if (place == PLACE_UDP_DESTINATION || place == PLACE_TCP_DESTINATION) {
		rule.named |= FAAS_RULE_DESTINATION_PORT;
		rule.destination_port_first = rule.destination_port_last = (uint16_t)port;
	} else {
		rule.named |= FAAS_RULE_SOURCE_PORT;
		rule.source_port_first = rule.source_port_last = (uint16_t)port;
	}
	return rule;
}

static int change_ref(struct dispatch *dispatch, struct faas_trigger_ref *ref,
		      const struct faas_rule *direct, const struct change *change)
{
	struct rule_list list;
	int error = list_read(dispatch, *ref, direct, &list);

	if (!error)
		error = list_change(&list, change);
	return error ? error : list_write(dispatch, &list, ref);
}

static int change_port(struct dispatch *dispatch, uint32_t port, enum dispatch_place place,
		       const struct change *change, struct recent *recent)
{
	struct faas_trigger_ref *ref = port_ref(dispatch, port, place), from = *ref;
	struct faas_rule direct = port_rule(port, place);
	uint32_t at = (from.slot * 31u + from.trigger) % RECENT;
	int error;

	/* A direct ref means another rule at each port. */
	if (from.slot && !faas_ref_is_chain(from))
		return change_ref(dispatch, ref, &direct, change);
	if (recent->used[at] && ref_same(recent->from[at], from)) {
		*ref = recent->to[at];
		return 0;
	}
	error = change_ref(dispatch, ref, &direct, change);
	recent->used[at] = !error;
	recent->from[at] = from;
	recent->to[at] = *ref;
	return error;
}

static int insert_ports(struct dispatch *dispatch, enum dispatch_place place,
			const struct change *change)
{
	bool destination = place == PLACE_UDP_DESTINATION || place == PLACE_TCP_DESTINATION;
	const struct faas_rule *rule = change->insert;
	uint32_t first = destination ? rule->destination_port_first : rule->source_port_first;
	uint32_t last = destination ? rule->destination_port_last : rule->source_port_last;
	struct recent recent = {.used = {false}};
	int error = 0;

	for (uint32_t port = first; !error && port <= last; port++)
		error = change_port(dispatch, port, place, change, &recent);
	return error;
}

static int remove_ports(struct dispatch *dispatch, enum dispatch_place place,
			const struct change *change)
{
	struct recent recent = {.used = {false}};
	int error = 0;

	for (uint32_t port = 0; !error && port < FAAS_PORTS; port++) {
		struct faas_trigger_ref ref = *port_ref(dispatch, port, place);

		if (ref.slot == change->slot || faas_ref_is_chain(ref))
			error = change_port(dispatch, port, place, change, &recent);
	}
	return error;
}

/* ---- classes ----------------------------------------------------------------- */

/* The rule that a direct ref in a class stands for. */
static struct faas_rule class_rule(uint32_t class)
{
	struct faas_rule rule = {0};

	if (class >= FAAS_CLASS_VLAN) {
		rule.named = FAAS_RULE_VLAN;
		rule.vlan = (uint16_t)(class - FAAS_CLASS_VLAN);
	} else if (class >= FAAS_CLASS_ICMP) {
		bool v6 = class >= FAAS_CLASS_ICMPV6;

		rule.named = FAAS_RULE_ICMP_TYPE | FAAS_RULE_PROTOCOL;
		rule.protocol = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		rule.icmp_type = (uint8_t)(class - (v6 ? FAAS_CLASS_ICMPV6 : FAAS_CLASS_ICMP));
	} else if (class >= FAAS_CLASS_PROTOCOL) {
		rule.named = FAAS_RULE_PROTOCOL;
		rule.protocol = (uint8_t)(class - FAAS_CLASS_PROTOCOL);
	}
	return rule;
}

static int change_class(struct dispatch *dispatch, uint32_t class, const struct change *change)
{
	struct faas_rule direct = class_rule(class);

	return change_ref(dispatch, &dispatch->classes[class], &direct, change);
}

static int remove_classes(struct dispatch *dispatch, const struct change *change)
{
	int error = 0;

	for (uint32_t class = 0; !error && class < FAAS_CLASSES; class ++)
		if (dispatch->classes[class].slot)
			error = change_class(dispatch, class, change);
	return error;
}

/* ---- rules ------------------------------------------------------------------- */

static int insert_rule(struct dispatch *dispatch, const struct change *change)
{
	enum dispatch_place place = dispatch_rule_place(change->insert);

	switch (place) {
	case PLACE_DESTINATIONS:
		return keyed_change(dispatch, DISPATCH_DESTINATIONS, change);
	case PLACE_SOURCES:
		return keyed_change(dispatch, DISPATCH_SOURCES, change);
	case PLACE_ETHERTYPES:
		return keyed_change(dispatch, DISPATCH_ETHERTYPES, change);
	case PLACE_CLASSES:
		return change_class(dispatch, dispatch_rule_class(change->insert), change);
	default:
		return insert_ports(dispatch, place, change);
	}
}

int dispatch_insert(struct dispatch *dispatch, const struct faas_rule *rules, uint32_t count,
		    struct dispatch_refusal *ret)
{
	int error = 0;

	for (uint32_t i = 0; !error && i < count; i++) {
		struct change change = {.insert = &rules[i], .refusal = ret};

		assert(!rules[i].next && !rules[i].checks);
		error = insert_rule(dispatch, &change);
	}
	return error;
}

static int compare_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct faas_rule));
}

int dispatch_remove(struct dispatch *dispatch, uint32_t slot, const struct faas_rule *keep,
		    uint32_t keep_count)
{
	struct faas_rule *sorted = calloc((size_t)keep_count + 1, sizeof(*sorted));
	struct dispatch_refusal unused;
	struct change change = {
		.slot = slot, .keep = sorted, .keep_count = keep_count, .refusal = &unused};
	int error = 0;

	if (!sorted)
		return -ENOMEM;
	if (keep_count) {
		memcpy(sorted, keep, keep_count * sizeof(*keep));
		qsort(sorted, keep_count, sizeof(*sorted), compare_bytes);
	}
	for (enum dispatch_place place = PLACE_UDP_DESTINATION; !error && place <= PLACE_TCP_SOURCE;
	     place++)
		error = remove_ports(dispatch, place, &change);
	if (!error)
		error = remove_classes(dispatch, &change);
	for (enum dispatch_map map = 0; !error && map < DISPATCH_MAPS; map++)
		error = keyed_change(dispatch, map, &change);
	free(sorted);
	return error;
}
