// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a match becomes, where it stands, and which of two rules goes first. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader/dispatch_rules.h"

#define IPV4(a, b, c, d, bits)                                                                     \
	{                                                                                          \
		{[10] = 0xff, 0xff, a, b, c, d}, 96 + (bits)                                       \
	}

static const struct {
	const char *name;
	struct bundle_match match;
	int error;
	const char *rules[5];
	enum dispatch_place place;
	uint16_t checks;
} cases[] = {
	{"any", {.any = true}, 0, {"any packet"}, PLACE_CLASSES, 0},
	{"a port",
	 {.has_protocol = true,
	  .ip_protocol = 17,
	  .destination_ranges = {{5005, 5005}},
	  .destination_range_count = 1},
	 0,
	 {"udp destination port 5005"},
	 PLACE_UDP_DESTINATION,
	 0},
	{"either port",
	 {.has_protocol = true,
	  .ip_protocol = 6,
	  .either_port = true,
	  .destination_ranges = {{80, 80}, {8000, 8100}},
	  .destination_range_count = 2},
	 0,
	 {"tcp destination port 80", "tcp destination ports 8000-8100", "tcp source port 80",
	  "tcp source ports 8000-8100"},
	 PLACE_TCP_DESTINATION,
	 0},
	{"both ports and a prefix",
	 {.has_protocol = true,
	  .ip_protocol = 17,
	  .destination_ranges = {{1, 2}},
	  .destination_range_count = 1,
	  .source_ranges = {{3, 3}},
	  .source_range_count = 1,
	  .sources = {IPV4(10, 20, 0, 0, 16)},
	  .source_count = 1},
	 0,
	 {"udp destination ports 1-2 source port 3 source 10.20.0.0/16"},
	 PLACE_UDP_DESTINATION,
	 FAAS_RULE_SOURCE_PORT | FAAS_RULE_SOURCE},
	{"a source port",
	 {.has_protocol = true,
	  .ip_protocol = 17,
	  .source_ranges = {{3, 3}},
	  .source_range_count = 1,
	  .vlans = {7},
	  .vlan_count = 1},
	 0,
	 {"udp source port 3 vlan 7"},
	 PLACE_UDP_SOURCE,
	 FAAS_RULE_VLAN},
	{"a product",
	 {.destinations = {IPV4(10, 0, 0, 0, 8), {{0xfd}, 8}},
	  .destination_count = 2,
	  .vlans = {1, 2},
	  .vlan_count = 2},
	 0,
	 {"destination 10.0.0.0/8 vlan 1", "destination fd00::/8 vlan 1",
	  "destination 10.0.0.0/8 vlan 2", "destination fd00::/8 vlan 2"},
	 PLACE_DESTINATIONS,
	 FAAS_RULE_VLAN},
	{"all of IPv6 is not IPv4",
	 {.sources = {{{0}, 0}}, .source_count = 1},
	 0,
	 {"source ::/0 ethertype 0x86dd"},
	 PLACE_SOURCES,
	 FAAS_RULE_ETHERTYPE},
	{"all of IPv4",
	 {.sources = {IPV4(0, 0, 0, 0, 0)}, .source_count = 1},
	 0,
	 {"source 0.0.0.0/0"},
	 PLACE_SOURCES,
	 0},
	{"ICMP types",
	 {.has_protocol = true, .ip_protocol = 58, .icmp_types = {128}, .icmp_type_count = 1},
	 0,
	 {"icmpv6 type 128"},
	 PLACE_CLASSES,
	 0},
	{"an EtherType",
	 {.ethertypes = {0x88f7}, .ethertype_count = 1, .vlans = {3}, .vlan_count = 1},
	 0,
	 {"ethertype 0x88f7 vlan 3"},
	 PLACE_ETHERTYPES,
	 FAAS_RULE_VLAN},
	{"a VLAN with a protocol",
	 {.has_protocol = true, .ip_protocol = 132, .vlans = {3}, .vlan_count = 1},
	 0,
	 {"protocol 132 vlan 3"},
	 PLACE_CLASSES,
	 FAAS_RULE_PROTOCOL},
	{"a protocol",
	 {.has_protocol = true, .ip_protocol = 47},
	 0,
	 {"protocol 47"},
	 PLACE_CLASSES,
	 0},
	{"ports without a protocol",
	 {.destination_ranges = {{1, 1}}, .destination_range_count = 1},
	 -EINVAL,
	 {NULL},
	 PLACE_CLASSES,
	 0},
	{"types without ICMP",
	 {.has_protocol = true, .ip_protocol = 17, .icmp_types = {8}, .icmp_type_count = 1},
	 -EINVAL,
	 {NULL},
	 PLACE_CLASSES,
	 0},
};

static void test_expand(void **state)
{
	static struct faas_rule rules[FAAS_TRIGGER_RULES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bundle_trigger trigger = {.id = 4, .priority = 3, .match = cases[i].match};
		char text[DISPATCH_RULE_TEXT_BYTES];
		uint32_t count = 0, wanted = 0;

		print_message("%s\n", cases[i].name);
		assert_int_equal(dispatch_rules_expand(&trigger, 9, rules, &count), cases[i].error);
		while (cases[i].rules[wanted])
			wanted++;
		assert_int_equal(count, wanted);
		for (uint32_t k = 0; k < count; k++) {
			dispatch_rule_text(&rules[k], text, sizeof(text));
			assert_string_equal(text, cases[i].rules[k]);
			assert_int_equal(rules[k].leads_to.slot, 9);
			assert_int_equal(rules[k].leads_to.trigger, 4);
			assert_int_equal(rules[k].priority, 3);
		}
		if (!count)
			continue;
		assert_int_equal(dispatch_rule_place(&rules[0]), cases[i].place);
		assert_int_equal(dispatch_rule_checks(&rules[0]), cases[i].checks);
	}
}

static void test_too_many_rules(void **state)
{
	static struct faas_rule rules[FAAS_TRIGGER_RULES_MAX];
	static struct bundle_trigger trigger = {
		.match = {.destination_count = 64, .source_count = 16, .vlan_count = 1}};
	uint32_t count = 0;

	(void)state;
	assert_int_equal(dispatch_rules_expand(&trigger, 1, rules, &count), 0);
	assert_int_equal(count, FAAS_TRIGGER_RULES_MAX);
	trigger.match.vlan_count = 2;
	assert_int_equal(dispatch_rules_expand(&trigger, 1, rules, &count), -E2BIG);
}

/* Each is more specific than all behind it. */
static void test_order(void **state)
{
	static const struct faas_rule order[] = {
		{.named = 0x83,
		 .destination_port_first = 5,
		 .destination_port_last = 5,
		 .source_port_first = 1,
		 .source_port_last = 1},
		{.named = 0x83,
		 .destination_port_first = 5,
		 .destination_port_last = 5,
		 .source_port_first = 1,
		 .source_port_last = 2},
		{.named = 0x85,
		 .destination_port_first = 5,
		 .destination_port_last = 5,
		 .destination_bits = 128},
		{.named = 0x81, .destination_port_first = 5, .destination_port_last = 5},
		{.named = 0x81, .destination_port_first = 4, .destination_port_last = 5},
		{.named = 0x81, .destination_port_first = 0, .destination_port_last = 65535},
		{.named = 0x82},
		{.named = 0x0c, .destination_bits = 100, .source_bits = 100},
		{.named = 0x0c, .destination_bits = 100, .source_bits = 99},
		{.named = 0x44, .destination_bits = 100},
		{.named = 0x04, .destination_bits = 100},
		{.named = 0x04, .destination_bits = 0},
		{.named = 0x08, .source_bits = 0},
		{.named = 0x90},
		{.named = 0x60},
		{.named = 0x20},
		{.named = 0xc0},
		{.named = 0x40},
		{.named = 0x80},
		{.named = 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
			int difference = dispatch_rule_specificity(&order[i], &order[k]);

			if ((i < k) != (difference < 0) || (i > k) != (difference > 0))
				fail_msg("rules %zu and %zu: %d", i, k, difference);
		}
}

static void test_collide(void **state)
{
	struct faas_rule a = {.named = 0x81,
			      .leads_to = {1, 1},
			      .protocol = 17,
			      .destination_port_first = 100,
			      .destination_port_last = 109};
	struct faas_rule b = a;

	(void)state;
	assert_false(dispatch_rules_collide(&a, &b)); /* the same trigger */
	b.leads_to.slot = 2;
	assert_true(dispatch_rules_collide(&a, &b));
	b.destination_port_first = 105; /* as wide, and meeting */
	b.destination_port_last = 114;
	assert_true(dispatch_rules_collide(&a, &b));
	b.destination_port_last = 115; /* wider */
	assert_false(dispatch_rules_collide(&a, &b));
	b.destination_port_first = 110; /* beside */
	b.destination_port_last = 119;
	assert_false(dispatch_rules_collide(&a, &b));
	b = a;
	b.leads_to.slot = 2;
	b.protocol = 6;
	assert_false(dispatch_rules_collide(&a, &b));
	b.protocol = 17;
	b.priority = 1;
	assert_false(dispatch_rules_collide(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_too_many_rules),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_collide),
	};

	return cmocka_run_group_tests_name("dispatch_rules", tests, NULL, NULL);
}
