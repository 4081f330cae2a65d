// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * funcs/dedup: what is alike, what is not, and for how long. Time does not pass
 * in these tests: they move the times that the function wrote down.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <netinet/in.h>

#include <ebpf_faas/event.h>

#include "clock.h"
#include "function_harness.h"

#define PLACES 4
#define SECOND_NS 1000000000ull

enum { FIRST, REPEAT, OVERSIZE };
enum {
	SOURCE_ADDRESS = 1,
	SOURCE_PORT = 2,
	DESTINATION_ADDRESS = 4,
	DESTINATION_PORT = 8,
	PAYLOAD = 16
};

/* As funcs/dedup/dedup.bpf.c has it. */
struct bucket {
	uint32_t lock, reserved;
	struct {
		uint64_t hash, time_ns;
	} places[PLACES];
};

static struct harness_instance instance_of(const char *name, const char *by, const char *window_ns,
					   const char *entries)
{
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/dedup/dedup.bpf.o",
		.params = {{"u32", "by", by},
			   {"duration", "window", window_ns},
			   {"u32", "entries", entries}},
		.outputs = {"first", "repeat", "oversize"},
		.sized_map = "seen",
		.entries = (uint32_t)strtoul(entries, NULL, 10),
	};
}

static struct harness *open_one(const char *by, const char *window_ns, const char *entries)
{
	struct harness_instance instance = instance_of("dedup", by, window_ns, entries);

	return harness_open(&instance, 1);
}

static int run(struct harness *harness, unsigned int instance, const struct frame_spec *spec)
{
	struct harness_answer answer;

	harness_run(harness, instance, spec, 0, &answer);
	assert_int_equal(answer.fields_present, 0);
	return answer.output;
}

/* Let time seem to have passed: make everything in the memory older. */
static void age_all(struct harness *harness, const char *instance, int64_t by_ns)
{
	struct bpf_map *map = harness_map(harness, instance, "seen");
	uint32_t entries = bpf_map__max_entries(map);
	struct bucket bucket;

	for (uint32_t i = 0; i < entries; i++) {
		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &i, &bucket), 0);
		for (int k = 0; k < PLACES; k++)
			if (bucket.places[k].hash)
				bucket.places[k].time_ns -= (uint64_t)by_ns;
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &i, &bucket, BPF_ANY), 0);
	}
}

struct row {
	const char *name;
	struct frame_spec spec;
	int default_output;	/* by: source_address, payload */
	int payload_output;	/* by: payload */
	int header_output;	/* by: both addresses and ports */
	int destination_output; /* by: destination_port */
};

/* In this order, within the window, one memory for each column. */
static const struct row rows[] = {
	{"a packet", {FRAME_PAYLOAD("21.50")}, FIRST, FIRST, FIRST, FIRST},
	{"the same", {FRAME_PAYLOAD("21.50")}, REPEAT, REPEAT, REPEAT, REPEAT},
	{"another payload", {FRAME_PAYLOAD("21.51")}, FIRST, FIRST, REPEAT, REPEAT},
	{"a shorter payload", {FRAME_PAYLOAD("21.5")}, FIRST, FIRST, REPEAT, REPEAT},
	{"a longer one with a zero",
	 {FRAME_BYTES('2', '1', '.', '5', '0', 0)},
	 FIRST,
	 FIRST,
	 REPEAT,
	 REPEAT},
	{"another source",
	 {.source = "10.20.0.8", FRAME_PAYLOAD("21.50")},
	 FIRST,
	 REPEAT,
	 FIRST,
	 REPEAT},
	{"again", {.source = "10.20.0.8", FRAME_PAYLOAD("21.50")}, REPEAT, REPEAT, REPEAT, REPEAT},
	{"another source port",
	 {.source_port = 1, FRAME_PAYLOAD("21.50")},
	 REPEAT,
	 REPEAT,
	 FIRST,
	 REPEAT},
	{"another destination",
	 {.destination = "10.20.0.2", FRAME_PAYLOAD("21.50")},
	 REPEAT,
	 REPEAT,
	 FIRST,
	 REPEAT},
	{"another destination port",
	 {.destination_port = 1, FRAME_PAYLOAD("21.50")},
	 REPEAT,
	 REPEAT,
	 FIRST,
	 FIRST},
	{"source port and destination port changed over",
	 {.source_port = 5005, .destination_port = 40000, FRAME_PAYLOAD("21.50")},
	 REPEAT,
	 REPEAT,
	 FIRST,
	 FIRST},
	{"other options, padding, tag, TTL: the same packet",
	 {.ipv4_option_bytes = 4,
	  .padding_bytes = 9,
	  .vlans = {{0, 3}},
	  .ttl = 3,
	  FRAME_PAYLOAD("21.50")},
	 REPEAT,
	 REPEAT,
	 REPEAT,
	 REPEAT},
	{"IPv6", {.ip_version = 6, FRAME_PAYLOAD("21.50")}, FIRST, REPEAT, FIRST, REPEAT},
	{"IPv6 again", {.ip_version = 6, FRAME_PAYLOAD("21.50")}, REPEAT, REPEAT, REPEAT, REPEAT},
	{"IPv6, last bit of the source",
	 {.ip_version = 6, .source = "fd00::6", FRAME_PAYLOAD("21.50")},
	 FIRST,
	 REPEAT,
	 FIRST,
	 REPEAT},
	{"IPv6, first bit of the source",
	 {.ip_version = 6, .source = "7d00::7", FRAME_PAYLOAD("21.50")},
	 FIRST,
	 REPEAT,
	 FIRST,
	 REPEAT},
	{"IPv6, extension header: the same packet",
	 {.ip_version = 6, .extensions = {FRAME_EXTENSION_HOP_BY_HOP}, FRAME_PAYLOAD("21.50")},
	 REPEAT,
	 REPEAT,
	 REPEAT,
	 REPEAT},
	{"no payload", {.payload_bytes = 0}, FIRST, FIRST, REPEAT, REPEAT},
	{"no payload again", {.payload_bytes = 0}, REPEAT, REPEAT, REPEAT, REPEAT},
	{"TCP: payload counts, not the protocol",
	 {.protocol = IPPROTO_TCP, .tcp_option_bytes = 12, FRAME_PAYLOAD("21.50")},
	 REPEAT,
	 REPEAT,
	 REPEAT,
	 REPEAT},
	{"three signs of neighbours change at once (1)",
	 {FRAME_BYTES(0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f)},
	 FIRST,
	 FIRST,
	 REPEAT,
	 REPEAT},
	{"three signs of neighbours change at once (2)",
	 {FRAME_BYTES(0, 0, 0x80, 0x3f, 0, 0, 0x80, 0xbf, 0, 0, 0x80, 0xbf, 0, 0, 0x80, 0xbf)},
	 FIRST,
	 FIRST,
	 REPEAT,
	 REPEAT},
};

static void check_column(const char *by, size_t column)
{
	struct harness *harness = open_one(by, "3600000000000", "4096");

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int expected = *(const int *)(const void *)((const char *)&rows[i] + column);
		int output = run(harness, 0, &rows[i].spec);

		if (output != expected)
			fail_msg("by %s, %s: output %d, expected %d", by, rows[i].name, output,
				 expected);
	}
	harness_close(harness);
}

static void test_tables(void **state)
{
	(void)state;
	check_column("17", offsetof(struct row, default_output));
	check_column("16", offsetof(struct row, payload_output));
	check_column("15", offsetof(struct row, header_output));
	check_column("8", offsetof(struct row, destination_output));
}

/* Every length around the block size and the limit; in each, a change of any
 * one of its bytes is another packet. */
static void test_lengths(void **state)
{
	static uint8_t payload[2000];
	struct harness *harness = open_one("17", "3600000000000", "65536");
	unsigned int checked = 0;

	(void)state;
	for (unsigned int i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	for (uint32_t bytes = 1; bytes <= 1600;
	     bytes += bytes < 100 || (bytes > 1500 && bytes < 1540) ? 1 : 37) {
		struct frame_spec spec = {.payload = payload, .payload_bytes = bytes};
		int expected = bytes > 1536 ? OVERSIZE : FIRST;

		assert_int_equal(run(harness, 0, &spec), expected);
		assert_int_equal(run(harness, 0, &spec), expected == FIRST ? REPEAT : OVERSIZE);
		for (uint32_t at = 0; expected == FIRST && at < bytes; at += bytes < 70 ? 1 : 97) {
			payload[at] ^= 0x10;
			assert_int_equal(run(harness, 0, &spec), FIRST);
			payload[at] ^= 0x10;
			checked++;
		}
		assert_int_equal(run(harness, 0, &spec), expected == FIRST ? REPEAT : OVERSIZE);
	}
	assert_true(checked > 2000);
	harness_close(harness);
}

/* Half a window after a first packet the next is a repetition. A machine that others use
 * may spend the other half between two lines: then it is tried again. False if that
 * happens every time. */
static bool is_repeat_after(struct harness *harness, const struct frame_spec *spec, int64_t half_ns)
{
	for (int tries = 0; tries < 50; tries++) {
		uint64_t begin_ns = clock_monotonic_ns();
		int output;

		assert_int_equal(run(harness, 0, spec), FIRST);
		age_all(harness, "dedup", half_ns);
		output = run(harness, 0, spec);
		if (clock_monotonic_ns() - begin_ns < (uint64_t)half_ns) {
			assert_int_equal(output, REPEAT);
			return true;
		}
		age_all(harness, "dedup", 2 * half_ns + 1);
	}
	return false;
}

static void test_window(void **state)
{
	/* Either clock: precise below 250 ms, coarse from there on. */
	static const struct {
		const char *text;
		int64_t ns;
	} windows[] = {{"1000000", 1000000},
		       {"249999999", 249999999},
		       {"250000000", 250000000},
		       {"500000000", 500000000},
		       {"5000000000", 5000000000}};
	const struct frame_spec spec = {FRAME_PAYLOAD("21.50")};

	(void)state;
	for (unsigned int i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		struct harness *harness = open_one("17", windows[i].text, "64");
		int64_t half_ns = windows[i].ns / 2;

		assert_int_equal(run(harness, 0, &spec), FIRST);
		age_all(harness, "dedup", windows[i].ns);
		assert_int_equal(run(harness, 0, &spec), FIRST); /* and a new window begins */
		age_all(harness, "dedup", windows[i].ns);
		if (windows[i].ns > 100000000 && is_repeat_after(harness, &spec, half_ns)) {
			/* The repetition did not start it anew. */
			age_all(harness, "dedup", windows[i].ns - half_ns);
			assert_int_equal(run(harness, 0, &spec), FIRST);
		}
		/* A time ahead of ours, as another CPU may write it. */
		age_all(harness, "dedup", -3600 * (int64_t)SECOND_NS);
		assert_int_equal(run(harness, 0, &spec), REPEAT);
		harness_close(harness);
	}
}

/* A memory never used is not mistaken for a packet at time 0, even when the
 * machine has been up for less than the window. */
static void test_empty_memory(void **state)
{
	struct harness *harness = open_one("16", "3600000000000", "64");

	(void)state;
	for (uint32_t i = 0; i < 64; i++) {
		struct frame_spec spec = {.payload = &i, .payload_bytes = 4};

		assert_int_equal(run(harness, 0, &spec), FIRST);
	}
	harness_close(harness);
}

/* As many packets as it shall remember, which is not a power of two: nearly all
 * are remembered. Four times as many: the oldest are gone, the youngest not. */
static void test_capacity(void **state)
{
	struct harness *harness = open_one("16", "3600000000000", "1000");
	unsigned int remembered = 0;
	struct frame_spec spec = {.payload_bytes = 4};

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		spec.payload = &i;
		assert_int_equal(run(harness, 0, &spec), FIRST);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		spec.payload = &i;
		remembered += run(harness, 0, &spec) == REPEAT;
	}
	/* In a bucket of four, meeting a fifth: 0.4 % of the buckets (Poisson, mean
	 * 1). Looking for one that gave way makes another give way, up to all of
	 * its bucket; which one depends on the tick of the clock. */
	assert_in_range(remembered, 900, 1000); /* of 3.7 buckets in the mean, 20 */

	for (uint32_t i = 0; i < 20000; i++) {
		spec.payload = &i;
		run(harness, 0, &spec);
	}
	remembered = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		spec.payload = &i;
		remembered += run(harness, 0, &spec) == REPEAT;
	}
	assert_in_range(remembered, 0, 20);
	harness_close(harness);
}

/* The oldest of a bucket gives way. One bucket is forced by one entry. */
static void test_oldest_gives_way(void **state)
{
	struct harness *harness = open_one("16", "3600000000000", "1");
	struct frame_spec spec = {.payload_bytes = 4};

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		spec.payload = &i;
		assert_int_equal(run(harness, 0, &spec), FIRST);
		age_all(harness, "dedup", (int64_t)SECOND_NS);
	}
	spec.payload = &(uint32_t){4};
	assert_int_equal(run(harness, 0, &spec), FIRST); /* takes the place of 0 */
	for (uint32_t i = 4; i > 0; i--) {
		spec.payload = &i;
		assert_int_equal(run(harness, 0, &spec), REPEAT);
	}
	spec.payload = &(uint32_t){0};
	assert_int_equal(run(harness, 0, &spec), FIRST);
	spec.payload = &(uint32_t){1}; /* it was the oldest */
	assert_int_equal(run(harness, 0, &spec), FIRST);
	harness_close(harness);
}

/* What cannot be compared whole is neither first nor repeat, unless the payload
 * does not matter. */
static void test_not_whole(void **state)
{
	const struct frame_spec spec = {FRAME_PAYLOAD("0123456789012345678901234567890123456789"),
					.more_fragments = true};
	struct harness_answer answer;
	struct faas_packet packet;
	struct harness *harness;
	struct frame frame;

	(void)state;
	harness = open_one("17", "3600000000000", "64");
	harness_run(harness, 0, &spec, FAAS_EVENT_FIRST_FRAGMENT, &answer);
	assert_int_equal(answer.output, OVERSIZE);
	harness_run(harness, 0, &spec, FAAS_EVENT_FRAGMENT, &answer);
	assert_int_equal(answer.output, OVERSIZE);
	harness_run(harness, 0, &spec, FAAS_EVENT_TRUNCATED, &answer);
	assert_int_equal(answer.output, OVERSIZE);
	/* A description that promises more than the frame has, cut at every byte. */
	frame_build(&spec, &frame);
	packet = harness_describe(&spec, &frame, 0);
	for (uint32_t cut = 1; cut <= frame.payload_bytes; cut++) {
		harness_run_packet(harness, 0, frame.data, frame.bytes - cut, &packet, &answer);
		assert_int_equal(answer.output, OVERSIZE);
	}
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, FIRST);
	harness_close(harness);

	harness = open_one("1", "3600000000000", "64");
	harness_run(harness, 0, &spec, FAAS_EVENT_FIRST_FRAGMENT, &answer);
	assert_int_equal(answer.output, FIRST);
	harness_run(harness, 0, &spec, FAAS_EVENT_TRUNCATED, &answer);
	assert_int_equal(answer.output, REPEAT);
	harness_close(harness);
}

/* Two CPUs have the same packets in the same order; whoever is behind finds what the
 * other wrote, and catches up, as that is quicker. Each packet is first once: in so large
 * a memory five of them share a bucket once in some 400,000 runs, or one would give way. */
static void test_together(void **state)
{
	const unsigned int repeat = 4000;
	const struct frame_spec spec = {.payload_bytes = 8};
	uint64_t tallies[FAAS_OUTPUTS_MAX], packets;

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct harness *harness = open_one("17", "3600000000000", "524288");

		/* One CPU alone counts on. */
		packets = harness_run_together(harness, 0, &spec, VARY_IN_STEP, repeat, tallies) < 2
				  ? HARNESS_TOGETHER * repeat
				  : repeat;
		assert_int_equal(tallies[FIRST], packets);
		assert_int_equal(tallies[REPEAT], HARNESS_TOGETHER * repeat - packets);
		harness_close(harness);
	}
}

/* Packets without IP are compared by their payload. */
static void test_no_ip(void **state)
{
	const struct frame_spec spec = {FRAME_PAYLOAD("21.50")};
	struct harness *harness = open_one("31", "3600000000000", "64");
	struct harness_answer answer;
	struct faas_packet packet;
	struct frame frame;

	(void)state;
	frame_build(&spec, &frame);
	packet = harness_describe(&spec, &frame, 0);
	packet.ip_version = 0;
	packet.ip_protocol = 0;
	packet.source_port = 0;
	packet.destination_port = 0;
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, FIRST);
	frame.data[frame.l3_offset + 12] ^= 1; /* nobody's source address */
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, REPEAT);
	frame.data[frame.payload_offset] ^= 1;
	harness_run_packet(harness, 0, frame.data, frame.bytes, &packet, &answer);
	assert_int_equal(answer.output, FIRST);
	harness_close(harness);
}

/* Two instances remember separately, and do not hash alike. */
static void test_two_instances(void **state)
{
	struct harness_instance instances[2] = {instance_of("left", "17", "3600000000000", "64"),
						instance_of("right", "17", "3600000000000", "128")};
	const struct frame_spec spec = {FRAME_PAYLOAD("21.50")};
	struct bucket bucket;
	uint64_t hashes[2] = {0};
	struct harness *harness;

	(void)state;
	harness = harness_open(instances, 2);
	assert_int_equal(run(harness, 0, &spec), FIRST);
	assert_int_equal(run(harness, 1, &spec), FIRST);
	assert_int_equal(run(harness, 0, &spec), REPEAT);
	assert_int_equal(run(harness, 1, &spec), REPEAT);
	for (int instance = 0; instance < 2; instance++) {
		struct bpf_map *map = harness_map(harness, instances[instance].instance, "seen");

		assert_int_equal(bpf_map__max_entries(map), instances[instance].entries);
		for (uint32_t i = 0; i < bpf_map__max_entries(map); i++) {
			assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &i, &bucket), 0);
			for (int k = 0; k < PLACES; k++)
				hashes[instance] |= bucket.places[k].hash;
		}
		assert_int_not_equal(hashes[instance], 0);
	}
	assert_int_not_equal(hashes[0], hashes[1]);
	harness_close(harness);
}

/* The answers of an LRU hash map with as many entries; what both cost is
 * printed, for the function's README. */
static void test_same_as_lru(void **state)
{
	static const struct {
		const char *name;
		uint32_t payload_bytes;
		enum harness_vary vary;
	} loads[] = {{"repeat, 32 B", 32, VARY_NOTHING},
		     {"first, 32 B", 32, VARY_PAYLOAD},
		     {"repeat, 1400 B", 1400, VARY_NOTHING},
		     {"first, 1400 B", 1400, VARY_PAYLOAD}};
	struct harness_instance lru = instance_of("lru", "17", "3600000000000", "4096");
	struct harness *ours = open_one("17", "3600000000000", "4096"), *peer;

	(void)state;
	lru.object = "tests/bpf/dedup_lru.bpf.o";
	peer = harness_open(&lru, 1);
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(run(peer, 0, &rows[i].spec), run(ours, 0, &rows[i].spec));
	for (unsigned int i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		struct frame_spec spec = {.payload_bytes = loads[i].payload_bytes};
		uint32_t best[2] = {UINT32_MAX, UINT32_MAX};

		for (int round = 0; round < 7; round++) {
			uint32_t ns[2] = {harness_time(ours, 0, &spec, loads[i].vary, 200000),
					  harness_time(peer, 0, &spec, loads[i].vary, 200000)};

			for (int side = 0; side < 2; side++)
				best[side] = ns[side] < best[side] ? ns[side] : best[side];
		}
		print_message("             %s: %u ns, by LRU hash map %u ns\n", loads[i].name,
			      best[0], best[1]);
	}
	harness_close(ours);
	harness_close(peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),	    cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_window),	    cmocka_unit_test(test_empty_memory),
		cmocka_unit_test(test_capacity),    cmocka_unit_test(test_oldest_gives_way),
		cmocka_unit_test(test_not_whole),   cmocka_unit_test(test_together),
		cmocka_unit_test(test_no_ip),	    cmocka_unit_test(test_two_instances),
		cmocka_unit_test(test_same_as_lru),
	};

	return cmocka_run_group_tests_name("dedup", tests, NULL, NULL);
}
