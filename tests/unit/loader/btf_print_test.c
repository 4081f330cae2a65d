// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/btf.h>

#include "loader/btf_print.h"

/* As in printed.bpf.c, in the layout of the BPF target. */
struct printed {
	uint64_t large;
	int64_t negative;
	int32_t small;
	uint32_t colour;
	uint8_t yes;
	char name[7];
	uint8_t source_address[16];
	uint8_t hash[4];
	uint32_t bits;
	uint64_t pointer;
	struct {
		int16_t low;
		uint8_t colours, padding;
	} pair[2];
	uint8_t to[16] __attribute__((aligned(8)));
	uint32_t either;
	uint32_t lock;
	double real;
};

static const struct printed example = {
	.large = UINT64_MAX,
	.negative = -3,
	.small = -70000,
	.colour = 7,
	.yes = 1,
	.name = "ab\0cd",
	.source_address = {[10] = 0xff, 0xff, 10, 0, 0, 9},
	.hash = {0, 1, 0xab, 0xff},
	.bits = 5 | 0x1e << 3, /* 5, -2 */
	.pointer = 0xffff8880,
	.pair = {{-1, 2, 0}, {300, 4, 0}},
	.to = {0x20, 1, 0xd, 0xb8, [15] = 1},
	.either = 0x00020001,
	.lock = 77,
	.real = 0.5,
};

static struct btf *types;

static uint32_t type_id(const char *name)
{
	int32_t id = btf__find_by_name(types, name);

	assert_true(id > 0);
	return (uint32_t)id;
}

static void check_line(const json_t *value, const char *expected)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	assert_non_null(stream);
	btf_print_line(value, stream);
	fclose(stream);
	assert_string_equal(text, expected);
	free(text);
}

static const struct {
	const char *member;
	const char *plain, *readable; /* as btf_print_line() prints them */
} members[] = {
	{"large", "18446744073709551615", "18446744073709551615"},
	{"negative", "-3", "-3"},
	{"small", "-70000", "-70000"},
	{"colour", "GREEN", "GREEN"},
	{"yes", "true", "true"},
	{"name", "ab", "ab"},
	{"source_address", "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 9]", "10.0.0.9"},
	{"hash", "[0, 1, 171, 255]", "0001abff"},
	{"first_bits", "5", "5"},
	{"last_bits", "-2", "-2"},
	{"pointer", "0xffff8880", "0xffff8880"},
	{"pair", "[{low: -1, colours: 2}, {low: 300, colours: 4}]",
	 "[{low: -1, colours: 2}, {low: 300, colours: 4}]"},
	{"to",
	 "{bytes: [32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], halves: [3087860000, "
	 "72057594037927936]}",
	 "2001:db8::1"},
	{"either", "131073", "131073"}, /* of a union without a name */
	{"or", "[1, 2]", "[1, 2]"},
	{"real", "0.5", "0.5"},
};

#define MEMBER_COUNT (sizeof(members) / sizeof(members[0]))

static void test_members(void **state)
{
	json_t *plain, *readable;

	(void)state;
	plain = btf_print_value(types, type_id("printed"), &example, sizeof(example), BTF_PLAIN);
	readable =
		btf_print_value(types, type_id("printed"), &example, sizeof(example), BTF_READABLE);
	assert_int_equal(json_object_size(plain), MEMBER_COUNT); /* the lock is left out */
	for (size_t i = 0; i < MEMBER_COUNT; i++) {
		if (!json_object_get(plain, members[i].member))
			fail_msg("no member %s", members[i].member);
		check_line(json_object_get(plain, members[i].member), members[i].plain);
		check_line(json_object_get(readable, members[i].member), members[i].readable);
	}
	json_decref(plain);
	json_decref(readable);
}

/* Whatever the BTF says, nothing is read beyond the value. */
static void test_short_values(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes <= sizeof(example); bytes++) {
		uint8_t *cut = malloc(bytes + 1);
		json_t *value;

		memcpy(cut, &example, bytes);
		cut = realloc(cut, bytes ? bytes : 1);
		value = btf_print_value(types, type_id("printed"), cut, bytes, BTF_PLAIN);
		assert_non_null(value);
		json_decref(value);
		free(cut);
	}
}

static void test_without_types(void **state)
{
	json_t *value = btf_print_value(NULL, 0, "\1\2", 2, BTF_PLAIN);

	(void)state;
	check_line(value, "[1, 2]");
	json_decref(value);
	value = btf_print_value(types, 1u << 20, "\1\2", 2, BTF_READABLE);
	check_line(value, "0102");
	json_decref(value);
}

static void test_section(void **state)
{
	const struct {
		uint32_t count, padding;
		uint64_t sum[2];
	} data = {5, 0, {1, 2}};
	json_t *value =
		btf_print_value(types, type_id(".data.alone"), &data, sizeof(data), BTF_READABLE);

	(void)state;
	/* Where the compiler put the second is in the object file only. */
	check_line(json_object_get(value, "alone__count"), "5");
	assert_int_equal(json_object_size(value), 2);
	json_decref(value);
}

static const struct {
	uint32_t bits;
	size_t bytes; /* of the address */
	const char *address, *expected;
} prefixes[] = {
	{104, 16, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\0", "10.0.0.0/8"},
	{128, 16, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\xa8\1\2", "192.168.1.2/32"},
	{32, 16, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0", "2001:db8::/32"},
	{0, 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "::/0"},
	{16, 4, "\xc0\xa8\0\0", "192.168.0.0/16"},
	{5, 2, "\xc0\xa8", "05000000c0a8"},
};

static void test_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		uint8_t key[20];
		json_t *value;

		memcpy(key, &prefixes[i].bits, 4);
		memcpy(key + 4, prefixes[i].address, prefixes[i].bytes);
		value = btf_print_prefix(key, 4 + prefixes[i].bytes);
		check_line(value, prefixes[i].expected);
		json_decref(value);
	}
}

static const struct {
	const char *values, *expected;
} sums[] = {
	{"[1, 2, 3]", "6"},
	{"[{\"a\": 1, \"b\": [1, 2]}, {\"a\": 5, \"b\": [3, 4]}]", "{a: 6, b: [4, 6]}"},
	{"[-1, 2]", "1"},
	{"[2, -5]", "-3"},
	{"[\"same\", \"same\"]", "same"},
	{"[\"same\", \"other\"]", "-"},
	{"[9223372036854775807, 1, 1]", "9223372036854775809"},
	{"[7]", "7"},
};

static void test_sums(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		json_t *values = json_loads(sums[i].values, 0, NULL), *sum;

		assert_non_null(values);
		sum = btf_print_sum(values);
		check_line(sum, sums[i].expected);
		json_decref(sum);
		json_decref(values);
	}
}

/* What came out of packets must not steer a terminal. */
static void test_control_characters(void **state)
{
	json_t *value = json_string("a\x1b[31m\n");

	(void)state;
	check_line(value, "a\\x1b[31m\\x0a");
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_short_values),
		cmocka_unit_test(test_without_types),
		cmocka_unit_test(test_section),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_control_characters),
	};
	int failed;

	types = btf__parse(TEST_BUILD "/tests/unit/loader/printed.bpf.o", NULL);
	if (!types)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	btf__free(types);
	return failed;
}
