// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/echo: what may be answered, one property of the packet at a time. */
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

enum { REPLY, REFUSED };

static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255},
		     multicast[6] = {1, 0, 0x5e, 0, 0, 1}, no_mac[6] = {0};

struct row {
	const char *name;
	struct frame_spec spec;
	uint8_t flags;
	int output;
};

static const struct row rows[] = {
	{"a question", {FRAME_PAYLOAD("ping")}, 0, REPLY},
	{"an empty one", {.payload_bytes = 0}, 0, REPLY},
	{"IPv6", {.ip_version = 6, FRAME_PAYLOAD("ping")}, 0, REPLY},
	{"VLAN tags", {.vlans = {{0x88a8, 7}, {0, 9}}, FRAME_PAYLOAD("ping")}, 0, REPLY},
	{"longest", {.payload_bytes = 1000}, 0, REPLY},
	{"one byte longer", {.payload_bytes = 1001}, 0, REFUSED},

	{"TCP", {.protocol = IPPROTO_TCP, .payload_bytes = 4}, 0, REFUSED},
	{"ICMP", {.protocol = IPPROTO_ICMP, .payload_bytes = 4}, 0, REFUSED},
	{"first fragment", {.payload_bytes = 8}, FAAS_EVENT_FIRST_FRAGMENT, REFUSED},
	{"later fragment", {.payload_bytes = 8}, FAAS_EVENT_FRAGMENT, REFUSED},
	{"cut short", {.payload_bytes = 8}, FAAS_EVENT_TRUNCATED, REFUSED},
	{"IPv4 options", {.ipv4_option_bytes = 4, .payload_bytes = 8}, 0, REFUSED},
	{"extension header",
	 {.ip_version = 6, .extensions = {IPPROTO_DSTOPTS}, .payload_bytes = 8},
	 0,
	 REFUSED},

	{"to all, by Ethernet", {.destination_mac = broadcast}, 0, REFUSED},
	{"to a group, by Ethernet", {.destination_mac = multicast}, 0, REFUSED},
	{"from a group, by Ethernet", {.source_mac = multicast}, 0, REFUSED},
	{"from all, by Ethernet", {.source_mac = broadcast}, 0, REFUSED},
	{"from nobody, by Ethernet", {.source_mac = no_mac}, 0, REFUSED},

	{"to all", {.destination = "255.255.255.255"}, 0, REFUSED},
	{"to a group", {.destination = "224.0.0.1"}, 0, REFUSED},
	{"to the last group", {.destination = "239.255.255.255"}, 0, REFUSED},
	{"to the last station", {.destination = "223.255.255.255"}, 0, REPLY},
	{"reserved", {.destination = "240.0.0.1"}, 0, REFUSED},
	{"from nobody", {.source = "0.0.0.0"}, 0, REFUSED},
	{"from this network", {.source = "0.1.2.3"}, 0, REFUSED},
	{"from the first station", {.source = "1.0.0.1"}, 0, REPLY},
	{"from this machine", {.source = "127.0.0.1"}, 0, REFUSED},
	{"to this machine", {.destination = "127.1.2.3"}, 0, REFUSED},
	{"from a group", {.source = "224.0.0.1"}, 0, REFUSED},
	{"from all", {.source = "255.255.255.255"}, 0, REFUSED},
	{"from its destination", {.source = "10.20.0.1"}, 0, REFUSED},
	{"IPv6, to a group", {.ip_version = 6, .destination = "ff02::1"}, 0, REFUSED},
	{"IPv6, from a group", {.ip_version = 6, .source = "ff02::1"}, 0, REFUSED},
	{"IPv6, from nobody", {.ip_version = 6, .source = "::"}, 0, REFUSED},
	{"IPv6, from this machine", {.ip_version = 6, .source = "::1"}, 0, REFUSED},
	{"IPv6, from an IPv4 address", {.ip_version = 6, .source = "::ffff:10.0.0.1"}, 0, REFUSED},
	{"IPv6, link-local",
	 {.ip_version = 6, .source = "fe80::1", .destination = "fe80::2"},
	 0,
	 REPLY},
	{"IPv6, from its destination", {.ip_version = 6, .source = "fd00::1"}, 0, REFUSED},

	{"from echo", {.source_port = 7}, 0, REFUSED},
	{"from daytime", {.source_port = 13}, 0, REFUSED},
	{"from quote of the day", {.source_port = 17}, 0, REFUSED},
	{"from chargen", {.source_port = 19}, 0, REFUSED},
	{"from time", {.source_port = 37}, 0, REFUSED},
	{"from our own port", {.source_port = 5005}, 0, REFUSED},
	{"to echo", {.destination_port = 7}, 0, REPLY},
	{"from port 1", {.source_port = 1}, 0, REPLY},
};

static struct harness_instance instance_of(const char *name, const char *max_payload)
{
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/echo/echo.bpf.o",
		.params = {{"u32", "max_payload", max_payload, false}},
		.outputs = {"reply", "refused"},
	};
}

static struct harness *open_one(const char *max_payload)
{
	struct harness_instance instance = instance_of("echo", max_payload);

	return harness_open(&instance, 1);
}

static void test_table(void **state)
{
	struct harness *harness = open_one("1000");
	struct harness_answer answer;

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		harness_run(harness, 0, &rows[i].spec, rows[i].flags, &answer);
		if (answer.output != rows[i].output)
			fail_msg("%s: output %d, expected %d", rows[i].name, answer.output,
				 rows[i].output);
		assert_int_equal(answer.fields_present, 0);
	}
	harness_close(harness);
}

/* Descriptions that are not true of the frame: port 0, no IP, headers that the
 * frame does not hold. */
static void test_descriptions(void **state)
{
	const struct frame_spec spec = {FRAME_PAYLOAD("ping")};
	struct harness *harness = open_one("1000");
	struct harness_answer answer;
	struct faas_packet packet;
	struct frame frame;

	(void)state;
	frame_build(&spec, &frame);
	packet = harness_describe(&spec, &frame, 0);
	packet.source_port = 0;
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, REFUSED);
	packet = harness_describe(&spec, &frame, 0);
	packet.ip_version = 0;
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, REFUSED);
	packet = harness_describe(&spec, &frame, 0);
	harness_run_packet(harness, 0, frame.data, 20, &packet, &answer);
	assert_int_equal(answer.output, REFUSED);
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, REPLY);
	harness_close(harness);
}

static void test_two_instances(void **state)
{
	struct harness_instance instances[2] = {instance_of("small", "4"),
						instance_of("large", "9000")};
	struct harness *harness = harness_open(instances, 2);
	const struct frame_spec short_one = {.payload_bytes = 4},
				long_one = {.payload_bytes = 1400};
	struct harness_answer answer;

	(void)state;
	harness_run(harness, 0, &short_one, 0, &answer);
	assert_int_equal(answer.output, REPLY);
	harness_run(harness, 0, &long_one, 0, &answer);
	assert_int_equal(answer.output, REFUSED);
	harness_run(harness, 1, &long_one, 0, &answer);
	assert_int_equal(answer.output, REPLY);
	harness_print_cost(harness, 0, &short_one, VARY_NOTHING, "reply");
	harness_close(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_descriptions),
		cmocka_unit_test(test_two_instances),
	};

	return cmocka_run_group_tests_name("echo", tests, NULL, NULL);
}
