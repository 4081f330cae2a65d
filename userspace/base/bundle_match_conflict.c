// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Whether two matches leave it open which of them gets a packet. The rules of a
 * match are all combinations of its lists, so there are two rules that are equally
 * specific and meet, when each list of one and the same list of the other have such
 * elements; no combination needs to be looked at.
 */
#include "bundle_match.h"

#include <string.h>

/*
 * A part of a match: with its ports in one direction, and of its prefixes only the
 * wide ones or only the others, for wide ones make rules that name an EtherType.
 */
struct view {
	const struct bundle_match *match;
	const struct bundle_range *destination_ranges, *source_ranges;
	uint32_t destination_range_count, source_range_count;
	const uint16_t *ethertypes;
	uint32_t ethertype_count;
};

static const uint16_t ipv6_only[] = {0x86dd};

static struct view view_of(const struct bundle_match *match, bool turned, bool wide)
{
	struct view view = {
		.match = match,
		.destination_ranges = match->destination_ranges,
		.destination_range_count = match->destination_range_count,
		.source_ranges = match->source_ranges,
		.source_range_count = match->source_range_count,
		.ethertypes = match->ethertypes,
		.ethertype_count = match->ethertype_count,
	};

	if (wide && !match->ethertype_count) {
		view.ethertypes = ipv6_only;
		view.ethertype_count = 1;
	}

	if (turned) {
		view.source_ranges = match->destination_ranges;
		view.source_range_count = match->destination_range_count;
		view.destination_range_count = 0;
	}
	return view;
}

/* The first thing that a rule names is what people know it by. */
static void name_it(char *ret, const char *format, unsigned int a, unsigned int b)
{
	if (!ret[0])
		snprintf(ret, BUNDLE_CONFLICT_BYTES, format, a, b);
}

/* Ranges are equally specific when they are equally wide. */
static bool ranges_meet(const struct bundle_range *a, uint32_t a_count,
			const struct bundle_range *b, uint32_t b_count, const char *format,
			char *ret)
{
	for (uint32_t i = 0; i < a_count; i++)
		for (uint32_t k = 0; k < b_count; k++) {
			uint16_t first = a[i].first > b[k].first ? a[i].first : b[k].first;

			if (a[i].last - a[i].first != b[k].last - b[k].first || first > a[i].last ||
			    first > b[k].last)
				continue;
			name_it(ret, format, first, 0);
			return true;
		}
	return !a_count && !b_count;
}

/* Prefixes of equal length meet when they are the same. */
static bool prefixes_meet(const struct bundle_prefix *a, uint32_t a_count,
			  const struct bundle_prefix *b, uint32_t b_count, bool wide,
			  const char *what, char *ret)
{
	char text[BUNDLE_PREFIX_TEXT_BYTES];

	for (uint32_t i = 0; i < a_count; i++)
		for (uint32_t k = 0; k < b_count; k++)
			if (bundle_prefix_is_wide(&a[i]) == wide &&
			    !memcmp(&a[i], &b[k], sizeof(a[i]))) {
				bundle_prefix_print(&a[i], text);
				if (!ret[0])
					snprintf(ret, BUNDLE_CONFLICT_BYTES, "%s %s", what, text);
				return true;
			}
	return !wide && !a_count && !b_count;
}

static bool values_meet(const uint16_t *a, uint32_t a_count, const uint16_t *b, uint32_t b_count,
			const char *format, char *ret)
{
	for (uint32_t i = 0; i < a_count; i++)
		for (uint32_t k = 0; k < b_count; k++)
			if (a[i] == b[k]) {
				name_it(ret, format, a[i], 0);
				return true;
			}
	return !a_count && !b_count;
}

static bool icmp_types_meet(const struct bundle_match *a, const struct bundle_match *b, char *ret)
{
	for (uint32_t i = 0; i < a->icmp_type_count; i++)
		for (uint32_t k = 0; k < b->icmp_type_count; k++)
			if (a->icmp_types[i] == b->icmp_types[k]) {
				name_it(ret, "ICMP type %u", a->icmp_types[i], 0);
				return true;
			}
	return !a->icmp_type_count && !b->icmp_type_count;
}

static bool protocols_meet(const struct bundle_match *a, const struct bundle_match *b, char *ret)
{
	char protocol[BUNDLE_NUMBER_TEXT_BYTES];

	if (a->has_protocol != b->has_protocol)
		return false;
	if (!a->has_protocol)
		return true;
	bundle_number_text(bundle_protocols, a->ip_protocol, false, protocol);
	if (!ret[0])
		snprintf(ret, BUNDLE_CONFLICT_BYTES, "protocol %s", protocol);
	return a->ip_protocol == b->ip_protocol;
}

static bool views_meet(const struct view *first, const struct view *second, bool wide_destination,
		       bool wide_source, char *ret)
{
	const struct bundle_match *a = first->match, *b = second->match;

	ret[0] = '\0';
	if (!ranges_meet(first->destination_ranges, first->destination_range_count,
			 second->destination_ranges, second->destination_range_count,
			 "destination port %u", ret) ||
	    !ranges_meet(first->source_ranges, first->source_range_count, second->source_ranges,
			 second->source_range_count, "source port %u", ret) ||
	    !prefixes_meet(a->destinations, a->destination_count, b->destinations,
			   b->destination_count, wide_destination, "destination", ret) ||
	    !prefixes_meet(a->sources, a->source_count, b->sources, b->source_count, wide_source,
			   "source", ret) ||
	    !icmp_types_meet(a, b, ret) ||
	    !values_meet(first->ethertypes, first->ethertype_count, second->ethertypes,
			 second->ethertype_count, "EtherType 0x%04x", ret) ||
	    !values_meet(a->vlans, a->vlan_count, b->vlans, b->vlan_count, "VLAN %u", ret) ||
	    !protocols_meet(a, b, ret))
		return false;
	name_it(ret, "every packet", 0, 0);
	return true;
}

bool bundle_match_conflict(const struct bundle_match *a, const struct bundle_match *b,
			   char ret[BUNDLE_CONFLICT_BYTES])
{
	/* Bits: the ports of a are turned, those of b, destinations are wide, sources. */
	for (unsigned int choice = 0; choice < 16; choice++) {
		bool turned_a = choice & 1, turned_b = choice & 2;
		bool wide_destination = choice & 4, wide_source = choice & 8;
		bool wide = wide_destination || wide_source;
		struct view first = view_of(a, turned_a, wide);
		struct view second = view_of(b, turned_b, wide);

		if ((turned_a && !a->either_port) || (turned_b && !b->either_port))
			continue;
		if (views_meet(&first, &second, wide_destination, wide_source, ret))
			return true;
	}
	return false;
}
