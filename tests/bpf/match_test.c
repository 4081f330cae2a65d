// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/match, by tables: {value, offset, marker; payload; output}. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <ebpf_faas/event.h>

#include "function_harness.h"

enum { MATCHED, OTHER, TOO_SHORT };

#define ROWS_MAX 12

struct row {
	const char *name;
	struct frame_spec spec;
	int output;
};

struct setting {
	const char *name;
	uint64_t value, mask, marker;
	uint32_t length, offset, marker_length, search;
	struct row rows[ROWS_MAX];
};

#define ALL UINT64_MAX

static const struct setting settings[] = {
	{.name = "CoAP GET: the second byte",
	 .value = 1,
	 .mask = ALL,
	 .length = 1,
	 .offset = 1,
	 .search = 64,
	 .rows = {{"it is", {FRAME_BYTES(0x40, 1)}, MATCHED},
		  {"it is not", {FRAME_BYTES(0x40, 2)}, OTHER},
		  {"the first is", {FRAME_BYTES(1, 2)}, OTHER},
		  {"payload of one byte", {FRAME_BYTES(1)}, TOO_SHORT},
		  {"that and padding", {.padding_bytes = 18, FRAME_BYTES(1)}, TOO_SHORT},
		  {"no payload", {.payload_bytes = 0}, TOO_SHORT},
		  {"IPv6", {.ip_version = 6, FRAME_BYTES(0x40, 1, 9)}, MATCHED},
		  {"TCP, options",
		   {.protocol = 6, .tcp_option_bytes = 8, FRAME_BYTES(0, 1)},
		   MATCHED},
		  {"VLANs", {.vlans = {{0x88a8, 7}, {0, 9}}, FRAME_BYTES(0, 1)}, MATCHED}}},
	{.name = "bits of a byte: version 1",
	 .value = 0x47,
	 .mask = 0xc0,
	 .length = 1,
	 .search = 64,
	 .rows = {{"all", {FRAME_BYTES(0x47)}, MATCHED},
		  {"those of the mask", {FRAME_BYTES(0x7f)}, MATCHED},
		  {"one bit differs", {FRAME_BYTES(0x87)}, OTHER}}},
	{.name = "mask of more bytes than value",
	 .value = 0xab,
	 .mask = ALL,
	 .length = 1,
	 .search = 64,
	 .rows = {{"only length counts", {FRAME_BYTES(0xab)}, MATCHED}}},
	{.name = "eight bytes",
	 .value = 0x4142434445464748,
	 .mask = ALL,
	 .length = 8,
	 .offset = 2,
	 .search = 64,
	 .rows = {{"equal", {FRAME_PAYLOAD("..ABCDEFGH")}, MATCHED},
		  {"last differs", {FRAME_PAYLOAD("..ABCDEFGX")}, OTHER},
		  {"first differs", {FRAME_PAYLOAD("..XBCDEFGH")}, OTHER},
		  {"one too few", {FRAME_PAYLOAD("..ABCDEFG")}, TOO_SHORT}}},
	{.name = "an empty mask",
	 .length = 4,
	 .search = 64,
	 .rows = {{"whatever it is", {FRAME_BYTES(9, 9, 9, 9)}, MATCHED},
		  {"if it is there", {FRAME_BYTES(9, 9, 9)}, TOO_SHORT}}},
	{.name = "after t=",
	 .value = '7',
	 .mask = ALL,
	 .length = 1,
	 .offset = 1,
	 .marker = 't' << 8 | '=',
	 .marker_length = 2,
	 .search = 8,
	 .rows = {{"at once", {FRAME_PAYLOAD("t=27")}, MATCHED},
		  {"later", {FRAME_PAYLOAD("ab,t=27")}, MATCHED},
		  {"other byte", {FRAME_PAYLOAD("ab,t=28")}, OTHER},
		  {"ends at the last byte searched", {FRAME_PAYLOAD("abcdeft=27")}, MATCHED},
		  {"ends behind it", {FRAME_PAYLOAD("abcdefgt=27")}, OTHER},
		  {"no marker", {FRAME_PAYLOAD("ab,u=27")}, OTHER},
		  {"half a marker at the end", {FRAME_PAYLOAD("ab,t")}, OTHER},
		  {"nothing behind it", {FRAME_PAYLOAD("ab,t=2")}, TOO_SHORT},
		  {"the first counts", {FRAME_PAYLOAD("t=1t=27")}, OTHER},
		  {"begun twice", {FRAME_PAYLOAD("tt=27")}, MATCHED},
		  {"no payload", {.payload_bytes = 0}, OTHER}}},
	{.name = "marker of eight bytes, whole search",
	 .value = 0x2122,
	 .mask = ALL,
	 .length = 2,
	 .marker = 0x5050505050505051,
	 .marker_length = 8,
	 .search = 256,
	 .rows = {{"overlapping itself", {FRAME_PAYLOAD("PPPPPPPPPPPQ!\"")}, MATCHED},
		  {"seven bytes of it", {FRAME_PAYLOAD("PPPPPPQ!\"")}, OTHER}}},
	{.name = "a marker of zeros is not there before the payload",
	 .value = 5,
	 .mask = ALL,
	 .length = 1,
	 .marker = 0,
	 .marker_length = 4,
	 .search = 16,
	 .rows = {{"three zeros", {FRAME_BYTES(0, 0, 0, 5, 5)}, OTHER},
		  {"four zeros", {FRAME_BYTES(0, 0, 0, 0, 5)}, MATCHED}}},
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

struct text {
	char value[24], length[12], mask[24], offset[12], marker[24], marker_length[12], search[12];
};

static struct harness_instance instance_of(const char *name, const struct setting *setting,
					   struct text *text)
{
	snprintf(text->value, sizeof(text->value), "%" PRIu64 "ull", setting->value);
	snprintf(text->mask, sizeof(text->mask), "%" PRIu64 "ull", setting->mask);
	snprintf(text->marker, sizeof(text->marker), "%" PRIu64 "ull", setting->marker);
	snprintf(text->length, sizeof(text->length), "%u", setting->length);
	snprintf(text->offset, sizeof(text->offset), "%u", setting->offset);
	snprintf(text->marker_length, sizeof(text->marker_length), "%u", setting->marker_length);
	snprintf(text->search, sizeof(text->search), "%u", setting->search);
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/match/match.bpf.o",
		.params = {{"u64", "value", text->value},
			   {"u32", "length", text->length},
			   {"u64", "mask", text->mask},
			   {"u32", "offset", text->offset},
			   {"u64", "marker", text->marker},
			   {"u32", "marker_length", text->marker_length},
			   {"u32", "search", text->search}},
		.outputs = {"matched", "other", "too_short"},
	};
}

static struct harness *open_one(const struct setting *setting)
{
	struct text text;
	struct harness_instance instance = instance_of("match", setting, &text);

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

static void test_tables(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SETTINGS; i++) {
		struct harness *harness = open_one(&settings[i]);

		for (unsigned int k = 0; k < ROWS_MAX && settings[i].rows[k].name; k++) {
			const struct row *row = &settings[i].rows[k];
			int output = run(harness, 0, &row->spec, 0);

			if (output != row->output)
				fail_msg("%s, %s: output %d, expected %d", settings[i].name,
					 row->name, output, row->output);
			/* A later fragment has bytes there, but not the message's. */
			assert_int_equal(run(harness, 0, &row->spec, FAAS_EVENT_FRAGMENT),
					 TOO_SHORT);
		}
		harness_close(harness);
	}
}

/* The marker at every place of the search, and at the one behind. */
static void test_every_place(void **state)
{
	const struct setting setting = {.value = 0x77,
					.mask = ALL,
					.length = 1,
					.offset = 3,
					.marker = 0xabcdef,
					.marker_length = 3,
					.search = 256};
	struct harness *harness = open_one(&setting);
	uint8_t payload[300];

	(void)state;
	for (uint32_t at = 0; at <= 256; at++) {
		const struct frame_spec spec = {.payload = payload,
						.payload_bytes = sizeof(payload)};

		memset(payload, 0xab, sizeof(payload));
		payload[at] = 0xab;
		payload[at + 1] = 0xcd;
		payload[at + 2] = 0xef;
		payload[at + 6] = 0x77;
		if (run(harness, 0, &spec, 0) != (at <= 253 ? MATCHED : OTHER))
			fail_msg("the marker at %u", at);
	}
	harness_close(harness);
}

/* A jumbo frame's end lies in other buffers than its beginning; and a frame may
 * hold less than its headers announce. */
static void test_beyond_the_linear_part(void **state)
{
	static uint8_t payload[8000];
	const struct setting setting = {
		.value = 0xfeed, .mask = ALL, .length = 2, .offset = 6000, .search = 64};
	const struct setting after = {.value = 0xfeed,
				      .mask = ALL,
				      .length = 2,
				      .offset = 5996,
				      .marker = 0x21212121,
				      .marker_length = 4,
				      .search = 64};
	const struct frame_spec jumbo = {.payload = payload, .payload_bytes = sizeof(payload)},
				spec = {FRAME_PAYLOAD("ab,t=27")};
	struct harness_answer answer;
	struct faas_packet packet;
	struct harness *harness;
	struct frame frame;

	(void)state;
	memset(payload, '!', 4);
	payload[6000] = 0xfe;
	payload[6001] = 0xed;
	harness = open_one(&setting);
	assert_int_equal(run(harness, 0, &jumbo, 0), MATCHED);
	harness_close(harness);
	harness = open_one(&after);
	assert_int_equal(run(harness, 0, &jumbo, 0), MATCHED);
	harness_close(harness);

	harness = open_one(&settings[5]);
	frame_build(&spec, &frame);
	packet = harness_describe(&spec, &frame, 0);
	for (uint32_t cut = 1; cut <= frame.payload_bytes; cut++) {
		harness_run_packet(harness, 0, frame.data, frame.bytes - cut, &packet, &answer);
		assert_int_not_equal(answer.output, MATCHED);
	}
	harness_close(harness);
}

static void test_two_instances(void **state)
{
	struct text text[2];
	struct harness_instance instances[2] = {instance_of("code", &settings[0], &text[0]),
						instance_of("later", &settings[5], &text[1])};
	const struct frame_spec get = {FRAME_BYTES(0x40, 1)}, marked = {FRAME_PAYLOAD("t=27")};
	struct harness *harness = harness_open(instances, 2);

	(void)state;
	assert_int_equal(run(harness, 0, &get, 0), MATCHED);
	assert_int_equal(run(harness, 1, &get, 0), OTHER);
	assert_int_equal(run(harness, 0, &marked, 0), OTHER);
	assert_int_equal(run(harness, 1, &marked, 0), MATCHED);
	harness_close(harness);
}

static void test_cost(void **state)
{
	static const struct {
		const char *what;
		unsigned int setting;
		uint32_t payload_bytes;
	} loads[] = {{"at an offset", 0, 64},
		     {"marker of 2 bytes, not in 8", 5, 64},
		     {"marker of 8 bytes, not in 256", 6, 256}};

	(void)state;
	for (unsigned int i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		const struct frame_spec spec = {.payload_bytes = loads[i].payload_bytes};
		struct harness *harness = open_one(&settings[loads[i].setting]);

		harness_print_cost(harness, 0, &spec, VARY_NOTHING, loads[i].what);
		harness_close(harness);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_every_place),
		cmocka_unit_test(test_beyond_the_linear_part),
		cmocka_unit_test(test_two_instances),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}
