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

#include "loader/bundle_diff.h"

/* One kernel function, one sink that it leads to. */
static struct bundle *make(void)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	struct bundle_function *function;

	assert_non_null(bundle);
	strcpy(bundle->name, "gate");
	strcpy(bundle->version, "1");
	bundle->queue_events = 4096;
	bundle->trigger_count = 1;
	strcpy(bundle->triggers[0].name, "in");
	strcpy(bundle->triggers[0].interfaces[0], "eth0");
	bundle->triggers[0].interface_count = 1;
	bundle->triggers[0].target_count = 1;
	bundle->triggers[0].targets[0] =
		(struct bundle_target){.kind = TARGET_KERNEL, .entry = BUNDLE_NO_ENTRY};
	bundle->kernel_count = 1;
	function = &bundle->kernel[0];
	strcpy(function->instance, "readings");
	strcpy(function->function, "range_filter");
	function->param_count = 1;
	strcpy(function->params[0].name, "max");
	strcpy(function->params[0].text, "20");
	function->output_count = 1;
	strcpy(function->outputs[0].name, "inside");
	function->outputs[0].target_count = 1;
	function->outputs[0].targets[0] = (struct bundle_target){
		.kind = TARGET_VERDICT, .index = VERDICT_PASS, .entry = BUNDLE_NO_ENTRY};
	strcpy(bundle->user[0].instance, "trend");
	strcpy(bundle->user[1].instance, "other");
	bundle->user_count = 2;
	bundle->timer_count = 1;
	strcpy(bundle->timers[0].name, "minute");
	bundle->timers[0].every_ns = 60000000000;
	bundle->sink_count = 1;
	strcpy(bundle->sinks[0].name, "archive");
	bundle->sinks[0].kind = SINK_FILE;
	bundle->sinks[0].rotate_bytes = 64 << 20;
	return bundle;
}

static void parameter(struct bundle *bundle)
{
	strcpy(bundle->kernel[0].params[0].text, "30");
	bundle->kernel[0].params[0].integer = 30;
}
static void target(struct bundle *bundle)
{
	bundle->kernel[0].outputs[0].targets[0].index = VERDICT_DROP;
}
static void interface(struct bundle *bundle)
{
	strcpy(bundle->triggers[0].interfaces[1], "eth1");
	bundle->triggers[0].interface_count = 2;
}
static void trigger_name(struct bundle *bundle)
{
	strcpy(bundle->triggers[0].name, "other");
}
static void version(struct bundle *bundle)
{
	strcpy(bundle->version, "2");
}
static void timer(struct bundle *bundle)
{
	bundle->timers[0].every_ns = 1500000000;
	bundle->timers[0].function = 1;
}
static void rotation(struct bundle *bundle)
{
	bundle->sinks[0].rotate_bytes = 1000;
}
/* What says nothing to a person. */
static void numbers(struct bundle *bundle)
{
	bundle->triggers[0].id = 7;
	bundle->kernel[0].outputs[0].origin = 3;
}

static const struct {
	const char *name;
	void (*change)(struct bundle *bundle);
	const char *lines; /* path|there|here, one a line; "-" for null */
} rows[] = {
	{"a parameter", parameter, "functions.readings.params.max|20|30\n"},
	{"where an output leads", target, "functions.readings.outputs.inside.targets|pass|drop\n"},
	{"interfaces", interface, "triggers.in.interfaces|[\"eth0\"]|[\"eth0\",\"eth1\"]\n"},
	{"the label", version, "version|1|2\n"},
	{"a timer, as people write it", timer,
	 "timers.minute.every|1m|1500ms\ntimers.minute.function|trend|other\n"},
	{"a size, as people write it", rotation, "sinks.archive.rotate|64Mi|1000\n"},
	{"numbers of parts", numbers, ""},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bundle *a = make(), *b = make();
		char lines[1024] = "";
		json_t *list, *item;
		size_t k, used = 0;

		rows[i].change(b);
		list = bundle_diff(a, b);
		json_array_foreach (list, k, item) {
			const char *there = json_string_value(json_object_get(item, "there"));
			const char *here = json_string_value(json_object_get(item, "here"));

			used += (size_t)snprintf(lines + used, sizeof(lines) - used, "%s|%s|%s\n",
						 json_string_value(json_object_get(item, "path")),
						 there ? there : "-", here ? here : "-");
		}
		if (strcmp(lines, rows[i].lines))
			fail_msg("%s:\n%sshould be\n%s", rows[i].name, lines, rows[i].lines);
		json_decref(list);
		free(a);
		free(b);
	}
}

static void test_come_and_gone(void **state)
{
	struct bundle *a = make(), *b = make();
	json_t *list;

	(void)state;
	trigger_name(b);
	list = bundle_diff(a, b);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "path")),
			    "triggers.in");
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "here")));
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "path")),
			    "triggers.other");
	assert_true(json_is_null(json_object_get(json_array_get(list, 1), "there")));
	json_decref(list);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),
					   cmocka_unit_test(test_come_and_gone)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
