// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/schema: bytes in, numbers out. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <ebpf_faas/event.h>
#include <ebpf_faas/layout.h>

#include "user_function.h"

#define DECODED 3
#define UNDECODED 5
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct user_function function;
static struct faas_layout *layout;

/* A record of the ring: no key, no fields. */
static struct {
	struct faas_event event;
	uint8_t addresses[2 * FAAS_EVENT_ADDRESS_BYTES];
	uint8_t payload[FAAS_EVENT_PAYLOAD_MAX];
} record;

static int setup(void **state)
{
	(void)state;
	function = user_function_load("schema");
	assert_int_equal(function.state_bytes, 0);
	layout = user_function_symbol(&function, "faas_param_layout");
	*(unsigned int *)user_function_symbol(&function, "faas_output_decoded") = DECODED;
	*(unsigned int *)user_function_symbol(&function, "faas_output_undecoded") = UNDECODED;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	user_function_close(&function);
	return 0;
}

static struct faas_call decode(unsigned int payload_bytes, uint8_t flags)
{
	struct faas_call call = {.has_value = false};

	record.event.payload_bytes = (uint16_t)payload_bytes;
	record.event.flags = flags;
	assert_int_equal(function.on_event(&call, &record, NULL), 0);
	assert_int_equal(call.emitted, 1);
	return call;
}

/* One field at byte 3 of a payload that ends with it. */
static struct faas_call decode_one(const struct faas_layout_field *field, const uint8_t bytes[8])
{
	unsigned int count = faas_layout_bytes(field->type);

	*layout = (struct faas_layout){.count = 1, .fields = {*field}};
	layout->fields[0].offset = 3;
	layout->fields[0].field_type = (uint8_t)faas_layout_field_type(field->type, field->scale);
	memset(record.payload, 0xee, sizeof(record.payload));
	memcpy(record.payload + 3, bytes, count);
	return decode(3 + count, 0);
}

static void test_integers(void **state)
{
	static const struct {
		uint8_t type, first_bit, bit_count;
		int64_t scale;
		uint8_t bytes[8];
		int64_t expected; /* millionths with a scale */
	} rows[] = {
		{FAAS_LAYOUT_U8, 0, 0, 0, {0xff}, 255},
		{FAAS_LAYOUT_S8, 0, 0, 0, {0xff}, -1},
		{FAAS_LAYOUT_S8, 0, 0, 0, {0x80}, -128},
		{FAAS_LAYOUT_U16BE, 0, 0, 0, {0x12, 0x34}, 0x1234},
		{FAAS_LAYOUT_U16LE, 0, 0, 0, {0x12, 0x34}, 0x3412},
		{FAAS_LAYOUT_S16BE, 0, 0, 0, {0x80, 0x00}, -32768},
		{FAAS_LAYOUT_S16LE, 0, 0, 0, {0xfe, 0xff}, -2},
		{FAAS_LAYOUT_U32BE, 0, 0, 0, {0xff, 0xff, 0xff, 0xfe}, 0xfffffffell},
		{FAAS_LAYOUT_U32LE, 0, 0, 0, {1, 2, 3, 4}, 0x04030201},
		{FAAS_LAYOUT_S32BE, 0, 0, 0, {0x80, 0, 0, 0}, INT32_MIN},
		{FAAS_LAYOUT_S32LE, 0, 0, 0, {0xff, 0xff, 0xff, 0x7f}, INT32_MAX},
		{FAAS_LAYOUT_U64BE, 0, 0, 0, {1, 2, 3, 4, 5, 6, 7, 8}, 0x0102030405060708},
		{FAAS_LAYOUT_U64LE, 0, 0, 0, {1, 2, 3, 4, 5, 6, 7, 8}, 0x0807060504030201},
		{FAAS_LAYOUT_U64BE,
		 0,
		 0,
		 0,
		 {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		 -1}, /* its bits */
		{FAAS_LAYOUT_S64BE, 0, 0, 0, {0x80}, INT64_MIN},
		{FAAS_LAYOUT_S64LE, 0, 0, 0, {0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -3},
		/* decimals: exact */
		{FAAS_LAYOUT_S16BE, 0, 0, 10000, {0xff, 0x85}, -1230000},
		{FAAS_LAYOUT_U8, 0, 0, 100000, {3}, 300000},
		{FAAS_LAYOUT_U32BE,
		 0,
		 0,
		 FAAS_LAYOUT_SCALE_MAX,
		 {0xff, 0xff, 0xff, 0xff},
		 4294967295000000000},
		{FAAS_LAYOUT_U32LE,
		 0,
		 0,
		 -FAAS_LAYOUT_SCALE_MAX,
		 {0xff, 0xff, 0xff, 0xff},
		 -4294967295000000000},
		{FAAS_LAYOUT_S32BE,
		 0,
		 0,
		 -FAAS_LAYOUT_SCALE_MAX,
		 {0x80, 0, 0, 0},
		 2147483648000000000},
		/* bits */
		{FAAS_LAYOUT_U8, 7, 1, 0, {0x80}, 1},
		{FAAS_LAYOUT_U8, 0, 1, 0, {0xfe}, 0},
		{FAAS_LAYOUT_U8, 2, 3, 0, {0x54}, 5},
		{FAAS_LAYOUT_S8, 2, 3, 0, {0x54}, -3},
		{FAAS_LAYOUT_S8, 4, 4, 0, {0x70}, 7},
		{FAAS_LAYOUT_U16BE, 4, 12, 0, {0xab, 0xcd}, 0xabc},
		{FAAS_LAYOUT_U16LE, 4, 12, 0, {0xab, 0xcd}, 0xcda},
		{FAAS_LAYOUT_U64LE,
		 1,
		 63,
		 0,
		 {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		 INT64_MAX},
		{FAAS_LAYOUT_S64LE, 0, 63, 0, {0, 0, 0, 0, 0, 0, 0, 0x40}, INT64_MIN / 2},
		{FAAS_LAYOUT_S16BE, 0, 12, 10000, {0xff, 0xfe}, -20000},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct faas_layout_field field = {.type = rows[i].type,
							.first_bit = rows[i].first_bit,
							.bit_count = rows[i].bit_count,
							.scale = rows[i].scale};
		struct faas_call call = decode_one(&field, rows[i].bytes);

		assert_int_equal(call.output, DECODED);
		assert_int_equal(call.field_count, 1);
		if (call.fields[0].s64 != rows[i].expected)
			fail_msg("row %zu: %lld, expected %lld", i, (long long)call.fields[0].s64,
				 (long long)rows[i].expected);
	}
}

static void test_reals(void **state)
{
	static const struct {
		uint8_t type;
		int64_t scale;
		uint8_t bytes[8];
		double expected;
	} rows[] = {
		{FAAS_LAYOUT_F32BE, 0, {0x41, 0xac, 0, 0}, 21.5},
		{FAAS_LAYOUT_F32LE, 0, {0, 0, 0xac, 0xc1}, -21.5},
		{FAAS_LAYOUT_F32LE, 500000, {0, 0, 0xac, 0xc1}, -10.75},
		{FAAS_LAYOUT_F32BE, 0, {0x7f, 0x80, 0, 0}, INFINITY},
		{FAAS_LAYOUT_F32BE, 0, {0x7f, 0xc0, 0, 0}, NAN},
		{FAAS_LAYOUT_F32BE, 0, {0, 0, 0, 1}, 0x1p-149},
		{FAAS_LAYOUT_F64BE, 0, {0x40, 0x35, 0x80, 0, 0, 0, 0, 0}, 21.5},
		{FAAS_LAYOUT_F64LE, 0, {0, 0, 0, 0, 0, 0x80, 0x35, 0xc0}, -21.5},
		{FAAS_LAYOUT_F64BE,
		 2000000,
		 {0x7f, 0xef, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		 INFINITY},
		{FAAS_LAYOUT_U64BE,
		 500000,
		 {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		 0x1p63},
		{FAAS_LAYOUT_S64BE, -500000, {0x80}, 0x1p62},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct faas_layout_field field = {.type = rows[i].type,
							.scale = rows[i].scale};
		struct faas_call call = decode_one(&field, rows[i].bytes);
		double value = call.fields[0].f64;

		if (value != rows[i].expected && !(isnan(value) && isnan(rows[i].expected)))
			fail_msg("row %zu: %.17g, expected %.17g", i, value, rows[i].expected);
	}
}

/* Fields may overlap and stand in any order; one that is not all there leaves none. */
static void test_lengths(void **state)
{
	struct faas_call call;

	(void)state;
	*layout = (struct faas_layout){
		.count = 3,
		.fields = {{.offset = 6, .type = FAAS_LAYOUT_U16BE},
			   {.offset = 0, .type = FAAS_LAYOUT_U8},
			   {.offset = 4, .type = FAAS_LAYOUT_U32BE}},
	};
	for (unsigned int i = 0; i < 8; i++)
		record.payload[i] = (uint8_t)(i + 1);
	for (unsigned int bytes = 0; bytes <= 12; bytes++) {
		call = decode(bytes, 0);
		assert_int_equal(call.output, bytes < 8 ? UNDECODED : DECODED);
		assert_int_equal(call.field_count, bytes < 8 ? 0 : 3);
		if (bytes < 8)
			continue;
		assert_int_equal(call.fields[0].u64, 0x0708);
		assert_int_equal(call.fields[1].u64, 1);
		assert_int_equal(call.fields[2].u64, 0x05060708);
	}
	assert_int_equal(decode(12, FAAS_EVENT_FRAGMENT).output, UNDECODED);
	assert_int_equal(decode(12, FAAS_EVENT_FIRST_FRAGMENT).output, DECODED);
	layout->fields[2].offset = FAAS_EVENT_PAYLOAD_MAX - 4;
	assert_int_equal(decode(FAAS_EVENT_PAYLOAD_MAX - 1, FAAS_EVENT_PAYLOAD_CUT).output,
			 UNDECODED);
	assert_int_equal(decode(FAAS_EVENT_PAYLOAD_MAX, FAAS_EVENT_PAYLOAD_CUT).output, DECODED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_reals),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests_name("schema", tests, setup, teardown);
}
