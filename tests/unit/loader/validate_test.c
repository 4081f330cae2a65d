// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The verbs validate and functions, run as a person or a script does. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "loader/process.h"

#define PROGRAM TEST_BUILD "/ebpf-faas"
#define SOUND TEST_SOURCE "/tests/data/workflows/coap-meter.yaml"
#define TIMED TEST_SOURCE "/tests/netns/workflows/lull.yaml"
#define OUTPUT_BYTES 65536

static char *out, *err;

static int set_up(void **state)
{
	(void)state;
	out = malloc(OUTPUT_BYTES);
	err = malloc(OUTPUT_BYTES);
	return out && err ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(out);
	free(err);
	return 0;
}

#define RUN(...)                                                                                   \
	process_run((const char *const[]){PROGRAM, __VA_ARGS__, NULL}, out, OUTPUT_BYTES, err,     \
		    OUTPUT_BYTES)

/* Standard output is one JSON value. Returns-owned. */
static json_t *parse_out(void)
{
	json_t *value = json_loads(out, 0, NULL);

	if (!value)
		fail_msg("not one JSON value: %s", out);
	assert_string_equal(err, "");
	return value;
}

static void write_file(const char *path, const char *text)
{
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

static void test_valid(void **state)
{
	json_t *value;

	(void)state;
	assert_int_equal(RUN("validate", SOUND), 0);
	assert_non_null(strstr(out, "coap-meter: valid"));
	assert_string_equal(err, "");
	assert_int_equal(RUN("validate", "--json", SOUND), 0);
	value = parse_out();
	assert_string_equal(json_string_value(json_object_get(value, "workflow")), "coap-meter");
	assert_true(json_is_true(json_object_get(value, "valid")));
	assert_int_equal(json_integer_value(json_object_get(value, "user_functions")), 1);
	assert_int_equal(json_array_size(json_object_get(value, "errors")), 0);
	json_decref(value);
}

static void test_timers(void **state)
{
	json_t *value, *timer;

	(void)state;
	assert_int_equal(RUN("validate", TIMED), 0);
	assert_non_null(strstr(out, "triggers 2"));
	assert_non_null(strstr(out, "timer clock: watch every 1h\n"));
	assert_int_equal(RUN("validate", "--json", TIMED), 0);
	value = parse_out();
	assert_int_equal(json_array_size(json_object_get(value, "triggers")), 1);
	timer = json_array_get(json_object_get(value, "timers"), 0);
	assert_string_equal(json_string_value(json_object_get(timer, "trigger")), "clock");
	assert_int_equal(json_integer_value(json_object_get(timer, "every_ns")), 3600000000000);
	json_decref(value);
}

static void test_invalid(void **state)
{
	char path[] = "/tmp/validate_test.XXXXXX", place[64];
	json_t *value, *error;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "workflow: W\ntrigers: {}\n");
	assert_int_equal(RUN("validate", path), 3);
	snprintf(place, sizeof(place), "%s:1:11: error: ", path);
	assert_non_null(strstr(err, place));
	assert_non_null(strstr(err, "did you mean `triggers`?"));
	assert_string_equal(out, "");

	assert_int_equal(RUN("validate", "--json", path), 3);
	value = parse_out();
	assert_int_equal(json_array_size(json_object_get(value, "errors")), 3);
	error = json_array_get(json_object_get(value, "errors"), 2);
	assert_string_equal(json_string_value(json_object_get(error, "file")), path);
	assert_int_equal(json_integer_value(json_object_get(error, "line")), 2);
	assert_int_equal(json_integer_value(json_object_get(error, "column")), 1);
	assert_non_null(strstr(json_string_value(json_object_get(error, "cause")), "trigers"));
	assert_non_null(strstr(json_string_value(json_object_get(error, "advice")), "triggers"));
	json_decref(value);
	unlink(path);
	assert_int_equal(RUN("validate", path), 5);
}

static void test_set(void **state)
{
	(void)state;
	assert_int_equal(RUN("validate", "--set", "triggers.coap.packet.interfaces=[eth1]", SOUND),
			 0);
	assert_int_equal(RUN("validate", "--set", "triggers.caop.mode=take", SOUND), 2);
	assert_non_null(strstr(err, "--set triggers.caop.mode=take:1:16: error: `caop`"));
	assert_non_null(strstr(err, "did you mean `coap`?"));
	assert_int_equal(RUN("validate", "--set", "triggers.coap.mode=steal", SOUND), 3);
}

/* What each trigger comes to, for people and for programs. */
static void test_triggers(void **state)
{
	const json_t *trigger;
	json_t *value;

	(void)state;
	assert_int_equal(RUN("validate", "--set", "triggers.coap.packet.interfaces=[eth*, br0]",
			     "--set", "triggers.coap.packet.hook=tc-ingress", "--set",
			     "triggers.coap.packet.match={protocol: udp, port: [5683, 6000-6010], "
			     "source: 10.20.0.0/16}",
			     "--set", "triggers.coap.priority=3", SOUND),
			 0);
	assert_non_null(strstr(out, "\ntrigger coap: on eth*, br0 (tc-ingress, copy, priority 3): "
				    "protocol udp, port 5683 or 6000-6010, from 10.20.0.0/16 -> "));
	assert_non_null(strstr(out, " (rules 4)\n"));
	assert_int_equal(RUN("validate", "--json", SOUND), 0);
	value = parse_out();
	trigger = json_array_get(json_object_get(value, "triggers"), 0);
	assert_string_equal(json_string_value(json_object_get(trigger, "trigger")), "coap");
	assert_string_equal(json_string_value(json_object_get(trigger, "hook")), "xdp");
	assert_int_equal(json_integer_value(json_object_get(trigger, "rules")), 4);
	assert_int_equal(json_array_size(json_object_get(trigger, "to")), 1);
	json_decref(value);
}

static void test_bundle(void **state)
{
	char directory[] = "/tmp/validate_test.XXXXXX", bundle[64], path[96], command[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(bundle, sizeof(bundle), "%s/bundle", directory);
	assert_int_equal(RUN("build", "--output", bundle, SOUND), 0);
	assert_int_equal(RUN("validate", bundle), 0);
	assert_non_null(strstr(out, "coap-meter: valid"));
	assert_int_equal(RUN("validate", "--set", "version=2", bundle), 2);
	snprintf(path, sizeof(path), "%s/kernel.bpf.o", bundle);
	write_file(path, "x");
	assert_int_equal(RUN("validate", "--json", bundle), 3);
	json_decref(parse_out());
	assert_non_null(strstr(out, "the file was changed"));
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
}

static const char guard_source[] =
	"#include <ebpf_faas/kernel.h>\n"
	"FAAS_KERNEL_FUNCTION(\"Lets through who is listed\");\n"
	"FAAS_PARAM_FILE(list, \"Addresses, one a line\");\n"
	"FAAS_OUTPUT(listed, \"It is\");\nFAAS_OUTPUT(other, \"It is not\");\n"
	"struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1024);\n"
	"\t__type(key, union faas_address); __type(value, __u32); } known SEC(\".maps\");\n"
	"FAAS_MAP_CONTENTS(known, list);\n"
	"FAAS_EVENT(call)\n{\n"
	"\tunion faas_address address;\n\n\tfaas_source_address(call, &address);\n"
	"\treturn bpf_map_lookup_elem(&known, &address) ? faas_output(listed) : "
	"faas_output(other);\n}\n";

/* A file that a workflow names goes into its bundle, and is watched there. */
static void test_data(void **state)
{
	char directory[] = "/tmp/validate_test.XXXXXX", path[96], bundle[64], command[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/funcs", directory);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/funcs/guard", directory);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/funcs/guard/guard.bpf.c", directory);
	write_file(path, guard_source);
	snprintf(path, sizeof(path), "%s/known.txt", directory);
	write_file(path, "10.0.0.1 1\n");
	snprintf(path, sizeof(path), "%s/w.yaml", directory);
	write_file(path, "workflow: w\n"
			 "triggers: {t: {packet: {interfaces: e, match: {any: true}}, to: f}}\n"
			 "functions: {f: {kernel: guard, params: {list: known.txt}, "
			 "outputs: {listed: pass}}}\n");
	snprintf(bundle, sizeof(bundle), "%s/bundle", directory);
	if (RUN("build", "--output", bundle, path))
		fail_msg("%s", err);
	assert_int_equal(RUN("validate", bundle), 0);
	snprintf(path, sizeof(path), "%s/bundle/data/f.list", directory);
	write_file(path, "10.0.0.2 1\n");
	assert_int_equal(RUN("validate", bundle), 3);
	assert_non_null(strstr(err, "data/f.list: error: the file was changed"));
	snprintf(path, sizeof(path), "%s/w.yaml", directory);
	assert_int_equal(RUN("validate", "--set", "functions.f.params.list=none.txt", path), 3);
	assert_non_null(strstr(err, "none.txt: No such file"));
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
}

static void test_functions(void **state)
{
	json_t *value, *list, *first;

	(void)state;
	assert_int_equal(RUN("functions"), 0);
	assert_non_null(strstr(out, "range_filter (kernel)\n"));
	assert_non_null(strstr(out, "tally (user)\n"));
	assert_int_equal(RUN("functions", "--json", "dedup"), 0);
	value = parse_out();
	list = json_object_get(value, "functions");
	assert_int_equal(json_array_size(list), 1);
	first = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(first, "tier")), "kernel");
	assert_int_equal(json_array_size(json_object_get(first, "outputs")), 3);
	json_decref(value);

	assert_int_equal(RUN("functions", "dedpu"), 5);
	assert_non_null(strstr(err, "did you mean `dedup`?"));
	assert_int_equal(RUN("functions", "--json", "dedpu"), 5);
	json_decref(parse_out());
}

/* A function that does not compile is the author's mistake, at its line. */
static void test_broken_function(void **state)
{
	char directory[] = "/tmp/validate_test.XXXXXX", path[96], command[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/bad", directory);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/bad/bad.user.c", directory);
	write_file(path, "#include <ebpf_faas/user.h>\nint f(void) { return x; }\n");
	assert_int_equal(RUN("functions", "--funcs", directory, "bad"), 3);
	assert_non_null(strstr(err, "/bad/bad.user.c:2:"));
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_valid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_timers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_invalid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_triggers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bundle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_data, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_functions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_broken_function, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
