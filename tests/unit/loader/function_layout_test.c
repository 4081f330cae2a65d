// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The members of states, as compilers describe them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "layout.h"
#include "loader/function.h"
#include "loader/process.h"

static struct function *function;
static struct diags *diags;

static int set_up(void **state)
{
	(void)state;
	function = calloc(1, sizeof(*function));
	diags = calloc(1, sizeof(*diags));
	return function && diags ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(function);
	free(diags);
	return 0;
}

static int read_object(const char *name)
{
	char path[FAAS_PATH_BYTES];

	snprintf(path, sizeof(path), TEST_BUILD "/tests/unit/loader/%s.so", name);
	return function_read_object(path, TIER_USER, function, diags);
}

#define AT(member) offsetof(struct layout_state, member)
#define SIZE(member) sizeof(((struct layout_state *)0)->member)
#define ONE(member) .offset = AT(member), .bytes = SIZE(member)

static const struct bundle_state_field expected[] = {
	{.name = "count", .type = STATE_FIELD_UNSIGNED, ONE(count)},
	{.name = "low", .type = STATE_FIELD_SIGNED, ONE(low)},
	{.name = "mean", .type = STATE_FIELD_FLOAT, ONE(mean)},
	{.name = "up", .type = STATE_FIELD_BOOL, ONE(up)},
	{.name = "color", .type = STATE_FIELD_UNSIGNED, ONE(color)},
	{.name = "name", .type = STATE_FIELD_TEXT, ONE(name)},
	{.name = "mac", .type = STATE_FIELD_BYTES, ONE(mac)},
	{.name = "table[][]",
	 .type = STATE_FIELD_SIGNED,
	 .offset = AT(table),
	 .bytes = 4,
	 .dimensions = {{2, 12}, {3, 4}},
	 .dimension_count = 2},
	{.name = "place.latitude", .type = STATE_FIELD_FLOAT, ONE(place.latitude)},
	{.name = "place.longitude", .type = STATE_FIELD_FLOAT, ONE(place.longitude)},
	{.name = "buckets[].sum",
	 .type = STATE_FIELD_UNSIGNED,
	 .offset = AT(buckets[0].sum),
	 .bytes = 4,
	 .dimensions = {{4, SIZE(buckets[0])}},
	 .dimension_count = 1},
	{.name = "buckets[].pair[]",
	 .type = STATE_FIELD_SIGNED,
	 .offset = AT(buckets[0].pair),
	 .bytes = 1,
	 .dimensions = {{4, SIZE(buckets[0])}, {2, 1}},
	 .dimension_count = 2},
	{.name = "words[]",
	 .type = STATE_FIELD_TEXT,
	 .offset = AT(words),
	 .bytes = 5,
	 .dimensions = {{2, 5}},
	 .dimension_count = 1},
	{.name = "three", .type = STATE_FIELD_UNSIGNED, .bits = 3},
	{.name = "five", .type = STATE_FIELD_SIGNED, .bits = 5},
	{.name = "wide", .type = STATE_FIELD_UNSIGNED, .bits = 40},
	{.name = "either", .type = STATE_FIELD_BYTES, ONE(either)},
	{.name = "first", .type = STATE_FIELD_BYTES, .offset = AT(first), .bytes = 2},
	{.name = "inner", .type = STATE_FIELD_UNSIGNED, ONE(inner)},
	{.name = "qualified", .type = STATE_FIELD_UNSIGNED, ONE(qualified)},
	{.name = "huge", .type = STATE_FIELD_BYTES, ONE(huge)},
};

#define EXPECTED (sizeof(expected) / sizeof(expected[0]))

/* The bits that a compiler sets for a value, and those that the field says. */
static void check_bits(const struct bundle_state_field *field)
{
	struct layout_state state;
	uint8_t found[sizeof(state)] = {0};

	memset(&state, 0, sizeof(state));
	if (!strcmp(field->name, "three"))
		state.three = 7;
	else if (!strcmp(field->name, "five"))
		state.five = -1;
	else
		state.wide = (1ull << 40) - 1;
	for (uint32_t i = 0; i < field->bits; i++) {
		uint32_t bit = field->bit + i;

		assert_true(bit / 8 < field->bytes);
		found[field->offset + bit / 8] |= (uint8_t)(1u << bit % 8);
	}
	assert_memory_equal(found, &state, sizeof(state));
}

static void test_members(void **state)
{
	(void)state;
	if (read_object("layout"))
		fail_msg("%s", diags->list[0].cause);
	assert_int_equal(function->state_bytes, sizeof(struct layout_state));
	for (uint32_t i = 0; i < function->state_field_count && i < EXPECTED; i++) {
		const struct bundle_state_field *field = &function->state_fields[i];

		assert_string_equal(field->name, expected[i].name);
		assert_int_equal(field->type, expected[i].type);
		assert_int_equal(field->bits, expected[i].bits);
		if (field->bits) {
			check_bits(field);
			continue;
		}
		assert_int_equal(field->offset, expected[i].offset);
		assert_int_equal(field->bytes, expected[i].bytes);
		assert_int_equal(field->dimension_count, expected[i].dimension_count);
		assert_memory_equal(field->dimensions, expected[i].dimensions,
				    sizeof(field->dimensions));
	}
	assert_int_equal(function->state_field_count, EXPECTED);
}

static void test_no_structure(void **state)
{
	(void)state;
	assert_int_equal(read_object("layout_number"), 0);
	assert_int_equal(function->state_field_count, 1);
	assert_string_equal(function->state_fields[0].name, "value[]");
	assert_int_equal(function->state_fields[0].dimensions[0].count, 4);
}

static void test_pointer(void **state)
{
	(void)state;
	assert_int_equal(read_object("layout_pointer"), -1);
	assert_string_equal(diags->list[0].cause,
			    "list[].next of its state is a pointer, which means nothing to another "
			    "worker; keep an index, or what it points to");
}

static void test_no_debug_information(void **state)
{
	char path[] = "/tmp/ebpf-faas-layout-XXXXXX", output[512] = "";
	const char *const argv[] = {
		"strip", "-g", "-o", path, TEST_BUILD "/tests/unit/loader/layout.so", NULL};
	int fd = mkstemp(path), err;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(process_run(argv, NULL, 0, output, sizeof(output)), 0);
	err = function_read_object(path, TIER_USER, function, diags);
	unlink(path);
	assert_int_equal(err, 0);
	assert_int_equal(function->state_field_count, 0);
	assert_int_equal(function->state_bytes, sizeof(struct layout_state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_members, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_structure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pointer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_debug_information, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
