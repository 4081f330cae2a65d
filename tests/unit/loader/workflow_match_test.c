// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What triggers match: each way to write it, each contradiction with its place, and
 * when two triggers leave it open which of them gets a packet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle_match.h"
#include "described.h"
#include "loader/dispatch_rules.h"

static struct workflow *workflow;
static struct diags *diags;

static int set_up(void **state)
{
	(void)state;
	workflow = calloc(1, sizeof(*workflow));
	diags = calloc(1, sizeof(*diags));
	return workflow && diags ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(workflow);
	free(diags);
	return 0;
}

static int read_text(const char *text)
{
	const struct workflow_options options = {.functions = described_functions()};

	memset(diags, 0, sizeof(*diags));
	return workflow_parse(text, strlen(text), "w.yaml", &options, workflow, diags);
}

/* The match stands from column 6 of line 5 on. */
static int read_match(const char *match)
{
	char text[8192];

	snprintf(text, sizeof(text),
		 "workflow: w\n"
		 "triggers:\n"
		 "  t:\n"
		 "    packet: {interfaces: e, match:\n"
		 "     {%s}}\n"
		 "    to: s\n"
		 "sinks: {s: {file: {path: /x}}}\n",
		 match);
	return read_text(text);
}

/* ---- what may be written ---- */

static const struct {
	const char *match, *described;
	unsigned int rules;
} sound[] = {
	{"any: true", "any packet", 1},
	{"protocol: udp", "protocol udp", 1},
	{"protocol: 17", "protocol udp", 1},
	{"protocol: 0", "protocol 0", 1},
	{"protocol: 255", "protocol 255", 1},
	{"protocol: sctp", "protocol sctp", 1},
	{"protocol: 0x3a", "protocol icmpv6", 1},
	{"protocol: tcp, destination_port: 80", "protocol tcp, destination port 80", 1},
	{"protocol: udp, port: [5, 7-9]", "protocol udp, port 5 or 7-9", 4},
	{"protocol: udp, source_port: 1-65535", "protocol udp, source port 1-65535", 1},
	{"protocol: udp, source_port: [1, 2], destination_port: [3, 4, 5]",
	 "protocol udp, destination port 3 or 4 or 5, source port 1 or 2", 6},
	{"source: 10.0.0.0/8", "any protocol, from 10.0.0.0/8", 1},
	{"source: 10.0.0.1", "any protocol, from 10.0.0.1/32", 1},
	{"source: 0.0.0.0/0", "any protocol, from 0.0.0.0/0", 1},
	{"destination: ['2001:db8::/32', 192.0.2.128/25]",
	 "any protocol, to 2001:db8::/32 or 192.0.2.128/25", 2},
	{"source: ['::/0', 10.0.0.0/8]", "any protocol, from ::/0 or 10.0.0.0/8", 2},
	{"source: '::/0', ethertype: ipv6", "any protocol, from ::/0, EtherType ipv6", 1},
	{"destination: '2001:db8::1'", "any protocol, to 2001:db8::1/128", 1},
	/* Each has one of its family on the other side. */
	{"source: [10.0.0.0/8, 'fd00::/8'], destination: [10.1.0.0/16, 'fd01::/16']",
	 "any protocol, to 10.1.0.0/16 or fd01::/16, from 10.0.0.0/8 or fd00::/8", 4},
	{"vlan: [1, 4094]", "any protocol, VLAN 1 or 4094", 2},
	{"ethertype: [arp, 0x88cc, ipv6]", "any protocol, EtherType arp or lldp or ipv6", 3},
	{"ethertype: 0x9999, vlan: 7", "any protocol, EtherType 0x9999, VLAN 7", 1},
	{"ethertype: ipv4, protocol: udp, port: 53", "protocol udp, port 53, EtherType ipv4", 2},
	{"protocol: icmp, icmp_type: echo-request", "protocol icmp, type echo-request", 1},
	{"protocol: icmpv6, icmp_type: [echo-request, 200]",
	 "protocol icmpv6, type echo-request or 200", 2},
	{"icmp_type: 8, protocol: icmp", "protocol icmp, type echo-request", 1},
	{"protocol: igmp, destination: 224.0.0.0/4", "protocol igmp, to 224.0.0.0/4", 1},
	{"protocol: gre, source: 'fd00::/8'", "protocol gre, from fd00::/8", 1},
};

static void test_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
		const struct bundle_match *match = &workflow->bundle.triggers[0].match;
		char text[512] = "";
		FILE *out = fmemopen(text, sizeof(text), "w");

		if (read_match(sound[i].match)) {
			diags_print(diags, stderr);
			fail_msg("%s: refused", sound[i].match);
		}
		bundle_match_describe(match, out);
		fclose(out);
		assert_string_equal(text, sound[i].described);
		assert_int_equal(bundle_match_rules(match), sound[i].rules);
	}
}

/* ---- mistakes ---- */

static const struct {
	const char *match;
	unsigned int column; /* of line 5; 0: of the key `match` in line 4 */
	const char *cause, *advice;
} mistakes[] = {
	{"", 0, "`match` has no condition", "any: true"},
	{"any: true, vlan: 5", 7, "stands alone", "remove"},
	{"any: false", 12, "`false` means nothing", "any: true"},
	{"prefix: 5", 7, "unknown key `prefix`", "known keys"},
	{"sorce: 10.0.0.0/8", 7, "unknown key `sorce`", "did you mean `source`"},
	/* protocol */
	{"protocol: upd", 17, "`upd` is not known", "did you mean `udp`"},
	{"protocol: 256", 17, "256 is out of range", "0 to 255"},
	{"protocol: [udp, tcp]", 17, "single value, not a list", ""},
	/* ports */
	{"destination_port: 5", 7, "`destination_port` without a protocol", "protocol: udp"},
	{"source_port: 5", 7, "`source_port` without a protocol", "protocol: udp"},
	{"port: 5", 7, "`port` without a protocol", "protocol: udp"},
	{"protocol: icmp, port: 5", 23, "protocol icmp: only udp and tcp", "remove it"},
	{"protocol: sctp, source_port: 5", 23, "protocol sctp: only udp and tcp", "remove it"},
	{"protocol: 200, port: 5", 22, "protocol 200: only udp", "remove it"},
	{"protocol: udp, port: 0", 28, "0 is out of range", "1 to 65535"},
	{"protocol: udp, port: 65536", 28, "`65536` is no port", "1 to 65535"},
	{"protocol: udp, port: 0-5", 28, "0-5 is out of range", "5000-5010"},
	{"protocol: udp, port: 9-5", 28, "9-5 ends before it begins", "5000-5010"},
	{"protocol: udp, port: 5-", 28, "`5-` is no port", "5000-5010"},
	{"protocol: udp, port: 5-6-7", 28, "`5-6-7` is no port", "5000-5010"},
	{"protocol: udp, port: '5 '", 28, "`5 ` is no port", ""},
	{"protocol: udp, port: 5:9", 28, "`5:9` is no port", "5000-5010"},
	{"protocol: udp, port: -5", 28, "`-5` is no port", "5000-5010"},
	{"protocol: udp, port: http", 28, "`http` is no port", "1 to 65535"},
	{"protocol: udp, port: []", 28, "`port` is empty", "remove it"},
	{"protocol: udp, port: [5, 5]", 32, "port 5 is there twice", "once"},
	{"protocol: udp, port: [5-9, 9-12]", 34, "port 9 is there twice", "once"},
	{"protocol: udp, source_port: [5-9, 7]", 41, "port 7 is there twice", "once"},
	{"protocol: udp, port: 5, source_port: 6", 22, "stands alone", "both have to hold"},
	/* addresses */
	{"source: 10.0.0.1/8", 15, "10.0.0.1/8 has bits behind", "write 10.0.0.0/8"},
	{"source: '2001:db8::1/64'", 15, "has bits behind", "write 2001:db8::/64"},
	{"source: 10.0.0.0/33", 15, "no such number of bits", "32 bits"},
	{"source: 10.0.0.0/", 15, "no such number of bits", "32 bits"},
	{"source: 10.0.0.0/+8", 15, "no such number of bits", "32 bits"},
	{"source: 10.0.0.0/08", 15, "no such number of bits", "32 bits"},
	{"source: 'fd00::/129'", 15, "no such number of bits", "128"},
	{"source: 10.0.0", 15, "`10.0.0` is no address", "192.0.2.0/24"},
	{"source: gateway", 15, "`gateway` is no address", "192.0.2.0/24"},
	{"source: ['::/0', 10.0.0.0/8], ethertype: [ipv4, ipv6]", 16,
	 "::/0 is all of IPv6, beside `ethertype: ipv4`", "two triggers"},
	{"source: '::ffff:0:0/96'", 15, "is of IPv4 addresses", "192.0.2.0/24"},
	{"source: '::ffff:10.0.0.1'", 15, "is of IPv4 addresses", "192.0.2.0/24"},
	{"source: [10.0.0.0/8, 10.0.0.0/8]", 28, "10.0.0.0/8 is there twice", "remove"},
	{"source: []", 15, "`source` is empty", ""},
	{"source: 10.0.0.0/8, destination: 'fd00::/8'", 40, "`source` matches IPv4 only", "two"},
	{"source: [10.0.0.0/8, 'fd00::/8'], destination: 10.1.0.0/16", 28,
	 "fd00::/8 is of IPv6, and `destination` matches IPv4 only", "two triggers"},
	/* VLANs */
	{"vlan: 0", 13, "0 is out of range", "1 to 4094"},
	{"vlan: 4095", 13, "4095 is out of range", "1 to 4094"},
	{"vlan: office", 13, "`office` is not a whole number", "1 to 4094"},
	{"vlan: [5, 5]", 17, "5 is there twice", "remove"},
	/* EtherTypes */
	{"ethertype: 0x05ff", 18, "0x05ff is out of range", "1536"},
	{"ethertype: 0x10000", 18, "0x10000 is out of range", "65535"},
	{"ethertype: 0x8100", 18, "is a VLAN tag", "write `vlan`"},
	{"ethertype: 0x88a8", 18, "is a VLAN tag", "write `vlan`"},
	{"ethertype: profinte", 18, "`profinte` is not known", "did you mean `profinet`"},
	{"ethertype: [arp, arp]", 24, "there twice", ""},
	{"ethertype: arp, source: 10.0.0.0/8", 18, "0x0806 have no IP addresses", "remove it"},
	{"ethertype: arp, protocol: udp", 18, "0x0806 have no IP addresses", "remove it"},
	{"ethertype: ipv4, source: 'fd00::/8'", 18, "`source` matches IPv6 only", ""},
	{"ethertype: [ipv4, ipv6], protocol: icmpv6", 19, "ipv4 is of IPv4, and `protocol`", ""},
	/* ICMP */
	{"icmp_type: 8", 7, "`icmp_type` without ICMP", "protocol: icmp"},
	{"protocol: udp, icmp_type: 8", 22, "`icmp_type` without ICMP", "protocol: icmp"},
	{"protocol: icmp, icmp_type: 256", 34, "256 is out of range", "0 to 255"},
	{"protocol: icmp, icmp_type: neighbor-solicitation", 34, "is not known",
	 "router-solicitation"},
	{"protocol: icmp, icmp_type: [8, echo-request]", 38, "8 is there twice", ""},
	{"protocol: icmpv6, destination: 10.0.0.0/8", 38,
	 "10.0.0.0/8 is of IPv4, and `protocol` matches IPv6 only", "two triggers"},
	{"protocol: icmp, source: 'fd00::/8'", 31, "fd00::/8 is of IPv6", ""},
	{"protocol: igmp, source: 'fd00::/8'", 31, "fd00::/8 is of IPv6", ""},
};

static void test_mistakes(void **state)
{
	size_t missed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const struct diag *diag = &diags->list[0];
		unsigned int line = mistakes[i].column ? 5 : 4;
		unsigned int column = mistakes[i].column ? mistakes[i].column : 29;

		if (read_match(mistakes[i].match) == -1 && diags->count == 1 &&
		    diag->class == DIAG_INVALID && diag->line == line && diag->column == column &&
		    strstr(diag->cause, mistakes[i].cause) &&
		    strstr(diag->advice, mistakes[i].advice))
			continue;
		diags_print(diags, stderr);
		print_error("{%s}: not %u:%u \"%s\"; \"%s\"\n\n", mistakes[i].match, line, column,
			    mistakes[i].cause, mistakes[i].advice);
		missed++;
	}
	assert_int_equal(missed, 0);
}

/* "FIRST, FIRST + 1, ..." behind @p text. */
static void add_numbers(char *text, size_t bytes, const char *format, int first, int count)
{
	for (int i = 0; i < count; i++) {
		size_t used = strlen(text);

		snprintf(text + used, bytes - used, format, i ? ", " : "", first + i);
	}
}

static void test_limits(void **state)
{
	char text[8192] = "protocol: udp, port: [";

	(void)state;
	add_numbers(text, sizeof(text), "%s%d", 1, FAAS_TRIGGER_PORTS_MAX + 1);
	strcat(text, "]");
	assert_int_equal(read_match(text), -1);
	assert_int_equal(diags->count, 1);
	assert_non_null(strstr(diags->list[0].cause, "one more than a trigger may have, 64"));

	/* 2 directions x 64 ports x 8 sources is what there may be. */
	strcpy(text, "protocol: udp, port: [");
	add_numbers(text, sizeof(text), "%s%d", 1, 64);
	strcat(text, "], source: [");
	add_numbers(text, sizeof(text), "%s10.%d.0.0/16", 0, 8);
	strcat(text, "]");
	assert_int_equal(read_match(text), 0);
	assert_int_equal(bundle_match_rules(&workflow->bundle.triggers[0].match),
			 FAAS_TRIGGER_RULES_MAX);
	strcat(text, ", vlan: [5, 6]");
	assert_int_equal(read_match(text), -1);
	assert_int_equal(diags->count, 1);
	assert_string_equal(diags->list[0].cause,
			    "`match` makes 2 directions x 64 ports x 8 sources x 2 VLANs = 2048 "
			    "rules, the limit is 1024");
}

/* ---- targets, priorities, interfaces ---- */

static void test_targets(void **state)
{
	const struct bundle_trigger *trigger = &workflow->bundle.triggers[0];

	(void)state;
	if (read_text("workflow: w\n"
		      "triggers:\n"
		      "  t: {packet: {interfaces: ['eth*', br0], hook: tc-egress,\n"
		      "      match: {protocol: tcp}}, mode: observe, priority: -5, to: [s, f, u]}\n"
		      "functions:\n"
		      "  f: {kernel: dedup, outputs: {first: {redirect: eth1}, repeat: "
		      "[{redirect: eth2}, s]}}\n"
		      "  u: {user: tally, key: vlan}\n"
		      "  g: {kernel: dedup, outputs: {first: {redirect: eth1}}}\n"
		      "sinks: {s: {file: {path: /x}}}\n") != -1)
		fail_msg("g is not reached");
	assert_int_equal(diags->count, 1);
	if (read_text("workflow: w\n"
		      "triggers:\n"
		      "  t: {packet: {interfaces: ['eth*', br0], hook: tc-egress,\n"
		      "      match: {protocol: tcp}}, mode: observe, priority: -5, to: [s, f, u]}\n"
		      "functions:\n"
		      "  f: {kernel: dedup, outputs: {first: {redirect: eth1}, repeat: "
		      "[{redirect: eth2}, s]}}\n"
		      "  u: {user: tally, key: vlan}\n"
		      "sinks: {s: {file: {path: /x}}}\n"))
		diags_print(diags, stderr);
	assert_int_equal(diags->count, 0);
	assert_string_equal(trigger->interfaces[0], "eth*");
	assert_int_equal(trigger->hook, HOOK_TC_EGRESS);
	assert_int_equal(trigger->mode, MODE_OBSERVE);
	assert_int_equal(trigger->priority, -5);
	assert_int_equal(trigger->id, bundle_trigger_id("t"));
	assert_int_equal(trigger->target_count, 3);
	assert_int_equal(trigger->targets[0].kind, TARGET_SINK);
	assert_int_equal(trigger->targets[0].entry, 0);
	assert_int_equal(trigger->targets[1].kind, TARGET_KERNEL);
	assert_int_equal(trigger->targets[1].entry, BUNDLE_NO_ENTRY);
	assert_int_equal(trigger->targets[2].kind, TARGET_USER);
	assert_int_equal(trigger->targets[2].entry, 1);
	assert_int_equal(workflow->bundle.entries[1].kernel_function, BUNDLE_FROM_TRIGGER);
	assert_int_equal(workflow->bundle.redirect_count, 2);
	assert_string_equal(workflow->bundle.redirects[1], "eth2");
	assert_int_equal(workflow->bundle.kernel[0].outputs[1].targets[0].index, VERDICT_REDIRECT);
	assert_int_equal(workflow->bundle.kernel[0].outputs[1].targets[0].redirect, 1);
}

/* ---- two triggers ---- */

static int read_two(const char *a, const char *b)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "workflow: w\n"
		 "triggers:\n"
		 "  a: {packet: {%s}, to: s}\n"
		 "  b: {packet: {%s}, to: s}\n"
		 "sinks: {s: {file: {path: /x}}}\n",
		 a, b);
	return read_text(text);
}

static const struct {
	const char *a, *b;
	const char *cause; /* NULL: they go together */
} pairs[] = {
	{"interfaces: e, match: {any: true}", "interfaces: e, match: {any: true}",
	 "triggers a and b both match every packet on e, equally specific"},
	{"interfaces: e, match: {any: true}", "interfaces: f, match: {any: true}", NULL},
	{"interfaces: e, match: {any: true}", "interfaces: any, match: {any: true}", "on any"},
	{"interfaces: eth*, match: {vlan: 5}", "interfaces: [f, eth1], match: {vlan: 5}",
	 "both match VLAN 5 on eth1"},
	{"interfaces: e, match: {any: true}", "interfaces: e, match: {vlan: 5}", NULL},
	{"interfaces: e, hook: xdp, match: {vlan: 5}",
	 "interfaces: e, hook: tc-ingress, match: {vlan: 5}", NULL},
	{"interfaces: e, hook: xdp, match: {vlan: 5}",
	 "interfaces: e, hook: xdp-generic, match: {vlan: 6}", "attach to e in two ways"},
	{"interfaces: e, match: {protocol: udp, port: 5-9}",
	 "interfaces: e, match: {protocol: udp, destination_port: 7}", NULL},
	{"interfaces: e, match: {protocol: udp, port: 5-9}",
	 "interfaces: e, match: {protocol: udp, destination_port: 9-13}",
	 "both match destination port 9 on e"},
	{"interfaces: e, match: {protocol: udp, port: 5-9}",
	 "interfaces: e, match: {protocol: udp, source_port: 9-13}", "both match source port 9"},
	{"interfaces: e, match: {protocol: udp, port: 5}",
	 "interfaces: e, match: {protocol: tcp, port: 5}", NULL},
	{"interfaces: e, match: {source: 10.0.0.0/8}",
	 "interfaces: e, match: {source: [10.0.0.0/9, 10.0.0.0/8]}",
	 "both match source 10.0.0.0/8"},
	{"interfaces: e, match: {source: 10.0.0.0/8}",
	 "interfaces: e, match: {source: 10.1.0.0/16}", NULL},
	{"interfaces: e, match: {source: 10.0.0.0/8}",
	 "interfaces: e, match: {source: 10.0.0.0/8, protocol: udp}", NULL},
	{"interfaces: e, match: {source: '::/0'}",
	 "interfaces: e, match: {source: '::/0', ethertype: ipv6}", "both match source ::/0"},
	{"interfaces: e, match: {ethertype: [arp, lldp]}",
	 "interfaces: e, match: {ethertype: [lldp, ptp]}", "both match EtherType 0x88cc"},
	{"interfaces: e, match: {protocol: icmp, icmp_type: [0, 8]}",
	 "interfaces: e, match: {protocol: icmp, icmp_type: 8}", "both match ICMP type 8"},
	{"interfaces: e, match: {protocol: icmp, icmp_type: 8}",
	 "interfaces: e, match: {protocol: icmpv6, icmp_type: 8}", NULL},
	{"interfaces: e, match: {protocol: gre}", "interfaces: e, match: {protocol: 47}",
	 "both match protocol gre"},
	{"interfaces: e, match: {any: true}}, priority: 1, x: {",
	 "interfaces: e, match: {any: true}", "unknown key `x`"},
};

static void test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		int err = read_two(pairs[i].a, pairs[i].b);

		if (err == (pairs[i].cause ? -1 : 0) && diags->count == (pairs[i].cause ? 1 : 0) &&
		    (!pairs[i].cause || strstr(diags->list[0].cause, pairs[i].cause)))
			continue;
		diags_print(diags, stderr);
		fail_msg("{%s} and {%s}: not \"%s\"", pairs[i].a, pairs[i].b,
			 pairs[i].cause ? pairs[i].cause : "sound");
	}
}

static void test_priority(void **state)
{
	(void)state;
	assert_int_equal(
		read_text("workflow: w\n"
			  "triggers:\n"
			  "  a: {packet: {interfaces: e, match: {any: true}}, priority: 1, to: s}\n"
			  "  b: {packet: {interfaces: e, match: {any: true}}, to: s}\n"
			  "sinks: {s: {file: {path: /x}}}\n"),
		0);
	assert_int_equal(workflow->bundle.triggers[0].priority, 1);
}

/* Two names that give one id, found by trying. */
static void test_id_collision(void **state)
{
	static char seen[1 << 15][8];
	char text[512], name[8];
	uint16_t id = 0;

	(void)state;
	for (unsigned int i = 0;; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		id = bundle_trigger_id(name);
		assert_in_range(id, 1, 0x7fff);
		if (seen[id][0])
			break;
		strcpy(seen[id], name);
	}
	snprintf(text, sizeof(text),
		 "workflow: w\n"
		 "triggers:\n"
		 "  %s: {packet: {interfaces: e, match: {vlan: 5}}, to: s}\n"
		 "  %s: {packet: {interfaces: e, match: {vlan: 6}}, to: s}\n"
		 "sinks: {s: {file: {path: /x}}}\n",
		 seen[id], name);
	assert_int_equal(read_text(text), -1);
	assert_int_equal(diags->count, 1);
	assert_int_equal(diags->list[0].line, 4);
	assert_non_null(strstr(diags->list[0].cause, "the same id"));
	assert_non_null(strstr(diags->list[0].advice, "rename"));
}

/* ---- the same answer as the tables of an interface ---- */

static uint64_t seed;

static unsigned int choose(unsigned int below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(seed >> 33) % below;
}

static void choose_ranges(struct bundle_range *ranges, uint32_t *count)
{
	*count = choose(3);
	for (uint32_t i = 0; i < *count; i++) {
		ranges[i].first = (uint16_t)(i * 8 + 1 + choose(4));
		ranges[i].last = (uint16_t)(ranges[i].first + choose(4));
	}
}

static void choose_prefixes(struct bundle_prefix *prefixes, uint32_t *count)
{
	static const char *const texts[] = {"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24",
					    "fd00::/8",	  "::/0",	 "::/8"};

	*count = choose(2) ? 0 : choose(4);
	for (uint32_t i = 0; i < *count; i++)
		assert_int_equal(bundle_prefix_parse(texts[choose(6)], &prefixes[i]), 0);
}

static void choose_match(struct bundle_match *match)
{
	struct bundle_fault fault;

	do {
		memset(match, 0, sizeof(*match));
		match->has_protocol = choose(3);
		if (match->has_protocol)
			match->ip_protocol = (uint8_t[]){6, 17, 1, 58, 47}[choose(5)];
		match->either_port = !choose(4);
		if (!choose(3))
			choose_ranges(match->destination_ranges, &match->destination_range_count);
		if (!choose(4))
			choose_ranges(match->source_ranges, &match->source_range_count);
		choose_prefixes(match->destinations, &match->destination_count);
		choose_prefixes(match->sources, &match->source_count);
		match->icmp_type_count = !choose(6);
		match->icmp_types[0] = (uint8_t)choose(2);
		match->ethertype_count = !choose(4);
		match->ethertypes[0] = (uint16_t[]){0x0800, 0x86dd, 0x0806}[choose(3)];
		match->vlan_count = choose(3) ? 0 : choose(3);
		match->vlans[0] = (uint16_t)(1 + choose(2));
		match->vlans[1] = (uint16_t)(3 + choose(2));
		if (!match->icmp_type_count)
			match->icmp_types[0] = 0;
		match->any = !choose(10);
	} while (!bundle_match_check(match, &fault));
}

/* The same but for one list: what differs by little collides often. */
static void change_match(const struct bundle_match *match, struct bundle_match *ret)
{
	struct bundle_fault fault;

	do {
		*ret = *match;
		switch (choose(5)) {
		case 0:
			choose_ranges(ret->destination_ranges, &ret->destination_range_count);
			break;
		case 1:
			choose_prefixes(ret->destinations, &ret->destination_count);
			break;
		case 2:
			choose_prefixes(ret->sources, &ret->source_count);
			break;
		case 3:
			ret->ethertype_count = !ret->ethertype_count;
			ret->ethertypes[0] = 0x86dd;
			break;
		default:
			ret->vlan_count = choose(3);
		}
	} while (!bundle_match_check(ret, &fault));
}

static bool collide_by_rules(const struct bundle_trigger *a, const struct bundle_trigger *b)
{
	static struct faas_rule first[FAAS_TRIGGER_RULES_MAX], second[FAAS_TRIGGER_RULES_MAX];
	uint32_t first_count = 0, second_count = 0;

	assert_int_equal(dispatch_rules_expand(a, 1, first, &first_count), 0);
	assert_int_equal(dispatch_rules_expand(b, 2, second, &second_count), 0);
	assert_int_equal(first_count, bundle_match_rules(&a->match));
	for (uint32_t i = 0; i < first_count; i++)
		for (uint32_t k = 0; k < second_count; k++)
			if (dispatch_rules_collide(&first[i], &second[k]))
				return true;
	return false;
}

static void test_as_the_tables(void **state)
{
	static struct bundle_trigger a, b;
	unsigned int collisions = 0;

	(void)state;
	seed = 20261121;
	a.id = 1;
	b.id = 2;
	for (int i = 0; i < 20000; i++) {
		char what[BUNDLE_CONFLICT_BYTES];
		bool expected, found;

		choose_match(&a.match);
		if (i % 2)
			choose_match(&b.match);
		else
			change_match(&a.match, &b.match);
		expected = collide_by_rules(&a, &b);
		found = bundle_match_conflict(&a.match, &b.match, what);
		collisions += expected;
		if (expected == found)
			continue;
		bundle_match_describe(&a.match, stderr);
		fputc('\n', stderr);
		bundle_match_describe(&b.match, stderr);
		fail_msg("\npair %d: the tables say %d", i, expected);
	}
	assert_true(collisions > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),	     cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_limits),	     cmocka_unit_test(test_targets),
		cmocka_unit_test(test_pairs),	     cmocka_unit_test(test_priority),
		cmocka_unit_test(test_id_collision), cmocka_unit_test(test_as_the_tables),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
