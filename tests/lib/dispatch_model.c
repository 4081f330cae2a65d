// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dispatch_model.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- storage ------------------------------------------------------------------ */

static struct model_entry *find_key(struct model_tables *tables, enum dispatch_map map,
				    const struct faas_prefix_key *key)
{
	for (uint32_t i = 0; i < tables->keyed_count[map]; i++)
		if (!memcmp(&tables->keyed[map][i].key, key, sizeof(*key)))
			return &tables->keyed[map][i];
	return NULL;
}

static int
load(void *context, enum dispatch_map map,
     int (*add)(void *to, const struct faas_prefix_key *key, struct faas_trigger_ref ref), void *to)
{
	struct model_tables *tables = context;

	for (uint32_t i = 0; i < tables->keyed_count[map]; i++) {
		int error = add(to, &tables->keyed[map][i].key, tables->keyed[map][i].ref);

		if (error)
			return error;
	}
	return 0;
}

static int store(void *context, enum dispatch_map map, const struct faas_prefix_key *key,
		 struct faas_trigger_ref ref)
{
	struct model_tables *tables = context;
	struct model_entry *entry = find_key(tables, map, key);

	if (tables->store_error)
		return tables->store_error;
	assert_true(ref.slot);
	if (!entry) {
		assert_true(tables->keyed_count[map] < MODEL_KEYS_MAX);
		entry = &tables->keyed[map][tables->keyed_count[map]++];
	}
	*entry = (struct model_entry){*key, ref};
	return 0;
}

static int erase(void *context, enum dispatch_map map, const struct faas_prefix_key *key)
{
	struct model_tables *tables = context;
	struct model_entry *entry = find_key(tables, map, key);

	assert_non_null(entry);
	*entry = tables->keyed[map][--tables->keyed_count[map]];
	return 0;
}

static uint32_t see(struct model_tables *tables, struct faas_trigger_ref ref, bool *seen)
{
	uint32_t number = faas_ref_is_chain(ref) ? faas_ref_chain(ref) : 0, count = 0;

	for (; number && !seen[number]; count++) {
		seen[number] = true;
		number = tables->rules[number].next;
	}
	return count;
}

static uint32_t see_all(const struct model_tables *model, bool *seen)
{
	struct model_tables *tables = (struct model_tables *)(uintptr_t)model;
	const struct faas_trigger_ref *ports = &tables->ports[0].udp_destination;
	uint32_t count = 0;

	for (size_t i = 0; i < (size_t)FAAS_PORTS * 4; i++)
		count += see(tables, ports[i], seen);
	for (size_t i = 0; i < FAAS_CLASSES; i++)
		count += see(tables, tables->classes[i].ref, seen);
	for (enum dispatch_map map = 0; map < DISPATCH_MAPS; map++)
		for (uint32_t i = 0; i < tables->keyed_count[map]; i++)
			count += see(tables, tables->keyed[map][i].ref, seen);
	return count;
}

static int barrier(void *context)
{
	struct model_tables *tables = context;

	tables->barriers++;
	memset(tables->visible, 0, sizeof(tables->visible));
	see_all(tables, tables->visible);
	return 0;
}

void model_init(struct model_tables *tables)
{
	memset(tables, 0, sizeof(*tables));
	tables->storage = (struct dispatch_storage){.ports = tables->ports,
						    .rules = tables->rules,
						    .classes = tables->classes,
						    .stages = &tables->stages,
						    .context = tables,
						    .load = load,
						    .store = store,
						    .erase = erase,
						    .barrier = barrier};
}

void model_before_commit(struct model_tables *tables)
{
	see_all(tables, tables->visible);
	memcpy(tables->seen, tables->rules, sizeof(tables->seen));
}

void model_after_commit(struct model_tables *tables)
{
	for (uint32_t i = 0; i < FAAS_RULES_MAX; i++)
		if (tables->visible[i] &&
		    memcmp(&tables->rules[i], &tables->seen[i], sizeof(tables->rules[i])))
			fail_msg("entry %u was written while a packet may have looked at it", i);
	see_all(tables, tables->visible);
}

uint32_t model_entries_used(const struct model_tables *tables)
{
	static bool seen[FAAS_RULES_MAX];

	memset(seen, 0, sizeof(seen));
	return see_all(tables, seen);
}

/* ---- the walk ------------------------------------------------------------------ */

static bool in_prefix(const uint8_t *address, const uint8_t *prefix, uint32_t bits)
{
	for (uint32_t i = 0; i < bits; i++)
		if ((address[i / 8] ^ prefix[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

/* Whether the conditions in @p checks hold. */
static bool fits(const struct faas_rule *rule, uint16_t checks, const struct model_packet *packet)
{
	if ((checks & FAAS_RULE_DESTINATION_PORT) &&
	    (!packet->has_ports || packet->destination_port < rule->destination_port_first ||
	     packet->destination_port > rule->destination_port_last))
		return false;
	if ((checks & FAAS_RULE_SOURCE_PORT) &&
	    (!packet->has_ports || packet->source_port < rule->source_port_first ||
	     packet->source_port > rule->source_port_last))
		return false;
	if ((checks & FAAS_RULE_DESTINATION) &&
	    !in_prefix(packet->destination, rule->destination, rule->destination_bits))
		return false;
	if ((checks & FAAS_RULE_SOURCE) &&
	    !in_prefix(packet->source, rule->source, rule->source_bits))
		return false;
	if ((checks & FAAS_RULE_ICMP_TYPE) &&
	    (!packet->has_icmp || packet->icmp_type != rule->icmp_type))
		return false;
	if ((checks & FAAS_RULE_ETHERTYPE) && packet->ethertype != rule->ethertype)
		return false;
	if ((checks & FAAS_RULE_VLAN) && packet->vlan != rule->vlan)
		return false;
	return !(checks & FAAS_RULE_PROTOCOL) || packet->protocol == rule->protocol;
}

static struct faas_trigger_ref follow(const struct model_tables *tables,
				      struct faas_trigger_ref ref,
				      const struct model_packet *packet)
{
	uint32_t number = faas_ref_is_chain(ref) ? faas_ref_chain(ref) : 0;

	if (!number)
		return ref;
	for (uint32_t steps = 0; number; steps++) {
		const struct faas_rule *rule = &tables->rules[number];

		assert_true(number < FAAS_RULES_MAX && steps < FAAS_CANDIDATES_MAX);
		assert_true(rule->leads_to.slot && !faas_ref_is_chain(rule->leads_to));
		if (fits(rule, rule->checks, packet))
			return rule->leads_to;
		number = rule->next;
	}
	return (struct faas_trigger_ref){0, 0};
}

static struct faas_trigger_ref longest(const struct model_tables *tables, enum dispatch_map map,
				       const uint8_t *address)
{
	struct faas_trigger_ref best = {0, 0};
	uint32_t bits = 0;

	for (uint32_t i = 0; i < tables->keyed_count[map]; i++) {
		const struct model_entry *entry = &tables->keyed[map][i];

		if ((!best.slot || entry->key.bits > bits) &&
		    in_prefix(address, entry->key.address, entry->key.bits)) {
			best = entry->ref;
			bits = entry->key.bits;
		}
	}
	return best;
}

struct faas_trigger_ref model_walk(const struct model_tables *tables,
				   const struct model_packet *packet)
{
	const struct faas_port_entry *to = &tables->ports[packet->destination_port];
	const struct faas_port_entry *from = &tables->ports[packet->source_port];
	bool udp = packet->protocol == IPPROTO_UDP;
	uint8_t ethertype[16] = {(uint8_t)(packet->ethertype >> 8), (uint8_t)packet->ethertype};
	const struct dispatch_class *classes = tables->classes;
	struct faas_trigger_ref places[9] = {{0, 0}};
	struct faas_trigger_ref none = {0, 0};

	if (packet->has_ports) {
		places[0] = udp ? to->udp_destination : to->tcp_destination;
		places[1] = udp ? from->udp_source : from->tcp_source;
	}
	if (tables->stages & FAAS_STAGE_DESTINATION)
		places[2] = longest(tables, DISPATCH_DESTINATIONS, packet->destination);
	if (tables->stages & FAAS_STAGE_SOURCE)
		places[3] = longest(tables, DISPATCH_SOURCES, packet->source);
	if (packet->has_icmp && (tables->stages & FAAS_STAGE_ICMP))
		places[4] = classes[(packet->protocol == IPPROTO_ICMP ? FAAS_CLASS_ICMP
								      : FAAS_CLASS_ICMPV6) +
				    packet->icmp_type]
				    .ref;
	if (tables->stages & FAAS_STAGE_ETHERTYPE)
		places[5] = longest(tables, DISPATCH_ETHERTYPES, ethertype);
	if (packet->vlan && (tables->stages & FAAS_STAGE_VLAN))
		places[6] = classes[FAAS_CLASS_VLAN + packet->vlan].ref;
	if (tables->stages & FAAS_STAGE_PROTOCOL)
		places[7] = classes[FAAS_CLASS_PROTOCOL + packet->protocol].ref;
	if (tables->stages & FAAS_STAGE_ANY)
		places[8] = classes[FAAS_CLASS_ANY].ref;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct faas_trigger_ref found = follow(tables, places[i], packet);

		if (found.slot)
			return found;
	}
	return none;
}

/* ---- the written order ----------------------------------------------------------- */

/* As numbers that are compared one after another; less is more specific. */
static void rank(const struct faas_rule *rule, int ret[9])
{
	uint16_t named = rule->named;

	ret[0] = named & FAAS_RULE_DESTINATION_PORT
			 ? rule->destination_port_last - rule->destination_port_first
			 : 1 << 20;
	ret[1] = named & FAAS_RULE_SOURCE_PORT ? rule->source_port_last - rule->source_port_first
					       : 1 << 20;
	ret[2] = named & FAAS_RULE_DESTINATION ? -rule->destination_bits : 1;
	ret[3] = named & FAAS_RULE_SOURCE ? -rule->source_bits : 1;
	ret[4] = !(named & FAAS_RULE_ICMP_TYPE);
	ret[5] = !(named & FAAS_RULE_ETHERTYPE);
	ret[6] = !(named & FAAS_RULE_VLAN);
	ret[7] = !(named & FAAS_RULE_PROTOCOL);
	ret[8] = -rule->priority;
}

struct faas_trigger_ref model_best(const struct faas_rule *rules, uint32_t count,
				   const struct model_packet *packet)
{
	const struct faas_rule *best = NULL;

	for (uint32_t i = 0; i < count; i++) {
		int mine[9], its[9], k = 0;

		if (!fits(&rules[i], rules[i].named, packet))
			continue;
		rank(&rules[i], mine);
		if (best)
			rank(best, its);
		while (best && k < 9 && mine[k] == its[k])
			k++;
		if (!best || (k < 9 && mine[k] < its[k]))
			best = &rules[i];
	}
	return best ? best->leads_to : (struct faas_trigger_ref){0, 0};
}
