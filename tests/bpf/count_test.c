// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/count: what makes a counter, and that counters are exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <netinet/in.h>

#include <ebpf_faas/event.h>

#include "function_harness.h"

enum { COUNTED, FULL, TOO_SHORT };
enum {
	SOURCE_ADDRESS = 1,
	DESTINATION_ADDRESS = 2,
	SOURCE_PORT = 4,
	DESTINATION_PORT = 8,
	BYTE = 16,
	PROTOCOL = 32,
	VLAN = 64,
	ALL = 127,
};

/* As funcs/count/count.bpf.c has them. */
struct counter_key {
	uint8_t source_address[16], destination_address[16];
	uint16_t source_port, destination_port, vlan;
	uint8_t protocol, byte;
};

struct counter {
	uint64_t packets, bytes;
};

struct text {
	char by[12], offset[12], entries[12];
};

static struct harness_instance instance_of(struct text *text, const char *name, uint32_t by,
					   uint32_t offset, uint32_t entries)
{
	snprintf(text->by, sizeof(text->by), "%u", by);
	snprintf(text->offset, sizeof(text->offset), "%u", offset);
	snprintf(text->entries, sizeof(text->entries), "%u", entries);
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/count/count.bpf.o",
		.params = {{"u32", "by", text->by},
			   {"u32", "offset", text->offset},
			   {"u32", "entries", text->entries}},
		.outputs = {"counted", "full", "too_short"},
		.fields = {"count"},
		.sized_map = "counters",
		.entries = entries,
	};
}

static struct harness *open_one(uint32_t by, uint32_t offset, uint32_t entries)
{
	struct text text;
	struct harness_instance instance = instance_of(&text, "count", by, offset, entries);

	return harness_open(&instance, 1);
}

static int run(struct harness *harness, unsigned int instance, const struct frame_spec *spec,
	       uint64_t *ret_count)
{
	struct harness_answer answer;

	harness_run(harness, instance, spec, 0, &answer);
	assert_int_equal(answer.fields_present, answer.output == COUNTED);
	if (ret_count)
		*ret_count = answer.fields[0];
	return answer.output;
}

static int map_fd(const struct harness *harness, const char *instance)
{
	return bpf_map__fd(harness_map(harness, instance, "counters"));
}

static unsigned int count_keys(int fd)
{
	struct counter_key key, *previous = NULL;
	unsigned int count = 0;

	while (!bpf_map_get_next_key(fd, previous, &key)) {
		previous = &key;
		count++;
	}
	return count;
}

/* The key of a packet by frame_build's defaults, every part in it. */
static struct counter_key whole_key(const struct frame_spec *spec, uint8_t byte)
{
	struct counter_key key = {
		.source_port = spec->source_port ? spec->source_port : 40000,
		.destination_port = spec->destination_port ? spec->destination_port : 5005,
		.vlan = spec->vlans[0].tag & 0xfff,
		.protocol = spec->protocol ? spec->protocol : IPPROTO_UDP,
		.byte = byte,
	};

	frame_address(spec->source	      ? spec->source
		      : spec->ip_version == 6 ? "fd00::7"
					      : "10.20.0.7",
		      key.source_address);
	frame_address(spec->destination	      ? spec->destination
		      : spec->ip_version == 6 ? "fd00::1"
					      : "10.20.0.1",
		      key.destination_address);
	return key;
}

static struct counter_key key_by(const struct counter_key *whole, uint32_t by)
{
	struct counter_key key = {0};

	if (by & SOURCE_ADDRESS)
		memcpy(key.source_address, whole->source_address, 16);
	if (by & DESTINATION_ADDRESS)
		memcpy(key.destination_address, whole->destination_address, 16);
	if (by & SOURCE_PORT)
		key.source_port = whole->source_port;
	if (by & DESTINATION_PORT)
		key.destination_port = whole->destination_port;
	if (by & BYTE)
		key.byte = whole->byte;
	if (by & PROTOCOL)
		key.protocol = whole->protocol;
	if (by & VLAN)
		key.vlan = whole->vlan;
	return key;
}

struct row {
	const char *name;
	struct frame_spec spec;
	uint8_t byte; /* at offset 1 */
};

static const struct row rows[] = {
	{"a packet", {FRAME_BYTES(0x40, 0x45)}, 0x45},
	{"the same", {FRAME_BYTES(0x40, 0x45)}, 0x45},
	{"another byte", {FRAME_BYTES(0x40, 0x84)}, 0x84},
	{"another byte elsewhere", {FRAME_BYTES(0x50, 0x45)}, 0x45},
	{"another source", {.source = "10.20.0.8", FRAME_BYTES(0x40, 0x45)}, 0x45},
	{"another destination", {.destination = "10.20.0.8", FRAME_BYTES(0x40, 0x45)}, 0x45},
	{"another source port", {.source_port = 5683, FRAME_BYTES(0x40, 0x45)}, 0x45},
	{"another destination port", {.destination_port = 5683, FRAME_BYTES(0x40, 0x45)}, 0x45},
	{"TCP", {.protocol = IPPROTO_TCP, FRAME_BYTES(0x40, 0x45)}, 0x45},
	{"a VLAN", {.vlans = {{0, 0xe007}}, FRAME_BYTES(0x40, 0x45)}, 0x45},
	{"two tags: the outer one counts",
	 {.vlans = {{0x88a8, 7}, {0x8100, 9}}, FRAME_BYTES(0x40, 0x45)},
	 0x45},
	{"IPv6", {.ip_version = 6, FRAME_BYTES(0x40, 0x45)}, 0x45},
	{"IPv6 with an extension header",
	 {.ip_version = 6, .extensions = {IPPROTO_DSTOPTS}, FRAME_BYTES(0x40, 0x45)},
	 0x45},
	{"a long one", {.payload_bytes = 1400}, 0},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Each row twice, and what the map says against a recount by hand. */
static void check_table(uint32_t by)
{
	struct harness *harness = open_one(by, 1, 4096);
	struct counter_key keys[ROWS];
	struct counter expected[ROWS] = {{0}}, counter;
	unsigned int used = 0;
	struct frame frame;

	for (unsigned int i = 0; i < 2 * ROWS; i++) {
		const struct row *row = &rows[i % ROWS];
		struct counter_key whole = whole_key(&row->spec, row->byte),
				   key = key_by(&whole, by);
		uint64_t count = 0;
		unsigned int k;

		for (k = 0; k < used && memcmp(&keys[k], &key, sizeof(key)); k++)
			;
		used += k == used;
		keys[k] = key;
		frame_build(&row->spec, &frame);
		expected[k].packets++;
		expected[k].bytes += frame.bytes;
		if (run(harness, 0, &row->spec, &count) != COUNTED || count != expected[k].packets)
			fail_msg("by %u, %s: count %llu, expected %llu", by, row->name,
				 (unsigned long long)count,
				 (unsigned long long)expected[k].packets);
	}
	assert_int_equal(count_keys(map_fd(harness, "count")), used);
	for (unsigned int k = 0; k < used; k++) {
		assert_int_equal(bpf_map_lookup_elem(map_fd(harness, "count"), &keys[k], &counter),
				 0);
		assert_int_equal(counter.packets, expected[k].packets);
		assert_int_equal(counter.bytes, expected[k].bytes);
	}
	harness_close(harness);
}

static void test_tables(void **state)
{
	static const uint32_t by[] = {0,
				      SOURCE_ADDRESS,
				      DESTINATION_ADDRESS,
				      SOURCE_PORT,
				      DESTINATION_PORT,
				      BYTE,
				      PROTOCOL,
				      VLAN,
				      SOURCE_ADDRESS | BYTE,
				      ALL};

	(void)state;
	for (unsigned int i = 0; i < sizeof(by) / sizeof(by[0]); i++)
		check_table(by[i]);
}

static void test_short_payload(void **state)
{
	struct harness *harness = open_one(SOURCE_ADDRESS | BYTE, 1, 16);
	const struct frame_spec none = {.payload_bytes = 0}, one = {FRAME_BYTES(1)},
				two = {FRAME_BYTES(1, 2)},
				padded = {.padding_bytes = 18, FRAME_BYTES(1)};

	(void)state;
	assert_int_equal(run(harness, 0, &none, NULL), TOO_SHORT);
	assert_int_equal(run(harness, 0, &one, NULL), TOO_SHORT);
	assert_int_equal(run(harness, 0, &padded, NULL), TOO_SHORT);
	assert_int_equal(count_keys(map_fd(harness, "count")), 0);
	assert_int_equal(run(harness, 0, &two, NULL), COUNTED);
	assert_int_equal(count_keys(map_fd(harness, "count")), 1);
	harness_close(harness);

	harness = open_one(SOURCE_ADDRESS, 1, 16); /* the offset does not matter */
	assert_int_equal(run(harness, 0, &none, NULL), COUNTED);
	harness_close(harness);
}

/* What a packet without IP, or without ports, is counted as. */
static void test_lacking_parts(void **state)
{
	struct harness *harness = open_one(ALL, 1, 16);
	const struct frame_spec spec = {FRAME_BYTES(0x40, 0x45)};
	const struct counter_key expected[2] = {{.byte = 0x45}, {.byte = 0x45, .protocol = 1}};
	struct harness_answer answer;
	struct faas_packet packet;
	struct counter counter;
	struct frame frame;

	(void)state;
	frame_build(&spec, &frame);
	packet = harness_describe(&spec, &frame, 0);
	packet.ip_version = 0;
	packet.ip_protocol = 0;
	packet.source_port = 0;
	packet.destination_port = 0;
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, COUNTED);
	assert_int_equal(bpf_map_lookup_elem(map_fd(harness, "count"), &expected[0], &counter), 0);
	packet.ip_protocol = IPPROTO_ICMP;
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, COUNTED);
	assert_int_equal(bpf_map_lookup_elem(map_fd(harness, "count"), &expected[1], &counter), 0);
	/* A later fragment has a byte there, but not the message's. */
	packet.flags = FAAS_EVENT_FRAGMENT;
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, TOO_SHORT);
	assert_int_equal(count_keys(map_fd(harness, "count")), 2);
	harness_close(harness);
}

/* Two CPUs make the same counter and count on it: none is lost. */
static void test_together(void **state)
{
	const unsigned int repeat = 200000;
	struct harness *harness = open_one(SOURCE_ADDRESS, 0, 16);
	const struct frame_spec spec = {.payload_bytes = 4};
	struct counter_key whole = whole_key(&spec, 0), key = key_by(&whole, SOURCE_ADDRESS);
	uint64_t tallies[FAAS_OUTPUTS_MAX];
	struct counter counter;
	struct frame frame;

	(void)state;
	frame_build(&spec, &frame);
	harness_run_together(harness, 0, &spec, VARY_NOTHING, repeat, tallies);
	assert_int_equal(tallies[COUNTED], HARNESS_TOGETHER * repeat);
	assert_int_equal(bpf_map_lookup_elem(map_fd(harness, "count"), &key, &counter), 0);
	assert_int_equal(counter.packets, HARNESS_TOGETHER * repeat);
	assert_int_equal(counter.bytes, (uint64_t)HARNESS_TOGETHER * repeat * frame.bytes);
	harness_print_cost(harness, 0, &spec, VARY_NOTHING, "one counter");
	harness_close(harness);
}

/* In a jumbo frame, whose end lies in other buffers than its beginning. */
static void test_multi_buffer(void **state)
{
	static uint8_t payload[8000];
	const struct frame_spec spec = {.payload = payload, .payload_bytes = sizeof(payload)};
	struct harness *harness = open_one(BYTE, 6000, 16);
	const struct counter_key key = {.byte = 0x45};
	struct counter counter;
	struct frame frame;

	(void)state;
	payload[6000] = 0x45;
	frame_build(&spec, &frame);
	assert_int_equal(run(harness, 0, &spec, NULL), COUNTED);
	assert_int_equal(bpf_map_lookup_elem(map_fd(harness, "count"), &key, &counter), 0);
	assert_int_equal(counter.bytes, frame.bytes);
	harness_close(harness);
}

static void test_full(void **state)
{
	struct harness *harness = open_one(SOURCE_PORT, 0, 8);
	struct counter_key key = {.source_port = 1};
	struct frame_spec spec = {.payload_bytes = 4};
	struct counter counter;
	uint64_t count;

	(void)state;
	for (uint16_t port = 1; port <= 8; port++) {
		spec.source_port = port;
		assert_int_equal(run(harness, 0, &spec, NULL), COUNTED);
	}
	for (uint16_t port = 9; port <= 40; port++) {
		spec.source_port = port;
		assert_int_equal(run(harness, 0, &spec, NULL), FULL);
	}
	/* The old ones go on, and what is deleted makes room. */
	spec.source_port = 1;
	assert_int_equal(run(harness, 0, &spec, &count), COUNTED);
	assert_int_equal(count, 2);
	assert_int_equal(bpf_map_lookup_elem(map_fd(harness, "count"), &key, &counter), 0);
	assert_int_equal(counter.packets, 2);
	assert_int_equal(bpf_map_delete_elem(map_fd(harness, "count"), &key), 0);
	spec.source_port = 9;
	assert_int_equal(run(harness, 0, &spec, NULL), COUNTED);
	harness_close(harness);
}

static void test_two_instances(void **state)
{
	struct text text[2];
	struct harness_instance instances[2] = {
		instance_of(&text[0], "by_source", SOURCE_ADDRESS, 0, 16),
		instance_of(&text[1], "by_code", BYTE, 1, 32)};
	const struct frame_spec spec = {FRAME_BYTES(0x40, 0x45)};
	struct counter_key key = {.byte = 0x45};
	struct harness *harness;
	struct counter counter;

	(void)state;
	harness = harness_open(instances, 2);
	assert_int_equal(run(harness, 0, &spec, NULL), COUNTED);
	assert_int_equal(count_keys(map_fd(harness, "by_code")), 0);
	assert_int_equal(run(harness, 1, &spec, NULL), COUNTED);
	assert_int_equal(run(harness, 1, &spec, NULL), COUNTED);
	assert_int_equal(count_keys(map_fd(harness, "by_source")), 1);
	assert_int_equal(bpf_map_lookup_elem(map_fd(harness, "by_code"), &key, &counter), 0);
	assert_int_equal(counter.packets, 2);
	assert_int_equal(bpf_map__max_entries(harness_map(harness, "by_source", "counters")), 16);
	assert_int_equal(bpf_map__max_entries(harness_map(harness, "by_code", "counters")), 32);
	harness_close(harness);
}

/* bpftool prints the map by names: its types are in the kernel, named. */
static void test_readable_by_bpftool(void **state)
{
	struct harness *harness = open_one(SOURCE_ADDRESS, 0, 16);
	struct bpf_map_info info = {0};
	const struct btf_type *type;
	uint32_t bytes = sizeof(info);
	struct btf *btf;

	(void)state;
	assert_int_equal(bpf_obj_get_info_by_fd(map_fd(harness, "count"), &info, &bytes), 0);
	assert_string_equal(info.name, "count_counters");
	btf = btf__load_from_kernel_by_id(info.btf_id);
	assert_non_null(btf);
	type = btf__type_by_id(btf, info.btf_key_type_id);
	assert_string_equal(btf__name_by_offset(btf, btf_members(type)[0].name_off),
			    "source_address");
	assert_string_equal(btf__name_by_offset(btf, btf_members(type)[6].name_off), "byte");
	type = btf__type_by_id(btf, info.btf_value_type_id);
	assert_string_equal(btf__name_by_offset(btf, btf_members(type)[0].name_off), "packets");
	btf__free(btf);
	harness_close(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),	      cmocka_unit_test(test_short_payload),
		cmocka_unit_test(test_lacking_parts), cmocka_unit_test(test_together),
		cmocka_unit_test(test_multi_buffer),  cmocka_unit_test(test_full),
		cmocka_unit_test(test_two_instances), cmocka_unit_test(test_readable_by_bpftool),
	};

	return cmocka_run_group_tests_name("count", tests, NULL, NULL);
}
