// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/ban: how many events, in which time, lead to a verdict. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <ebpf_faas/event.h>

#include "user_function.h"

#define S 1000000000ull

struct state {
	uint64_t events, first_ns;
};

static struct user_function function;

static int setup(void **state)
{
	(void)state;
	function = user_function_load("ban");
	assert_int_equal(function.state_bytes, sizeof(struct state));
	*(unsigned int *)user_function_symbol(&function, "faas_output_banned") = 3;
	*(unsigned int *)user_function_symbol(&function, "faas_verdict_id_ban") = 2;
	*(uint64_t *)user_function_symbol(&function, "faas_param_limit") = 3;
	*(uint64_t *)user_function_symbol(&function, "faas_param_within") = 60 * S;
	*(uint64_t *)user_function_symbol(&function, "faas_param_time") = 600 * S;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	user_function_close(&function);
	return 0;
}

/* One event at each second of a list. */
static void test_rows(void **test_state)
{
	static const struct {
		const char *name;
		uint64_t seconds[8];
		unsigned int count;
		unsigned int bans;
	} rows[] = {
		{"as many as allowed", {100, 101, 102}, 3, 0},
		{"one more", {100, 101, 102, 103}, 4, 1},
		{"at the end of the time", {100, 101, 102, 160}, 4, 1},
		{"behind it", {100, 101, 102, 161}, 4, 0},
		{"all at once", {100, 100, 100, 100}, 4, 1},
		{"a time that goes back", {100, 101, 99, 102}, 4, 1},
		{"counting begins anew", {100, 101, 102, 103, 104, 105, 106}, 7, 1},
		{"and leads to another", {100, 101, 102, 103, 104, 105, 106, 107}, 8, 2},
	};

	(void)test_state;
	for (unsigned int r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct faas_call call = {.has_value = false};
		struct state state = {0};

		for (unsigned int i = 0; i < rows[r].count; i++) {
			struct faas_event event = {.time_ns = rows[r].seconds[i] * S};

			assert_int_equal(function.on_event(&call, &event, &state), 0);
		}
		if (call.verdicts != rows[r].bans || call.emitted != rows[r].bans)
			fail_msg("%s: %u verdicts, %u records", rows[r].name, call.verdicts,
				 call.emitted);
		if (!call.verdicts)
			continue;
		assert_int_equal(call.verdict, 2);
		assert_int_equal(call.verdict_value, 1);
		assert_int_equal(call.verdict_ttl_ns, 600 * S);
		assert_int_equal(call.output, 3);
		assert_int_equal(call.fields[0].u64, 4);
	}
}

static void test_without_state(void **test_state)
{
	struct faas_call call = {.has_value = false};
	struct faas_event event = {.time_ns = 1};

	(void)test_state;
	assert_int_equal(function.on_event(&call, &event, NULL), -EINVAL);
	assert_int_equal(call.verdicts, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_without_state),
	};

	return cmocka_run_group_tests_name("ban", tests, setup, teardown);
}
