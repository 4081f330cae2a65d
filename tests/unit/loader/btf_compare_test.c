// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/btf.h>

#include "loader/btf_compare.h"

/* A value as a function may have it: { u32 first; <second>; u64 last[N]; }. */
struct shape {
	const char *second; /* name of the member */
	int second_bytes;
	int second_encoding;
	uint32_t at; /* its place in bits */
	uint32_t elements;
	bool pointer;	 /* instead of the second */
	bool as_typedef; /* the same type behind another name and const */
	uint32_t bytes;	 /* of all */
};

static uint32_t make(struct btf *btf, const struct shape *shape)
{
	int u32 = btf__add_int(btf, "unsigned int", 4, 0);
	int u64 = btf__add_int(btf, "long long", 8, 0);
	int second =
		btf__add_int(btf, "another", (size_t)shape->second_bytes, shape->second_encoding);
	int array, type;

	if (shape->pointer)
		second = btf__add_ptr(btf, u32);
	if (shape->as_typedef)
		second = btf__add_typedef(btf, "other_t", btf__add_const(btf, second));
	array = btf__add_array(btf, u32, u64, shape->elements);
	type = btf__add_struct(btf, shape->as_typedef ? "renamed" : "value", shape->bytes);
	assert_int_equal(btf__add_field(btf, "first", u32, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, shape->second, second, shape->at, 0), 0);
	assert_int_equal(btf__add_field(btf, "last", array, 128, 0), 0);
	return (uint32_t)type;
}

#define BASE                                                                                       \
	{                                                                                          \
		"second", 8, 0, 64, 2, false, false, 32                                            \
	}

static const struct {
	struct shape here;
	const char *difference; /* NULL: the same */
} rows[] = {
	{BASE, NULL},
	{{"second", 8, 0, 64, 2, false, true, 32}, NULL},
	{{"third", 8, 0, 64, 2, false, false, 32}, "member 2 of value is second there, third here"},
	{{"second", 4, 0, 64, 2, false, false, 32}, "value.second is u64 there, u32 here"},
	{{"second", 8, BTF_INT_SIGNED, 64, 2, false, false, 32},
	 "value.second is u64 there, s64 here"},
	{{"second", 8, 0, 32, 2, false, false, 32}, "value.second is at byte 8 there, 4 here"},
	{{"second", 8, 0, 64, 3, false, false, 32},
	 "value.last is an array of 2 there, an array of 3 here"},
	{{"second", 8, 0, 64, 2, true, false, 32}, "value.second is u64 there, a pointer here"},
	{{"second", 8, 0, 64, 2, false, false, 40},
	 "value is struct value of 32 bytes there, struct value of 40 bytes here"},
};

static void test_rows(void **state)
{
	const struct shape base = BASE;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct btf *there = btf__new_empty(), *here = btf__new_empty();
		char difference[256] = "";
		uint32_t a, b;
		bool same;

		assert_non_null(there);
		assert_non_null(here);
		a = make(there, &base);
		b = make(here, &rows[i].here);
		same = btf_compare(there, a, here, b, "value", difference, sizeof(difference));
		assert_int_equal(same, rows[i].difference == NULL);
		assert_string_equal(difference, rows[i].difference ? rows[i].difference : "");
		btf__free(there);
		btf__free(here);
	}
}

/* The variables of a section. */
static uint32_t make_section(struct btf *btf, const char *second, uint32_t bytes)
{
	int number = btf__add_int(btf, "unsigned int", bytes, 0);
	int a = btf__add_var(btf, "first", BTF_VAR_STATIC, number);
	int b = btf__add_var(btf, second, BTF_VAR_STATIC, number);
	int section = btf__add_datasec(btf, ".data.one", 2 * bytes);

	assert_int_equal(btf__add_datasec_var_info(btf, a, 0, bytes), 0);
	assert_int_equal(btf__add_datasec_var_info(btf, b, bytes, bytes), 0);
	return (uint32_t)section;
}

static void test_sections(void **state)
{
	static const struct {
		const char *second;
		uint32_t bytes;
		const char *difference;
	} sections[] = {
		{"second", 4, NULL},
		{"third", 4, "variable 2 of value is second there, third here"},
		{"second", 8, "first has 4 bytes at 0 there, 8 at 0 here"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		struct btf *there = btf__new_empty(), *here = btf__new_empty();
		uint32_t a = make_section(there, "second", 4);
		uint32_t b = make_section(here, sections[i].second, sections[i].bytes);
		char difference[256] = "";

		assert_int_equal(
			btf_compare(there, a, here, b, "value", difference, sizeof(difference)),
			sections[i].difference == NULL);
		assert_string_equal(difference,
				    sections[i].difference ? sections[i].difference : "");
		btf__free(there);
		btf__free(here);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),
					   cmocka_unit_test(test_sections)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
