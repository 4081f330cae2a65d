// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/tally: sums, and when they are told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <ebpf_faas/event.h>

#include "user_function.h"

struct state {
	uint64_t count, bytes, first_ns, last_ns;
};

static struct user_function function;

static int setup(void **state)
{
	(void)state;
	function = user_function_load("tally");
	assert_int_equal(function.state_bytes, sizeof(struct state));
	*(unsigned int *)user_function_symbol(&function, "faas_output_total") = 2;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	user_function_close(&function);
	return 0;
}

static struct faas_call see(struct state *state, uint64_t time_ns, uint16_t frame_bytes)
{
	struct faas_event event = {.time_ns = time_ns, .frame_bytes = frame_bytes};
	struct faas_call call = {.has_value = false};

	assert_int_equal(function.on_event(&call, &event, state), 0);
	return call;
}

static void test_every(void **test_state)
{
	static const struct {
		uint64_t every;
		unsigned int totals; /* told of 100 events */
	} rows[] = {{1, 100}, {2, 50}, {3, 33}, {100, 1}, {101, 0}};

	(void)test_state;
	for (unsigned int r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct state state = {0};
		unsigned int totals = 0;

		*(uint64_t *)user_function_symbol(&function, "faas_param_every") = rows[r].every;
		for (uint64_t i = 1; i <= 100; i++) {
			struct faas_call call = see(&state, 1000 * i, 60);

			totals += call.emitted;
			assert_int_equal(call.emitted, i % rows[r].every == 0);
			if (!call.emitted)
				continue;
			assert_int_equal(call.output, 2);
			assert_int_equal(call.field_count, 3);
			assert_int_equal(call.fields[0].u64, i);
			assert_int_equal(call.fields[1].u64, 60 * i);
			assert_int_equal(call.fields[2].u64, 1000 * (i - 1));
		}
		assert_int_equal(totals, rows[r].totals);
		assert_int_equal(state.count, 100);
	}
}

/* Events of two CPUs may come with times that go back. */
static void test_times(void **test_state)
{
	struct state state = {0};

	(void)test_state;
	*(uint64_t *)user_function_symbol(&function, "faas_param_every") = 1;
	assert_int_equal(see(&state, 5000, 60).fields[2].u64, 0);
	assert_int_equal(see(&state, 4000, 60).fields[2].u64, 1000);
	assert_int_equal(see(&state, 6000, 60).fields[2].u64, 2000);
	assert_int_equal(see(&state, 5500, 9000).fields[2].u64, 2000);
	assert_int_equal(state.bytes, 9180);
	assert_int_equal(state.first_ns, 4000);
	assert_int_equal(state.last_ns, 6000);
}

/* The machine was started anew, and its clock with it: the span goes on. */
static void test_restart(void **test_state)
{
	const uint64_t second = 1000000000;
	struct state state = {0};

	(void)test_state;
	*(uint64_t *)user_function_symbol(&function, "faas_param_every") = 1;
	see(&state, 100 * second, 60);
	assert_true(see(&state, 1000 * second, 60).fields[2].u64 == 900 * second);
	assert_true(see(&state, 3 * second, 60).fields[2].u64 == 900 * second);
	assert_true(see(&state, 13 * second, 60).fields[2].u64 == 910 * second);
	assert_true(see(&state, 12 * second, 60).fields[2].u64 == 910 * second);
	assert_true(see(&state, 950 * second, 60).fields[2].u64 == 1847 * second);
	/* Between the first and the last time of before. */
	assert_true(see(&state, 500 * second, 60).fields[2].u64 == 1847 * second);
	assert_true(see(&state, 501 * second, 60).fields[2].u64 == 1848 * second);
	assert_int_equal(state.count, 8);
}

/* Sums end at the largest number. */
static void test_largest(void **test_state)
{
	struct state state = {.count = UINT64_MAX - 1, .bytes = UINT64_MAX - 100, 0, 0};

	(void)test_state;
	*(uint64_t *)user_function_symbol(&function, "faas_param_every") = 1;
	for (int i = 0; i < 3; i++) {
		struct faas_call call = see(&state, 1000, 60);

		assert_true(call.fields[0].u64 == UINT64_MAX);
		assert_true(call.fields[1].u64 == (i ? UINT64_MAX : UINT64_MAX - 40));
	}
}

/* In whichever order a burst comes, its span is from the earliest to the latest. */
static void test_any_order(void **test_state)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	(void)test_state;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	srandom((unsigned int)seed);
	*(uint64_t *)user_function_symbol(&function, "faas_param_every") = 1;
	for (int run = 0; run < 200; run++) {
		uint64_t first = UINT64_MAX, last = 0, bytes = 0;
		struct state state = {0};

		for (unsigned int i = 1; i <= 100; i++) {
			uint64_t time_ns = 20000000000 + (uint64_t)random() % 10000000000;
			uint16_t frame_bytes = (uint16_t)random();
			struct faas_call call = see(&state, time_ns, frame_bytes);

			first = time_ns < first ? time_ns : first;
			last = time_ns > last ? time_ns : last;
			bytes += frame_bytes;
			assert_true(call.fields[0].u64 == i);
			assert_true(call.fields[1].u64 == bytes);
			assert_true(call.fields[2].u64 == last - first);
		}
	}
}

/* A trigger of time has the totals told, between two of `every`, and of no key that is
 * not there. */
static void test_asked(void **test_state)
{
	struct faas_event event = {.trigger = 9};
	struct faas_call call = {.has_value = false};
	struct state state = {0};

	(void)test_state;
	*(uint64_t *)user_function_symbol(&function, "faas_param_every") = 100;
	assert_int_equal(function.on_timer(&call, &event, NULL), 0);
	assert_int_equal(function.on_timer(&call, &event, &state), 0);
	assert_int_equal(call.emitted, 0);
	see(&state, 1000, 60);
	see(&state, 3000, 61);
	assert_int_equal(function.on_timer(&call, &event, &state), 0);
	assert_int_equal(call.emitted, 1);
	assert_int_equal(call.output, 2);
	assert_int_equal(call.fields[0].u64, 2);
	assert_int_equal(call.fields[1].u64, 121);
	assert_int_equal(call.fields[2].u64, 2000);
}

static void test_without_state(void **test_state)
{
	struct faas_event event = {.frame_bytes = 60};
	struct faas_call call = {.has_value = false};

	(void)test_state;
	assert_int_equal(function.on_event(&call, &event, NULL), -EINVAL);
	assert_int_equal(call.emitted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every),	      cmocka_unit_test(test_times),
		cmocka_unit_test(test_asked),	      cmocka_unit_test(test_restart),
		cmocka_unit_test(test_largest),	      cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_without_state),
	};

	return cmocka_run_group_tests_name("tally", tests, setup, teardown);
}
