// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Two instances of one function cannot reach each other's data. The verifier
 * sees to it, if each instance's data is a map of its own; with one section for
 * both, it lets the same program through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "function_harness.h"

static struct harness *try_two(const char *object)
{
	const struct harness_instance instances[2] = {
		{.instance = "left", .object = object, .outputs = {"counted"}},
		{.instance = "right", .object = object, .outputs = {"counted"}},
	};

	return harness_try(instances, 2);
}

static void test_overrun_is_refused(void **state)
{
	struct harness *harness = try_two("tests/bpf/isolation.bpf.o");

	(void)state;
	assert_null(harness->object);
	/* For the right reason: behind the 64 bytes of its own table. */
	assert_non_null(strstr(harness->log, "invalid access to map value, value_size=64"));
	assert_non_null(strstr(harness->log, "; table[byte >> 3]++"));
	harness_close(harness);
}

static struct bpf_map *data_of(const struct harness *harness, const char *suffix)
{
	struct bpf_map *map, *found = NULL;

	bpf_object__for_each_map(map, harness->object)
	{
		const char *name = bpf_map__name(map);

		if (strstr(name, suffix)) {
			assert_null(found);
			found = map;
		}
	}
	assert_non_null(found);
	return found;
}

static void test_data_is_private(void **state)
{
	struct harness *harness = try_two("tests/bpf/isolation_masked.bpf.o");
	const struct frame_spec spec = {FRAME_BYTES(0x28)};
	struct harness_answer answer;
	uint32_t zero = 0, left[16], right[16], expected[16] = {[5] = 2};

	(void)state;
	assert_non_null(harness->object);
	harness_run(harness, 0, &spec, 0, &answer);
	harness_run(harness, 0, &spec, 0, &answer);
	harness_run(harness, 1, &spec, 0, &answer);
	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(data_of(harness, ".data.left")), &zero, left), 0);
	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(data_of(harness, ".data.right")), &zero, right), 0);
	assert_memory_equal(left, expected, sizeof(left));
	expected[5] = 1;
	assert_memory_equal(right, expected, sizeof(right));
	harness_close(harness);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, arguments) : 0;
}

/* The counterpart: without sections of their own the verifier accepts the
 * careless function, and it writes into its neighbour's table. */
static void test_shared_data_would_not_be(void **state)
{
	struct bpf_object *object =
		bpf_object__open_file(TEST_BUILD "/tests/bpf/isolation_shared.bpf.o", NULL);
	uint8_t frame[64] = {[14] = 0x40}; /* index 8: its own */
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame));
	int fd;

	(void)state;
	assert_non_null(object);
	assert_int_equal(bpf_object__load(object), 0);
	fd = bpf_program__fd(bpf_object__find_program_by_name(object, "shared_data"));
	assert_int_equal(bpf_prog_test_run_opts(fd, &options), 0);
	assert_int_equal(options.retval, XDP_PASS);
	frame[14] = 0xc0; /* index 24: the neighbour's */
	assert_int_equal(bpf_prog_test_run_opts(fd, &options), 0);
	assert_int_equal(options.retval, XDP_DROP);
	bpf_object__close(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overrun_is_refused),
		cmocka_unit_test(test_data_is_private),
		cmocka_unit_test(test_shared_data_would_not_be),
	};

	libbpf_set_print(quiet);
	return cmocka_run_group_tests_name("isolation", tests, NULL, NULL);
}
