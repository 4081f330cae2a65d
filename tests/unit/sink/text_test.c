// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/sink/text.h"

static char buffer[256];

static struct text begin(size_t room)
{
	memset(buffer, '#', sizeof(buffer));
	return (struct text){.data = buffer, .room = room};
}

static const char *finish(struct text *text)
{
	assert_false(text->overrun);
	assert_true(text->used < sizeof(buffer));
	buffer[text->used] = '\0';
	return buffer;
}

static void test_decimal(void **state)
{
	static const struct {
		int64_t millionths;
		const char *text;
	} rows[] = {
		{0, "0"},
		{1, "0.000001"},
		{-1, "-0.000001"},
		{10, "0.00001"},
		{100000, "0.1"},
		{1000000, "1"},
		{-1000000, "-1"},
		{151250000, "151.25"},
		{-50010000, "-50.01"},
		{123456789, "123.456789"},
		{1000001, "1.000001"},
		{INT64_MAX, "9223372036854.775807"},
		{INT64_MIN, "-9223372036854.775808"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text text = begin(sizeof(buffer));

		text_decimal(&text, rows[i].millionths);
		assert_string_equal(finish(&text), rows[i].text);
	}
}

static void test_integers(void **state)
{
	struct text text = begin(sizeof(buffer));

	(void)state;
	text_unsigned(&text, UINT64_MAX);
	text_put(&text, " ", 1);
	text_unsigned(&text, 0);
	text_put(&text, " ", 1);
	text_signed(&text, INT64_MIN);
	text_put(&text, " ", 1);
	text_signed(&text, -1);
	text_put(&text, " ", 1);
	text_hex_number(&text, 0xabc, 16);
	assert_string_equal(finish(&text),
			    "18446744073709551615 0 -9223372036854775808 -1 0000000000000abc");
}

static void test_double(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{0.0, "0"},
		{-0.0, "-0"},
		{0.1, "0.1"},
		{1.0 / 3, "0.3333333333333333"},
		{151.25, "151.25"},
		{1e300, "1e+300"},
		{-2.5e-7, "-2.5e-07"},
		{9007199254740993.0, "9007199254740992"},
		{0.1 + 0.2, "0.30000000000000004"},
		{NAN, "null"},
		{INFINITY, "null"},
		{-INFINITY, "null"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text text = begin(sizeof(buffer));

		text_double(&text, rows[i].value);
		assert_string_equal(finish(&text), rows[i].text);
	}
}

/* Every finite double comes back as itself; bits by a linear congruence. */
static void test_double_round_trip(void **state)
{
	uint64_t bits = 0x123456789abcdef1ull;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct text text = begin(sizeof(buffer));
		double value, back;

		bits = bits * 6364136223846793005ull + 1442695040888963407ull;
		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		text_double(&text, value);
		back = strtod(finish(&text), NULL);
		assert_memory_equal(&back, &value, sizeof(value));
	}
}

static void test_time(void **state)
{
	static const struct {
		uint64_t wall_ns;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000000000Z"},
		{1, "1970-01-01T00:00:00.000000001Z"},
		{1767323045123456789ull, "2026-01-02T03:04:05.123456789Z"},
		{951782400000000000ull, "2000-02-29T00:00:00.000000000Z"},
		{UINT64_MAX, "2554-07-21T23:34:33.709551615Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text text = begin(sizeof(buffer));

		text_time(&text, rows[i].wall_ns);
		assert_string_equal(finish(&text), rows[i].text);
	}
}

static void test_endpoints(void **state)
{
	static const uint8_t v4[16] = {[10] = 0xff, [11] = 0xff, 10, 20, 0, 7};
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	static const uint8_t zero[16];
	struct text text = begin(sizeof(buffer));

	(void)state;
	text_endpoint(&text, v4, 4242);
	text_put(&text, " ", 1);
	text_endpoint(&text, v6, 65535);
	text_put(&text, " ", 1);
	text_address(&text, zero);
	assert_string_equal(finish(&text), "10.20.0.7:4242 [2001:db8::1]:65535 ::");
}

static void test_string_is_escaped(void **state)
{
	struct text text = begin(sizeof(buffer));

	(void)state;
	text_json_string(&text, "a\"b\\c\n\x01z");
	assert_string_equal(finish(&text), "\"a\\\"b\\\\c\\u000a\\u0001z\"");
}

/* One byte too many shows, and nothing is written behind the room. */
static void test_overrun(void **state)
{
	static const uint8_t data[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	(void)state;
	for (size_t room = 0; room < 64; room++) {
		struct text text = begin(room);

		text_string(&text, "0123456789");
		text_hex(&text, data, sizeof(data));
		text_decimal(&text, -1234567);
		text_time(&text, 1);
		assert_true(text.overrun == (room < 10 + 16 + 9 + 30));
		for (size_t i = room; i < sizeof(buffer); i++)
			assert_int_equal(buffer[i], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decimal),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_double),
		cmocka_unit_test(test_double_round_trip),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_string_is_escaped),
		cmocka_unit_test(test_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
