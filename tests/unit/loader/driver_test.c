// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * loader/driver.c: the generated source says what the graph says, and the
 * compiler takes it, for graphs with every kind of target and key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loader/driver.h"
#include "loader/process.h"

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#else
#define MULTIARCH "aarch64-linux-gnu"
#endif

static struct bundle *bundle;
static char *text;
static size_t text_bytes;

static void add_output(struct bundle_function *function, const char *name,
		       struct bundle_target target)
{
	struct bundle_output *output = &function->outputs[function->output_count++];

	snprintf(output->name, sizeof(output->name), "%s", name);
	output->targets[output->target_count++] = target;
}

/* range-filter -> dedup -> user, with a sink and every verdict on the way. */
static int make_bundle(void **state)
{
	struct bundle_function *first, *second;
	struct bundle_entry *entry;

	(void)state;
	bundle = calloc(1, sizeof(*bundle));
	if (!bundle)
		return -1;
	strcpy(bundle->name, "a-rather-long-workflow-name");
	bundle->kernel_count = 2;
	first = &bundle->kernel[0];
	second = &bundle->kernel[1];
	strcpy(first->instance, "check-range");
	strcpy(first->function, "range_filter");
	strcpy(second->instance, "seen");
	strcpy(second->function, "dedup");
	first->params[0] = (struct bundle_param){.type = PARAM_DECIMAL, .integer = INT64_MIN};
	strcpy(first->params[0].name, "min");
	first->params[1] = (struct bundle_param){.type = PARAM_U64, .integer = -1};
	strcpy(first->params[1].name, "mask");
	first->params[2] = (struct bundle_param){.type = PARAM_SET, .integer = 5};
	strcpy(first->params[2].name, "by");
	first->param_count = 3;
	add_output(first, "inside", (struct bundle_target){TARGET_KERNEL, 1, UINT32_MAX, 0});
	add_output(first, "outside", (struct bundle_target){TARGET_SINK, 0, 0, 0});
	first->outputs[1].targets[first->outputs[1].target_count++] =
		(struct bundle_target){TARGET_VERDICT, VERDICT_REPLY, UINT32_MAX, 0};
	first->outputs[1].origin = 7;
	add_output(second, "repeat",
		   (struct bundle_target){TARGET_VERDICT, VERDICT_DROP, UINT32_MAX, 0});
	add_output(second, "first", (struct bundle_target){TARGET_USER, 0, 1, 0});
	add_output(second, "other",
		   (struct bundle_target){TARGET_VERDICT, VERDICT_PASS, UINT32_MAX, 0});
	bundle->kernel_field_count = 1;
	bundle->kernel_fields[0].kernel_function = 0;
	strcpy(bundle->kernel_fields[0].field.name, "value");
	bundle->entry_count = 2;
	entry = &bundle->entries[0]; /* no key at all */
	entry->kernel_function = 0;
	entry->output = 1;
	entry->kind = TARGET_SINK;
	entry = &bundle->entries[1]; /* every part that fits a key */
	entry->kernel_function = 1;
	entry->output = 1;
	entry->kind = TARGET_USER;
	entry->key[0] = KEY_SOURCE_ADDRESS;
	entry->key[1] = KEY_SOURCE_PORT;
	entry->key[2] = KEY_VLAN;
	entry->key[3] = KEY_PROTOCOL;
	entry->key_count = 4;
	entry->key_bytes = 16 + 2 + 2 + 1;
	bundle->user_count = 1;
	bundle->sink_count = 1;
	bundle->trigger_count = 1;
	bundle->triggers[0].id = 1;
	bundle->triggers[0].mode = MODE_TAKE;
	bundle->triggers[0].targets[0] = (struct bundle_target){TARGET_KERNEL, 0, UINT32_MAX, 0};
	bundle->triggers[0].target_count = 1;
	strcpy(bundle->triggers[0].name, "sensors");
	return 0;
}

static void generate(void)
{
	FILE *stream = open_memstream(&text, &text_bytes);

	assert_non_null(stream);
	driver_write(bundle, stream);
	assert_int_equal(fclose(stream), 0);
}

static int forget(void **state)
{
	(void)state;
	free(bundle);
	free(text);
	bundle = NULL;
	text = NULL;
	return 0;
}

static void names_are_cut_to_the_kernels(void **state)
{
	char name[FAAS_OBJECT_NAME_BYTES], identifier[FAAS_NAME_BYTES];

	(void)state;
	driver_program_name(bundle, name);
	assert_string_equal(name, "a_rather_long_w");
	driver_identifier("check-range", identifier);
	assert_string_equal(identifier, "check_range");
}

static void constants_keep_their_values(void **state)
{
	(void)state;
	generate();
	assert_non_null(strstr(text, "const long long check_range__faas_param_min = "
				     "(long long)9223372036854775808ull;"));
	assert_non_null(strstr(text, "const unsigned long long check_range__faas_param_mask = "
				     "18446744073709551615ull;"));
	assert_non_null(strstr(text, "const unsigned int check_range__faas_param_by = 5u;"));
	assert_non_null(strstr(text, "const unsigned int check_range__faas_field_value = 0;"));
	assert_null(strstr(text, "seen__faas_field_value"));
}

static void graph_is_followed(void **state)
{
	(void)state;
	generate();
	assert_non_null(strstr(text, "f_check_range.inside++;\n\t\tgoto call_seen;"));
	assert_non_null(strstr(
		text, "f_check_range.outside++;\n\t\tDRIVER_OWN(1);\n\t\tdriver_entry_0(call, "
		      "&meters_now->ledger, hook);\n\t\tgoto verdict_reply;"));
	assert_non_null(strstr(text, "f_seen.repeat++;\n\t\tDRIVER_OWN(8);\n\t\tif "
				     "(observe)\n\t\t\tgoto verdict_drop;\n\t\tDRIVER_DROP;"));
	assert_non_null(strstr(text, "f_seen.other++;\n\t\tDRIVER_OWN(10);\n\t\tDRIVER_PASS;"));
	/* An event that leaves the kernel: the trigger's mode decides. */
	assert_non_null(strstr(text,
			       "f_seen.first++;\n\t\tDRIVER_OWN(9);\n\t\tdriver_entry_1(call, "
			       "&meters_now->ledger, hook);\n\t\tgoto verdict_mode;"));
	assert_non_null(strstr(text, ".entry = 0, .origin = 7, .key_bytes = 0, .field_count = 1"));
	assert_non_null(strstr(text, "take = 1;\n\t\tobserve = 0;\n\t\tgoto call_check_range;"));
}

static void lost_events_drop_packets(void **state)
{
	(void)state;
	bundle->overload_drop = true;
	generate();
	assert_non_null(strstr(text, "\t\tif (driver_entry_0(call, &meters_now->ledger, hook))\n"
				     "\t\t\tgoto verdict_drop;\n\t\tgoto verdict_reply;"));
}

static void shedding_asks_the_trigger(void **state)
{
	(void)state;
	generate();
	assert_null(strstr(text, "DRIVER_SHEDS"));
	assert_null(strstr(text, "faas_shed_meters"));
	free(text);
	bundle->deadline_ns = BUNDLE_DEADLINE_MIN_NS;
	bundle->triggers[0].importance = IMPORTANCE_HIGH;
	strcpy(bundle->triggers[0].name, "the-door");
	bundle->triggers[0].id = 77;
	generate();
	assert_non_null(strstr(text, "#define DRIVER_SHEDS\n#include <driver.h>"));
	assert_non_null(strstr(text, "\tstruct faas_shed_meters shed_the_door;"));
	assert_non_null(strstr(text, "\tif (trigger == 77) /* the-door */\n"
				     "\t\treturn FAAS_SHED_HIGH;"));
	assert_non_null(strstr(text, "\t\t\tall->shed_the_door.deadline++;"));
}

static void compile(void)
{
	char path[] = "/tmp/driver_test_XXXXXX.c", include[1100], driver[1100], errors[4096];
	const char *const argv[] = {"clang",
				    "-Wall",
				    "-Werror",
				    "-Wno-unused-parameter",
				    "-O2",
				    "-target",
				    "bpf",
				    "-mcpu=v3",
				    include,
				    driver,
				    "-I/usr/include/" MULTIARCH,
				    "-c",
				    "-o",
				    "/dev/null",
				    path,
				    NULL};
	int fd = mkstemps(path, 2), status;

	assert_true(fd >= 0);
	generate();
	assert_int_equal(write(fd, text, text_bytes), text_bytes);
	close(fd);
	snprintf(include, sizeof(include), "-I%s/include", TEST_SOURCE);
	snprintf(driver, sizeof(driver), "-I%s/bpf", TEST_SOURCE);
	status = process_run(argv, NULL, 0, errors, sizeof(errors));
	unlink(path);
	if (status)
		print_error("%s: %s\n", bundle->name, errors);
	assert_int_equal(status, 0);
}

static void compiler_takes_it(void **state)
{
	(void)state;
	compile();
	free(text);
	bundle->overload_drop = true;
	bundle->deadline_ns = BUNDLE_DEADLINE_MIN_NS;
	compile();
}

/* Workflows may be called what C, the driver or BPF objects have their own
 * meaning for. */
static void any_name_will_do(void **state)
{
	static const char *const names[] = {"int",    "while",	 "handoff", "run",    "meters",
					    "packet", "license", "xdp",	    "ring0",  "main",
					    "linux",  "call",	 "context", "zero",   "driver",
					    "maps",   "ring",	 "from",    "output", "root"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(bundle->name, sizeof(bundle->name), "%s", names[i]);
		compile();
		free(text);
		text = NULL;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_are_cut_to_the_kernels, make_bundle, forget),
		cmocka_unit_test_setup_teardown(constants_keep_their_values, make_bundle, forget),
		cmocka_unit_test_setup_teardown(graph_is_followed, make_bundle, forget),
		cmocka_unit_test_setup_teardown(lost_events_drop_packets, make_bundle, forget),
		cmocka_unit_test_setup_teardown(shedding_asks_the_trigger, make_bundle, forget),
		cmocka_unit_test_setup_teardown(compiler_takes_it, make_bundle, forget),
		cmocka_unit_test_setup_teardown(any_name_will_do, make_bundle, forget),
	};

	return cmocka_run_group_tests_name("loader/driver", tests, NULL, NULL);
}
