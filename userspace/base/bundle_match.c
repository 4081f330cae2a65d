// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which parts of a match go together. One set of rules for the workflow file and
 * for the manifest; the first can say where the mistake stands.
 */
#include "bundle_match.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

#define FAMILY_IPV4 1u
#define FAMILY_IPV6 2u
#define FAMILY_BOTH (FAMILY_IPV4 | FAMILY_IPV6)

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_MIN 0x0600 /* below, it is a length (IEEE 802.3) */

static bool __attribute__((format(printf, 5, 6)))
fault(struct bundle_fault *ret, const char *key, uint32_t item, const char *advice,
      const char *format, ...)
{
	va_list arguments;

	ret->key = key;
	ret->item = item;
	snprintf(ret->advice, sizeof(ret->advice), "%s", advice);
	va_start(arguments, format);
	vsnprintf(ret->cause, sizeof(ret->cause), format, arguments);
	va_end(arguments);
	return false;
}

static bool has_ports(const struct bundle_match *match)
{
	return match->destination_range_count || match->source_range_count;
}

static bool has_addresses(const struct bundle_match *match)
{
	return match->destination_count || match->source_count;
}

static bool check_conditions(const struct bundle_match *match, struct bundle_fault *ret)
{
	bool some = match->has_protocol || has_ports(match) || has_addresses(match) ||
		    match->icmp_type_count || match->ethertype_count || match->vlan_count;

	if (match->any && some)
		return fault(ret, "any", BUNDLE_WHOLE, "remove it, or the other conditions",
			     "`any: true` matches every packet, and stands alone");
	if (!match->any && !some)
		return fault(ret, NULL, BUNDLE_WHOLE,
			     "write a condition, or `any: true` for every packet",
			     "`match` has no condition");
	return true;
}

/* ---- ports ---- */

static const char *destination_key(const struct bundle_match *match)
{
	return match->either_port ? "port" : "destination_port";
}

static bool check_ranges(const char *key, const struct bundle_range *ranges, uint32_t count,
			 struct bundle_fault *ret)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!ranges[i].first || ranges[i].first > ranges[i].last)
			return fault(ret, key, i, "write the smaller port first, from 1 on",
				     "`%s`: %u-%u is no range of ports", key, ranges[i].first,
				     ranges[i].last);
		for (uint32_t k = 0; k < i; k++) {
			uint16_t first = ranges[i].first > ranges[k].first ? ranges[i].first
									   : ranges[k].first;

			if (first <= ranges[i].last && first <= ranges[k].last)
				return fault(ret, key, i, "name each port once",
					     "`%s`: port %u is there twice", key, first);
		}
	}
	return true;
}

static bool check_ports(const struct bundle_match *match, struct bundle_fault *ret)
{
	const char *key = match->destination_range_count ? destination_key(match) : "source_port";
	char protocol[BUNDLE_NUMBER_TEXT_BYTES];

	if (match->either_port && (!match->destination_range_count || match->source_range_count))
		return fault(ret, "port", BUNDLE_WHOLE, "write `port` alone",
			     "`port` is a port in either direction");
	if (!check_ranges(destination_key(match), match->destination_ranges,
			  match->destination_range_count, ret) ||
	    !check_ranges("source_port", match->source_ranges, match->source_range_count, ret))
		return false;
	if (!has_ports(match))
		return true;
	if (!match->has_protocol)
		return fault(ret, key, BUNDLE_WHOLE, "add `protocol: udp` or `protocol: tcp`",
			     "`%s` without a protocol", key);
	bundle_number_text(bundle_protocols, match->ip_protocol, false, protocol);
	if (match->ip_protocol != IPPROTO_UDP && match->ip_protocol != IPPROTO_TCP)
		return fault(ret, key, BUNDLE_WHOLE,
			     "remove it, or write `protocol: udp` or `protocol: tcp`",
			     "`%s` with protocol %s: only udp and tcp are matched by port", key,
			     protocol);
	return true;
}

/* ---- lists of numbers ---- */

static bool check_twice(const char *key, const uint16_t *values, uint32_t count,
			struct bundle_fault *ret)
{
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < i; k++)
			if (values[i] == values[k])
				return fault(ret, key, i, "remove it", "`%s`: %u is there twice",
					     key, values[i]);
	return true;
}

static bool check_icmp(const struct bundle_match *match, struct bundle_fault *ret)
{
	uint16_t types[FAAS_TRIGGER_VALUES_MAX];

	if (!match->icmp_type_count)
		return true;
	if (!match->has_protocol ||
	    (match->ip_protocol != IPPROTO_ICMP && match->ip_protocol != IPPROTO_ICMPV6))
		return fault(ret, "icmp_type", BUNDLE_WHOLE,
			     "add `protocol: icmp` or `protocol: icmpv6`",
			     "`icmp_type` without ICMP as the protocol");
	for (uint32_t i = 0; i < match->icmp_type_count; i++)
		types[i] = match->icmp_types[i];
	return check_twice("icmp_type", types, match->icmp_type_count, ret);
}

static bool check_vlans(const struct bundle_match *match, struct bundle_fault *ret)
{
	for (uint32_t i = 0; i < match->vlan_count; i++)
		if (match->vlans[i] < 1 || match->vlans[i] > 4094)
			return fault(ret, "vlan", i, "VLANs are numbered from 1 to 4094",
				     "`vlan`: %u is no VLAN", match->vlans[i]);
	return check_twice("vlan", match->vlans, match->vlan_count, ret);
}

static bool check_ethertypes(const struct bundle_match *match, struct bundle_fault *ret)
{
	bool above = match->has_protocol || has_ports(match) || has_addresses(match);

	for (uint32_t i = 0; i < match->ethertype_count; i++) {
		uint16_t type = match->ethertypes[i];

		if (type < ETHERTYPE_MIN)
			return fault(ret, "ethertype", i, "EtherTypes begin at 0x0600",
				     "`ethertype`: 0x%04x is the length of an 802.3 frame", type);
		if (type == 0x8100 || type == 0x88a8)
			return fault(ret, "ethertype", i,
				     "write `vlan`, or the EtherType behind the tag",
				     "`ethertype`: 0x%04x is a VLAN tag, which is not looked at as "
				     "a type",
				     type);
		if (above && type != ETHERTYPE_IPV4 && type != ETHERTYPE_IPV6)
			return fault(ret, "ethertype", i,
				     "remove it, or the addresses, ports and protocol",
				     "`ethertype`: packets of type 0x%04x have no IP addresses, "
				     "protocol or ports",
				     type);
	}
	return check_twice("ethertype", match->ethertypes, match->ethertype_count, ret);
}

/* ---- IPv4 and IPv6 ---- */

static unsigned int family_of(const struct bundle_prefix *prefix)
{
	return bundle_prefix_is_ipv4(prefix) ? FAMILY_IPV4 : FAMILY_IPV6;
}

static unsigned int families_of(const struct bundle_prefix *prefixes, uint32_t count)
{
	unsigned int families = count ? 0 : FAMILY_BOTH;

	for (uint32_t i = 0; i < count; i++)
		families |= family_of(&prefixes[i]);
	return families;
}

static unsigned int families_of_protocol(const struct bundle_match *match)
{
	if (match->has_protocol && match->ip_protocol == IPPROTO_ICMPV6)
		return FAMILY_IPV6;
	if (match->has_protocol &&
	    (match->ip_protocol == IPPROTO_ICMP || match->ip_protocol == IPPROTO_IGMP))
		return FAMILY_IPV4;
	return FAMILY_BOTH;
}

static unsigned int families_of_ethertypes(const struct bundle_match *match)
{
	unsigned int families = match->ethertype_count ? 0 : FAMILY_BOTH;

	for (uint32_t i = 0; i < match->ethertype_count; i++) {
		if (match->ethertypes[i] == ETHERTYPE_IPV4)
			families |= FAMILY_IPV4;
		if (match->ethertypes[i] == ETHERTYPE_IPV6)
			families |= FAMILY_IPV6;
	}
	return families;
}

/* What each key allows; the list that is looked at must fit all others. */
struct families {
	const char *key;
	unsigned int allowed;
};
#define FAMILIES 4

static bool check_family(const struct families *families, const char *key, uint32_t item,
			 const char *text, unsigned int family, struct bundle_fault *ret)
{
	for (uint32_t i = 0; i < FAMILIES; i++)
		if (strcmp(families[i].key, key) && !(families[i].allowed & family))
			return fault(ret, key, item, "make two triggers, or remove one of them",
				     "`%s`: %s is of IPv%d, and `%s` matches IPv%d only", key, text,
				     family == FAMILY_IPV4 ? 4 : 6, families[i].key,
				     family == FAMILY_IPV4 ? 6 : 4);
	return true;
}

static bool names_ipv4(const struct bundle_match *match)
{
	for (uint32_t i = 0; i < match->ethertype_count; i++)
		if (match->ethertypes[i] == ETHERTYPE_IPV4)
			return true;
	return false;
}

static bool check_prefixes(const struct bundle_match *match, const char *key,
			   const struct bundle_prefix *prefixes, uint32_t count,
			   const struct families *families, struct bundle_fault *ret)
{
	char text[BUNDLE_PREFIX_TEXT_BYTES];
	struct bundle_prefix again;

	for (uint32_t i = 0; i < count; i++) {
		if (prefixes[i].bits > 128)
			return fault(ret, key, i, "a prefix has at most 128 bits",
				     "`%s`: a prefix of %u bits", key, prefixes[i].bits);
		bundle_prefix_print(&prefixes[i], text);
		if (bundle_prefix_parse(text, &again) ||
		    memcmp(&again, &prefixes[i], sizeof(again)) != 0)
			return fault(ret, key, i, "write ADDRESS/BITS", "`%s`: %s is no prefix",
				     key, text);
		for (uint32_t k = 0; k < i; k++)
			if (!memcmp(&prefixes[i], &prefixes[k], sizeof(prefixes[i])))
				return fault(ret, key, i, "remove it", "`%s`: %s is there twice",
					     key, text);
		if (!check_family(families, key, i, text, family_of(&prefixes[i]), ret))
			return false;
		if (bundle_prefix_is_wide(&prefixes[i]) && names_ipv4(match))
			return fault(ret, key, i, "make two triggers, or remove `ethertype`",
				     "`%s`: %s is all of IPv6, beside `ethertype: ipv4`", key,
				     text);
	}
	return true;
}

/* A packet is of IPv4 or of IPv6, so each part must allow one that the others allow. */
static bool check_families(const struct bundle_match *match, struct bundle_fault *ret)
{
	const struct families families[FAMILIES] = {
		{"protocol", families_of_protocol(match)},
		{"ethertype", families_of_ethertypes(match)},
		{"destination", families_of(match->destinations, match->destination_count)},
		{"source", families_of(match->sources, match->source_count)},
	};
	bool above = match->has_protocol || has_addresses(match);

	for (uint32_t i = 0; above && i < match->ethertype_count; i++)
		if (!check_family(families, "ethertype", i,
				  bundle_number_name(bundle_ethertypes, match->ethertypes[i]),
				  match->ethertypes[i] == ETHERTYPE_IPV4 ? FAMILY_IPV4
									 : FAMILY_IPV6,
				  ret))
			return false;
	return check_prefixes(match, "destination", match->destinations, match->destination_count,
			      families, ret) &&
	       check_prefixes(match, "source", match->sources, match->source_count, families, ret);
}

/* ---- the number of rules ---- */

struct factor {
	const char *name;
	uint32_t count;
};
#define FACTORS 8

static void factors_of(const struct bundle_match *match, struct factor ret[FACTORS])
{
	const struct factor factors[FACTORS] = {
		{"directions", match->either_port ? 2 : 1},
		{match->either_port ? "ports" : "destination ports",
		 match->destination_range_count},
		{"source ports", match->source_range_count},
		{"destinations", match->destination_count},
		{"sources", match->source_count},
		{"ICMP types", match->icmp_type_count},
		{"EtherTypes", match->ethertype_count},
		{"VLANs", match->vlan_count},
	};

	memcpy(ret, factors, sizeof(factors));
}

uint64_t bundle_match_rules(const struct bundle_match *match)
{
	struct factor factors[FACTORS];
	uint64_t rules = 1; /* at most 2 * 64^4 * 16^3: far below the limit */

	factors_of(match, factors);
	for (uint32_t i = 0; i < FACTORS; i++)
		rules *= factors[i].count ? factors[i].count : 1;
	return rules;
}

static bool check_rules(const struct bundle_match *match, struct bundle_fault *ret)
{
	uint64_t rules = bundle_match_rules(match);
	struct factor factors[FACTORS];
	char text[160] = "";
	size_t used = 0;

	if (rules <= FAAS_TRIGGER_RULES_MAX)
		return true;
	factors_of(match, factors);
	for (uint32_t i = 0; i < FACTORS && used < sizeof(text); i++)
		if (factors[i].count > 1)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u %s",
						 used ? " x " : "", factors[i].count,
						 factors[i].name);
	return fault(ret, NULL, BUNDLE_WHOLE,
		     "write ranges and shorter prefixes, or make several triggers",
		     "`match` makes %s = %llu rules, the limit is %d", text,
		     (unsigned long long)rules, FAAS_TRIGGER_RULES_MAX);
}

bool bundle_match_check(const struct bundle_match *match, struct bundle_fault *ret)
{
	return check_conditions(match, ret) && check_icmp(match, ret) && check_ports(match, ret) &&
	       check_vlans(match, ret) && check_ethertypes(match, ret) &&
	       check_families(match, ret) && check_rules(match, ret);
}
