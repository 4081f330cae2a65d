// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The places of the trigger tables behind and before the ports, and chains of
 * rules: which trigger takes a frame. Each row says it; a second opinion
 * (tests/lib/tables.c) says it as well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "frame.h"
#include "root_harness.h"
#include "tables.h"

#define SLOT 5
#define TO(trigger)                                                                                \
	{                                                                                          \
		SLOT, (trigger)                                                                    \
	}
#define CHAIN(index) TABLES_CHAIN(index)
#define ICMP_ECHO 8
#define ICMPV6_ECHO 128

/* One trigger at each place, so that what a frame lacks lets the next one have it. */
static const struct tables every_place = {
	.ports = {{1000, {.udp_destination = TO(1), .tcp_source = TO(2)}}},
	.prefixes =
		{
			{"10.1.0.0", 16, true, TO(3)},
			{"10.1.2.0", 24, true, TO(4)},
			{"2001:db8::", 32, true, TO(5)},
			{"10.2.0.0", 16, false, TO(6)},
			{"2001:db8:2::1", 128, false, TO(7)},
		},
	.ethertypes = {{0x0806, TO(8)}, {0x86dd, TO(9)}},
	.classes = {{FAAS_CLASS_ICMP + ICMP_ECHO, TO(10)},
		    {FAAS_CLASS_ICMPV6 + ICMPV6_ECHO, TO(11)},
		    {FAAS_CLASS_VLAN + 7, TO(12)},
		    {FAAS_CLASS_PROTOCOL + IPPROTO_GRE, TO(13)},
		    {FAAS_CLASS_PROTOCOL + IPPROTO_TCP, TO(14)}},
};

/* Chains at a port, at a prefix, at an EtherType; behind them a protocol and any. */
static const struct tables
	chains =
		{
			.ports = {{1000, {.udp_destination = CHAIN(1), .udp_source = CHAIN(4)}}},
			.prefixes = {{"10.1.0.0", 16, false, CHAIN(5)},
				     {"2001:db8::", 32, true, CHAIN(6)},
				     {"::", 0, true, CHAIN(13)}},
			.ethertypes = {{0x0806, CHAIN(12)}},
			.classes = {{FAAS_CLASS_PROTOCOL + IPPROTO_UDP, TO(20)},
				    {FAAS_CLASS_ANY, TO(30)}},
			.rules =
				{
					[1] = {{.leads_to = TO(1),
						.next = 2,
						.checks = FAAS_RULE_SOURCE | FAAS_RULE_VLAN,
						.vlan = 7,
						.source_bits = 23},
					       .source = "10.1.2.0"},
					[2] = {{.leads_to = TO(2),
						.next = 3,
						.checks = FAAS_RULE_SOURCE_PORT,
						.source_port_first = 2000,
						.source_port_last = 2009}},
					[3] = {{.leads_to = TO(3),
						.checks = FAAS_RULE_DESTINATION,
						.destination_bits = 32},
					       .destination = "10.9.9.9"},
					[4] = {{.leads_to = TO(4),
						.checks = FAAS_RULE_DESTINATION_PORT,
						.destination_port_first = 65535,
						.destination_port_last = 65535}},
					[5] = {{.leads_to = TO(5),
						.checks = FAAS_RULE_ICMP_TYPE | FAAS_RULE_PROTOCOL,
						.icmp_type = ICMP_ECHO,
						.protocol = IPPROTO_ICMP}},
					/* As many as are tried, and one more. */
					[6] = {{.leads_to = TO(6),
						.next = 7,
						.checks = FAAS_RULE_PROTOCOL,
						.protocol = IPPROTO_SCTP}},
					[7] = {{.leads_to = TO(7),
						.next = 8,
						.checks = FAAS_RULE_VLAN,
						.vlan = 1}},
					[8] = {{.leads_to = TO(8),
						.next = 9,
						.checks = FAAS_RULE_SOURCE,
						.source_bits = 48},
					       .source = "2001:db8:8::"},
					[9] = {{.leads_to = TO(9),
						.next = 10,
						.checks = FAAS_RULE_SOURCE,
						.source_bits = 65},
					       .source = "2001:db8:9:1:8000::"},
					[10] = {{.leads_to = TO(10),
						 .next = 11,
						 .checks = FAAS_RULE_ETHERTYPE,
						 .ethertype = 0x0800}},
					[11] = {{.leads_to = TO(11),
						 .next = 14,
						 .checks = FAAS_RULE_ICMP_TYPE,
						 .icmp_type = 0}},
					[12] = {{.leads_to = TO(12),
						 .checks = FAAS_RULE_VLAN,
						 .vlan = 7}},
					/* Holds no IPv4 address, though the table of prefixes leads
					   here. */
					[13] = {{.leads_to = TO(13),
						 .checks = FAAS_RULE_DESTINATION,
						 .destination_bits = 0},
						.destination = "::"},
					[14] = {{.leads_to = TO(14),
						 .next = 15,
						 .checks = FAAS_RULE_VLAN,
						 .vlan = 14}},
					[15] = {{.leads_to = TO(15),
						 .next = 16,
						 .checks = FAAS_RULE_VLAN,
						 .vlan = 15}},
					[16] = {{.leads_to = TO(16)}},
				},
};

struct row {
	const char *name;
	const struct tables *tables;
	struct frame_spec spec;
	uint16_t trigger; /* 0: none takes it */
};

#define V6 .ip_version = 6
#define UDP_TO(port) .destination_port = (port), .source_port = 9

static const struct row rows[] = {
	{"the port counts before all others",
	 &every_place,
	 {UDP_TO(1000), .destination = "10.1.2.3", .vlans = {{0, 7}}},
	 1},
	{"a port of the other protocol", &every_place, {UDP_TO(1001)}, 0},
	{"source port, before the prefix",
	 &every_place,
	 {.protocol = IPPROTO_TCP, .source_port = 1000, .destination = "10.1.2.3"},
	 2},
	{"destination prefix", &every_place, {UDP_TO(9), .destination = "10.1.3.3"}, 3},
	{"the longest", &every_place, {UDP_TO(9), .destination = "10.1.2.3"}, 4},
	{"IPv6 destination", &every_place, {V6, UDP_TO(9), .destination = "2001:db8:f::1"}, 5},
	{"destination before source",
	 &every_place,
	 {UDP_TO(9), .destination = "10.1.2.3", .source = "10.2.0.1"},
	 4},
	{"source prefix", &every_place, {UDP_TO(9), .source = "10.2.255.255"}, 6},
	{"beside the source prefix", &every_place, {UDP_TO(9), .source = "10.3.0.0"}, 0},
	{"IPv6 source", &every_place, {V6, UDP_TO(9), .source = "2001:db8:2::1"}, 7},
	{"beside it, by its EtherType",
	 &every_place,
	 {V6, UDP_TO(9), .source = "2001:db8:2::2"},
	 9},
	{"ARP", &every_place, {.ethertype = 0x0806, .payload_bytes = 28}, 8},
	{"ARP with a tag",
	 &every_place,
	 {.ethertype = 0x0806, .vlans = {{0, 7}}, .payload_bytes = 28},
	 8},
	{"echo request",
	 &every_place,
	 {.protocol = IPPROTO_ICMP, .vlans = {{0, 7}}, FRAME_BYTES(ICMP_ECHO, 0, 0, 0)},
	 10},
	{"echo reply", &every_place, {.protocol = IPPROTO_ICMP, FRAME_BYTES(0, 0, 0, 0)}, 0},
	{"ICMPv6 echo request, before the EtherType",
	 &every_place,
	 {V6, .protocol = IPPROTO_ICMPV6, FRAME_BYTES(ICMPV6_ECHO, 0, 0, 0)},
	 11},
	{"ICMPv6 in IPv4 has no type",
	 &every_place,
	 {.protocol = IPPROTO_ICMPV6, FRAME_BYTES(ICMPV6_ECHO, 0, 0, 0)},
	 0},
	{"a later fragment of ICMP has no type",
	 &every_place,
	 {.protocol = IPPROTO_ICMP, .fragment_offset = 5, FRAME_BYTES(ICMP_ECHO, 0, 0, 0)},
	 0},
	{"VLAN, before the protocol",
	 &every_place,
	 {.protocol = IPPROTO_GRE, .vlans = {{0, 7}}, .payload_bytes = 8},
	 12},
	{"the outermost VLAN counts",
	 &every_place,
	 {.protocol = IPPROTO_SCTP, .vlans = {{0x88a8, 8}, {0, 7}}, .payload_bytes = 8},
	 0},
	{"protocol", &every_place, {.protocol = IPPROTO_GRE, .payload_bytes = 8}, 13},
	{"protocol with ports, of which none leads on",
	 &every_place,
	 {.protocol = IPPROTO_TCP, UDP_TO(9)},
	 14},
	{"a later fragment, by its protocol",
	 &every_place,
	 {.protocol = IPPROTO_TCP, .fragment_offset = 5, .payload_bytes = 8},
	 14},
	{"a later fragment, by its address",
	 &every_place,
	 {.fragment_offset = 5, .payload_bytes = 8, .source = "10.2.0.0"},
	 6},
	{"a later fragment does not have the port that its bytes look like",
	 &every_place,
	 {.fragment_offset = 1, FRAME_BYTES(3, 232, 3, 232, 0, 8, 0, 0)},
	 0},
	{"no IP", &every_place, {.ethertype = 0x88cc, .payload_bytes = 8}, 0},
	{"malformed, though its address would match",
	 &every_place,
	 {.destination = "10.1.2.3", .ihl = 4, .payload_bytes = 8},
	 0},
	{"half of an ICMP header",
	 &every_place,
	 {.protocol = IPPROTO_ICMP, FRAME_BYTES(ICMP_ECHO, 0)},
	 0},

	{"first rule", &chains, {UDP_TO(1000), .source = "10.1.3.255", .vlans = {{0, 7}}}, 1},
	{"one of its two conditions, then the protocol",
	 &chains,
	 {UDP_TO(1000), .source = "10.8.3.255", .vlans = {{0, 7}}},
	 20},
	{"the other", &chains, {UDP_TO(1000), .source = "10.8.3.255"}, 20},
	{"second rule, beginning of its range",
	 &chains,
	 {.destination_port = 1000, .source_port = 2000},
	 2},
	{"end of its range", &chains, {.destination_port = 1000, .source_port = 2009}, 2},
	{"before its range", &chains, {.destination_port = 1000, .source_port = 1999}, 20},
	{"behind its range", &chains, {.destination_port = 1000, .source_port = 2010}, 20},
	{"third rule", &chains, {UDP_TO(1000), .destination = "10.9.9.9"}, 3},
	{"third rule, one bit off", &chains, {UDP_TO(1000), .destination = "10.9.9.8"}, 20},
	{"an IPv6 address is not in an IPv4 prefix",
	 &chains,
	 {V6, UDP_TO(1000), .destination = "fd00::a09:909"},
	 13},
	{"from the destination port's chain to that of the source port",
	 &chains,
	 {.source_port = 1000, .destination_port = 65535},
	 4},
	{"both chains fit not", &chains, {.source_port = 1000, .destination_port = 1000}, 20},
	{"a chain of a prefix",
	 &chains,
	 {.protocol = IPPROTO_ICMP, .source = "10.1.0.1", FRAME_BYTES(ICMP_ECHO, 0, 0, 0)},
	 5},
	{"which does not fit: any",
	 &chains,
	 {.protocol = IPPROTO_ICMP, .source = "10.1.0.1", FRAME_BYTES(0, 0, 0, 0)},
	 30},
	{"rule 1 of 9",
	 &chains,
	 {V6, .destination = "2001:db8::1", .protocol = IPPROTO_SCTP, .payload_bytes = 12},
	 6},
	{"rule 2 of 9", &chains, {V6, .destination = "2001:db8::1", .vlans = {{0, 1}}}, 7},
	{"rule 3 of 9", &chains, {V6, .destination = "2001:db8::1", .source = "2001:db8:8:f::"}, 8},
	{"rule 4 of 9",
	 &chains,
	 {V6, .destination = "2001:db8::1", .source = "2001:db8:9:1:ffff::"},
	 9},
	{"one bit beside it",
	 &chains,
	 {V6, .destination = "2001:db8::1", .source = "2001:db8:9:1:7fff::"},
	 20},
	{"rule 6 of 9",
	 &chains,
	 {V6, .destination = "2001:db8::1", .protocol = IPPROTO_ICMPV6, FRAME_BYTES(0, 0, 0, 0)},
	 11},
	{"rule 8 of 9", &chains, {V6, .destination = "2001:db8::1", .vlans = {{0, 15}}}, 15},
	{"rule 9 of 9 is not tried",
	 &chains,
	 {V6, .destination = "2001:db8::1", .protocol = IPPROTO_GRE, .payload_bytes = 4},
	 30},
	{"the prefix of all IPv6 addresses",
	 &chains,
	 {V6, .destination = "fe80::1", .protocol = IPPROTO_GRE, .payload_bytes = 4},
	 13},
	{"no IPv4 address is in it", &chains, {.protocol = IPPROTO_GRE, .payload_bytes = 4}, 30},
	{"ARP in a VLAN",
	 &chains,
	 {.ethertype = 0x0806, .vlans = {{0, 7}}, .payload_bytes = 28},
	 12},
	{"ARP in another",
	 &chains,
	 {.ethertype = 0x0806, .vlans = {{0, 8}}, .payload_bytes = 28},
	 30},
	{"any takes what is not IP", &chains, {.ethertype = 0x88cc, .payload_bytes = 46}, 30},
	{"and a later fragment",
	 &chains,
	 {.protocol = IPPROTO_TCP, .fragment_offset = 1, .payload_bytes = 8},
	 30},
	{"but nothing malformed", &chains, {.ip_bytes = 19, .payload_bytes = 8}, 0},
};

static void test_tables(void **state)
{
	const struct tables *loaded = NULL;
	static struct frame frame;

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		uint16_t trigger, second;

		if (loaded != row->tables) {
			if (loaded)
				root_clear_ports(*state, loaded);
			root_set_tables(*state, row->tables);
			loaded = row->tables;
		}
		frame_build(&row->spec, &frame);
		trigger = root_trigger(*state, frame.data, frame.bytes);
		second = tables_trigger(row->tables, frame.data, frame.bytes);
		if (trigger != row->trigger || second != row->trigger)
			fail_msg("%s: trigger %u, by the second opinion %u, expected %u", row->name,
				 trigger, second, row->trigger);
	}
	root_clear_ports(*state, loaded);
}

static int setup_xdp(void **state)
{
	static struct root root;

	root_open(&root, ROOT_XDP);
	*state = &root;
	return 0;
}

static int setup_tc(void **state)
{
	static struct root root;

	root_open(&root, ROOT_TC);
	*state = &root;
	return 0;
}

static int teardown(void **state)
{
	root_close(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests_name("rules, XDP", tests, setup_xdp, teardown) +
	       cmocka_run_group_tests_name("rules, TC", tests, setup_tc, teardown);
}
