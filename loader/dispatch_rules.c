// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dispatch_rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "phrase.h"

#define IPV4_BITS 96 /* of ::ffff:0:0/96, which all IPv4 prefixes are below */
#define NO_PORT_WIDTH (FAAS_PORTS + 1)

/* Whether two addresses agree in their first @p bits. */
static bool same_prefix(const uint8_t *a, const uint8_t *b, int bits)
{
	int bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, (size_t)bytes))
		return false;
	return !rest || !((a[bytes] ^ b[bytes]) >> (8 - rest));
}

/* ---- from a match to rules ------------------------------------------------- */

static void set_destination_port(const struct bundle_match *match, uint32_t index,
				 struct faas_rule *rule)
{
	rule->named |= FAAS_RULE_DESTINATION_PORT;
	rule->destination_port_first = match->destination_ranges[index].first;
	rule->destination_port_last = match->destination_ranges[index].last;
}

static void set_source_port(const struct bundle_match *match, uint32_t index,
			    struct faas_rule *rule)
{
	rule->named |= FAAS_RULE_SOURCE_PORT;
	rule->source_port_first = match->source_ranges[index].first;
	rule->source_port_last = match->source_ranges[index].last;
}

static void set_destination(const struct bundle_match *match, uint32_t index,
			    struct faas_rule *rule)
{
	rule->named |= FAAS_RULE_DESTINATION;
	rule->destination_bits = match->destinations[index].bits;
	memcpy(rule->destination, match->destinations[index].address, sizeof(rule->destination));
}

static void set_source(const struct bundle_match *match, uint32_t index, struct faas_rule *rule)
{
	rule->named |= FAAS_RULE_SOURCE;
	rule->source_bits = match->sources[index].bits;
	memcpy(rule->source, match->sources[index].address, sizeof(rule->source));
}

static void set_icmp_type(const struct bundle_match *match, uint32_t index, struct faas_rule *rule)
{
	rule->named |= FAAS_RULE_ICMP_TYPE;
	rule->icmp_type = match->icmp_types[index];
}

static void set_ethertype(const struct bundle_match *match, uint32_t index, struct faas_rule *rule)
{
	rule->named |= FAAS_RULE_ETHERTYPE;
	rule->ethertype = match->ethertypes[index];
}

static void set_vlan(const struct bundle_match *match, uint32_t index, struct faas_rule *rule)
{
	rule->named |= FAAS_RULE_VLAN;
	rule->vlan = match->vlans[index];
}

/* One list of a match: each of its elements goes into rules of their own. */
struct list {
	uint32_t count;
	void (*set)(const struct bundle_match *match, uint32_t index, struct faas_rule *rule);
};

#define LISTS_MAX 7

/* Append the product of the lists to @p ret, which holds *count already. */
static int product(const struct bundle_match *match, const struct list lists[LISTS_MAX],
		   const struct faas_rule *base, struct faas_rule *ret, uint32_t *count)
{
	uint32_t at[LISTS_MAX] = {0};
	uint64_t combinations = 1;

	for (uint32_t i = 0; i < LISTS_MAX; i++)
		if (lists[i].count)
			combinations *= lists[i].count;
	if (*count + combinations > FAAS_TRIGGER_RULES_MAX)
		return -E2BIG;
	while (combinations--) {
		struct faas_rule *rule = &ret[(*count)++];

		*rule = *base;
		for (uint32_t i = 0; i < LISTS_MAX; i++)
			if (lists[i].count)
				lists[i].set(match, at[i], rule);
		for (uint32_t i = 0; i < LISTS_MAX; i++) {
			if (++at[i] < lists[i].count)
				break;
			at[i] = 0;
		}
	}
	return 0;
}

/* All IPv4 addresses are within ::/0 as they are written here. They are not meant. */
static void keep_to_ipv6(uint16_t condition, uint32_t bits, const uint8_t *address,
			 struct faas_rule *rule)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!(rule->named & condition) || bits >= IPV4_BITS ||
	    !same_prefix(address, mapped, (int)bits) || (rule->named & FAAS_RULE_ETHERTYPE))
		return;
	rule->named |= FAAS_RULE_ETHERTYPE;
	rule->ethertype = ETH_P_IPV6;
}

int dispatch_rules_expand(const struct bundle_trigger *trigger, uint32_t slot,
			  struct faas_rule *ret, uint32_t *ret_count)
{
	const struct bundle_match *match = &trigger->match;
	struct list lists[LISTS_MAX] = {
		{match->destination_range_count, set_destination_port},
		{match->source_range_count, set_source_port},
		{match->destination_count, set_destination},
		{match->source_count, set_source},
		{match->icmp_type_count, set_icmp_type},
		{match->ethertype_count, set_ethertype},
		{match->vlan_count, set_vlan},
	};
	struct faas_rule base = {.leads_to = {(uint16_t)slot, (uint16_t)trigger->id},
				 .priority = trigger->priority};
	uint32_t count = 0;
	int error;

	if (match->has_protocol) {
		base.named |= FAAS_RULE_PROTOCOL;
		base.protocol = match->ip_protocol;
	}
	if ((match->destination_range_count || match->source_range_count) &&
	    !(match->has_protocol &&
	      (match->ip_protocol == IPPROTO_UDP || match->ip_protocol == IPPROTO_TCP)))
		return -EINVAL;
	if (match->icmp_type_count &&
	    !(match->has_protocol &&
	      (match->ip_protocol == IPPROTO_ICMP || match->ip_protocol == IPPROTO_ICMPV6)))
		return -EINVAL;
	error = product(match, lists, &base, ret, &count);
	if (!error && match->either_port) {
		struct bundle_match turned = *match;

		/* The same ports again, as those of the source. */
		memcpy(turned.source_ranges, match->destination_ranges,
		       sizeof(turned.source_ranges));
		lists[0].count = 0;
		lists[1].count = match->destination_range_count;
		error = product(&turned, lists, &base, ret, &count);
	}
	if (error)
		return error;
	for (uint32_t i = 0; i < count; i++) {
		keep_to_ipv6(FAAS_RULE_DESTINATION, ret[i].destination_bits, ret[i].destination,
			     &ret[i]);
		keep_to_ipv6(FAAS_RULE_SOURCE, ret[i].source_bits, ret[i].source, &ret[i]);
	}
	*ret_count = count;
	return 0;
}

/* ---- places ---------------------------------------------------------------- */

enum dispatch_place dispatch_rule_place(const struct faas_rule *rule)
{
	bool udp = rule->protocol == IPPROTO_UDP;

	if (rule->named & FAAS_RULE_DESTINATION_PORT)
		return udp ? PLACE_UDP_DESTINATION : PLACE_TCP_DESTINATION;
	if (rule->named & FAAS_RULE_SOURCE_PORT)
		return udp ? PLACE_UDP_SOURCE : PLACE_TCP_SOURCE;
	if (rule->named & FAAS_RULE_DESTINATION)
		return PLACE_DESTINATIONS;
	if (rule->named & FAAS_RULE_SOURCE)
		return PLACE_SOURCES;
	if (rule->named & FAAS_RULE_ICMP_TYPE)
		return PLACE_CLASSES;
	return rule->named & FAAS_RULE_ETHERTYPE ? PLACE_ETHERTYPES : PLACE_CLASSES;
}

uint32_t dispatch_rule_class(const struct faas_rule *rule)
{
	if (rule->named & FAAS_RULE_ICMP_TYPE)
		return (rule->protocol == IPPROTO_ICMP ? FAAS_CLASS_ICMP : FAAS_CLASS_ICMPV6) +
		       rule->icmp_type;
	if (rule->named & FAAS_RULE_VLAN)
		return FAAS_CLASS_VLAN + rule->vlan;
	if (rule->named & FAAS_RULE_PROTOCOL)
		return FAAS_CLASS_PROTOCOL + rule->protocol;
	return FAAS_CLASS_ANY;
}

uint16_t dispatch_rule_checks(const struct faas_rule *rule)
{
	uint16_t implied = 0;

	switch (dispatch_rule_place(rule)) {
	case PLACE_UDP_DESTINATION:
	case PLACE_TCP_DESTINATION:
		implied = FAAS_RULE_DESTINATION_PORT | FAAS_RULE_PROTOCOL;
		break;
	case PLACE_UDP_SOURCE:
	case PLACE_TCP_SOURCE:
		implied = FAAS_RULE_SOURCE_PORT | FAAS_RULE_PROTOCOL;
		break;
	case PLACE_DESTINATIONS:
		implied = FAAS_RULE_DESTINATION;
		break;
	case PLACE_SOURCES:
		implied = FAAS_RULE_SOURCE;
		break;
	case PLACE_ETHERTYPES:
		implied = FAAS_RULE_ETHERTYPE;
		break;
	case PLACE_CLASSES:
		if (rule->named & FAAS_RULE_ICMP_TYPE)
			implied = FAAS_RULE_ICMP_TYPE | FAAS_RULE_PROTOCOL;
		else if (rule->named & FAAS_RULE_VLAN)
			implied = FAAS_RULE_VLAN;
		else
			implied = FAAS_RULE_PROTOCOL;
		break;
	}
	return (uint16_t)(rule->named & ~implied);
}

/* ---- two rules ------------------------------------------------------------- */

static int port_width(const struct faas_rule *rule, uint16_t condition)
{
	if (!(rule->named & condition))
		return NO_PORT_WIDTH;
	return condition == FAAS_RULE_DESTINATION_PORT
		       ? rule->destination_port_last - rule->destination_port_first + 1
		       : rule->source_port_last - rule->source_port_first + 1;
}

/* Bits that a prefix leaves open; more than any if none is named. */
static int prefix_width(const struct faas_rule *rule, uint16_t condition)
{
	if (!(rule->named & condition))
		return 129;
	return 128 -
	       (condition == FAAS_RULE_DESTINATION ? rule->destination_bits : rule->source_bits);
}

int dispatch_rule_specificity(const struct faas_rule *a, const struct faas_rule *b)
{
	static const uint16_t ports[] = {FAAS_RULE_DESTINATION_PORT, FAAS_RULE_SOURCE_PORT};
	static const uint16_t prefixes[] = {FAAS_RULE_DESTINATION, FAAS_RULE_SOURCE};
	static const uint16_t named[] = {FAAS_RULE_ICMP_TYPE, FAAS_RULE_ETHERTYPE, FAAS_RULE_VLAN,
					 FAAS_RULE_PROTOCOL};
	int difference = 0;

	for (size_t i = 0; !difference && i < sizeof(ports) / sizeof(ports[0]); i++)
		difference = port_width(a, ports[i]) - port_width(b, ports[i]);
	for (size_t i = 0; !difference && i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		difference = prefix_width(a, prefixes[i]) - prefix_width(b, prefixes[i]);
	for (size_t i = 0; !difference && i < sizeof(named) / sizeof(named[0]); i++)
		difference = !!(b->named & named[i]) - !!(a->named & named[i]);
	return difference;
}

int dispatch_rule_order(const struct faas_rule *a, const struct faas_rule *b)
{
	struct faas_rule left = *a, right = *b;
	int difference = dispatch_rule_specificity(a, b);

	if (!difference)
		difference = b->priority - a->priority;
	if (difference)
		return difference;
	left.next = right.next = 0;
	left.checks = right.checks = 0;
	return memcmp(&left, &right, sizeof(left));
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

bool dispatch_rules_overlap(const struct faas_rule *a, const struct faas_rule *b)
{
	uint16_t both = a->named & b->named;

	if ((both & FAAS_RULE_DESTINATION_PORT) &&
	    (a->destination_port_first > b->destination_port_last ||
	     b->destination_port_first > a->destination_port_last))
		return false;
	if ((both & FAAS_RULE_SOURCE_PORT) && (a->source_port_first > b->source_port_last ||
					       b->source_port_first > a->source_port_last))
		return false;
	if ((both & FAAS_RULE_DESTINATION) &&
	    !same_prefix(a->destination, b->destination,
			 smaller(a->destination_bits, b->destination_bits)))
		return false;
	if ((both & FAAS_RULE_SOURCE) &&
	    !same_prefix(a->source, b->source, smaller(a->source_bits, b->source_bits)))
		return false;
	if ((both & FAAS_RULE_ICMP_TYPE) && a->icmp_type != b->icmp_type)
		return false;
	if ((both & FAAS_RULE_ETHERTYPE) && a->ethertype != b->ethertype)
		return false;
	if ((both & FAAS_RULE_VLAN) && a->vlan != b->vlan)
		return false;
	return !(both & FAAS_RULE_PROTOCOL) || a->protocol == b->protocol;
}

bool dispatch_rules_collide(const struct faas_rule *a, const struct faas_rule *b)
{
	if (a->leads_to.slot == b->leads_to.slot && a->leads_to.trigger == b->leads_to.trigger)
		return false;
	return a->priority == b->priority && !dispatch_rule_specificity(a, b) &&
	       dispatch_rules_overlap(a, b);
}

/* ---- words ----------------------------------------------------------------- */

static void append_ports(char *text, size_t bytes, const char *what, uint16_t first, uint16_t last)
{
	if (first == last)
		phrase_add(text, bytes, " %s port %u", what, first);
	else
		phrase_add(text, bytes, " %s ports %u-%u", what, first, last);
}

static void append_prefix(char *text, size_t bytes, const char *what, const uint8_t *address,
			  int bits)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool ipv4 = bits >= IPV4_BITS && !memcmp(address, mapped, sizeof(mapped));
	char printed[INET6_ADDRSTRLEN];

	inet_ntop(ipv4 ? AF_INET : AF_INET6, ipv4 ? address + sizeof(mapped) : address, printed,
		  sizeof(printed));
	phrase_add(text, bytes, " %s %s/%d", what, printed, ipv4 ? bits - IPV4_BITS : bits);
}

static void append_protocol(char *text, size_t bytes, uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_UDP:
		phrase_add(text, bytes, " udp");
		break;
	case IPPROTO_TCP:
		phrase_add(text, bytes, " tcp");
		break;
	case IPPROTO_ICMP:
		phrase_add(text, bytes, " icmp");
		break;
	case IPPROTO_ICMPV6:
		phrase_add(text, bytes, " icmpv6");
		break;
	default:
		phrase_add(text, bytes, " protocol %u", protocol);
	}
}

void dispatch_rule_text(const struct faas_rule *rule, char *ret, size_t bytes)
{
	char text[DISPATCH_RULE_TEXT_BYTES] = "";

	if (rule->named & FAAS_RULE_PROTOCOL)
		append_protocol(text, sizeof(text), rule->protocol);
	if (rule->named & FAAS_RULE_DESTINATION_PORT)
		append_ports(text, sizeof(text), "destination", rule->destination_port_first,
			     rule->destination_port_last);
	if (rule->named & FAAS_RULE_SOURCE_PORT)
		append_ports(text, sizeof(text), "source", rule->source_port_first,
			     rule->source_port_last);
	if (rule->named & FAAS_RULE_DESTINATION)
		append_prefix(text, sizeof(text), "destination", rule->destination,
			      rule->destination_bits);
	if (rule->named & FAAS_RULE_SOURCE)
		append_prefix(text, sizeof(text), "source", rule->source, rule->source_bits);
	if (rule->named & FAAS_RULE_ICMP_TYPE)
		phrase_add(text, sizeof(text), " type %u", rule->icmp_type);
	if (rule->named & FAAS_RULE_ETHERTYPE)
		phrase_add(text, sizeof(text), " ethertype 0x%04x", rule->ethertype);
	if (rule->named & FAAS_RULE_VLAN)
		phrase_add(text, sizeof(text), " vlan %u", rule->vlan);
	snprintf(ret, bytes, "%s", text[0] ? text + 1 : "any packet");
}
