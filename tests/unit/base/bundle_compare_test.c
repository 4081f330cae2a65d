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

#include "bundle_compare.h"

static struct bundle *make(void)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	struct bundle_function *function;

	assert_non_null(bundle);
	bundle->user_count = 1;
	function = &bundle->user[0];
	strcpy(function->instance, "trend");
	strcpy(function->function, "ewma");
	function->has_state = true;
	function->state_mode = STATE_MEMORY;
	function->state_bytes = 32;
	function->state_version = 1;
	function->state_keys = 1024;
	function->state_field_count = 2;
	strcpy(function->state_fields[0].name, "mean");
	strcpy(function->state_fields[1].name, "deviation");
	function->key_count = 1;
	function->output_count = 1;
	strcpy(function->outputs[0].name, "anomaly");
	function->outputs[0].field_count = 1;
	strcpy(function->outputs[0].fields[0].name, "mean");
	function->verdict_count = 1;
	strcpy(function->verdicts[0].name, "block");
	bundle->sink_count = 1;
	strcpy(bundle->sinks[0].name, "archive");
	bundle->kernel_count = 1;
	strcpy(bundle->kernel[0].instance, "plausible");
	bundle->kernel[0].output_count = 1;
	strcpy(bundle->kernel[0].outputs[0].name, "outside");
	bundle->kernel_field_count = 1;
	strcpy(bundle->kernel_fields[0].field.name, "value");
	bundle->trigger_count = 1;
	bundle->triggers[0].id = 1;
	return bundle;
}

static void parameter(struct bundle *b)
{
	b->user[0].params[0].integer = 7;
}
static void place(struct bundle *b)
{
	strcpy(b->sinks[0].path, "/elsewhere");
}
static void function(struct bundle *b)
{
	strcpy(b->user[0].instance, "other");
}
static void output(struct bundle *b)
{
	strcpy(b->user[0].outputs[0].name, "other");
}
static void field(struct bundle *b)
{
	strcpy(b->user[0].outputs[0].fields[0].name, "other");
}
static void sink(struct bundle *b)
{
	strcpy(b->sinks[0].name, "other");
}
static void sink_more(struct bundle *b)
{
	b->sink_count = 2;
}
static void kernel(struct bundle *b)
{
	strcpy(b->kernel[0].instance, "other");
}
static void trigger(struct bundle *b)
{
	b->trigger_count = 2;
}
static void trigger_id(struct bundle *b)
{
	b->triggers[0].id = 2;
}
static void field_more(struct bundle *b)
{
	b->user[0].outputs[0].field_count = 2;
}
static void field_type(struct bundle *b)
{
	b->user[0].outputs[0].fields[0].type = FAAS_FIELD_F64;
}
static void verdict(struct bundle *b)
{
	strcpy(b->user[0].verdicts[0].name, "other");
}
static void verdict_more(struct bundle *b)
{
	b->user[0].verdict_count = 2;
}
static void sink_kind(struct bundle *b)
{
	b->sinks[0].kind = SINK_FILE;
}
static void kernel_output(struct bundle *b)
{
	strcpy(b->kernel[0].outputs[0].name, "other");
}
static void kernel_field(struct bundle *b)
{
	strcpy(b->kernel_fields[0].field.name, "other");
}
static void keys(struct bundle *b)
{
	b->user[0].state_keys = 2048;
}
static void durable(struct bundle *b)
{
	b->user[0].state_mode = STATE_DURABLE;
}
static void storage(struct bundle *b)
{
	b->storage_bytes = 1;
}
static void bytes(struct bundle *b)
{
	b->user[0].state_bytes = 40;
}
static void version(struct bundle *b)
{
	b->user[0].state_version = 2;
}
static void timer(struct bundle *b)
{
	b->user[0].has_timer = true;
}
static void member(struct bundle *b)
{
	strcpy(b->user[0].state_fields[1].name, "variance");
}
static void member_type(struct bundle *b)
{
	b->user[0].state_fields[0].type = STATE_FIELD_SIGNED;
}
static void member_more(struct bundle *b)
{
	b->user[0].state_field_count = 3;
	strcpy(b->user[0].state_fields[2].name, "last");
}
static void members_unknown(struct bundle *b)
{
	b->user[0].state_field_count = 0;
}
static void key(struct bundle *b)
{
	b->user[0].key[0] = KEY_VLAN;
}

static const struct {
	const char *name;
	void (*change)(struct bundle *b);
	bool same_user_tier, same_records, same_state;
	const char *words;
} rows[] = {
	{"a parameter", parameter, true, true, true, ""},
	{"the place of a sink", place, true, true, true, ""},
	{"another function", function, false, false, true,
	 "user function: trend there, other here"},
	{"another output", output, false, false, true, "output 1 of trend"},
	{"another field", field, false, false, true, "output anomaly of trend has other fields"},
	{"one field more", field_more, false, false, true,
	 "output anomaly of trend has other fields"},
	{"a field of another type", field_type, false, false, true,
	 "output anomaly of trend has other fields"},
	{"another verdict", verdict, false, false, true,
	 "verdict 1 of trend: block there, other here"},
	{"one verdict more", verdict_more, false, false, true,
	 "number of verdicts of trend: 1 there, 2 here"},
	{"a sink of another kind", sink_kind, false, false, true,
	 "sink archive is of another kind"},
	{"another output of a kernel function", kernel_output, true, false, true, ""},
	{"another field from the kernel tier", kernel_field, true, false, true, ""},
	{"a trigger with another id", trigger_id, true, false, true, ""},
	{"another sink", sink, false, false, true, "sink: archive there, other here"},
	{"one sink more", sink_more, false, false, true, "number of sinks: 1 there, 2 here"},
	{"another kernel function", kernel, true, false, true, ""},
	{"one trigger more", trigger, true, false, true, ""},
	{"more keys", keys, true, true, false, "number of keys: 1024 there, 2048 here"},
	{"durable state", durable, false, false, true,
	 "state of trend: memory there, durable here"},
	{"larger storage", storage, true, true, true, ""},
	{"larger state", bytes, true, true, false, "bytes of the state: 32 there, 40 here"},
	{"another version of it", version, true, true, false,
	 "version of the state: 1 there, 2 here"},
	{"timers", timer, true, true, false, "has timers: 0 there, 1 here"},
	{"another member of it", member, true, true, false,
	 "the state has deviation there and variance here"},
	{"another type of a member", member_type, true, true, false,
	 "the state has mean there and mean here, or it is of another type"},
	{"one member more", member_more, true, true, false,
	 "the state has nothing there and last here"},
	{"no names of members", members_unknown, true, true, true, ""},
	{"another key", key, true, true, false, "part of the key: source_address there, vlan here"},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bundle *a = make(), *b = make();
		char words[256] = "";

		rows[i].change(b);
		if (bundle_same_user_tier(a, b, words, sizeof(words)) != rows[i].same_user_tier ||
		    bundle_same_records(a, b) != rows[i].same_records ||
		    bundle_same_state(&a->user[0], &b->user[0], words, sizeof(words)) !=
			    rows[i].same_state ||
		    !strstr(words, rows[i].words))
			fail_msg("%s: \"%s\"", rows[i].name, words);
		free(a);
		free(b);
	}
}

static void migrate(struct bundle *b)
{
	b->user[0].has_migrate = true;
}
static void library(struct bundle *b)
{
	strcpy(b->user[0].function, "tally");
}

/* Two changes at once, and what becomes of the state. */
static const struct {
	const char *name;
	void (*change)(struct bundle *b);
	void (*and_change)(struct bundle *b);
	enum bundle_state_fate fate;
} fates[] = {
	{"a parameter", parameter, migrate, STATE_KEPT},
	{"more keys", keys, NULL, STATE_MIGRATED},
	{"timers", timer, NULL, STATE_MIGRATED},
	{"another version", version, NULL, STATE_NOT_KEPT},
	{"another version, taken over", version, migrate, STATE_MIGRATED},
	{"a larger state of the same version", bytes, migrate, STATE_NOT_KEPT},
	{"other members of the same version", member, migrate, STATE_NOT_KEPT},
	{"more keys, and other members", keys, member_type, STATE_NOT_KEPT},
	{"another key", key, migrate, STATE_NOT_KEPT},
	{"another function", library, migrate, STATE_NOT_KEPT},
};

static void test_fates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
		struct bundle *a = make(), *b = make();
		char words[256] = "";

		fates[i].change(b);
		if (fates[i].and_change)
			fates[i].and_change(b);
		if (bundle_state_fate(&a->user[0], &b->user[0], words, sizeof(words)) !=
		    fates[i].fate)
			fail_msg("%s: %s", fates[i].name, words);
		free(a);
		free(b);
	}
}

/* What no update can change. */
static void test_logs(void **state)
{
	static const struct {
		void (*change)(struct bundle *b);
		bool same;
		const char *words;
	} logs[] = {
		{function, true, ""},
		{sink_more, true, ""},
		{durable, false, "durable state: none there, some here"},
		{storage, false, "size of the storage: 0 bytes there, 1 here"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		struct bundle *a = make(), *b = make();
		char words[256] = "";

		logs[i].change(b);
		assert_int_equal(bundle_same_log(a, b, words, sizeof(words)), logs[i].same);
		assert_string_equal(words, logs[i].words);
		free(a);
		free(b);
	}
}

static void test_by_name(void **state)
{
	struct bundle *bundle = make();

	(void)state;
	bundle->user_count = 2;
	strcpy(bundle->user[1].instance, "alarm");
	assert_int_equal(bundle_user_of(bundle, "trend"), 0);
	assert_int_equal(bundle_user_of(bundle, "alarm"), 1);
	assert_int_equal(bundle_user_of(bundle, ""), BUNDLE_NO_FUNCTION);
	assert_true(bundle_same_outputs(&bundle->user[0], &bundle->user[0]));
	assert_false(bundle_same_outputs(&bundle->user[0], &bundle->user[1]));
	free(bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_fates),
		cmocka_unit_test(test_logs), cmocka_unit_test(test_by_name)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
