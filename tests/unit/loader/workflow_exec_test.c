// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Parameters and timers of functions that are programs: in the workflow, in the bundle, and in
 * what the program is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "described.h"
#include "exec_hello.h"

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

struct fixture {
	struct workflow workflow;
	struct diags diags;
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

/* A workflow with @p types in line 8, from column 19 on, and @p params in line 9, from 14 on. */
static int parse(struct fixture *fixture, const char *types, const char *params)
{
	const struct workflow_options options = {.functions = described_functions()};
	char text[8192];

	snprintf(text, sizeof(text),
		 "workflow: w\n"
		 "triggers:\n"
		 "  t: {packet: {interfaces: a, match: {any: true}}, to: total}\n"
		 "  every-day: {timer: {every: 24h}, to: total}\n"
		 "functions:\n"
		 "  total:\n"
		 "    exec: [count]\n"
		 "    param_types: %s\n"
		 "    params: %s\n"
		 "    timer: true\n"
		 "    key: source_address\n"
		 "    state_bytes: 8\n"
		 "    outputs: {counted: s}\n"
		 "sinks: {s: {udp: {to: \"10.0.0.1:9\"}}}\n",
		 types, params);
	memset(fixture, 0, sizeof(*fixture));
	return workflow_parse(text, strlen(text), "w.yaml", &options, &fixture->workflow,
			      &fixture->diags);
}

/* What the program is told of its first parameter. */
static json_t *told_value(const struct fixture *fixture)
{
	char *text = exec_hello(&fixture->workflow.bundle, 0);
	json_t *hello = text ? json_loads(text, 0, NULL) : NULL;
	json_t *value = json_incref(
		json_object_get(json_array_get(json_object_get(hello, "params"), 0), "value"));

	assert_true(json_is_true(json_object_get(hello, "timer")));
	free(text);
	json_decref(hello);
	return value;
}

static void test_values(void **state)
{
	static const struct {
		const char *type, *value, *told; /* as JSON */
	} rows[] = {
		{"u64", "{a: 18446744073709551615}", "\"18446744073709551615\""},
		{"s64", "{a: -9223372036854775808}", "\"-9223372036854775808\""},
		{"f64", "{a: -0.25}", "-0.25"},
		{"decimal", "{a: 0.000001}", "1e-06"},
		{"bool", "{a: true}", "true"},
		{"duration", "{a: 1500ms}", "\"1500000000\""},
		{"bytes", "{a: 64Ki}", "\"65536\""},
		{"{type: choice, words: [fast, slow]}", "{a: slow}", "\"slow\""},
		{"{type: choice, words: [fast, slow], default: fast}", "{}", "\"fast\""},
		{"{type: u64, default: 20, min: 20, max: 20}", "{}", "\"20\""},
		{"{type: u64, default: 20, min: 1, max: 1000}", "{a: 1000}", "\"1000\""},
		{"{type: bool, default: false}", "{}", "false"},
		{"trigger", "{}", "0"},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ROWS(rows); i++) {
		char types[128];
		json_t *told, *expected = json_loads(rows[i].told, JSON_DECODE_ANY, NULL);

		snprintf(types, sizeof(types), "{a: %s}", rows[i].type);
		if (parse(fixture, types, rows[i].value)) {
			diags_print(&fixture->diags, stderr);
			fail_msg("row %zu: %s, %s", i, types, rows[i].value);
		}
		told = told_value(fixture);
		if (!expected || !json_equal(told, expected))
			fail_msg("row %zu: told %s, should be %s", i,
				 told ? json_dumps(told, JSON_ENCODE_ANY) : "nothing",
				 rows[i].told);
		json_decref(told);
		json_decref(expected);
	}
}

static void test_trigger(void **state)
{
	struct fixture *fixture = *state;
	json_t *told;

	assert_int_equal(parse(fixture, "{a: trigger}", "{a: every-day}"), 0);
	told = told_value(fixture);
	assert_int_equal(json_integer_value(told), bundle_trigger_id("every-day"));
	json_decref(told);
}

static void test_in_the_bundle(void **state)
{
	struct fixture *fixture = *state;
	struct bundle *bundle = &fixture->workflow.bundle, *again;
	char *text;

	assert_int_equal(parse(fixture, "{a: u64, b: f64}", "{b: 0.1, a: 3}"), 0);
	assert_true(bundle->user[0].has_timer);
	assert_int_equal(bundle->user[0].param_count, 2);
	text = bundle_print(bundle);
	assert_non_null(text);
	again = bundle_new(text, strlen(text), "manifest.json", &fixture->diags);
	if (!again)
		diags_print(&fixture->diags, stderr);
	assert_non_null(again);
	if (again) { /* the analyzer does not know assertions */
		assert_memory_equal(&again->user[0].params, &bundle->user[0].params,
				    sizeof(bundle->user[0].params));
		assert_true(again->user[0].has_timer);
	}
	free(again);
	free(text);
	bundle->user[0].params[0].type = PARAM_LAYOUT;
	assert_int_equal(bundle_check(bundle, "manifest.json", &fixture->diags), -1);
	assert_non_null(strstr(fixture->diags.list[0].cause, "that programs do not have"));
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *types, *params;
		unsigned int line, column;
		const char *cause, *advice;
	} rows[] = {
		{"{a: u65}", "{}", 8, 22, "the type of `a`: `u65` is not known", "did you mean"},
		{"{a: layout}", "{}", 8, 22, "`layout` is not known", "possible: u64"},
		{"[a]", "{}", 8, 18, "`param_types` must be a mapping, not a list", "TYPE"},
		{"{a b: u64}", "{}", 8, 19, "the name of a parameter is a C identifier", ""},
		{"{a: u64}", "{}", 9, 5, "function total: exec needs parameter `a`",
		 "write `params: {a: VALUE}`"},
		{"{a: u64}", "{a: 1, b: 2}", 9, 20, "exec has no parameter `b`",
		 "its parameters: a"},
		{"{}", "{b: 2}", 9, 14, "exec has no parameter `b`",
		 "declare it: `param_types: {b: TYPE}`"},
		{"{a: u64}", "{a: -1}", 9, 17, "`-1` is beyond what a u64", ""},
		{"{a: {type: u64, max: 9}}", "{a: 10}", 9, 17, "10 is out of range",
		 "allowed is 9 or less"},
		{"{a: {default: 9}}", "{}", 8, 19, "`type` is missing", "write `type: u64`"},
		{"{a: {type: u64, size: 9}}", "{}", 8, 34, "`size`", ""},
		{"{a: {type: u64, default: x}}", "{}", 8, 43, "the default of `a`: `x`", "write "},
		{"{a: {type: u64, default: 9, max: 8}}", "{}", 8, 43, "out of its range", ""},
		{"{a: {type: u64, default: 7, min: 9, max: 8}}", "{}", 8, 51,
		 "`min` is larger than `max`", ""},
		{"{a: {type: bool, min: 0}}", "{a: true}", 8, 40, "no smallest or largest", ""},
		{"{a: {type: u64, words: [x]}}", "{a: 1}", 8, 41, "it is no choice", ""},
		{"{a: choice}", "{a: x}", 8, 19, "has no words to choose from", "words: ["},
		{"{a: {type: choice, words: [x, a-b]}}", "{a: x}", 8, 48,
		 "a word is a C identifier", ""},
		{"{a: {type: choice, words: [x], default: y}}", "{}", 8, 58, "`y` is not known",
		 "possible: x"},
		{"{a: {type: choice, words: [x]}}", "{a: z}", 9, 17, "`z` is not one of its words",
		 ""},
		{"{a: {type: trigger, default: t}}", "{}", 8, 47, "a trigger has none", ""},
		{"{a: trigger}", "{a: nightly}", 9, 17, "the workflow has no trigger `nightly`",
		 "every-day"},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct diag *diag = &fixture->diags.list[0];

		if (!parse(fixture, rows[i].types, rows[i].params))
			fail_msg("row %zu: taken: %s, %s", i, rows[i].types, rows[i].params);
		if (diag->line == rows[i].line && diag->column == rows[i].column &&
		    strstr(diag->cause, rows[i].cause) && strstr(diag->advice, rows[i].advice))
			continue;
		diags_print(&fixture->diags, stderr);
		fail_msg("row %zu: not %u:%u \"%s\"; \"%s\"", i, rows[i].line, rows[i].column,
			 rows[i].cause, rows[i].advice);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_trigger, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_in_the_bundle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mistakes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
