// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * funcs/aggregate: the record of a window against a recount by hand. Windows are a
 * day; the tests end them by moving the beginnings that the function wrote down.
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

#include <ebpf_faas/event.h>

#include "function_harness.h"

#define DAY_NS (24 * 3600 * 1000000000ull)
#define DAY_TEXT "86400000000000"
#define VALUES_MAX 0x7fffffff

enum { WINDOW, GATHERED, TOO_SHORT, FULL };
enum { MIN, MAX, MEAN, COUNT };
enum { U32BE = 6, S32BE = 8 };
enum { SOURCE_ADDRESS = 1, BYTE = 16 };

/* As funcs/aggregate/aggregate.bpf.c has them. */
struct key {
	uint8_t addresses[32];
	uint16_t source_port, destination_port, vlan;
	uint8_t protocol, byte;
};

struct gathering {
	uint32_t lock, count;
	uint64_t start_ns;
	int64_t min, max, sum;
};

struct setting {
	int type;
	int64_t scale; /* in millionths */
	uint32_t by, entries;
};

struct text {
	char type[12], scale[24], by[12], entries[12];
};

static struct harness_instance instance_of(const char *name, const struct setting *setting,
					   struct text *text)
{
	snprintf(text->type, sizeof(text->type), "%d", setting->type);
	snprintf(text->scale, sizeof(text->scale), "%lld", (long long)setting->scale);
	snprintf(text->by, sizeof(text->by), "%u", setting->by);
	snprintf(text->entries, sizeof(text->entries), "%u", setting->entries);
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/aggregate/aggregate.bpf.o",
		.params = {{"u32", "offset", "1", false},
			   {"u32", "type", text->type, false},
			   {"decimal", "scale", text->scale, false},
			   {"duration", "window", DAY_TEXT, false},
			   {"u32", "by", text->by, false},
			   {"u32", "key_offset", "0", false},
			   {"u32", "entries", text->entries, false}},
		.outputs = {"window", "gathered", "too_short", "full"},
		.fields = {"min", "max", "mean", "count"},
		.sized_map = "series",
		.entries = setting->entries,
	};
}

static struct harness *open_one(const struct setting *setting)
{
	struct text text;
	struct harness_instance instance = instance_of("aggregate", setting, &text);

	return harness_open(&instance, 1);
}

static void send(struct harness *harness, unsigned int instance, uint8_t channel, uint32_t stored,
		 struct harness_answer *ret)
{
	uint8_t payload[5] = {channel};
	const struct frame_spec spec = {.payload = payload, .payload_bytes = sizeof(payload)};

	frame_put32(payload + 1, stored);
	harness_run(harness, instance, &spec, 0, ret);
}

/* Change everything that is being gathered; in place, or the walk over the map
 * would meet it again. */
static void change_all(struct harness *harness, const char *instance,
		       void (*change)(struct gathering *))
{
	int fd = bpf_map__fd(harness_map(harness, instance, "series"));
	struct key key, *previous = NULL;
	struct gathering gathering;

	while (!bpf_map_get_next_key(fd, previous, &key)) {
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &gathering), 0);
		change(&gathering);
		assert_int_equal(bpf_map_update_elem(fd, &key, &gathering, BPF_EXIST | BPF_F_LOCK),
				 0);
		previous = &key;
	}
}

static void end_window(struct gathering *gathering)
{
	gathering->start_ns -= DAY_NS;
}

static void start_later(struct gathering *gathering)
{
	gathering->start_ns += DAY_NS;
}

/* Of stored numbers, as the fields say it. */
struct expected {
	int64_t min, max, mean;
	uint64_t count;
};

static struct expected recount(const struct setting *setting, const uint32_t *stored, size_t count)
{
	struct expected expected = {INT64_MAX, INT64_MIN, 0, count};
	__int128 sum = 0;

	for (size_t i = 0; i < count; i++) {
		int64_t raw = setting->type == S32BE ? (int32_t)stored[i] : (int64_t)stored[i];
		int64_t value = raw * setting->scale;

		sum += value;
		expected.min = value < expected.min ? value : expected.min;
		expected.max = value > expected.max ? value : expected.max;
	}
	expected.mean = (int64_t)(sum / (__int128)count); /* C rounds towards zero */
	return expected;
}

static void check(const char *name, const struct harness_answer *answer,
		  const struct expected *expected)
{
	if (answer->output != WINDOW || answer->fields_present != 0xf ||
	    (int64_t)answer->fields[MIN] != expected->min ||
	    (int64_t)answer->fields[MAX] != expected->max ||
	    (int64_t)answer->fields[MEAN] != expected->mean ||
	    answer->fields[COUNT] != expected->count)
		fail_msg("%s: output %d, min %lld (%lld), max %lld (%lld), mean %lld (%lld), count "
			 "%llu (%llu)",
			 name, answer->output, (long long)answer->fields[MIN],
			 (long long)expected->min, (long long)answer->fields[MAX],
			 (long long)expected->max, (long long)answer->fields[MEAN],
			 (long long)expected->mean, (unsigned long long)answer->fields[COUNT],
			 (unsigned long long)expected->count);
}

#define VALUES(...) {__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)

static const struct {
	const char *name;
	struct setting setting;
	uint32_t stored[8];
	size_t count;
} rows[] = {
	{"one value", {S32BE, 1000000, 1, 16}, VALUES(7)},
	{"some", {S32BE, 10000, 1, 16}, VALUES(2150, 2160, 2140, 2151)},
	{"not even", {S32BE, 1, 1, 16}, VALUES(1, 1, 2)},
	{"negative", {S32BE, 1000, 1, 16}, VALUES(-5u, 3, -100u)},
	{"negative, not even", {S32BE, 1, 1, 16}, VALUES(-1u, -1u, -2u)},
	{"sum zero", {S32BE, 1000, 1, 16}, VALUES(-5u, 5)},
	{"negative scale", {S32BE, -1000, 1, 16}, VALUES(1, 2, 6)},
	{"negative both", {S32BE, -1000, 1, 16}, VALUES(-1u, -2u, -6u)},
	{"scale zero", {S32BE, 0, 1, 16}, VALUES(4, 5)},
	{"largest", {U32BE, 2000000000, 1, 16}, VALUES(UINT32_MAX, UINT32_MAX, UINT32_MAX)},
	{"largest, not even", {U32BE, 2000000000, 1, 16}, VALUES(UINT32_MAX, UINT32_MAX, 0)},
	{"smallest", {S32BE, 2000000000, 1, 16}, VALUES(0x80000000, 0x80000000)},
	{"smallest and largest", {S32BE, -2000000000, 1, 16}, VALUES(0x80000000, 0x7fffffff)},
	{"eight", {U32BE, 333333, 1, 16}, VALUES(1, 2, 4, 8, 16, 32, 64, 129)},
};

static void test_table(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct harness *harness = open_one(&rows[i].setting);
		struct expected expected = recount(&rows[i].setting, rows[i].stored, rows[i].count);
		const struct expected last = recount(&rows[i].setting, (uint32_t[]){9}, 1);
		struct harness_answer answer;

		for (size_t k = 0; k < rows[i].count; k++) {
			send(harness, 0, 0, rows[i].stored[k], &answer);
			assert_int_equal(answer.output, GATHERED);
			assert_int_equal(answer.fields_present, 0);
		}
		change_all(harness, "aggregate", end_window);
		send(harness, 0, 0, 9, &answer); /* of the next window */
		check(rows[i].name, &answer, &expected);
		change_all(harness, "aggregate", end_window);
		send(harness, 0, 0, 1, &answer);
		check(rows[i].name, &answer, &last);
		harness_close(harness);
	}
}

/* Each series has windows of its own; a full map keeps those it has. */
static void test_series_and_full(void **state)
{
	const struct setting setting = {S32BE, 1000000, SOURCE_ADDRESS | BYTE, 4};
	struct harness *harness = open_one(&setting);
	struct harness_answer answer;

	(void)state;
	for (int round = 0; round < 3; round++)
		for (uint8_t channel = 0; channel < 8; channel++) {
			send(harness, 0, channel, 100u * channel + (uint32_t)round, &answer);
			assert_int_equal(answer.output, channel < 4 ? GATHERED : FULL);
			assert_int_equal(answer.fields_present, 0);
		}
	change_all(harness, "aggregate", end_window);
	for (uint8_t channel = 0; channel < 4; channel++) {
		const struct expected expected = {100000000ll * channel,
						  100000000ll * channel + 2000000,
						  100000000ll * channel + 1000000, 3};

		send(harness, 0, channel, 0, &answer);
		check("a channel", &answer, &expected);
	}
	harness_close(harness);
}

/* A CPU whose clock is behind sees the window before: its value is not lost, and
 * the window does not end for that. */
static void test_clock_going_back(void **state)
{
	const struct setting setting = {S32BE, 1000000, SOURCE_ADDRESS, 16};
	const struct expected expected = {1000000, 3000000, 2000000, 3};
	struct harness *harness = open_one(&setting);
	struct harness_answer answer;

	(void)state;
	send(harness, 0, 0, 1, &answer);
	change_all(harness, "aggregate", start_later);
	send(harness, 0, 0, 2, &answer);
	assert_int_equal(answer.output, GATHERED);
	send(harness, 0, 0, 3, &answer);
	assert_int_equal(answer.output, GATHERED);
	change_all(harness, "aggregate", end_window);
	change_all(harness, "aggregate", end_window);
	send(harness, 0, 0, 4, &answer);
	check("gone back", &answer, &expected);
	harness_close(harness);
}

static void fill_up(struct gathering *gathering)
{
	gathering->count = VALUES_MAX - 1;
	gathering->sum = (int64_t)UINT32_MAX * (VALUES_MAX - 1);
}

/* As many of the largest values as one window can hold; the next one begins
 * another, early. */
static void test_longest_window(void **state)
{
	const struct setting setting = {U32BE, 2000000000, SOURCE_ADDRESS, 16};
	const int64_t largest = UINT32_MAX * 2000000000ll;
	const struct expected full = {largest, largest, largest, VALUES_MAX},
			      next = {2000000000ll, 2000000000ll, 2000000000ll, 1};
	struct harness *harness = open_one(&setting);
	struct harness_answer answer;

	(void)state;
	send(harness, 0, 0, UINT32_MAX, &answer);
	change_all(harness, "aggregate", fill_up);
	send(harness, 0, 0, UINT32_MAX, &answer);
	assert_int_equal(answer.output, GATHERED);
	send(harness, 0, 0, 1, &answer);
	check("full", &answer, &full);
	change_all(harness, "aggregate", end_window);
	send(harness, 0, 0, 1, &answer);
	check("behind it", &answer, &next);
	harness_close(harness);
}

static void test_not_there(void **state)
{
	const struct setting setting = {S32BE, 1000000, SOURCE_ADDRESS, 16};
	const struct frame_spec cut = {FRAME_BYTES(0, 1, 2, 3)},
				whole = {FRAME_BYTES(0, 0, 0, 0, 1)};
	struct harness *harness = open_one(&setting);
	struct harness_answer answer;

	(void)state;
	harness_run(harness, 0, &cut, 0, &answer);
	assert_int_equal(answer.output, TOO_SHORT);
	harness_run(harness, 0, &whole, FAAS_EVENT_FRAGMENT, &answer);
	assert_int_equal(answer.output, TOO_SHORT);
	assert_int_equal(answer.fields_present, 0);
	harness_run(harness, 0, &whole, FAAS_EVENT_FIRST_FRAGMENT, &answer);
	assert_int_equal(answer.output, GATHERED);
	harness_close(harness);
}

/* Two CPUs add to one window: none is lost, and one of them tells of it. */
static void test_together(void **state)
{
	const struct setting setting = {S32BE, 1000000, SOURCE_ADDRESS, 16};
	const struct frame_spec spec = {FRAME_BYTES(0, 0, 0, 0, 3)};
	struct harness *harness = open_one(&setting);
	uint64_t tallies[FAAS_OUTPUTS_MAX];
	struct expected expected = {3000000, 3000000, 3000000, HARNESS_TOGETHER * 50000};
	struct harness_answer answer;

	(void)state;
	harness_run_together(harness, 0, &spec, VARY_NOTHING, 50000, tallies);
	assert_int_equal(tallies[GATHERED], HARNESS_TOGETHER * 50000);
	for (int round = 0; round < 50; round++) {
		change_all(harness, "aggregate", end_window);
		harness_run_together(harness, 0, &spec, VARY_NOTHING, 2000, tallies);
		assert_int_equal(tallies[WINDOW], 1);
		assert_int_equal(tallies[GATHERED], HARNESS_TOGETHER * 2000 - 1);
	}
	expected.count = HARNESS_TOGETHER * 2000;
	change_all(harness, "aggregate", end_window);
	send(harness, 0, 0, 1, &answer);
	check("together", &answer, &expected);
	harness_print_cost(harness, 0, &spec, VARY_NOTHING, "gathered");
	harness_close(harness);
}

static void test_two_instances(void **state)
{
	const struct setting settings[2] = {{S32BE, 1000000, SOURCE_ADDRESS, 8},
					    {S32BE, 2000000, SOURCE_ADDRESS, 16}};
	struct text text[2];
	struct harness_instance instances[2] = {instance_of("left", &settings[0], &text[0]),
						instance_of("right", &settings[1], &text[1])};
	const struct expected expected[2] = {{1000000, 1000000, 1000000, 1},
					     {4000000, 4000000, 4000000, 1}};
	struct harness *harness = harness_open(instances, 2);
	struct harness_answer answer;

	(void)state;
	send(harness, 0, 0, 1, &answer);
	send(harness, 1, 0, 2, &answer);
	change_all(harness, "left", end_window);
	send(harness, 1, 0, 2, &answer);
	assert_int_equal(answer.output, GATHERED);
	send(harness, 0, 0, 3, &answer);
	check("left", &answer, &expected[0]);
	assert_int_equal(bpf_map__max_entries(harness_map(harness, "left", "series")), 8);
	assert_int_equal(bpf_map__max_entries(harness_map(harness, "right", "series")), 16);
	harness_close(harness);

	harness = harness_open(instances, 2);
	send(harness, 1, 0, 2, &answer);
	change_all(harness, "right", end_window);
	send(harness, 1, 0, 5, &answer);
	check("right", &answer, &expected[1]);
	harness_close(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_series_and_full),
		cmocka_unit_test(test_clock_going_back),
		cmocka_unit_test(test_longest_window),
		cmocka_unit_test(test_not_there),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_two_instances),
	};

	return cmocka_run_group_tests_name("aggregate", tests, NULL, NULL);
}
