// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/deadband: what is a change, for each series by itself. */
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

#define SECOND_NS 1000000000ll
#define HOUR_NS (3600 * SECOND_NS)

enum { CHANGED, UNCHANGED, TOO_SHORT, FULL };
enum { VALUE, PREVIOUS };
enum { U8, S8, U16BE, U16LE, S16BE, S16LE, U32BE, U32LE, S32BE, S32LE };
enum { SOURCE_ADDRESS = 1, SOURCE_PORT = 4, BYTE = 16 };

/* As funcs/deadband/deadband.bpf.c has them. */
struct key {
	uint8_t addresses[32];
	uint16_t source_port, destination_port, vlan;
	uint8_t protocol, byte;
};

struct last {
	uint32_t lock, known;
	int64_t value;
	uint64_t time_ns;
};

struct setting {
	int type;
	uint32_t by, entries;
	const char *scale, *threshold, *at_least_every;
};

struct text {
	char type[12], by[12], entries[12];
};

static struct harness_instance instance_of(const char *name, const struct setting *setting,
					   struct text *text)
{
	snprintf(text->type, sizeof(text->type), "%d", setting->type);
	snprintf(text->by, sizeof(text->by), "%u", setting->by);
	snprintf(text->entries, sizeof(text->entries), "%u", setting->entries);
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/deadband/deadband.bpf.o",
		.params = {{"u32", "offset", "1", false},
			   {"u32", "type", text->type, false},
			   {"decimal", "scale", setting->scale, false},
			   {"decimal", "threshold", setting->threshold, true},
			   {"duration", "at_least_every", setting->at_least_every, false},
			   {"u32", "by", text->by, false},
			   {"u32", "key_offset", "0", false},
			   {"u32", "entries", text->entries, false}},
		.outputs = {"changed", "unchanged", "too_short", "full"},
		.fields = {"value", "previous"},
		.sized_map = "series",
		.entries = setting->entries,
	};
}

static struct harness *open_one(const struct setting *setting)
{
	struct text text;
	struct harness_instance instance = instance_of("deadband", setting, &text);

	return harness_open(&instance, 1);
}

/* Hundredths, a difference of up to 0.5 is no change. */
static const struct setting usual = {S16BE, SOURCE_ADDRESS, 16, "10000", "500000", "0"};

struct row {
	const char *name, *source;
	int16_t stored;
	int output;
	int64_t value, previous; /* in millionths */
	bool first;
};

/* In this order. */
static const struct row rows[] = {
	{"the first", "10.0.0.1", 2000, CHANGED, 20000000, 0, true},
	{"the same", "10.0.0.1", 2000, UNCHANGED, 20000000, 20000000, false},
	{"up to the threshold", "10.0.0.1", 2050, UNCHANGED, 20500000, 20000000, false},
	{"down to it", "10.0.0.1", 1950, UNCHANGED, 19500000, 20000000, false},
	{"beyond it", "10.0.0.1", 2051, CHANGED, 20510000, 20000000, false},
	{"back to the first", "10.0.0.1", 2000, CHANGED, 20000000, 20510000, false},
	{"a slow drift", "10.0.0.1", 1970, UNCHANGED, 19700000, 20000000, false},
	{"goes on", "10.0.0.1", 1950, UNCHANGED, 19500000, 20000000, false},
	{"and is a change together", "10.0.0.1", 1949, CHANGED, 19490000, 20000000, false},
	{"another sensor", "10.0.0.2", 1949, CHANGED, 19490000, 0, true},
	{"has a memory of its own", "10.0.0.2", 2000, CHANGED, 20000000, 19490000, false},
	{"the first sensor again", "10.0.0.1", 1950, UNCHANGED, 19500000, 19490000, false},
	{"negative", "10.0.0.1", -1949, CHANGED, -19490000, 19490000, false},
	{"about as negative", "10.0.0.1", -1990, UNCHANGED, -19900000, -19490000, false},
	{"zero", "10.0.0.1", 0, CHANGED, 0, -19490000, false},
	{"smallest", "10.0.0.1", INT16_MIN, CHANGED, -327680000, 0, false},
	{"largest", "10.0.0.1", INT16_MAX, CHANGED, 327670000, -327680000, false},
};

static void send(struct harness *harness, unsigned int instance, const char *source, int16_t stored,
		 struct harness_answer *ret)
{
	const uint8_t payload[3] = {9, (uint8_t)((uint16_t)stored >> 8), (uint8_t)stored};
	const struct frame_spec spec = {
		.source = source, .payload = payload, .payload_bytes = sizeof(payload)};

	harness_run(harness, instance, &spec, 0, ret);
}

static int output_of(struct harness *harness, const char *source, int16_t stored)
{
	struct harness_answer answer;

	send(harness, 0, source, stored, &answer);
	return answer.output;
}

static void test_table(void **state)
{
	struct harness *harness = open_one(&usual);
	struct harness_answer answer;

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		send(harness, 0, row->source, row->stored, &answer);
		if (answer.output != row->output ||
		    answer.fields_present != (row->first ? 1u << VALUE : 3u) ||
		    (int64_t)answer.fields[VALUE] != row->value ||
		    (int64_t)answer.fields[PREVIOUS] != row->previous)
			fail_msg("%s: output %d, fields %u: %lld, %lld", row->name, answer.output,
				 answer.fields_present, (long long)answer.fields[VALUE],
				 (long long)answer.fields[PREVIOUS]);
	}
	harness_close(harness);
}

static void test_threshold_changes(void **state)
{
	struct harness *harness = open_one(&usual);

	(void)state;
	assert_int_equal(output_of(harness, "10.0.0.1", 2000), CHANGED);
	assert_int_equal(output_of(harness, "10.0.0.1", 2040), UNCHANGED);
	harness_set(harness, "deadband", "threshold", 300000);
	assert_int_equal(output_of(harness, "10.0.0.1", 2040), CHANGED);
	harness_set(harness, "deadband", "threshold", 0);
	assert_int_equal(output_of(harness, "10.0.0.1", 2040), UNCHANGED);
	assert_int_equal(output_of(harness, "10.0.0.1", 2041), CHANGED);
	harness_close(harness);
}

static void age_all(struct harness *harness, int64_t by_ns)
{
	int fd = bpf_map__fd(harness_map(harness, "deadband", "series"));
	struct key key, *previous = NULL;
	struct last last;

	while (!bpf_map_get_next_key(fd, previous, &key)) {
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &last), 0);
		last.time_ns -= (uint64_t)by_ns;
		assert_int_equal(bpf_map_update_elem(fd, &key, &last, BPF_EXIST | BPF_F_LOCK), 0);
		previous = &key;
	}
}

static void test_at_least_every(void **state)
{
	struct setting setting = usual;
	struct harness *harness;

	(void)state;
	setting.at_least_every = "3600000000000";
	harness = open_one(&setting);
	assert_int_equal(output_of(harness, "10.0.0.1", 2000), CHANGED);
	age_all(harness, HOUR_NS - 60 * SECOND_NS);
	assert_int_equal(output_of(harness, "10.0.0.1", 2001), UNCHANGED);
	age_all(harness, 60 * SECOND_NS); /* since the change, not since the last packet */
	assert_int_equal(output_of(harness, "10.0.0.1", 2001), CHANGED);
	assert_int_equal(output_of(harness, "10.0.0.1", 2001), UNCHANGED);
	age_all(harness, -HOUR_NS); /* another CPU's clock is ahead */
	assert_int_equal(output_of(harness, "10.0.0.1", 2001), UNCHANGED);
	age_all(harness, 2 * HOUR_NS);
	assert_int_equal(output_of(harness, "10.0.0.1", 2001), CHANGED);
	harness_close(harness);

	harness = open_one(&usual); /* never */
	assert_int_equal(output_of(harness, "10.0.0.1", 2000), CHANGED);
	age_all(harness, 1000 * HOUR_NS);
	assert_int_equal(output_of(harness, "10.0.0.1", 2000), UNCHANGED);
	harness_close(harness);
}

/* The largest differences, under the largest threshold and one less. */
static void test_extremes(void **state)
{
	const struct setting setting = {U32BE,	      SOURCE_ADDRESS,	     16,
					"2000000000", "9000000000000000000", "0"};
	const struct frame_spec zero = {FRAME_BYTES(0, 0, 0, 0, 0)},
				most = {FRAME_BYTES(0, 255, 255, 255, 255)};
	struct harness *harness = open_one(&setting);
	struct harness_answer answer;

	(void)state;
	harness_run(harness, 0, &zero, 0, &answer);
	assert_int_equal(answer.output, CHANGED);
	harness_run(harness, 0, &most, 0, &answer);
	assert_int_equal(answer.output, UNCHANGED);
	assert_int_equal(answer.fields[VALUE], 8589934590000000000);
	harness_set(harness, "deadband", "threshold", 8589934589999999999);
	harness_run(harness, 0, &most, 0, &answer);
	assert_int_equal(answer.output, CHANGED);
	harness_close(harness);
}

/* Every type reads its bytes: from 1 to what differs in one byte only. */
static void test_types(void **state)
{
	static const struct {
		int type;
		uint32_t bytes;
		uint8_t stored[4];
		int64_t value; /* scale 1 */
	} types[] = {
		{U8, 1, {200}, 200},
		{S8, 1, {200}, -56},
		{U16BE, 2, {0xff, 0xfe}, 65534},
		{U16LE, 2, {0xfe, 0xff}, 65534},
		{S16BE, 2, {0xff, 0xfe}, -2},
		{S16LE, 2, {0xfe, 0xff}, -2},
		{U32BE, 4, {0xff, 0, 0, 1}, 4278190081},
		{U32LE, 4, {1, 0, 0, 0xff}, 4278190081},
		{S32BE, 4, {0xff, 0, 0, 1}, -16777215},
		{S32LE, 4, {1, 0, 0, 0xff}, -16777215},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct setting setting = usual;
		struct frame_spec spec = {.payload_bytes = 1 + types[i].bytes};
		struct harness_answer answer;
		struct harness *harness;
		uint8_t payload[5] = {7};

		setting.type = types[i].type;
		setting.scale = "1000000";
		harness = open_one(&setting);
		memcpy(payload + 1, types[i].stored, 4);
		spec.payload = payload;
		harness_run(harness, 0, &spec, 0, &answer);
		assert_int_equal(answer.output, CHANGED);
		assert_int_equal((int64_t)answer.fields[VALUE], types[i].value * 1000000);
		spec.payload_bytes--;
		harness_run(harness, 0, &spec, 0, &answer);
		assert_int_equal(answer.output, TOO_SHORT);
		assert_int_equal(answer.fields_present, 0);
		spec.payload_bytes++;
		harness_run(harness, 0, &spec, FAAS_EVENT_FRAGMENT, &answer);
		assert_int_equal(answer.output, TOO_SHORT);
		harness_close(harness);
	}
}

/* Channels of one device, by a byte of the payload; a full map keeps what it has. */
static void test_channels_and_full(void **state)
{
	struct setting setting = usual;
	struct harness *harness;
	struct harness_answer answer;
	uint8_t payload[3] = {0};
	const struct frame_spec spec = {.payload = payload, .payload_bytes = sizeof(payload)};

	(void)state;
	setting.by = SOURCE_ADDRESS | BYTE;
	setting.entries = 4;
	harness = open_one(&setting);
	for (uint8_t channel = 0; channel < 8; channel++) {
		payload[0] = channel;
		harness_run(harness, 0, &spec, 0, &answer);
		assert_int_equal(answer.output, channel < 4 ? CHANGED : FULL);
		assert_int_equal(answer.fields_present, channel < 4 ? 1u << VALUE : 0);
	}
	for (uint8_t channel = 0; channel < 4; channel++) {
		payload[0] = channel;
		harness_run(harness, 0, &spec, 0, &answer);
		assert_int_equal(answer.output, UNCHANGED);
	}
	harness_close(harness);
}

/* The same value from two CPUs at once is a change once. */
static void test_together(void **state)
{
	struct harness *harness = open_one(&usual);
	uint8_t payload[3] = {0};
	const struct frame_spec spec = {.payload = payload, .payload_bytes = sizeof(payload)};
	uint64_t tallies[FAAS_OUTPUTS_MAX];

	(void)state;
	for (uint8_t round = 1; round <= 50; round++) {
		payload[1] = round;
		harness_run_together(harness, 0, &spec, VARY_NOTHING, 2000, tallies);
		assert_int_equal(tallies[CHANGED], 1);
		assert_int_equal(tallies[UNCHANGED], HARNESS_TOGETHER * 2000 - 1);
	}
	harness_print_cost(harness, 0, &spec, VARY_NOTHING, "unchanged");
	harness_close(harness);
}

static void test_cost_of_at_least_every(void **state)
{
	struct setting setting = usual;
	const struct frame_spec spec = {.payload_bytes = 3};
	struct harness *harness;

	(void)state;
	setting.at_least_every = "3600000000000";
	harness = open_one(&setting);
	harness_print_cost(harness, 0, &spec, VARY_NOTHING, "unchanged, with at_least_every");
	harness_close(harness);
}

static void test_two_instances(void **state)
{
	struct setting fine = usual;
	struct text text[2];
	struct harness_instance instances[2];
	struct harness_answer answer;
	struct harness *harness;

	(void)state;
	fine.threshold = "0";
	fine.entries = 8;
	instances[0] = instance_of("coarse", &usual, &text[0]);
	instances[1] = instance_of("fine", &fine, &text[1]);
	harness = harness_open(instances, 2);
	for (unsigned int i = 0; i < 2; i++) {
		send(harness, i, "10.0.0.1", 2000, &answer);
		assert_int_equal(answer.output, CHANGED);
		send(harness, i, "10.0.0.1", 2001, &answer);
		assert_int_equal(answer.output, i ? CHANGED : UNCHANGED);
	}
	assert_int_equal(bpf_map__max_entries(harness_map(harness, "coarse", "series")), 16);
	assert_int_equal(bpf_map__max_entries(harness_map(harness, "fine", "series")), 8);
	harness_close(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_threshold_changes),
		cmocka_unit_test(test_at_least_every),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_channels_and_full),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_cost_of_at_least_every),
		cmocka_unit_test(test_two_instances),
	};

	return cmocka_run_group_tests_name("deadband", tests, NULL, NULL);
}
