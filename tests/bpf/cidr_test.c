// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/cidr: the longest prefix decides, at every length and with 100,000 of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include <ebpf_faas/event.h>

#include "function_harness.h"

enum { LISTED, UNLISTED };
enum { SOURCE, DESTINATION };

struct prefix {
	uint32_t bits;
	uint8_t address[16];
};

static struct harness_instance instance_of(const char *name, int by, uint32_t entries)
{
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/cidr/cidr.bpf.o",
		.params = {{"u32", "by", by == DESTINATION ? "1" : "0", false}},
		.outputs = {"listed", "unlisted"},
		.sized_map = "prefixes",
		.entries = entries,
	};
}

static struct harness *open_one(int by, uint32_t entries)
{
	struct harness_instance instance = instance_of("cidr", by, entries);

	return harness_open(&instance, 1);
}

/* Add "10.0.0.0/8" or "fd00::/8", as a line of the file would. 0 or -errno. */
static int add(const struct harness *harness, const char *instance, const char *text,
	       uint32_t listed)
{
	struct prefix key = {.bits = 0};
	char address[64];
	char *slash;

	snprintf(address, sizeof(address), "%s", text);
	slash = strchr(address, '/');
	assert_non_null(slash);
	*slash = '\0';
	key.bits = (uint32_t)strtoul(slash + 1, NULL, 10) + (strchr(address, ':') ? 0 : 96);
	frame_address(address, key.address);
	return bpf_map_update_elem(bpf_map__fd(harness_map(harness, instance, "prefixes")), &key,
				   &listed, BPF_NOEXIST);
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
	const char *text;
	uint32_t listed;
} prefixes[] = {
	{"10.0.0.0/8", 1},    {"10.20.0.0/16", 0},   {"10.20.7.0/24", 1},
	{"10.20.7.99/32", 0}, {"192.168.0.1/32", 1}, {"172.16.0.0/12", 1},
	{"fd00::/8", 1},      {"fd00:1::/32", 0},    {"fd00:1::7/128", 1},
};

static const struct {
	const char *name, *address;
	int output;
} rows[] = {
	{"in the first", "10.1.2.3", LISTED},
	{"first address of it", "10.0.0.0", LISTED},
	{"last address of it", "10.255.255.255", LISTED},
	{"one below", "9.255.255.255", UNLISTED},
	{"one above", "11.0.0.0", UNLISTED},
	{"an exception", "10.20.1.1", UNLISTED},
	{"listed within the exception", "10.20.7.1", LISTED},
	{"one address of that excepted", "10.20.7.99", UNLISTED},
	{"a single address", "192.168.0.1", LISTED},
	{"its neighbour", "192.168.0.0", UNLISTED},
	{"12 bits, last of it", "172.31.255.255", LISTED},
	{"12 bits, behind it", "172.32.0.0", UNLISTED},
	{"IPv6", "fdff::1", LISTED},
	{"IPv6, exception", "fd00:1::8", UNLISTED},
	{"IPv6, one address", "fd00:1::7", LISTED},
	{"IPv6, nothing", "fe80::1", UNLISTED},
	{"IPv6 with the bits of an IPv4 prefix", "a00::1", UNLISTED},
};

static void fill(struct harness *harness, const char *instance)
{
	for (unsigned int i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		assert_int_equal(add(harness, instance, prefixes[i].text, prefixes[i].listed), 0);
}

static struct frame_spec packet_with(const char *address, int by)
{
	const bool six = strchr(address, ':');

	return (struct frame_spec){
		.ip_version = six ? 6 : 4,
		.source = by == SOURCE ? address
			  : six	       ? "2001:db8::1"
				       : "203.0.113.1",
		.destination = by == DESTINATION ? address
			       : six		 ? "2001:db8::2"
						 : "203.0.113.2",
		.payload_bytes = 4,
	};
}

static void test_tables(void **state)
{
	(void)state;
	for (int by = SOURCE; by <= DESTINATION; by++) {
		struct harness *harness = open_one(by, 64);

		fill(harness, "cidr");
		for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			const struct frame_spec spec = packet_with(rows[i].address, by),
						other = packet_with(rows[i].address, !by);
			int output = run(harness, 0, &spec, 0);

			if (output != rows[i].output)
				fail_msg("%s: output %d, expected %d", rows[i].name, output,
					 rows[i].output);
			/* Fragments have addresses; and the other address does not count. */
			assert_int_equal(run(harness, 0, &spec, FAAS_EVENT_FRAGMENT), output);
			assert_int_equal(run(harness, 0, &other, 0), UNLISTED);
		}
		harness_close(harness);
	}
}

/* With all of IPv6 listed, and so with the zeros that stand for no address. */
static void test_no_ip(void **state)
{
	struct harness *harness = open_one(SOURCE, 4);
	const struct frame_spec spec = {.payload_bytes = 4}, six = packet_with("fe80::1", SOURCE);
	struct harness_answer answer;
	struct faas_packet packet;
	struct frame frame;

	(void)state;
	assert_int_equal(run(harness, 0, &spec, 0), UNLISTED); /* nothing is listed */
	assert_int_equal(add(harness, "cidr", "::/0", 1), 0);
	assert_int_equal(run(harness, 0, &six, 0), LISTED);
	frame_build(&spec, &frame);
	packet = harness_describe(&spec, &frame, 0);
	packet.ip_version = 0;
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, UNLISTED);
	harness_close(harness);
}

/* Two instances with lists of their own, of their own size. */
static void test_two_instances(void **state)
{
	struct harness_instance instances[2] = {instance_of("allowed", SOURCE, 2),
						instance_of("denied", SOURCE, 3)};
	struct harness *harness = harness_open(instances, 2);
	const struct frame_spec spec = packet_with("10.1.2.3", SOURCE);

	(void)state;
	assert_int_equal(add(harness, "allowed", "10.0.0.0/8", 1), 0);
	assert_int_equal(run(harness, 0, &spec, 0), LISTED);
	assert_int_equal(run(harness, 1, &spec, 0), UNLISTED);
	assert_int_equal(add(harness, "allowed", "11.0.0.0/8", 1), 0);
	assert_int_not_equal(add(harness, "allowed", "12.0.0.0/8", 1), 0); /* full */
	for (int i = 1; i <= 3; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.%d.0.0/16", i);
		assert_int_equal(add(harness, "denied", text, 1), 0);
	}
	assert_int_equal(run(harness, 1, &spec, 0), LISTED);
	harness_close(harness);
}

/* 100,000 prefixes of 12 to 32 bits, each looked up; addresses that none holds
 * are not found. Prints what a lookup costs. */
static void test_many(void **state)
{
	const uint32_t count = 100000;
	struct harness *harness = open_one(SOURCE, count);
	struct frame_spec spec = {.payload_bytes = 4};
	char text[48];

	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		/* A /29 each, spread over 11.0.0.0/8 to 74.0.0.0/8. */
		uint32_t address = (11u << 24) + (uint32_t)((uint64_t)i * 83 % (1u << 23) << 7);

		snprintf(text, sizeof(text), "%u.%u.%u.%u/29", address >> 24, address >> 16 & 255,
			 address >> 8 & 255, address & 255);
		assert_int_equal(add(harness, "cidr", text, 1), 0);
		if (i % 997)
			continue;
		*strchr(text, '/') = '\0';
		spec.source = text;
		assert_int_equal(run(harness, 0, &spec, 0), LISTED);
		snprintf(text, sizeof(text), "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
			 address >> 8 & 255, (address & 255) + 8);
		assert_int_equal(run(harness, 0, &spec, 0), UNLISTED);
	}
	spec.source = NULL;
	harness_print_cost(harness, 0, &spec, VARY_NOTHING, "100,000 prefixes, one address");
	harness_print_cost(harness, 0, &spec, VARY_SOURCE, "100,000 prefixes, another each time");
	harness_close(harness);
	harness = open_one(SOURCE, 16);
	fill(harness, "cidr");
	harness_print_cost(harness, 0, &spec, VARY_SOURCE, "9 prefixes, another each time");
	harness_close(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_no_ip),
		cmocka_unit_test(test_two_instances),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("cidr", tests, NULL, NULL);
}
