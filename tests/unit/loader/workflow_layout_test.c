// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Parameters whose values are lists of fields, and those that are names of triggers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "described.h"

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

/* A workflow with @p layout as the value in line 6, which has 3 + 12 columns before it. */
static int parse(struct fixture *fixture, const char *layout)
{
	const struct workflow_options options = {.functions = described_functions()};
	char text[8192];

	snprintf(text, sizeof(text),
		 "workflow: w\n"
		 "triggers: {t: {packet: {interfaces: a, match: {any: true}}, to: meter}}\n"
		 "functions:\n"
		 "  meter:\n"
		 "    user: decode\n"
		 "    params: {layout: %s}\n"
		 "    outputs: {decoded: trend}\n"
		 "    key: source_address\n"
		 "  trend: {user: watch, outputs: {anomaly: s}}\n"
		 "sinks: {s: {udp: {to: \"10.0.0.1:9\"}}}\n",
		 layout);
	memset(fixture, 0, sizeof(*fixture));
	return workflow_parse(text, strlen(text), "w.yaml", &options, &fixture->workflow,
			      &fixture->diags);
}

/* Every key, and what the field becomes. */
static void test_fields(void **state)
{
	static const struct {
		const char *item;
		struct faas_layout_field expected;
	} rows[] = {
		{"offset: 0, type: u8", {0, FAAS_LAYOUT_U8, 0, 0, FAAS_FIELD_U64, 0}},
		{"offset: 3071, type: s8", {3071, FAAS_LAYOUT_S8, 0, 0, FAAS_FIELD_S64, 0}},
		{"offset: 0x10, type: u16le", {16, FAAS_LAYOUT_U16LE, 0, 0, FAAS_FIELD_U64, 0}},
		{"offset: 4, type: s32be, scale: 0.01",
		 {4, FAAS_LAYOUT_S32BE, 0, 0, FAAS_FIELD_DECIMAL, 10000}},
		{"offset: 4, type: u32le, scale: -1000",
		 {4, FAAS_LAYOUT_U32LE, 0, 0, FAAS_FIELD_DECIMAL, -1000000000}},
		{"offset: 4, type: u64be, scale: 2",
		 {4, FAAS_LAYOUT_U64BE, 0, 0, FAAS_FIELD_F64, 2000000}},
		{"offset: 3064, type: s64le", {3064, FAAS_LAYOUT_S64LE, 0, 0, FAAS_FIELD_S64, 0}},
		{"offset: 4, type: f32be", {4, FAAS_LAYOUT_F32BE, 0, 0, FAAS_FIELD_F64, 0}},
		{"offset: 4, type: f64le, scale: 0.5",
		 {4, FAAS_LAYOUT_F64LE, 0, 0, FAAS_FIELD_F64, 500000}},
		{"offset: 4, type: u8, bit: 7", {4, FAAS_LAYOUT_U8, 7, 1, FAAS_FIELD_U64, 0}},
		{"offset: 4, type: s16be, bit: 0, bits: 15",
		 {4, FAAS_LAYOUT_S16BE, 0, 15, FAAS_FIELD_S64, 0}},
		{"offset: 4, type: u64le, bit: 1, bits: 63, unit: mm/s²",
		 {4, FAAS_LAYOUT_U64LE, 1, 63, FAAS_FIELD_U64, 0}},
	};
	struct fixture *fixture = *state;
	const struct bundle_function *function = &fixture->workflow.bundle.user[0];
	char text[512];

	for (size_t i = 0; i < ROWS(rows); i++) {
		snprintf(text, sizeof(text), "[{name: value, %s}]", rows[i].item);
		if (parse(fixture, text)) {
			diags_print(&fixture->diags, stderr);
			fail_msg("%s", rows[i].item);
		}
		assert_int_equal(function->layout.count, 1);
		assert_memory_equal(&function->layout.fields[0], &rows[i].expected,
				    sizeof(rows[i].expected));
		assert_int_equal(function->outputs[0].field_count, 1);
		assert_string_equal(function->outputs[0].fields[0].name, "value");
		assert_int_equal(function->outputs[0].fields[0].type, rows[i].expected.field_type);
		assert_int_equal(function->outputs[1].field_count, 0);
	}
	assert_string_equal(function->outputs[0].fields[0].unit, "mm/s²");
	assert_string_equal(function->params[0].text, "value u64le at 4 bit 1+63");
}

/* Two instances have fields of their own; what is too long to print still differs. */
static void test_instances(void **state)
{
	static const char text[] =
		"workflow: w\n"
		"triggers: {t: {packet: {interfaces: a, match: {any: true}}, to: [a, b, c]}}\n"
		"functions:\n"
		"  a: {user: decode, params: {layout: [{name: x, offset: 0, type: u8}]}}\n"
		"  b: {user: decode, params: {layout: [{name: y, offset: 1, type: f32le},\n"
		"      {name: z, offset: 5, type: u8}]}, outputs: {undecoded: s}}\n"
		"  c: {user: decode, params: {layout: [\n"
		"      {name: abcdefghijklmnopqrstuvwxyzabcdef, offset: 1000, type: u8, bit: 1},\n"
		"      {name: bbcdefghijklmnopqrstuvwxyzabcdef, offset: 1000, type: u8, bit: 1},\n"
		"      {name: cbcdefghijklmnopqrstuvwxyzabcdef, offset: 1000, type: u8, bit: 1},\n"
		"      {name: dbcdefghijklmnopqrstuvwxyzabcdef, offset: 1000, type: u8, bit: 1},\n"
		"      {name: ebcdefghijklmnopqrstuvwxyzabcdef, offset: 1000, type: u8, bit: %u},\n"
		"      ]}}\n"
		"sinks: {s: {udp: {to: \"10.0.0.1:9\"}}}\n";
	const struct workflow_options options = {.functions = described_functions()};
	struct fixture *fixture = *state;
	const struct bundle_function *user = fixture->workflow.bundle.user;
	char changed[2048], first[FAAS_VALUE_BYTES];

	for (unsigned int bit = 1; bit <= 2; bit++) {
		memset(fixture, 0, sizeof(*fixture));
		snprintf(changed, sizeof(changed), text, bit);
		if (workflow_parse(changed, strlen(changed), "w.yaml", &options, &fixture->workflow,
				   &fixture->diags))
			fail_msg("%s", fixture->diags.list[0].cause);
		if (bit == 1)
			memcpy(first, user[2].params[0].text, sizeof(first));
	}
	assert_int_equal(user[0].outputs[0].field_count, 1);
	assert_int_equal(user[1].outputs[0].field_count, 2);
	assert_string_equal(user[1].outputs[0].fields[1].name, "z");
	assert_int_equal(user[1].layout.fields[1].offset, 5);
	assert_int_equal(user[2].layout.count, 5);
	assert_string_not_equal(user[2].params[0].text, first);
	assert_int_equal(strlen(first), sizeof(first) - 1);
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *layout;
		unsigned int column; /* of line 6 */
		const char *cause, *advice;
	} rows[] = {
		{"5", 22, "must be a list of fields, not a value", "write [{name: level"},
		{"[]", 22, "must be a list of fields, not empty", "write [{name: level"},
		{"{name: value}", 22, "not a mapping", ""},
		{"[5]", 23, "field 1 of the layout must be a mapping", ""},
		{"[{name: value, offset: 1}]", 23, "`type` is missing", "write `type: u16be`"},
		{"[{offset: 1, type: u8}]", 23, "`name` is missing", "C identifier"},
		{"[{name: value, type: u8}]", 23, "`offset` is missing", "first byte"},
		{"[{name: value, offset: 1, type: u24}]", 54, "`type`: `u24` is not known", "u32"},
		{"[{name: value, offset: 1, type: u8, color: 1}]", 58,
		 "field 1 of the layout: unknown key `color`", "scale"},
		{"[{name: a-b, offset: 1, type: u8}]", 30, "`a-b` is no name for a field",
		 "letters, digits and _"},
		{"[{name: value, offset: 3072, type: u8}]", 45,
		 "field `value` of the layout: `offset`: 3072 is out of range", "0 to 3071"},
		{"[{name: value, offset: 3065, type: u64be}]", 45, "3065 is out of range",
		 "0 to 3064"},
		{"[{name: value, offset: -1, type: u8}]", 45, "`offset`: `-1`", "0 to 3071"},
		{"[{name: value, offset: 1, type: u8, scale: 0}]", 65,
		 "`scale`: `0` cannot be used", "but not 0"},
		{"[{name: value, offset: 1, type: u8, scale: 1000.000001}]", 65, "cannot be used",
		 "-1000 to 1000"},
		{"[{name: value, offset: 1, type: u8, scale: 0.0000001}]", 65, "cannot be used",
		 "steps of 0.000001"},
		{"[{name: value, offset: 1, type: u8, bit: 8}]", 63, "8 is out of range", "0 to 7"},
		{"[{name: value, offset: 1, type: u8, bit: 7, bits: 2}]", 66,
		 "bits 7 to 8 of a number of 8 bits", "take fewer"},
		{"[{name: value, offset: 1, type: u8, bits: 2}]", 58, "`bits` without where",
		 "write `bit: N`"},
		{"[{name: value, offset: 1, type: f32be, bit: 2}]", 61, "has no bits to take",
		 "remove it"},
		{"[{name: value, offset: 1, type: u8, bit: 0, bits: 8}]", 72, "8 is out of range",
		 "1 to 7"},
		{"[{name: value, offset: 1, type: u8, unit: \"\\e[31m\"}]", 64,
		 "holds control characters", "such as mm/s"},
		{"[{name: value, offset: 1, type: u8}, {name: value, offset: 2, type: u8}]", 66,
		 "there is one already", "another name"},
		{"[{name: a, offset: 1, type: u8}, {name: b, offset: 1, type: u8}, "
		 "{name: c, offset: 1, type: u8}, {name: d, offset: 1, type: u8}, "
		 "{name: e, offset: 1, type: u8}, {name: f, offset: 1, type: u8}, "
		 "{name: g, offset: 1, type: u8}, {name: h, offset: 1, type: u8}, "
		 "{name: value, offset: 1, type: u8}]",
		 279, "one more than the 8", "second instance"},
		/* The workflow's next function reads a field that this one does not have. */
		{"[{name: other, offset: 1, type: u8}]", 0, "reads the field `value`", ""},
	};
	struct fixture *fixture = *state;
	size_t missed = 0;

	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct diag *diag = &fixture->diags.list[0];
		int err = parse(fixture, rows[i].layout);

		if (err && fixture->diags.count == 1 && strstr(diag->cause, rows[i].cause) &&
		    strstr(diag->advice, rows[i].advice) &&
		    (!rows[i].column || (diag->line == 6 && diag->column == rows[i].column)))
			continue;
		missed++;
		print_error("%s: not 6:%u \"%s\"; \"%s\":\n", rows[i].layout, rows[i].column,
			    rows[i].cause, rows[i].advice);
		diags_print(&fixture->diags, stderr);
	}
	assert_int_equal(missed, 0);
}

static void test_triggers(void **state)
{
	static const struct {
		const char *value;
		const char *cause; /* NULL: sound */
	} rows[] = {
		{"t", NULL},
		{"other", NULL},
		{"none", "the workflow has no trigger `none`"},
		{"p", "the workflow has no trigger `p`"},
		{"[t]", "must be a single value"},
	};
	const struct workflow_options options = {.functions = described_functions()};
	struct fixture *fixture = *state;
	const struct bundle_function *pair = &fixture->workflow.bundle.user[0];

	for (size_t i = 0; i <= ROWS(rows); i++) {
		char text[1024], params[64] = "";
		int err;

		if (i < ROWS(rows))
			snprintf(params, sizeof(params), ", params: {left: %s}", rows[i].value);
		snprintf(text, sizeof(text),
			 "workflow: w\n"
			 "triggers:\n"
			 "  t: {packet: {interfaces: a, match: {any: true}}, to: f}\n"
			 "  other: {packet: {interfaces: b, match: {any: true}}, to: f}\n"
			 "functions:\n"
			 "  f: {kernel: filter, params: {min: 0, max: 1}, outputs: {inside: p}}\n"
			 "  p: {user: pair, key: vlan%s}\n",
			 params);
		memset(fixture, 0, sizeof(*fixture));
		err = workflow_parse(text, strlen(text), "w.yaml", &options, &fixture->workflow,
				     &fixture->diags);
		if (i == ROWS(rows)) { /* not given */
			assert_int_equal(err, 0);
			assert_int_equal(pair->params[0].integer, 0);
			assert_string_equal(pair->params[0].text, "none");
		} else if (rows[i].cause) {
			assert_int_equal(err, -1);
			assert_int_equal(fixture->diags.count, 1);
			assert_non_null(strstr(fixture->diags.list[0].cause, rows[i].cause));
			assert_int_equal(fixture->diags.list[0].line, 7);
		} else {
			assert_int_equal(err, 0);
			assert_int_equal(pair->params[0].integer, bundle_trigger_id(rows[i].value));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_instances),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_triggers),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
