// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * funcs/rate_limit: what a bucket is, and that it is exact. Periods are an hour, so
 * that no time passes in these tests but what they say: they move the times that the
 * function wrote down.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <netinet/in.h>

#include <ebpf_faas/event.h>

#include "function_harness.h"

#define PLACES 4
#define SECOND_NS 1000000000ll
#define HOUR_NS (3600 * SECOND_NS)

enum { WITHIN, OVER, FULL, TOO_SHORT };
enum {
	SOURCE_ADDRESS = 1,
	DESTINATION_ADDRESS = 2,
	SOURCE_PORT = 4,
	DESTINATION_PORT = 8,
	BYTE = 16,
	PROTOCOL = 32,
	VLAN = 64,
};

/* As funcs/rate_limit/rate_limit.bpf.c has it. */
struct group {
	uint32_t lock, reserved;
	struct {
		uint64_t hash, time_ns, taken;
	} places[PLACES];
};

struct setting {
	uint32_t by;
	const char *rate, *burst, *entries;
};

static struct harness_instance instance_of(const char *name, const struct setting *setting,
					   char by[12])
{
	snprintf(by, 12, "%u", setting->by);
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/rate_limit/rate_limit.bpf.o",
		.params = {{"u32", "by", by, false},
			   {"u32", "offset", "1", false},
			   {"u32", "rate", setting->rate, true},
			   {"duration", "per", "3600000000000", false},
			   {"u32", "burst", setting->burst, true},
			   {"u32", "entries", setting->entries, false}},
		.outputs = {"within", "over", "full", "too_short"},
		.sized_map = "buckets",
		.entries = (uint32_t)strtoul(setting->entries, NULL, 10),
	};
}

static struct harness *open_one(uint32_t by, const char *rate, const char *burst,
				const char *entries)
{
	const struct setting setting = {by, rate, burst, entries};
	char text[12];
	struct harness_instance instance = instance_of("limit", &setting, text);

	return harness_open(&instance, 1);
}

static int run(struct harness *harness, unsigned int instance, const struct frame_spec *spec)
{
	struct harness_answer answer;

	harness_run(harness, instance, spec, 0, &answer);
	assert_int_equal(answer.fields_present, 0);
	return answer.output;
}

/* How many of @p count packets are within. */
static unsigned int admitted(struct harness *harness, unsigned int count)
{
	const struct frame_spec spec = {.payload_bytes = 4};
	unsigned int within = 0;

	for (unsigned int i = 0; i < count; i++)
		within += run(harness, 0, &spec) == WITHIN;
	return within;
}

/* Let time seem to have passed: make everything in the memory older. */
static void age_all(struct harness *harness, int64_t by_ns)
{
	struct bpf_map *map = harness_map(harness, "limit", "buckets");
	struct group group;

	for (uint32_t i = 0; i < bpf_map__max_entries(map); i++) {
		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &i, &group), 0);
		for (int k = 0; k < PLACES; k++)
			group.places[k].time_ns -= (uint64_t)by_ns;
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &i, &group, BPF_ANY), 0);
	}
}

static void test_burst_and_rate(void **state)
{
	struct harness *harness = open_one(SOURCE_ADDRESS, "1", "5", "64");

	(void)state;
	assert_int_equal(admitted(harness, 20), 5);
	age_all(harness, HOUR_NS - 60 * SECOND_NS); /* not yet a whole token */
	assert_int_equal(admitted(harness, 20), 0);
	age_all(harness, 60 * SECOND_NS);
	assert_int_equal(admitted(harness, 20), 1);
	age_all(harness, 3 * HOUR_NS);
	assert_int_equal(admitted(harness, 20), 3);
	age_all(harness, 100 * HOUR_NS); /* no more than the burst comes back */
	assert_int_equal(admitted(harness, 20), 5);
	harness_close(harness);
}

/* Nothing is rounded: 7 an hour in steps of 100 s are 140 in 20 hours. */
static void test_nothing_is_rounded(void **state)
{
	struct harness *harness = open_one(SOURCE_ADDRESS, "7", "7", "64");
	unsigned int within = 0;

	(void)state;
	assert_int_equal(admitted(harness, 8), 7);
	for (int step = 0; step < 720; step++) {
		age_all(harness, 100 * SECOND_NS);
		within += admitted(harness, 2);
	}
	assert_int_equal(within, 140);
	harness_close(harness);
}

/* A clock that goes back, as another CPU's may: nothing is given, nothing taken. */
static void test_clock_going_back(void **state)
{
	struct harness *harness = open_one(SOURCE_ADDRESS, "1", "5", "64");

	(void)state;
	assert_int_equal(admitted(harness, 2), 2);
	age_all(harness, -HOUR_NS);
	assert_int_equal(admitted(harness, 20), 3);
	age_all(harness, -1000 * HOUR_NS);
	assert_int_equal(admitted(harness, 20), 0);
	age_all(harness, 1001 * HOUR_NS);
	assert_int_equal(admitted(harness, 20), 0);
	age_all(harness, HOUR_NS);
	assert_int_equal(admitted(harness, 20), 1);
	harness_close(harness);
}

static void test_changes(void **state)
{
	struct harness *harness = open_one(SOURCE_ADDRESS, "1", "5", "64");

	(void)state;
	assert_int_equal(admitted(harness, 20), 5);
	harness_set(harness, "limit", "burst", 8);
	assert_int_equal(admitted(harness, 20), 3);
	harness_set(harness, "limit", "burst", 2); /* 8 are taken: 7 must come back */
	age_all(harness, 6 * HOUR_NS);
	assert_int_equal(admitted(harness, 20), 0);
	age_all(harness, HOUR_NS);
	assert_int_equal(admitted(harness, 20), 1);
	harness_set(harness, "limit", "rate", 3600); /* one a second */
	age_all(harness, SECOND_NS);
	assert_in_range(admitted(harness, 1), 1, 1);
	harness_close(harness);
}

/* The largest numbers, and times that no machine is up for. */
static void test_extremes(void **state)
{
	struct harness *harness = open_one(SOURCE_ADDRESS, "10000000", "1000000", "64");
	struct bpf_map *map = harness_map(harness, "limit", "buckets");
	struct group group;
	bool found = false;

	(void)state;
	assert_int_equal(admitted(harness, 1), 1);
	for (uint32_t i = 0; i < bpf_map__max_entries(map) && !found; i++) {
		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &i, &group), 0);
		for (int k = 0; k < PLACES; k++)
			if (group.places[k].hash) {
				group.places[k].taken = 1000000ull * HOUR_NS;
				group.places[k].time_ns += HOUR_NS; /* nothing comes back now */
				found = true;
			}
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &i, &group, BPF_ANY), 0);
	}
	assert_true(found);
	assert_int_equal(admitted(harness, 3), 0);
	harness_set(harness, "limit", "rate", 1);
	age_all(harness, 3 * HOUR_NS);
	assert_int_equal(admitted(harness, 3), 2);
	for (unsigned int shift = 40; shift <= 58; shift++) {
		harness_set(harness, "limit", "rate", 10000000);
		age_all(harness, 1ll << shift);
		assert_int_equal(admitted(harness, 3), 3);
	}
	harness_close(harness);
}

static const struct {
	const char *name;
	struct frame_spec spec;
	uint32_t differs_by; /* parts that are not those of the first row */
} rows[] = {
	{"a packet", {FRAME_BYTES(0x40, 0x45)}, 0},
	{"another payload", {FRAME_BYTES(0x50, 0x45)}, 0},
	{"another source", {.source = "10.20.0.8", FRAME_BYTES(0x40, 0x45)}, SOURCE_ADDRESS},
	{"another destination",
	 {.destination = "10.20.0.8", FRAME_BYTES(0x40, 0x45)},
	 DESTINATION_ADDRESS},
	{"another source port", {.source_port = 1, FRAME_BYTES(0x40, 0x45)}, SOURCE_PORT},
	{"another port", {.destination_port = 1, FRAME_BYTES(0x40, 0x45)}, DESTINATION_PORT},
	{"another byte", {FRAME_BYTES(0x40, 0x46)}, BYTE},
	{"TCP", {.protocol = IPPROTO_TCP, FRAME_BYTES(0x40, 0x45)}, PROTOCOL},
	{"a VLAN", {.vlans = {{0, 7}}, FRAME_BYTES(0x40, 0x45)}, VLAN},
	{"IPv6", {.ip_version = 6, FRAME_BYTES(0x40, 0x45)}, SOURCE_ADDRESS | DESTINATION_ADDRESS},
};

/* One token a bucket: the first packet takes it, another finds it taken unless it
 * has another bucket. */
static void test_keys(void **state)
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
				      127};

	(void)state;
	for (unsigned int i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
		for (unsigned int k = 1; k < sizeof(rows) / sizeof(rows[0]); k++) {
			struct harness *harness;
			int expected = by[i] & rows[k].differs_by ? WITHIN : OVER, output;

			if (k > 1 && !(by[i] & rows[k].differs_by) && by[i] != SOURCE_ADDRESS)
				continue; /* fusing takes its time */
			harness = open_one(by[i], "1", "1", "64");
			assert_int_equal(run(harness, 0, &rows[0].spec), WITHIN);
			output = run(harness, 0, &rows[k].spec);
			if (output != expected)
				fail_msg("by %u, %s: output %d, expected %d", by[i], rows[k].name,
					 output, expected);
			harness_close(harness);
		}
	}
}

static void test_short_payload(void **state)
{
	struct harness *harness = open_one(BYTE, "1", "1", "64");
	const struct frame_spec one = {FRAME_BYTES(1)}, two = {FRAME_BYTES(1, 2)};
	struct harness_answer answer;

	(void)state;
	assert_int_equal(run(harness, 0, &one), TOO_SHORT);
	harness_run(harness, 0, &two, FAAS_EVENT_FRAGMENT, &answer);
	assert_int_equal(answer.output, TOO_SHORT);
	assert_int_equal(run(harness, 0, &two), WITHIN);
	harness_close(harness);
}

/* A group's places are taken by keys that have used something; a key that has it all
 * back makes room, and nobody else does. */
static void test_full(void **state)
{
	struct harness *harness = open_one(SOURCE_PORT, "1", "2", "1");
	struct frame_spec spec = {.payload_bytes = 4};

	(void)state;
	for (uint16_t port = 1; port <= PLACES; port++) {
		spec.source_port = port;
		assert_int_equal(run(harness, 0, &spec), WITHIN);
	}
	spec.source_port = 9;
	assert_int_equal(run(harness, 0, &spec), FULL);
	for (uint16_t port = 1; port <= PLACES; port++) {
		spec.source_port = port;
		assert_int_equal(run(harness, 0, &spec), WITHIN);
		assert_int_equal(run(harness, 0, &spec), OVER);
	}
	age_all(harness, HOUR_NS); /* one of two is back */
	spec.source_port = 9;
	assert_int_equal(run(harness, 0, &spec), FULL);
	age_all(harness, HOUR_NS);
	assert_int_equal(run(harness, 0, &spec), WITHIN);
	for (uint16_t port = 1; port <= PLACES; port++) {
		spec.source_port = port;
		assert_int_equal(run(harness, 0, &spec), port < PLACES ? WITHIN : FULL);
	}
	harness_close(harness);
}

/* From two CPUs at once, exactly the burst comes through. The table is large, so that
 * twenty keys never meet in one group, whatever the seed of its hash. */
static void test_together(void **state)
{
	struct harness *harness = open_one(SOURCE_ADDRESS, "1", "1000", "16384");
	struct frame_spec spec = {.payload_bytes = 4};
	uint64_t tallies[FAAS_OUTPUTS_MAX];
	char source[32];

	(void)state;
	for (int round = 1; round <= 20; round++) {
		snprintf(source, sizeof(source), "10.1.1.%d", round);
		spec.source = source;
		harness_run_together(harness, 0, &spec, VARY_NOTHING, 20000, tallies);
		assert_int_equal(tallies[WITHIN], 1000);
		assert_int_equal(tallies[OVER], HARNESS_TOGETHER * 20000 - 1000);
	}
	harness_close(harness);
}

static void test_two_instances(void **state)
{
	const struct setting settings[2] = {{SOURCE_ADDRESS, "1", "1", "64"},
					    {SOURCE_ADDRESS, "1", "2", "128"}};
	char by[2][12];
	struct harness_instance instances[2] = {instance_of("left", &settings[0], by[0]),
						instance_of("right", &settings[1], by[1])};
	struct harness *harness = harness_open(instances, 2);
	const struct frame_spec spec = {.payload_bytes = 4};

	(void)state;
	assert_int_equal(run(harness, 0, &spec), WITHIN);
	assert_int_equal(run(harness, 0, &spec), OVER);
	assert_int_equal(run(harness, 1, &spec), WITHIN);
	assert_int_equal(run(harness, 1, &spec), WITHIN);
	assert_int_equal(run(harness, 1, &spec), OVER);
	harness_set(harness, "left", "burst", 2);
	assert_int_equal(run(harness, 0, &spec), WITHIN);
	assert_int_equal(run(harness, 1, &spec), OVER);
	assert_int_equal(bpf_map__max_entries(harness_map(harness, "left", "buckets")), 64);
	assert_int_equal(bpf_map__max_entries(harness_map(harness, "right", "buckets")), 128);
	harness_close(harness);
}

static void test_cost(void **state)
{
	struct harness *harness = open_one(SOURCE_ADDRESS, "1000", "1000", "65536");
	const struct frame_spec spec = {.payload_bytes = 4};

	(void)state;
	harness_print_cost(harness, 0, &spec, VARY_NOTHING, "one key");
	harness_print_cost(harness, 0, &spec, VARY_SOURCE, "another key each time");
	harness_close(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_and_rate),
		cmocka_unit_test(test_nothing_is_rounded),
		cmocka_unit_test(test_clock_going_back),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_short_payload),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_two_instances),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests_name("rate_limit", tests, NULL, NULL);
}
