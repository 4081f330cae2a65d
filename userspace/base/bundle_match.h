/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a trigger matches: the words of it, and which of its parts go together.
 */
#ifndef FAAS_BASE_BUNDLE_MATCH_H
#define FAAS_BASE_BUNDLE_MATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bundle.h"

#define BUNDLE_PREFIX_TEXT_BYTES 64

/* A word for a number. Tables end in a NULL name. */
struct bundle_number {
	const char *name;
	uint16_t value;
};

extern const struct bundle_number bundle_protocols[]; /* of IP */
extern const struct bundle_number bundle_ethertypes[];
extern const struct bundle_number bundle_icmp_types[];
extern const struct bundle_number bundle_icmpv6_types[];

/* The table's number for @p word, or -1. */
int bundle_number_find(const struct bundle_number *numbers, const char *word);
/* The table's word for @p value, or NULL. */
const char *bundle_number_name(const struct bundle_number *numbers, uint16_t value);

#define BUNDLE_NUMBER_TEXT_BYTES 40
/* The word, or the number itself without one. */
void bundle_number_text(const struct bundle_number *numbers, uint16_t value, bool hexadecimal,
			char ret[BUNDLE_NUMBER_TEXT_BYTES]);

/**
 * Read ADDRESS or ADDRESS/BITS. 0, or a mistake: -EINVAL (no address), -ERANGE
 * (no such number of bits), -EDOM (bits are set behind the prefix; *ret is without
 * them), -EXDEV (IPv4 addresses written as ::ffff:a.b.c.d). *ret is touched by 0 and
 * -EDOM only.
 */
int bundle_prefix_parse(const char *text, struct bundle_prefix *ret)
	__attribute__((warn_unused_result));

/* As bundle_prefix_parse() reads it, with the bits. */
void bundle_prefix_print(const struct bundle_prefix *prefix, char ret[BUNDLE_PREFIX_TEXT_BYTES]);

bool bundle_prefix_is_ipv4(const struct bundle_prefix *prefix);

/* An IPv6 prefix as short as ::/0, within which ::ffff:a.b.c.d lies. IPv4 is not meant,
 * so its rules name EtherType ipv6. */
bool bundle_prefix_is_wide(const struct bundle_prefix *prefix);

/* Rules that the match becomes, on one interface: combinations of its lists. */
uint64_t bundle_match_rules(const struct bundle_match *match);

#define BUNDLE_WHOLE UINT32_MAX

/* What is wrong with a match. */
struct bundle_fault {
	const char *key; /* of the workflow language; NULL: the match as a whole */
	uint32_t item;	 /* of that key's list; or BUNDLE_WHOLE */
	char cause[256];
	char advice[192];
};

/**
 * Whether the parts of a match go together, so that each of them can hold for a
 * packet. Expects every count to be within its array. False with *ret filled.
 */
bool bundle_match_check(const struct bundle_match *match, struct bundle_fault *ret)
	__attribute__((warn_unused_result));

#define BUNDLE_CONFLICT_BYTES 96

/* Whether there are packets that both match, by rules that are equally specific (see
 * pins.h). *ret says which, for people: "destination port 5005". */
bool bundle_match_conflict(const struct bundle_match *a, const struct bundle_match *b,
			   char ret[BUNDLE_CONFLICT_BYTES]);

/* One line for people: "udp, destination port 5005 or 6000-6010, vlan 5". */
void bundle_match_describe(const struct bundle_match *match, FILE *out);

#endif
