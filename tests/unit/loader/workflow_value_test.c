// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "loader/workflow_value.h"

static const struct {
	enum bundle_param_type type;
	const char *text;
	int err;
	int64_t integer;
} integers[] = {
	{PARAM_U32, "0", 0, 0},
	{PARAM_U32, "4294967295", 0, UINT32_MAX},
	{PARAM_U32, "4294967296", -ERANGE, 0},
	{PARAM_U32, "-1", -ERANGE, 0},
	{PARAM_U32, "-0", 0, 0},
	{PARAM_U32, "0x1F", 0, 31},
	{PARAM_U32, "0x", -EINVAL, 0},
	{PARAM_U32, "0xg", -EINVAL, 0},
	{PARAM_U32, "0x100000000", -ERANGE, 0},
	{PARAM_U32, "1.0", -EINVAL, 0},
	{PARAM_U32, " 1", -EINVAL, 0},
	{PARAM_U32, "1 ", -EINVAL, 0},
	{PARAM_U32, "+1", -EINVAL, 0},
	{PARAM_U32, "1e3", -EINVAL, 0},
	{PARAM_U32, "", -EINVAL, 0},
	{PARAM_U64, "18446744073709551615", 0, -1},
	{PARAM_U64, "18446744073709551616", -ERANGE, 0},
	{PARAM_U64, "0xffffffffffffffff", 0, -1},
	{PARAM_U64, "0x10000000000000000", -ERANGE, 0},
	{PARAM_U64, "999999999999999999999999999999999999999999", -ERANGE, 0},
	{PARAM_U64, "00000000000000000000000000000000000000000001", 0, 1},
	{PARAM_S64, "-9223372036854775808", 0, INT64_MIN},
	{PARAM_S64, "-9223372036854775809", -ERANGE, 0},
	{PARAM_S64, "9223372036854775807", 0, INT64_MAX},
	{PARAM_S64, "9223372036854775808", -ERANGE, 0},
	{PARAM_S64, "0xffffffffffffffff", -ERANGE, 0},
	{PARAM_BOOL, "true", 0, 1},
	{PARAM_BOOL, "false", 0, 0},
	{PARAM_BOOL, "yes", -EINVAL, 0},
	{PARAM_DURATION, "500ms", 0, 500000000},
	{PARAM_DURATION, "1.5s", 0, 1500000000},
	{PARAM_DURATION, "1h", 0, 3600000000000},
	{PARAM_DURATION, "2d", 0, 172800000000000},
	{PARAM_DURATION, "7m", 0, 420000000000},
	{PARAM_DURATION, "3us", 0, 3000},
	{PARAM_DURATION, "9ns", 0, 9},
	{PARAM_DURATION, "0.5ns", -EDOM, 0},
	{PARAM_DURATION, "0", 0, 0},
	{PARAM_DURATION, "500", -EINVAL, 0},
	{PARAM_DURATION, "500 ms", -EINVAL, 0},
	{PARAM_DURATION, "5sec", -EINVAL, 0},
	{PARAM_DURATION, "-1s", -ERANGE, 0},
	{PARAM_DURATION, "99999999999d", -ERANGE, 0},
	{PARAM_BYTES, "512", 0, 512},
	{PARAM_BYTES, "64Mi", 0, 64 << 20},
	{PARAM_BYTES, "1.5Ki", 0, 1536},
	{PARAM_BYTES, "1Gi", 0, 1 << 30},
	{PARAM_BYTES, "64M", -EINVAL, 0},
	{PARAM_BYTES, "64KB", -EINVAL, 0},
	{PARAM_BYTES, "0.3Ki", -EDOM, 0},
	{PARAM_DECIMAL, "0.01", 0, 10000},
	{PARAM_DECIMAL, "-50", 0, -50000000},
	{PARAM_DECIMAL, "-0.000001", 0, -1},
	{PARAM_DECIMAL, "0.0000001", -EDOM, 0},
	{PARAM_DECIMAL, "0.1000000000", 0, 100000},
	{PARAM_DECIMAL, "9223372036854.775807", 0, INT64_MAX},
	{PARAM_DECIMAL, "-9223372036854.775808", 0, INT64_MIN},
	{PARAM_DECIMAL, "9223372036854.775808", -ERANGE, 0},
	{PARAM_DECIMAL, "1.", -EINVAL, 0},
	{PARAM_DECIMAL, ".5", -EINVAL, 0},
	{PARAM_DECIMAL, "1.2.3", -EINVAL, 0},
	{PARAM_DECIMAL, "--1", -EINVAL, 0},
	{PARAM_DECIMAL, "0.00000000000000000000000000001", -EDOM, 0},
	{PARAM_CHOICE, "a", -EINVAL, 0},
};

static void test_integers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
		struct value value = {.integer = 4711};
		int err = value_parse(integers[i].type, integers[i].text, &value);

		if (err != integers[i].err || value.integer != (err ? 4711 : integers[i].integer))
			fail_msg("%s \"%s\": %d, %lld", bundle_param_type_name(integers[i].type),
				 integers[i].text, err, (long long)value.integer);
	}
}

static const struct {
	const char *text;
	int err;
	double real;
} reals[] = {
	{"0.1", 0, 0.1},     {"-4", 0, -4},	  {"1e-6", 0, 1e-6},	 {"2.5E+3", 0, 2500},
	{"inf", -EINVAL, 0}, {"nan", -EINVAL, 0}, {"0x1p3", -EINVAL, 0}, {"1e999", -ERANGE, 0},
	{"", -EINVAL, 0},    {"1e", -EINVAL, 0},  {"1.e3", -EINVAL, 0},	 {" 1", -EINVAL, 0},
	{"1 ", -EINVAL, 0},
};

static void test_reals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++) {
		struct value value = {.real = 4711};
		int err = value_parse(PARAM_F64, reals[i].text, &value);

		if (err != reals[i].err || value.real != (err ? 4711 : reals[i].real))
			fail_msg("\"%s\": %d, %g", reals[i].text, err, value.real);
	}
}

static void test_compare(void **state)
{
	struct value minus = {.integer = -1}, one = {.integer = 1};
	struct value small = {.real = 0.5}, large = {.real = 0.75};

	(void)state;
	assert_true(value_compare(PARAM_S64, &minus, &one) < 0);
	assert_true(value_compare(PARAM_DECIMAL, &one, &minus) > 0);
	/* u64 values keep their bits: -1 is the largest. */
	assert_true(value_compare(PARAM_U64, &minus, &one) > 0);
	assert_true(value_compare(PARAM_F64, &small, &large) < 0);
	assert_int_equal(value_compare(PARAM_DURATION, &one, &one), 0);
}

static void test_explain(void **state)
{
	char text[160];

	(void)state;
	value_explain(PARAM_DURATION, -EINVAL, text, sizeof(text));
	assert_non_null(strstr(text, "such as 500ms"));
	value_explain(PARAM_U32, -ERANGE, text, sizeof(text));
	assert_string_equal(text, "is beyond what a u32 can hold");
	value_explain(PARAM_DECIMAL, -EDOM, text, sizeof(text));
	assert_string_equal(text, "is finer than a decimal can tell");
}

static void test_print(void **state)
{
	static const struct {
		enum bundle_param_type type;
		int64_t integer;
		const char *text;
	} rows[] = {
		{PARAM_U32, 4294967295, "4294967295"},
		{PARAM_U64, -1, "18446744073709551615"},
		{PARAM_S64, INT64_MIN, "-9223372036854775808"},
		{PARAM_BOOL, 1, "true"},
		{PARAM_DURATION, 0, "0ns"},
		{PARAM_DURATION, 1500000000, "1500ms"},
		{PARAM_DURATION, 7200000000000, "2h"},
		{PARAM_DURATION, 1000000001, "1000000001ns"},
		{PARAM_BYTES, 65536, "64Ki"},
		{PARAM_BYTES, 1000, "1000"},
		{PARAM_DECIMAL, -500000, "-0.5"},
		{PARAM_DECIMAL, 3000000, "3"},
		{PARAM_DECIMAL, 100, "0.0001"},
		{PARAM_DECIMAL, 10000000, "10"},
		{PARAM_DECIMAL, INT64_MIN, "-9223372036854.775808"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct value value = {.integer = rows[i].integer}, back;
		char text[64];

		value_print(rows[i].type, &value, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
		assert_int_equal(value_parse(rows[i].type, text, &back), 0);
		assert_int_equal(back.integer, rows[i].integer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers), cmocka_unit_test(test_reals),
		cmocka_unit_test(test_compare),	 cmocka_unit_test(test_explain),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
