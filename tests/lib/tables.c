// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "tables.h"

#include <netinet/in.h>
#include <string.h>

#include "frame.h"

#define STEPS_MAX 8 /* of a chain */

static const struct faas_trigger_ref none;

static uint8_t whole_bits(const char *network, uint8_t bits)
{
	return (uint8_t)(strchr(network, ':') ? bits : bits + 96);
}

struct faas_rule tables_rule(const struct tables_rule *from)
{
	struct faas_rule rule = from->rule;

	if (from->destination) {
		frame_address(from->destination, rule.destination);
		rule.destination_bits = whole_bits(from->destination, rule.destination_bits);
	}
	if (from->source) {
		frame_address(from->source, rule.source);
		rule.source_bits = whole_bits(from->source, rule.source_bits);
	}
	return rule;
}

struct faas_prefix_key tables_prefix_key(const struct tables_prefix *prefix)
{
	struct faas_prefix_key key = {.bits = whole_bits(prefix->network, prefix->bits)};

	frame_address(prefix->network, key.address);
	return key;
}

uint32_t tables_stages(const struct tables *tables)
{
	uint32_t stages = 0;

	for (int i = 0; i < TABLES_PREFIXES_MAX && tables->prefixes[i].network; i++)
		stages |= tables->prefixes[i].destination ? FAAS_STAGE_DESTINATION
							  : FAAS_STAGE_SOURCE;
	if (tables->ethertypes[0].ethertype)
		stages |= FAAS_STAGE_ETHERTYPE;
	for (int i = 0; i < TABLES_CLASSES_MAX; i++) {
		uint32_t class = tables->classes[i].class;

		if (!tables->classes[i].ref.slot)
			continue;
		stages |= class >= FAAS_CLASS_VLAN	 ? FAAS_STAGE_VLAN
			  : class >= FAAS_CLASS_ICMP	 ? FAAS_STAGE_ICMP
			  : class >= FAAS_CLASS_PROTOCOL ? FAAS_STAGE_PROTOCOL
							 : FAAS_STAGE_ANY;
	}
	return stages;
}

/* One bit after the other. */
static bool begins_with(const uint8_t address[16], const uint8_t network[16], unsigned int bits)
{
	for (unsigned int i = 0; i < bits; i++) {
		uint8_t mask = (uint8_t)(0x80 >> (i % 8));

		if ((address[i / 8] & mask) != (network[i / 8] & mask))
			return false;
	}
	return true;
}

static bool within(unsigned int value, unsigned int first, unsigned int last)
{
	return first <= value && value <= last;
}

static bool fits(const struct faas_rule *rule, const struct reading *reading)
{
	bool answers[8];

	answers[0] = within(reading->destination_port, rule->destination_port_first,
			    rule->destination_port_last);
	answers[1] = within(reading->source_port, rule->source_port_first, rule->source_port_last);
	answers[2] = reading->version && (rule->destination_bits >= 96 || reading->version == 6) &&
		     begins_with(reading->destination, rule->destination, rule->destination_bits);
	answers[3] = reading->version && (rule->source_bits >= 96 || reading->version == 6) &&
		     begins_with(reading->source, rule->source, rule->source_bits);
	answers[4] = reading->icmp_type == rule->icmp_type;
	answers[5] = reading->ethertype == rule->ethertype;
	answers[6] = reading->vlan == rule->vlan;
	answers[7] = reading->version && reading->protocol == rule->protocol;
	for (int i = 0; i < 8; i++)
		if ((rule->checks >> i & 1) && !answers[i])
			return false;
	return true;
}

static struct faas_trigger_ref follow(const struct tables *tables, const struct reading *reading,
				      struct faas_trigger_ref ref)
{
	uint32_t index = ref.trigger;

	if (ref.slot < FAAS_REF_CHAIN)
		return ref;
	for (int step = 0; step < STEPS_MAX && index && index < TABLES_RULES_MAX; step++) {
		struct faas_rule rule = tables_rule(&tables->rules[index]);

		if (fits(&rule, reading))
			return rule.leads_to;
		index = rule.next;
	}
	return none;
}

static struct faas_trigger_ref by_port(const struct tables *tables, const struct reading *reading,
				       bool destination)
{
	uint16_t port = destination ? reading->destination_port : reading->source_port;
	bool udp = reading->protocol == IPPROTO_UDP;

	for (int i = 0; reading->class == READING_PORTS && i < TABLES_PORTS_MAX; i++) {
		const struct faas_port_entry *entry = &tables->ports[i].entry;

		if (port && tables->ports[i].port == port)
			return destination ? udp ? entry->udp_destination : entry->tcp_destination
			       : udp	   ? entry->udp_source
					   : entry->tcp_source;
	}
	return none;
}

static struct faas_trigger_ref by_prefix(const struct tables *tables, const struct reading *reading,
					 bool destination)
{
	struct faas_trigger_ref longest = none;
	int longest_bits = -1;

	for (int i = 0; i < TABLES_PREFIXES_MAX && tables->prefixes[i].network; i++) {
		const struct tables_prefix *prefix = &tables->prefixes[i];
		struct faas_prefix_key key = tables_prefix_key(prefix);

		if (!reading->version || prefix->destination != destination ||
		    (int)key.bits <= longest_bits ||
		    !begins_with(destination ? reading->destination : reading->source, key.address,
				 key.bits))
			continue;
		longest = prefix->ref;
		longest_bits = (int)key.bits;
	}
	return longest;
}

static struct faas_trigger_ref by_ethertype(const struct tables *tables,
					    const struct reading *reading)
{
	for (int i = 0; i < TABLES_ETHERTYPES_MAX && tables->ethertypes[i].ethertype; i++)
		if (tables->ethertypes[i].ethertype == reading->ethertype)
			return tables->ethertypes[i].ref;
	return none;
}

static struct faas_trigger_ref by_class(const struct tables *tables, bool has, uint32_t class)
{
	for (int i = 0; has && i < TABLES_CLASSES_MAX; i++)
		if (tables->classes[i].ref.slot && tables->classes[i].class == class)
			return tables->classes[i].ref;
	return none;
}

struct faas_trigger_ref tables_find(const struct tables *tables, const struct reading *reading)
{
	uint32_t icmp = reading->version == 6 ? FAAS_CLASS_ICMPV6 : FAAS_CLASS_ICMP;
	/* clang-format off */
	const struct faas_trigger_ref places[] = {
		by_port(tables, reading, true),
		by_port(tables, reading, false),
		by_prefix(tables, reading, true),
		by_prefix(tables, reading, false),
		by_class(tables, reading->icmp_type >= 0, icmp + (uint32_t)reading->icmp_type),
		by_ethertype(tables, reading),
		by_class(tables, reading->vlan != 0, FAAS_CLASS_VLAN + reading->vlan),
		by_class(tables, reading->version != 0, FAAS_CLASS_PROTOCOL + reading->protocol),
		by_class(tables, true, FAAS_CLASS_ANY),
	};
	/* clang-format on */

	if (reading->class == READING_MALFORMED)
		return none;
	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct faas_trigger_ref found = follow(tables, reading, places[i]);

		if (found.slot)
			return found;
	}
	return none;
}

uint16_t tables_trigger(const struct tables *tables, const void *frame, uint32_t bytes)
{
	struct reading reading;

	frame_read(frame, bytes, &reading);
	return tables_find(tables, &reading).trigger;
}
