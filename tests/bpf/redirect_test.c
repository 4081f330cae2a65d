// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/redirect: flows keep their way, ways share the flows, and what may not go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

#include <ebpf_faas/event.h>

#include "function_harness.h"

#define WAYS_MAX 4

enum { UNFIT = WAYS_MAX };
enum { FLOW, SOURCE, DESTINATION };

static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};

static struct harness_instance instance_of(const char *name, const char *ways, const char *by)
{
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/redirect/redirect.bpf.o",
		.params = {{"u32", "ways", ways, false}, {"u32", "by", by, false}},
		.outputs = {"way1", "way2", "way3", "way4", "unfit"},
	};
}

static struct harness *open_one(const char *ways, const char *by)
{
	struct harness_instance instance = instance_of("redirect", ways, by);

	return harness_open(&instance, 1);
}

static int run(struct harness *harness, unsigned int instance, const struct frame_spec *spec,
	       uint8_t flags)
{
	struct harness_answer answer;

	harness_run(harness, instance, spec, flags, &answer);
	assert_int_equal(answer.fields_present, 0);
	return answer.output;
}

static const struct {
	const char *name;
	struct frame_spec spec;
	bool fit;
} rows[] = {
	{"IPv4", {.payload_bytes = 4}, true},
	{"IPv6", {.ip_version = 6, .payload_bytes = 4}, true},
	{"another protocol", {.protocol = IPPROTO_ICMP, .payload_bytes = 8}, true},
	{"VLAN tags", {.vlans = {{0x88a8, 7}, {0, 9}}, .payload_bytes = 4}, true},
	{"two hops left", {.ttl = 2}, true},
	{"its last hop", {.ttl = 1}, false},
	{"IPv6, two hops left", {.ip_version = 6, .ttl = 2}, true},
	{"IPv6, its last hop", {.ip_version = 6, .ttl = 1}, false},
	{"to all, by Ethernet", {.destination_mac = broadcast}, false},
	{"to all", {.destination = "255.255.255.255"}, false},
	{"to a group", {.destination = "224.0.0.251"}, false},
	{"from a group", {.source = "224.0.0.251"}, false},
	{"from nobody", {.source = "0.0.0.0"}, false},
	{"from this machine", {.source = "127.0.0.1"}, false},
	{"of this link", {.destination = "169.254.1.2"}, false},
	{"beside those of this link", {.destination = "169.253.1.2"}, true},
	{"IPv6, to a group", {.ip_version = 6, .destination = "ff05::1"}, false},
	{"IPv6, from nobody", {.ip_version = 6, .source = "::"}, false},
	{"IPv6, of this link", {.ip_version = 6, .source = "fe80::1"}, false},
	{"IPv6, of this link, its last", {.ip_version = 6, .source = "febf::1"}, false},
	{"IPv6, behind those", {.ip_version = 6, .source = "fec0::1"}, true},
};

static void test_fitness(void **state)
{
	struct harness *harness = open_one("4", "0");
	const struct frame_spec spec = {.payload_bytes = 4};
	struct harness_answer answer;
	struct faas_packet packet;
	struct frame frame;

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int output = run(harness, 0, &rows[i].spec, 0);

		if (rows[i].fit != (output >= 0 && output < WAYS_MAX) ||
		    rows[i].fit != (output != UNFIT))
			fail_msg("%s: output %d", rows[i].name, output);
	}
	frame_build(&spec, &frame);
	packet = harness_describe(&spec, &frame, 0);
	packet.ip_version = 0;
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, UNFIT);
	packet.ip_version = 4; /* and headers that the frame does not hold */
	harness_run_packet(harness, 0, frame.data, 20, &packet, &answer);
	assert_int_equal(answer.output, UNFIT);
	harness_print_cost(harness, 0, &spec, VARY_NOTHING, "four ways");
	harness_close(harness);
}

/* As many flows as ports; each way has its share, none goes elsewhere. */
static void test_shares(void **state)
{
	static const char *const texts[] = {"1", "2", "3", "4"};

	(void)state;
	for (unsigned int ways = 1; ways <= WAYS_MAX; ways++) {
		struct harness *harness = open_one(texts[ways - 1], "0");
		unsigned int shares[WAYS_MAX + 1] = {0};
		const unsigned int flows = 2000, share = flows / ways;

		for (unsigned int i = 1; i <= flows; i++) {
			const struct frame_spec spec = {.source_port = (uint16_t)i,
							.payload_bytes = 4};

			shares[run(harness, 0, &spec, 0)]++;
		}
		/* The standard deviation is at most 23: 6 of them. */
		for (unsigned int way = 0; way < ways; way++)
			assert_in_range(shares[way], ways == 1 ? flows : share - 138,
					ways == 1 ? flows : share + 138);
		for (unsigned int way = ways; way <= WAYS_MAX; way++)
			assert_int_equal(shares[way], 0);
		harness_close(harness);
	}
}

/* Which packets keep together: 48 pairs that differ in one thing. */
static void check_pairs(const char *by, const char *what, const struct frame_spec *other,
			uint8_t flags, bool together)
{
	struct harness *harness = open_one("4", by);
	unsigned int apart = 0;

	for (unsigned int i = 1; i <= 48; i++) {
		struct frame_spec a = {.payload_bytes = 8}, b = *other;
		char source[32], destination[32];

		snprintf(source, sizeof(source), "10.1.2.%u", i);
		snprintf(destination, sizeof(destination), "10.1.3.%u", i);
		a.source = source;
		a.destination = destination;
		b.source = b.source ? b.source : source;
		b.destination = b.destination ? b.destination : destination;
		apart += run(harness, 0, &a, flags) != run(harness, 0, &b, flags);
	}
	if (together ? apart : !apart)
		fail_msg("by %s, %s: %u of 48 pairs apart", by, what, apart);
	harness_close(harness);
}

static void test_what_keeps_together(void **state)
{
	const struct frame_spec payload = {.payload_bytes = 90, .ttl = 9},
				port = {.source_port = 9, .payload_bytes = 8},
				protocol = {.protocol = IPPROTO_TCP, .payload_bytes = 8},
				source = {.source = "10.9.9.9", .payload_bytes = 8},
				destination = {.destination = "10.9.9.9", .payload_bytes = 8};

	(void)state;
	check_pairs("0", "payload", &payload, 0, true);
	check_pairs("0", "port", &port, 0, false);
	check_pairs("0", "protocol", &protocol, 0, false);
	check_pairs("0", "source", &source, 0, false);
	check_pairs("0", "destination", &destination, 0, false);
	check_pairs("0", "port of a first fragment", &port, FAAS_EVENT_FIRST_FRAGMENT, true);
	check_pairs("0", "port of a fragment", &port, FAAS_EVENT_FRAGMENT, true);
	check_pairs("1", "port", &port, 0, true);
	check_pairs("1", "destination", &destination, 0, true);
	check_pairs("1", "source", &source, 0, false);
	check_pairs("2", "source", &source, 0, true);
	check_pairs("2", "destination", &destination, 0, false);
}

static void test_two_instances(void **state)
{
	struct harness_instance instances[2] = {instance_of("outer", "2", "0"),
						instance_of("inner", "2", "0")};
	struct harness *harness = harness_open(instances, 2);
	unsigned int apart = 0;

	(void)state;
	/* One behind the other: the second splits what the first left together. */
	for (uint16_t port = 1; port <= 64; port++) {
		const struct frame_spec spec = {.source_port = port, .payload_bytes = 4};

		apart += run(harness, 0, &spec, 0) != run(harness, 1, &spec, 0);
	}
	assert_in_range(apart, 8, 56);
	harness_close(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fitness),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_what_keeps_together),
		cmocka_unit_test(test_two_instances),
	};

	return cmocka_run_group_tests_name("redirect", tests, NULL, NULL);
}
