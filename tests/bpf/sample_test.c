// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/sample: how many are picked, and that flows are picked whole. */
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

enum { SAMPLED, REST };
enum { PACKETS, FLOWS };

static struct harness_instance instance_of(const char *name, const char *every, int of)
{
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/sample/sample.bpf.o",
		.params = {{"u32", "every", every, true},
			   {"u32", "of", of == FLOWS ? "1" : "0", false}},
		.outputs = {"sampled", "rest"},
	};
}

static struct harness *open_one(const char *every, int of)
{
	struct harness_instance instance = instance_of("sample", every, of);

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

/* Bounds are 6 standard deviations away: they fail by chance once in 10^9. */
static void test_packets(void **state)
{
	static const struct {
		int64_t every;
		uint64_t least, most; /* of 200,000 */
	} rows[] = {{1, 200000, 200000},
		    {2, 98658, 101342},
		    {10, 19195, 20805},
		    {1000, 115, 285},
		    {1000000000, 0, 3}};
	struct harness *harness = open_one("7", PACKETS);
	const struct frame_spec spec = {.payload_bytes = 4};
	uint64_t tallies[FAAS_OUTPUTS_MAX];

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		harness_set(harness, "sample", "every", rows[i].every);
		harness_run_together(harness, 0, &spec, VARY_NOTHING, 100000, tallies);
		assert_int_equal(tallies[SAMPLED] + tallies[REST], 200000);
		assert_in_range(tallies[SAMPLED], rows[i].least, rows[i].most);
	}
	harness_print_cost(harness, 0, &spec, VARY_NOTHING, "packets");
	harness_close(harness);
}

/* All packets of a flow, both ways, have the same answer; another flow may have
 * another, and about one in four is picked. */
static void test_flows(void **state)
{
	struct harness *harness = open_one("4", FLOWS);
	unsigned int picked = 0;

	(void)state;
	for (uint16_t port = 1; port <= 4000; port++) {
		const struct frame_spec there = {.source_port = port, .payload_bytes = 4},
					back = {.source = "10.20.0.1",
						.destination = "10.20.0.7",
						.source_port = 5005,
						.destination_port = port,
						FRAME_PAYLOAD("answer")};
		int output = run(harness, 0, &there, 0);

		picked += output == SAMPLED;
		if (port % 16)
			continue;
		assert_int_equal(run(harness, 0, &back, 0), output);
		assert_int_equal(run(harness, 0, &there, 0), output);
	}
	/* 1000, and 6 standard deviations of 27. */
	assert_in_range(picked, 836, 1164);
	harness_set(harness, "sample", "every", 1);
	for (uint16_t port = 1; port <= 100; port++)
		assert_int_equal(run(harness, 0,
				     &(struct frame_spec){.source_port = port, .payload_bytes = 4},
				     0),
				 SAMPLED);
	harness_close(harness);
}

/* Whether all of some packets are answered alike, for each of many flows, and
 * that there are flows of either answer. */
struct variant {
	const char *name;
	struct frame_spec spec;
	uint8_t flags;
};

static void check_alike(const char *what, const struct variant *a, const struct variant *b,
			bool alike)
{
	struct harness *harness = open_one("2", FLOWS);
	unsigned int differ = 0, picked = 0;

	for (unsigned int i = 1; i <= 64; i++) {
		struct frame_spec first = a->spec, second = b->spec;
		char source[2][32];
		int output;

		snprintf(source[0], 32, first.ip_version == 6 ? "fd00::%x" : "10.1.2.%u", i);
		snprintf(source[1], 32, second.ip_version == 6 ? "fd00::%x" : "10.1.2.%u", i);
		first.source = source[0];
		second.source = source[1];
		output = run(harness, 0, &first, a->flags);
		picked += output == SAMPLED;
		differ += run(harness, 0, &second, b->flags) != output;
	}
	if (!picked || picked == 64)
		fail_msg("%s: %u of 64 picked", what, picked);
	if (alike ? differ : !differ)
		fail_msg("%s: %u of 64 differ", what, differ);
	harness_close(harness);
}

static void test_what_a_flow_is(void **state)
{
	static const struct {
		const char *name;
		struct variant a, b;
		bool alike;
	} rows[] = {
		{"payload, TTL, tag",
		 {"", {.payload_bytes = 4}, 0},
		 {"", {.payload_bytes = 9, .ttl = 3, .vlans = {{0, 7}}}, 0},
		 true},
		{"ports", {"", {.payload_bytes = 4}, 0}, {"", {.source_port = 9}, 0}, false},
		{"protocol",
		 {"", {.payload_bytes = 4}, 0},
		 {"", {.protocol = IPPROTO_TCP}, 0},
		 false},
		{"destination",
		 {"", {.payload_bytes = 4}, 0},
		 {"", {.destination = "10.20.0.9"}, 0},
		 false},
		{"IPv6", {"", {.ip_version = 6}, 0}, {"", {.ip_version = 6, .ttl = 1}, 0}, true},
		{"fragments: ports do not count, as only the first has them",
		 {"", {.source_port = 1, .payload_bytes = 8}, FAAS_EVENT_FIRST_FRAGMENT},
		 {"", {.source_port = 2, .payload_bytes = 8}, FAAS_EVENT_FRAGMENT},
		 true},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_alike(rows[i].name, &rows[i].a, &rows[i].b, rows[i].alike);
}

/* Packets without IP are one flow. */
static void test_no_ip(void **state)
{
	struct harness *harness = open_one("2", FLOWS);
	int expected = -1;

	(void)state;
	for (uint8_t i = 1; i < 32; i++) {
		const uint8_t source[6] = {2, 0, 0, 0, 0, i};
		const struct frame_spec spec = {.source_mac = source, .payload_bytes = 4};
		struct harness_answer answer;
		struct faas_packet packet;
		struct frame frame;

		frame_build(&spec, &frame);
		packet = harness_describe(&spec, &frame, 0);
		packet.ip_version = 0;
		packet.ip_protocol = 0;
		packet.source_port = 0;
		packet.destination_port = 0;
		harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
		if (expected >= 0)
			assert_int_equal(answer.output, expected);
		expected = answer.output;
	}
	harness_print_cost(harness, 0, &(struct frame_spec){.payload_bytes = 4}, VARY_NOTHING,
			   "flows");
	harness_close(harness);
}

/* Two instances pick other flows: what one leaves, the other may have. */
static void test_two_instances(void **state)
{
	struct harness_instance instances[2] = {instance_of("left", "2", FLOWS),
						instance_of("right", "2", FLOWS)};
	struct harness *harness = harness_open(instances, 2);
	unsigned int differ = 0;

	(void)state;
	for (uint16_t port = 1; port <= 64; port++) {
		const struct frame_spec spec = {.source_port = port, .payload_bytes = 4};

		differ += run(harness, 0, &spec, 0) != run(harness, 1, &spec, 0);
	}
	assert_in_range(differ, 8, 56);
	harness_set(harness, "left", "every", 1);
	harness_set(harness, "right", "every", 1000000000);
	for (uint16_t port = 1; port <= 64; port++) {
		const struct frame_spec spec = {.source_port = port, .payload_bytes = 4};

		assert_int_equal(run(harness, 0, &spec, 0), SAMPLED);
		assert_int_equal(run(harness, 1, &spec, 0), REST);
	}
	harness_close(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),	       cmocka_unit_test(test_flows),
		cmocka_unit_test(test_what_a_flow_is), cmocka_unit_test(test_no_ip),
		cmocka_unit_test(test_two_instances),
	};

	return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
