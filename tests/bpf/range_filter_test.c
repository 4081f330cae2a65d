// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/range_filter, by tables: {type, scale, offset, bounds; payload; output, value}. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <ebpf_faas/event.h>

#include "function_harness.h"

enum { INSIDE, OUTSIDE, TOO_SHORT };
enum { U8, S8, U16BE, U16LE, S16BE, S16LE, U32BE, U32LE, S32BE, S32LE };

struct row {
	const char *name;
	uint8_t payload[12];
	uint32_t payload_bytes;
	int output;
	int64_t value; /* in millionths */
};

struct setting {
	const char *name;
	int type;
	uint32_t offset;
	const char *scale, *min, *max; /* in millionths */
	struct row rows[8];
};

static const struct setting settings[] = {
	{"u8",
	 U8,
	 0,
	 "1000000",
	 "10000000",
	 "200000000",
	 {{"at min", {10}, 1, INSIDE, 10000000},
	  {"below min", {9}, 1, OUTSIDE, 9000000},
	  {"at max, more behind it", {200, 1}, 2, INSIDE, 200000000},
	  {"above max", {201}, 1, OUTSIDE, 201000000},
	  {"largest", {255}, 1, OUTSIDE, 255000000},
	  {"no payload", {0}, 0, TOO_SHORT, 0}}},
	{"s8",
	 S8,
	 1,
	 "1000000",
	 "-5000000",
	 "5000000",
	 {{"at min", {0, 0xfb}, 2, INSIDE, -5000000},
	  {"below min", {0, 0xfa}, 2, OUTSIDE, -6000000},
	  {"smallest", {0, 0x80}, 2, OUTSIDE, -128000000},
	  {"at max", {0, 5}, 2, INSIDE, 5000000},
	  {"ends before it", {5}, 1, TOO_SHORT, 0}}},
	{"u16be",
	 U16BE,
	 0,
	 "1000000",
	 "0",
	 "300000000",
	 {{"256", {1, 0}, 2, INSIDE, 256000000},
	  {"at max", {0x01, 0x2c}, 2, INSIDE, 300000000},
	  {"above max", {0x01, 0x2d}, 2, OUTSIDE, 301000000},
	  {"largest is not negative", {0xff, 0xff}, 2, OUTSIDE, 65535000000},
	  {"one byte of it", {1}, 1, TOO_SHORT, 0}}},
	{"u16le",
	 U16LE,
	 0,
	 "1000000",
	 "0",
	 "300000000",
	 {{"1, not 256", {1, 0}, 2, INSIDE, 1000000},
	  {"256", {0, 1}, 2, INSIDE, 256000000},
	  {"largest", {0xff, 0xff}, 2, OUTSIDE, 65535000000}}},
	{"s16be",
	 S16BE,
	 2,
	 "100000",
	 "-1000000",
	 "1000000", /* scale 0.1 */
	 {{"-1.0", {0, 0, 0xff, 0xf6}, 4, INSIDE, -1000000},
	  {"-1.1", {0, 0, 0xff, 0xf5}, 4, OUTSIDE, -1100000},
	  {"smallest", {0, 0, 0x80, 0}, 4, OUTSIDE, -3276800000},
	  {"one byte of it", {0, 0, 0xff}, 3, TOO_SHORT, 0}}},
	{"s16le",
	 S16LE,
	 0,
	 "100000",
	 "-1000000",
	 "1000000",
	 {{"-1.0", {0xf6, 0xff}, 2, INSIDE, -1000000},
	  {"smallest", {0, 0x80}, 2, OUTSIDE, -3276800000}}},
	{"u32be",
	 U32BE,
	 0,
	 "2000000000",
	 "0",
	 "8589934590000000000", /* scale 2000, the largest */
	 {{"largest times largest scale", {0xff, 0xff, 0xff, 0xff}, 4, INSIDE, 8589934590000000000},
	  {"zero", {0}, 4, INSIDE, 0},
	  {"three bytes of it", {1, 2, 3}, 3, TOO_SHORT, 0}}},
	{"u32be, smallest scale",
	 U32BE,
	 0,
	 "-2000000000",
	 "-8589934590000000000",
	 "-1",
	 {{"at min", {0xff, 0xff, 0xff, 0xff}, 4, INSIDE, -8589934590000000000},
	  {"zero is above max", {0}, 4, OUTSIDE, 0}}},
	{"u32le",
	 U32LE,
	 4,
	 "1",
	 "0",
	 "1000000", /* scale 0.000001 */
	 {{"at max", {9, 9, 9, 9, 0x40, 0x42, 0x0f, 0}, 8, INSIDE, 1000000},
	  {"above max", {9, 9, 9, 9, 0x41, 0x42, 0x0f, 0}, 8, OUTSIDE, 1000001},
	  {"largest", {9, 9, 9, 9, 0xff, 0xff, 0xff, 0xff}, 8, OUTSIDE, 4294967295}}},
	{"s32be",
	 S32BE,
	 4,
	 "10000",
	 "-50000000",
	 "150000000", /* scale 0.01, -50 to 150 */
	 {{"21.50", {0, 0, 0, 1, 0, 0, 0x08, 0x66}, 8, INSIDE, 21500000},
	  {"150.00", {0, 0, 0, 1, 0, 0, 0x3a, 0x98}, 8, INSIDE, 150000000},
	  {"150.01", {0, 0, 0, 1, 0, 0, 0x3a, 0x99}, 8, OUTSIDE, 150010000},
	  {"-50.00", {0, 0, 0, 1, 0xff, 0xff, 0xec, 0x78}, 8, INSIDE, -50000000},
	  {"-50.01", {0, 0, 0, 1, 0xff, 0xff, 0xec, 0x77}, 8, OUTSIDE, -50010000},
	  {"smallest", {0, 0, 0, 1, 0x80, 0, 0, 0}, 8, OUTSIDE, -21474836480000},
	  {"three bytes of it", {0, 0, 0, 1, 0, 0, 8}, 7, TOO_SHORT, 0},
	  {"nothing but what is before it", {0, 0, 0, 1}, 4, TOO_SHORT, 0}}},
	{"s32le",
	 S32LE,
	 0,
	 "1000000",
	 "-1000000",
	 "-1000000",
	 {{"the one value", {0xff, 0xff, 0xff, 0xff}, 4, INSIDE, -1000000},
	  {"beside it", {0xfe, 0xff, 0xff, 0xff}, 4, OUTSIDE, -2000000},
	  {"on the other side", {0}, 4, OUTSIDE, 0}}},
	{"min above max",
	 U8,
	 0,
	 "1000000",
	 "5000000",
	 "4000000",
	 {{"nothing is inside", {5}, 1, OUTSIDE, 5000000}, {"nothing", {4}, 1, OUTSIDE, 4000000}}},
};

static void check_answer(const char *name, const char *row, const struct row *expected,
			 const struct harness_answer *answer)
{
	bool valued = expected->output != TOO_SHORT;

	if (answer->output != expected->output || answer->fields_present != valued ||
	    (valued && (int64_t)answer->fields[0] != expected->value))
		fail_msg("%s, %s: output %d value %lld (present %x), expected %d value %lld", name,
			 row, answer->output, (long long)answer->fields[0], answer->fields_present,
			 expected->output, (long long)expected->value);
}

/* Every row over IPv4 and IPv6, plain and tagged, with Ethernet padding that
 * must not be taken for payload. */
static void check_row(struct harness *harness, const struct setting *setting, const struct row *row)
{
	static const struct frame_spec shapes[] = {
		{.ip_version = 4},
		{.ip_version = 4, .padding_bytes = 18, .ipv4_option_bytes = 8},
		{.ip_version = 6},
		{.ip_version = 6, .vlans = {{0x88a8, 7}, {0x8100, 9}}, .padding_bytes = 9},
	};
	struct harness_answer answer;

	for (unsigned int i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct frame_spec spec = shapes[i];

		spec.payload = row->payload;
		spec.payload_bytes = row->payload_bytes;
		harness_run(harness, 0, &spec, 0, &answer);
		check_answer(setting->name, row->name, row, &answer);
	}
}

static struct harness_instance instance_of(const char *name, const struct setting *setting,
					   char text[2][16])
{
	snprintf(text[0], 16, "%u", setting->offset);
	snprintf(text[1], 16, "%d", setting->type);
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/range_filter/range_filter.bpf.o",
		.params = {{"u32", "offset", text[0]},
			   {"u32", "type", text[1]},
			   {"decimal", "scale", setting->scale},
			   {"decimal", "min", setting->min},
			   {"decimal", "max", setting->max}},
		.outputs = {"inside", "outside", "too_short"},
		.fields = {"value"},
	};
}

static void test_tables(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const struct setting *setting = &settings[i];
		struct harness_instance instance;
		struct harness *harness;
		char text[2][16];

		instance = instance_of("filter", setting, text);
		harness = harness_open(&instance, 1);
		for (unsigned int k = 0; k < 8 && setting->rows[k].name; k++)
			check_row(harness, setting, &setting->rows[k]);
		harness_close(harness);
	}
}

/* The same function twice, with other parameters each. */
static void test_two_instances(void **state)
{
	const struct setting low = {
		.name = "low", .type = U8, .scale = "1000000", .min = "0", .max = "9000000"};
	const struct setting high = {.name = "high",
				     .type = U8,
				     .offset = 1,
				     .scale = "500000",
				     .min = "50000000",
				     .max = "90000000"};
	const struct row in_low = {.output = INSIDE, .value = 7000000};
	const struct row in_high = {.output = INSIDE, .value = 60000000};
	char text[2][2][16];
	struct harness_instance instances[2] = {instance_of("low", &low, text[0]),
						instance_of("high", &high, text[1])};
	const struct frame_spec spec = {FRAME_BYTES(7, 120)};
	struct harness_answer answer;
	struct harness *harness;

	(void)state;
	harness = harness_open(instances, 2);
	harness_run(harness, 0, &spec, 0, &answer);
	check_answer("two instances", "low", &in_low, &answer);
	harness_run(harness, 1, &spec, 0, &answer);
	check_answer("two instances", "high", &in_high, &answer);
	harness_close(harness);
}

/* A payload that the headers announce and the frame does not hold. */
static void test_cut_frame(void **state)
{
	const struct setting *setting = &settings[9];
	struct frame_spec spec = {FRAME_BYTES(0, 0, 0, 1, 0, 0, 8, 0x66)};
	struct harness_instance instance;
	struct harness_answer answer;
	struct faas_packet packet;
	struct harness *harness;
	struct frame frame;
	char text[2][16];

	(void)state;
	instance = instance_of("filter", setting, text);
	harness = harness_open(&instance, 1);
	frame_build(&spec, &frame);
	for (uint32_t cut = 0; cut <= 8; cut++) {
		/* The description claims what the frame does not have: the
		 * function must not read on whatever it is told. */
		packet = harness_describe(&spec, &frame, 0);
		harness_run_packet(harness, 0, frame.data, frame.bytes - cut, &packet, &answer);
		assert_int_equal(answer.output, cut ? TOO_SHORT : INSIDE);
	}
	harness_close(harness);
}

/* A later fragment has bytes there, but not the message's; the first has them. */
static void test_fragments(void **state)
{
	const struct setting *setting = &settings[9];
	const struct frame_spec spec = {FRAME_BYTES(0, 0, 0, 1, 0, 0, 8, 0x66)};
	struct harness_instance instance;
	struct harness_answer answer;
	struct harness *harness;
	char text[2][16];

	(void)state;
	instance = instance_of("filter", setting, text);
	harness = harness_open(&instance, 1);
	harness_run(harness, 0, &spec, FAAS_EVENT_FRAGMENT, &answer);
	assert_int_equal(answer.output, TOO_SHORT);
	assert_int_equal(answer.fields_present, 0);
	harness_run(harness, 0, &spec, FAAS_EVENT_FIRST_FRAGMENT, &answer);
	assert_int_equal(answer.output, INSIDE);
	harness_print_cost(harness, 0, &spec, VARY_NOTHING, "inside");
	harness_close(harness);
}

/* A jumbo frame's end lies in other buffers than its beginning. */
static void test_multi_buffer(void **state)
{
	static uint8_t payload[8000];
	const struct setting setting = {.name = "far",
					.type = U32BE,
					.offset = 6000,
					.scale = "1000000",
					.min = "0",
					.max = "9000000"};
	const struct row expected = {.output = INSIDE, .value = 7000000};
	struct frame_spec spec = {.payload = payload, .payload_bytes = sizeof(payload)};
	struct harness_instance instance;
	struct harness_answer answer;
	struct harness *harness;
	char text[2][16];

	(void)state;
	payload[6003] = 7;
	instance = instance_of("filter", &setting, text);
	harness = harness_open(&instance, 1);
	harness_run(harness, 0, &spec, 0, &answer);
	check_answer("multi-buffer", "beyond the first", &expected, &answer);
	spec.payload_bytes = 6003;
	harness_run(harness, 0, &spec, 0, &answer);
	assert_int_equal(answer.output, TOO_SHORT);
	harness_close(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),	     cmocka_unit_test(test_two_instances),
		cmocka_unit_test(test_cut_frame),    cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_multi_buffer),
	};

	return cmocka_run_group_tests_name("range_filter", tests, NULL, NULL);
}
