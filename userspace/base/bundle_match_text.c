// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Matches as text: words for numbers, prefixes, and a match in one line. */
#include "bundle_match.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define MAPPED_BITS 96u

/* ::ffff:0:0/96, where IPv4 lives. */
static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

/* IANA "Assigned Internet Protocol Numbers" */
const struct bundle_number bundle_protocols[] = {
	{"udp", 17},   {"tcp", 6},    {"icmp", 1}, {"icmpv6", 58}, {"sctp", 132},
	{"igmp", 2},   {"gre", 47},   {"esp", 50}, {"ospf", 89},   {"pim", 103},
	{"l2tp", 115}, {"vrrp", 112}, {NULL, 0},
};

/* IANA "IEEE 802 Numbers" */
const struct bundle_number bundle_ethertypes[] = {
	{"ipv4", 0x0800},     {"arp", 0x0806},	     {"ipv6", 0x86dd},	{"profinet", 0x8892},
	{"ethercat", 0x88a4}, {"powerlink", 0x88ab}, {"goose", 0x88b8}, {"sv", 0x88ba},
	{"lldp", 0x88cc},     {"sercos", 0x88cd},    {"eapol", 0x888e}, {"mrp", 0x88e3},
	{"ptp", 0x88f7},      {"cfm", 0x8902},	     {"hsr", 0x892f},	{NULL, 0},
};

/* IANA "ICMP Type Numbers" */
const struct bundle_number bundle_icmp_types[] = {
	{"echo-request", 8},
	{"echo-reply", 0},
	{"destination-unreachable", 3},
	{"redirect", 5},
	{"router-advertisement", 9},
	{"router-solicitation", 10},
	{"time-exceeded", 11},
	{"parameter-problem", 12},
	{"timestamp-request", 13},
	{"timestamp-reply", 14},
	{NULL, 0},
};

/* IANA "ICMPv6 'type' Numbers" */
const struct bundle_number bundle_icmpv6_types[] = {
	{"echo-request", 128},
	{"echo-reply", 129},
	{"destination-unreachable", 1},
	{"packet-too-big", 2},
	{"time-exceeded", 3},
	{"parameter-problem", 4},
	{"mld-query", 130},
	{"router-solicitation", 133},
	{"router-advertisement", 134},
	{"neighbor-solicitation", 135},
	{"neighbor-advertisement", 136},
	{"redirect", 137},
	{NULL, 0},
};

int bundle_number_find(const struct bundle_number *numbers, const char *word)
{
	for (; numbers->name; numbers++)
		if (!strcmp(numbers->name, word))
			return numbers->value;
	return -1;
}

const char *bundle_number_name(const struct bundle_number *numbers, uint16_t value)
{
	for (; numbers->name; numbers++)
		if (numbers->value == value)
			return numbers->name;
	return NULL;
}

/* ---- prefixes ---- */

/* Clear what is behind the prefix. Returns whether there was anything. */
static bool clear_behind(struct bundle_prefix *prefix)
{
	bool set = false;

	for (unsigned int i = 0; i < sizeof(prefix->address); i++) {
		unsigned int kept = prefix->bits > i * 8 ? prefix->bits - i * 8 : 0;
		uint8_t mask = (uint8_t)(0xff00u >> (kept < 8 ? kept : 8));

		set |= (prefix->address[i] & ~mask) != 0;
		prefix->address[i] &= mask;
	}
	return set;
}

bool bundle_prefix_is_ipv4(const struct bundle_prefix *prefix)
{
	return prefix->bits >= MAPPED_BITS && !memcmp(prefix->address, mapped, sizeof(mapped));
}

bool bundle_prefix_is_wide(const struct bundle_prefix *prefix)
{
	struct bundle_prefix cut = {.bits = prefix->bits};

	memcpy(cut.address, mapped, sizeof(mapped));
	(void)clear_behind(&cut);
	return prefix->bits < MAPPED_BITS &&
	       !memcmp(cut.address, prefix->address, sizeof(cut.address));
}

/* Digits alone: neither a sign nor blanks, as strtoul() would take. */
static int parse_bits(const char *text, unsigned int max, unsigned int *ret)
{
	unsigned int value = 0;
	size_t digits = strspn(text, "0123456789");

	if (!digits || text[digits] || digits > 3 || (digits > 1 && text[0] == '0'))
		return -ERANGE;
	for (; *text; text++)
		value = value * 10 + (unsigned int)(*text - '0');
	if (value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int bundle_prefix_parse(const char *text, struct bundle_prefix *ret)
{
	const char *slash = strchr(text, '/');
	size_t chars = slash ? (size_t)(slash - text) : strlen(text);
	struct bundle_prefix prefix = {0};
	char address[INET6_ADDRSTRLEN];
	unsigned int max, bits;
	bool behind;

	if (chars >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, chars);
	address[chars] = '\0';
	if (inet_pton(AF_INET, address, prefix.address + sizeof(mapped)) == 1) {
		memcpy(prefix.address, mapped, sizeof(mapped));
		max = 32;
	} else if (inet_pton(AF_INET6, address, prefix.address) == 1) {
		max = 128;
	} else {
		return -EINVAL;
	}
	bits = max;
	if (slash && parse_bits(slash + 1, max, &bits))
		return -ERANGE;
	prefix.bits = (uint8_t)(max == 32 ? bits + MAPPED_BITS : bits);
	behind = clear_behind(&prefix);
	if (max == 128 && bundle_prefix_is_ipv4(&prefix))
		return -EXDEV;
	*ret = prefix;
	return behind ? -EDOM : 0;
}

void bundle_prefix_print(const struct bundle_prefix *prefix, char ret[BUNDLE_PREFIX_TEXT_BYTES])
{
	bool ipv4 = bundle_prefix_is_ipv4(prefix);
	char address[INET6_ADDRSTRLEN] = "";

	inet_ntop(ipv4 ? AF_INET : AF_INET6, prefix->address + (ipv4 ? sizeof(mapped) : 0), address,
		  sizeof(address));
	snprintf(ret, BUNDLE_PREFIX_TEXT_BYTES, "%s/%u", address,
		 prefix->bits - (ipv4 ? MAPPED_BITS : 0u));
}

/* ---- for people ---- */

void bundle_number_text(const struct bundle_number *numbers, uint16_t value, bool hexadecimal,
			char ret[BUNDLE_NUMBER_TEXT_BYTES])
{
	const char *name = numbers ? bundle_number_name(numbers, value) : NULL;

	if (name)
		snprintf(ret, BUNDLE_NUMBER_TEXT_BYTES, "%s", name);
	else
		snprintf(ret, BUNDLE_NUMBER_TEXT_BYTES, hexadecimal ? "0x%04x" : "%u", value);
}

static void describe_number(FILE *out, const char *what, const struct bundle_number *numbers,
			    uint16_t value)
{
	char text[BUNDLE_NUMBER_TEXT_BYTES];

	bundle_number_text(numbers, value, numbers == bundle_ethertypes, text);
	fprintf(out, "%s%s", what, text);
}

static void describe_ranges(FILE *out, const char *what, const struct bundle_range *ranges,
			    uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		fprintf(out, "%s%u", i ? " or " : what, ranges[i].first);
		if (ranges[i].last != ranges[i].first)
			fprintf(out, "-%u", ranges[i].last);
	}
}

static void describe_prefixes(FILE *out, const char *what, const struct bundle_prefix *prefixes,
			      uint32_t count)
{
	char text[BUNDLE_PREFIX_TEXT_BYTES];

	for (uint32_t i = 0; i < count; i++) {
		bundle_prefix_print(&prefixes[i], text);
		fprintf(out, "%s%s", i ? " or " : what, text);
	}
}

void bundle_match_describe(const struct bundle_match *match, FILE *out)
{
	const struct bundle_number *types =
		match->ip_protocol == IPPROTO_ICMP ? bundle_icmp_types : bundle_icmpv6_types;

	if (match->any)
		fprintf(out, "any packet");
	else if (match->has_protocol)
		describe_number(out, "protocol ", bundle_protocols, match->ip_protocol);
	else
		fprintf(out, "any protocol");
	describe_ranges(out, match->either_port ? ", port " : ", destination port ",
			match->destination_ranges, match->destination_range_count);
	describe_ranges(out, ", source port ", match->source_ranges, match->source_range_count);
	describe_prefixes(out, ", to ", match->destinations, match->destination_count);
	describe_prefixes(out, ", from ", match->sources, match->source_count);
	for (uint32_t i = 0; i < match->icmp_type_count; i++)
		describe_number(out, i ? " or " : ", type ", types, match->icmp_types[i]);
	for (uint32_t i = 0; i < match->ethertype_count; i++)
		describe_number(out, i ? " or " : ", EtherType ", bundle_ethertypes,
				match->ethertypes[i]);
	for (uint32_t i = 0; i < match->vlan_count; i++)
		describe_number(out, i ? " or " : ", VLAN ", NULL, match->vlans[i]);
}
