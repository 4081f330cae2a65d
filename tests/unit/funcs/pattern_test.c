// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/pattern: what follows what, and in time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <ebpf_faas/event.h>

#include "user_function.h"

#define MATCH 1
#define TIMEOUT 2
#define KIND_INPUT 3
#define FIRST_TRIGGER 100
#define THEN_TRIGGER 200
#define MS 1000000ll
#define WITHIN_MS 1000
#define SLACK_MS 100 /* by which a timer is later */
#define RECORDS_MAX 16
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct user_function function;

/* One key, as a worker keeps it, and what was told of it. */
static struct key {
	uint64_t state[2];
	uint64_t deadline_ns, now_ns;
	struct user_function_record records[RECORDS_MAX];
	unsigned int record_count;
} key;

static void set_word(const char *param, unsigned int value)
{
	char name[64];

	snprintf(name, sizeof(name), "faas_param_%s", param);
	*(unsigned int *)user_function_symbol(&function, name) = value;
}

static int setup(void **state)
{
	(void)state;
	function = user_function_load("pattern");
	assert_int_equal(function.state_bytes, sizeof(key.state));
	*(unsigned int *)user_function_symbol(&function, "faas_input_kind") = KIND_INPUT;
	*(unsigned int *)user_function_symbol(&function, "faas_output_match") = MATCH;
	*(unsigned int *)user_function_symbol(&function, "faas_output_timeout") = TIMEOUT;
	*(uint64_t *)user_function_symbol(&function, "faas_param_within") = WITHIN_MS * MS;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	user_function_close(&function);
	return 0;
}

static void begin(bool expect_none, bool restart)
{
	memset(&key, 0, sizeof(key));
	set_word("expect", expect_none);
	set_word("again", restart);
	set_word("first", FIRST_TRIGGER);
	set_word("then", THEN_TRIGGER);
}

static void commit(const struct faas_call *call, const uint64_t *copy)
{
	memcpy(key.state, copy, sizeof(key.state));
	key.deadline_ns = call->deadline_ns;
	assert_in_range(key.record_count + call->emitted, 0, RECORDS_MAX);
	for (unsigned int i = 0; i < call->emitted; i++)
		key.records[key.record_count++] = call->records[i];
}

static void wait_until(uint64_t now_ns)
{
	while (key.deadline_ns && key.deadline_ns <= now_ns) {
		uint64_t copy[ROWS(key.state)];
		struct faas_event event = {.time_ns = key.deadline_ns, .origin = FAAS_ORIGIN_TIMER};
		struct faas_call call = {.now_ns = key.deadline_ns};

		memcpy(copy, key.state, sizeof(copy));
		assert_int_equal(function.on_timer(&call, &event, copy), 0);
		commit(&call, copy);
	}
	key.now_ns = now_ns;
}

static int see(uint16_t trigger, const int64_t *kind)
{
	struct faas_event event = {.time_ns = key.now_ns, .trigger = trigger};
	struct faas_call call = {.now_ns = key.now_ns, .deadline_ns = key.deadline_ns};
	uint64_t copy[ROWS(key.state)];
	int err;

	call.has_input[KIND_INPUT] = kind != NULL;
	call.inputs[KIND_INPUT] = kind ? *kind : 0;
	memcpy(copy, key.state, sizeof(copy));
	err = function.on_event(&call, &event, copy);
	if (!err)
		commit(&call, copy);
	return err;
}

/* A scene: A and B at times; what it tells. */
static void test_scenes(void **state)
{
	static const struct {
		bool expect_none, restart;
		const char *events;
		int64_t at_ms[8];
		struct {
			unsigned int output;
			int64_t waited_ms;
			uint64_t firsts;
		} told[3];
	} rows[] = {
		{false, false, "AB", {100, 300}, {{MATCH, 200, 1}}},
		{false, false, "AB", {100, 1100}, {{MATCH, 1000, 1}}},
		{false, false, "AB", {100, 1101}, {{TIMEOUT, 1001, 1}}},
		{false, false, "A", {100}, {{TIMEOUT, 1000, 1}}},
		{false, false, "B", {100}, {{0, 0, 0}}},
		{false, false, "BAB", {100, 200, 250}, {{MATCH, 50, 1}}},
		{false, false, "ABB", {100, 200, 250}, {{MATCH, 100, 1}}},
		{false, false, "ABAB", {100, 200, 300, 450}, {{MATCH, 100, 1}, {MATCH, 150, 1}}},
		{false, false, "AAAB", {100, 200, 300, 450}, {{MATCH, 350, 3}}},
		{false, false, "AAB", {100, 900, 1300}, {{TIMEOUT, 1000, 2}}},
		{false,
		 false,
		 "AAAB",
		 {100, 900, 1150, 1300},
		 {{TIMEOUT, 1050, 2}, {MATCH, 150, 1}}},
		{false, true, "AAB", {100, 900, 1300}, {{MATCH, 400, 2}}},
		{false, true, "AAA", {100, 900, 1700}, {{TIMEOUT, 1000, 3}}},
		{false, false, "AXB", {100, 200, 300}, {{MATCH, 200, 1}}},
		{true, false, "A", {100}, {{MATCH, 1000, 1}}},
		{true, false, "AB", {100, 200}, {{0, 0, 0}}},
		{true, false, "AB", {100, 1150}, {{MATCH, 1050, 1}}},
		{true, false, "ABA", {100, 200, 300}, {{MATCH, 1000, 1}}},
		{true, true, "AAA", {100, 900, 1700}, {{MATCH, 1000, 3}}},
	};

	(void)state;
	for (unsigned int r = 0; r < ROWS(rows); r++) {
		unsigned int told = 0;

		begin(rows[r].expect_none, rows[r].restart);
		for (unsigned int i = 0; rows[r].events[i]; i++) {
			char letter = rows[r].events[i];

			wait_until((uint64_t)(rows[r].at_ms[i] * MS));
			assert_int_equal(see(letter == 'A'   ? FIRST_TRIGGER
					     : letter == 'B' ? THEN_TRIGGER
							     : 300,
					     NULL),
					 0);
		}
		wait_until(100000 * (uint64_t)MS);
		assert_int_equal(key.deadline_ns, 0);
		assert_int_equal(key.state[1], 0);
		for (; told < ROWS(rows[r].told) && rows[r].told[told].output; told++) {
			const struct user_function_record *record = &key.records[told];

			if (told >= key.record_count ||
			    record->output != rows[r].told[told].output ||
			    record->fields[0].s64 != rows[r].told[told].waited_ms * MS ||
			    record->fields[1].u64 != rows[r].told[told].firsts)
				fail_msg("row %u: output %u after %lld ns, %llu firsts", r,
					 record->output, (long long)record->fields[0].s64,
					 (unsigned long long)record->fields[1].u64);
		}
		if (key.record_count != told)
			fail_msg("row %u tells %u times", r, key.record_count);
	}
}

/* The time is over by the timer not before an event in the ring can have been seen. */
static void test_timer(void **state)
{
	(void)state;
	begin(false, false);
	key.now_ns = 100 * MS;
	assert_int_equal(see(FIRST_TRIGGER, NULL), 0);
	wait_until((100 + WITHIN_MS + SLACK_MS) * (uint64_t)MS - 1);
	assert_int_equal(key.record_count, 0);
	wait_until((100 + WITHIN_MS + SLACK_MS) * (uint64_t)MS);
	assert_int_equal(key.record_count, 1);
	/* The second event takes the timer along; a trigger of time is none of its own. */
	assert_int_equal(see(FIRST_TRIGGER, NULL), 0);
	assert_int_equal(function.on_timer(&(struct faas_call){.now_ns = 1},
					   &(struct faas_event){.trigger = 9}, key.state),
			 0);
	assert_int_equal(key.state[1], 1);
	assert_int_not_equal(key.deadline_ns, 0);
	assert_int_equal(see(THEN_TRIGGER, NULL), 0);
	assert_int_equal(key.deadline_ns, 0);
}

static void test_kinds(void **state)
{
	static const struct {
		unsigned int first, then; /* triggers */
		int64_t kinds[2];	  /* of two events of FIRST_TRIGGER; -1: none */
		int expected;		  /* of the second */
		unsigned int told;
	} rows[] = {
		{0, 0, {10, 20}, 0, 1},
		{0, 0, {10, 10}, 0, 0},
		{0, 0, {10, 30}, 0, 0},
		{0, 0, {20, 10}, 0, 0},
		{0, 0, {10, -1}, -EINVAL, 0},
		{FIRST_TRIGGER, THEN_TRIGGER, {10, 20}, 0, 0},
		{FIRST_TRIGGER, FIRST_TRIGGER, {-1, -1}, 0, 1}, /* two of the same */
		{THEN_TRIGGER, FIRST_TRIGGER, {10, 20}, 0, 0},
	};

	(void)state;
	*(int64_t *)user_function_symbol(&function, "faas_param_first_kind") = 10;
	*(int64_t *)user_function_symbol(&function, "faas_param_then_kind") = 20;
	for (unsigned int r = 0; r < ROWS(rows); r++) {
		begin(false, false);
		set_word("first", rows[r].first);
		set_word("then", rows[r].then);
		key.now_ns = 1000;
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(
				see(FIRST_TRIGGER, rows[r].kinds[i] < 0 ? NULL : &rows[r].kinds[i]),
				i ? rows[r].expected : 0);
		assert_int_equal(key.record_count, rows[r].told);
	}
	/* Three of the same: the second ends one pattern, the third begins the next. */
	begin(false, false);
	set_word("then", FIRST_TRIGGER);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(see(FIRST_TRIGGER, NULL), 0);
	assert_int_equal(key.record_count, 2);
}

static void test_times(void **state)
{
	(void)state;
	/* Two processors: order is that of processing, and no time is negative. */
	begin(false, false);
	key.now_ns = 5000 * (uint64_t)MS;
	assert_int_equal(see(FIRST_TRIGGER, NULL), 0);
	key.now_ns--;
	assert_int_equal(see(THEN_TRIGGER, NULL), 0);
	assert_int_equal(key.record_count, 1);
	assert_int_equal(key.records[0].fields[0].s64, 0);
	/* The clock began anew. */
	begin(false, false);
	key.now_ns = 900000 * (uint64_t)MS;
	assert_int_equal(see(FIRST_TRIGGER, NULL), 0);
	key.now_ns = 1 * MS;
	key.deadline_ns = 0;
	assert_int_equal(see(FIRST_TRIGGER, NULL), 0);
	assert_int_equal(key.deadline_ns, (1 + WITHIN_MS + SLACK_MS) * MS);
	key.now_ns = 2 * MS;
	assert_int_equal(see(THEN_TRIGGER, NULL), 0);
	assert_int_equal(key.records[0].output, MATCH);
	assert_int_equal(key.records[0].fields[1].u64, 2);
	/* No state, nothing to remember by. */
	assert_int_equal(function.on_event(&(struct faas_call){.now_ns = 1},
					   &(struct faas_event){.trigger = FIRST_TRIGGER}, NULL),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenes),
		cmocka_unit_test(test_timer),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests_name("pattern", tests, setup, teardown);
}
