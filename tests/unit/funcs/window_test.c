// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/window: windows by time and by count, late values, silent keys. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <ebpf_faas/event.h>

#include "user_function.h"

#define WINDOW 1
#define LATE 2
#define TIME_INPUT 0
#define MS 1000000ll
#define SECOND (1000 * MS)
#define TOLD_MAX 4
#define RECORDS_MAX 4096
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct user_function function;

/* One key, as a worker keeps it, and what was told of it. */
static struct key {
	uint64_t state[512];
	uint64_t deadline_ns, now_ns;
	int64_t wall_offset_ns;
	struct user_function_record records[RECORDS_MAX];
	unsigned int record_count, most_in_one_call;
} key;

static void set(const char *param, uint64_t value)
{
	char name[64];

	snprintf(name, sizeof(name), "faas_param_%s", param);
	*(uint64_t *)user_function_symbol(&function, name) = value;
}

/* By time with steps of 10 s unless @p events. Forgets the key. */
static int configure(uint64_t events, uint64_t over, uint64_t lateness_ns)
{
	int (*on_init)(void);

	*(unsigned int *)user_function_symbol(&function, "faas_param_by") = events > 0;
	set("every", 10 * SECOND);
	set("events", events);
	set("over", over);
	set("lateness", lateness_ns);
	set("silence", 1 * SECOND);
	memset(&key, 0, sizeof(key));
	*(void **)&on_init = user_function_symbol(&function, "faas_on_init");
	return on_init();
}

static int setup(void **state)
{
	(void)state;
	function = user_function_load("window");
	assert_in_range(function.state_bytes, 1, sizeof(key.state));
	*(unsigned int *)user_function_symbol(&function, "faas_input_value") = USER_FUNCTION_INPUT;
	*(unsigned int *)user_function_symbol(&function, "faas_input_time_ns") = TIME_INPUT;
	*(unsigned int *)user_function_symbol(&function, "faas_output_window") = WINDOW;
	*(unsigned int *)user_function_symbol(&function, "faas_output_late") = LATE;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	user_function_close(&function);
	return 0;
}

static struct faas_call begin_call(void)
{
	return (struct faas_call){.now_ns = key.now_ns,
				  .wall_offset_ns = key.wall_offset_ns,
				  .deadline_ns = key.deadline_ns};
}

/* What the call did, as a worker commits it; nothing if it failed. */
static int end_call(const struct faas_call *call, int err, const uint64_t *copy)
{
	if (err)
		return err;
	memcpy(key.state, copy, sizeof(key.state));
	key.deadline_ns = call->deadline_ns;
	assert_in_range(key.record_count + call->emitted, 0, RECORDS_MAX);
	for (unsigned int i = 0; i < call->emitted; i++)
		key.records[key.record_count++] = call->records[i];
	if (call->emitted > key.most_in_one_call)
		key.most_in_one_call = call->emitted;
	return 0;
}

/* Time goes on to @p now_ns; timers run out on the way. */
static void wait_until(uint64_t now_ns)
{
	while (key.deadline_ns && key.deadline_ns <= now_ns) {
		uint64_t copy[ROWS(key.state)];
		struct faas_event event = {.time_ns = key.deadline_ns, .origin = FAAS_ORIGIN_TIMER};
		struct faas_call call;

		key.now_ns = key.deadline_ns;
		key.deadline_ns = 0;
		call = begin_call();
		memcpy(copy, key.state, sizeof(copy));
		assert_int_equal(end_call(&call, function.on_timer(&call, &event, copy), copy), 0);
	}
	key.now_ns = now_ns;
}

/* A packet of now, with a value. @p time_ns: what the sensor says, NULL: nothing. */
static int see(double value, const int64_t *time_ns)
{
	struct faas_event event = {.time_ns = key.now_ns};
	struct faas_call call = begin_call();
	uint64_t copy[ROWS(key.state)];

	call.has_value = true;
	call.value = value;
	call.has_input[TIME_INPUT] = time_ns != NULL;
	call.inputs[TIME_INPUT] = time_ns ? *time_ns : 0;
	memcpy(copy, key.state, sizeof(copy));
	return end_call(&call, function.on_event(&call, &event, copy), copy);
}

static void see_at(double value, int64_t time_ns)
{
	wait_until((uint64_t)time_ns);
	assert_int_equal(see(value, NULL), 0);
}

/* A trigger of time calls. How many records it leads to. */
static unsigned int ask(uint16_t trigger)
{
	struct faas_event event = {.time_ns = key.now_ns, .trigger = trigger};
	struct faas_call call = begin_call();
	uint64_t copy[ROWS(key.state)];

	memcpy(copy, key.state, sizeof(copy));
	assert_int_equal(end_call(&call, function.on_timer(&call, &event, copy), copy), 0);
	return call.emitted;
}

struct expected {
	uint64_t count;
	double sum, min, max;
	int64_t begin_s, end_s;
};

static void expect_windows(const struct expected *expected, unsigned int count)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < key.record_count; i++) {
		const struct faas_value *fields = key.records[i].fields;

		if (key.records[i].output != WINDOW)
			continue;
		if (found == count)
			fail_msg("one window more: %llu values from %lld s on",
				 (unsigned long long)fields[0].u64,
				 (long long)(fields[5].s64 / SECOND));
		assert_int_equal(key.records[i].field_count, 7);
		assert_int_equal(fields[0].u64, expected[found].count);
		assert_true(fields[1].f64 == expected[found].sum);
		assert_true(fields[2].f64 == expected[found].min);
		assert_true(fields[3].f64 == expected[found].max);
		assert_true(fields[4].f64 == expected[found].sum / (double)expected[found].count);
		assert_int_equal(fields[5].s64, expected[found].begin_s * SECOND);
		assert_int_equal(fields[6].s64, expected[found].end_s * SECOND);
		found++;
	}
	assert_int_equal(found, count);
}

/* A window is told by the first value behind it, or a second after its end. */
static void test_tumbling(void **state)
{
	static const struct expected expected[] = {
		{3, 6, 1, 3, 100, 110}, {1, 4, 4, 4, 110, 120}, {2, 11, 5, 6, 140, 150}};

	(void)state;
	assert_int_equal(configure(0, 1, 0), 0);
	see_at(1, 100 * SECOND);
	see_at(3, 105 * SECOND);
	see_at(2, 110 * SECOND - 1);
	expect_windows(expected, 0);
	see_at(4, 110 * SECOND);
	expect_windows(expected, 1);
	wait_until(121 * SECOND - 1);
	expect_windows(expected, 1);
	wait_until(121 * SECOND);
	expect_windows(expected, 2);
	assert_int_equal(key.deadline_ns, 0);
	see_at(5, 141 * SECOND);
	see_at(6, 142 * SECOND);
	wait_until(1000 * SECOND);
	expect_windows(expected, 3);
}

static void test_sliding(void **state)
{
	static const struct expected expected[] = {
		{1, 1, 1, 1, 80, 110},	{2, 3, 1, 2, 90, 120},	{3, 7, 1, 4, 100, 130},
		{2, 6, 2, 4, 110, 140}, {1, 4, 4, 4, 120, 150}, {1, 8, 8, 8, 180, 210},
		{1, 8, 8, 8, 190, 220}, {1, 8, 8, 8, 200, 230},
	};

	(void)state;
	assert_int_equal(configure(0, 3, 0), 0);
	key.wall_offset_ns = 0;
	see_at(1, 100 * SECOND);
	see_at(2, 111 * SECOND);
	see_at(4, 122 * SECOND);
	expect_windows(expected, 2);
	wait_until(180 * SECOND);
	expect_windows(expected, 5);
	see_at(8, 205 * SECOND);
	wait_until(1000 * SECOND);
	expect_windows(expected, 8);
	assert_int_equal(key.deadline_ns, 0);
}

/* Records have the wall clock. */
static void test_wall_clock(void **state)
{
	static const struct expected expected[] = {{1, 1, 1, 1, 1700000100, 1700000110}};

	(void)state;
	assert_int_equal(configure(0, 1, 0), 0);
	key.wall_offset_ns = 1700000000 * SECOND;
	see_at(1, 100 * SECOND);
	wait_until(111 * SECOND);
	expect_windows(expected, 1);
}

/* Times that a sensor says, out of order: a window waits 5 s for them. */
static void test_lateness(void **state)
{
	static const struct {
		double value;
		int64_t time_ns;
		unsigned int output; /* 0: nothing is told */
		int64_t late_ns;
	} rows[] = {
		{1, 5 * SECOND, 0, 0},	    {9, 12 * SECOND, 0, 0},
		{2, 9 * SECOND, 0, 0},	    {3, 0, 0, 0},
		{0, 15 * SECOND - 1, 0, 0}, {0, 15 * SECOND, WINDOW, 0},
		{7, 9 * SECOND, LATE, 1},   {8, -1 * SECOND, LATE, 11},
	};
	static const struct expected expected[] = {{3, 6, 1, 3, 0, 10}, {3, 9, 0, 9, 10, 20}};

	(void)state;
	assert_int_equal(configure(0, 1, 5 * SECOND), 0);
	key.wall_offset_ns = 77 * SECOND; /* the sensor's clock is its own */
	key.now_ns = 5000 * SECOND;
	for (unsigned int i = 0; i < ROWS(rows); i++) {
		unsigned int before = key.record_count;

		assert_int_equal(see(rows[i].value, &rows[i].time_ns), 0);
		assert_int_equal(key.record_count, before + (rows[i].output > 0));
		if (!rows[i].output)
			continue;
		assert_int_equal(key.records[before].output, rows[i].output);
		if (rows[i].output != LATE)
			continue;
		assert_int_equal(key.records[before].field_count, 2);
		assert_true(key.records[before].fields[0].f64 == rows[i].value);
		assert_int_equal(key.records[before].fields[1].s64, rows[i].late_ns * SECOND);
	}
	expect_windows(expected, 1);
	/* The second window: told when its 10 + 5 s are over, and the second of silence. */
	wait_until(5000 * SECOND + 11 * SECOND - 1);
	expect_windows(expected, 1);
	wait_until(5000 * SECOND + 11 * SECOND);
	expect_windows(expected, 2);
}

/* A sensor may count from any time on. */
static void test_negative(void **state)
{
	static const struct expected expected[] = {
		{1, 1, 1, 1, -20, -10}, {2, 5, 2, 3, -10, 0}, {1, 4, 4, 4, 0, 10}};
	static const int64_t times_s[] = {-11, -10, -1, 0};

	(void)state;
	assert_int_equal(configure(0, 1, 0), 0);
	for (unsigned int i = 0; i < ROWS(times_s); i++) {
		int64_t time_ns = times_s[i] * SECOND;

		assert_int_equal(see(i + 1, &time_ns), 0);
	}
	wait_until(100 * SECOND);
	expect_windows(expected, 3);
}

static void test_count(void **state)
{
	static const struct expected cut[] = {{5, 15, 1, 5, 1, 5}, {1, 6, 6, 6, 6, 6}};
	static const struct expected tumbling[] = {{3, 6, 1, 3, 1, 3}, {3, 15, 4, 6, 4, 6}};
	static const struct expected sliding[] = {
		{4, 10, 1, 4, 1, 4}, {4, 18, 3, 6, 3, 6}, {4, 26, 5, 8, 5, 8}};

	(void)state;
	assert_int_equal(configure(3, 1, 0), 0);
	for (int i = 1; i <= 8; i++)
		see_at(i, i * SECOND);
	expect_windows(tumbling, 2);
	assert_int_equal(key.deadline_ns, 0);
	assert_int_equal(configure(2, 2, 0), 0);
	for (int i = 1; i <= 9; i++)
		see_at(i, i * SECOND);
	expect_windows(sliding, 3);
	/* One value is a window, too. */
	assert_int_equal(configure(1, 1, 0), 0);
	for (int i = 1; i <= 5; i++)
		see_at(i, i * SECOND);
	assert_int_equal(key.record_count, 5);
	/* A trigger of time ends what is not full; by time it changes nothing. */
	assert_int_equal(configure(3, 2, 0), 0);
	assert_int_equal(ask(9), 0);
	for (int i = 1; i <= 5; i++)
		see_at(i, i * SECOND);
	assert_int_equal(ask(9), 1);
	assert_int_equal(ask(9), 0);
	see_at(6, 6 * SECOND);
	assert_int_equal(ask(9), 1);
	expect_windows(cut, 2);
	assert_int_equal(configure(0, 1, 0), 0);
	see_at(1, SECOND);
	assert_int_equal(ask(9), 0);
	/* Longer ones than there are values. */
	assert_int_equal(configure(1000000000, 12, 0), 0);
	for (int i = 1; i <= 100; i++)
		see_at(i, i * SECOND);
	assert_int_equal(key.record_count, 0);
}

/* How many values all windows have, together. */
static uint64_t values_told(void)
{
	uint64_t told = 0;

	for (unsigned int i = 0; i < key.record_count; i++)
		if (key.records[i].output == WINDOW)
			told += key.records[i].fields[0].u64;
	return told;
}

/* Windows of a silence are over all at once: they are told some at a time, but at once. */
static void test_many(void **state)
{
	(void)state;
	assert_int_equal(configure(0, 12, 0), 0);
	see_at(1, 100 * SECOND);
	key.deadline_ns = 0; /* as if the worker had been away */
	see_at(2, 300 * SECOND);
	assert_int_equal(key.record_count, TOLD_MAX);
	wait_until(300 * SECOND + 10);
	assert_int_equal(key.record_count, 12);
	assert_int_equal(values_told(), 12);
	/* Also if their silence is not over. */
	assert_int_equal(configure(0, 12, 0), 0);
	set("every", 100 * MS);
	see_at(1, 100 * SECOND);
	key.deadline_ns = 0;
	see_at(2, 101250 * MS);
	wait_until(101250 * MS + 10);
	assert_int_equal(key.record_count, 12);
	/* By timers alone as well. */
	assert_int_equal(configure(0, 12, 0), 0);
	see_at(1, 100 * SECOND);
	key.deadline_ns = 1000 * SECOND;
	wait_until(1000 * SECOND + 20);
	assert_int_equal(key.record_count, 12);
}

/* The machine was started anew, and its clock with it: no value is lost or late. */
static void test_restart(void **state)
{
	static const struct expected expected[] = {{2, 3, 1, 2, -10, 0}, {1, 4, 4, 4, 0, 10}};

	(void)state;
	assert_int_equal(configure(0, 1, 0), 0);
	see_at(1, 100000 * SECOND);
	see_at(2, 100001 * SECOND);
	key.now_ns = 3 * SECOND;
	assert_int_equal(see(4, NULL), 0);
	wait_until(100 * SECOND);
	expect_windows(expected, 2);
	/* No value comes after it: the timer's time goes on, whatever the clock shows. */
	assert_int_equal(configure(0, 3, 0), 0);
	see_at(1, 100000 * SECOND);
	key.now_ns = 3 * SECOND;
	key.deadline_ns = 14 * SECOND;
	wait_until(36 * SECOND);
	assert_int_equal(key.record_count, 3);
	assert_int_equal(key.deadline_ns, 0);
	/* In the middle of windows that overlap: both values are in three of them. */
	assert_int_equal(configure(0, 3, 0), 0);
	see_at(1, 100000 * SECOND);
	wait_until(100022 * SECOND);
	assert_int_equal(key.record_count, 2);
	key.now_ns = 3 * SECOND;
	assert_int_equal(see(1, NULL), 0);
	wait_until(100 * SECOND);
	assert_int_equal(values_told(), 6);
	/* Packets of two processors are not that far apart. */
	assert_int_equal(configure(0, 1, 0), 0);
	see_at(1, 100 * SECOND);
	key.now_ns = 100 * SECOND - 1;
	assert_int_equal(see(4, NULL), 0);
	assert_int_equal(key.record_count, 1);
	assert_int_equal(key.records[0].output, LATE);
	assert_int_equal(key.records[0].fields[1].s64, 1);
}

/* A sensor that is years ahead once: what follows is late no longer than a step. */
static void test_wrong_time(void **state)
{
	int64_t time_ns;

	(void)state;
	assert_int_equal(configure(0, 1, 0), 0);
	for (int i = 0; i < 100; i++) {
		time_ns = (i == 20 ? 1000000 : 1000 + i) * SECOND;
		wait_until((uint64_t)(i + 1) * SECOND);
		assert_int_equal(see(1, &time_ns), 0);
	}
	wait_until(1000 * SECOND);
	for (unsigned int i = 0, late = 0, values = 0; i < key.record_count; i++) {
		late += key.records[i].output == LATE;
		values += key.records[i].output == WINDOW
				  ? (unsigned int)key.records[i].fields[0].u64
				  : 0;
		if (i == key.record_count - 1) {
			assert_int_equal(late, 10);
			assert_int_equal(values, 90);
		}
	}
	for (unsigned int i = 0; i < 2; i++) {
		time_ns = i ? INT64_MIN : INT64_MAX;
		assert_int_equal(see(1, &time_ns), -ERANGE);
	}
}

/* An update of the workflow: steps of another length, by count, fewer of them. */
static void test_update(void **state)
{
	const struct faas_value *last;

	(void)state;
	assert_int_equal(configure(0, 1, 0), 0);
	see_at(1, 100000 * SECOND);
	set("every", 1000 * SECOND);
	see_at(2, 100001 * SECOND);
	set("every", 1 * SECOND);
	see_at(3, 100002 * SECOND);
	see_at(4, 100004 * SECOND);
	wait_until(200000 * SECOND);
	for (unsigned int i = 0; i < key.record_count; i++)
		assert_int_equal(key.records[i].output, WINDOW);
	assert_int_equal(values_told(), 4);
	last = key.records[key.record_count - 1].fields;
	assert_int_equal(last[5].s64, 100004 * SECOND);
	assert_int_equal(last[6].s64, 100005 * SECOND);
	assert_int_equal(configure(0, 12, 0), 0);
	for (int i = 0; i < 12; i++)
		see_at(i, (100 + 10 * i) * SECOND);
	set("over", 1);
	see_at(12, 300 * SECOND);
	wait_until(1000 * SECOND);
	assert_int_equal(key.records[key.record_count - 1].fields[0].u64, 1);
	assert_int_equal(key.deadline_ns, 0);
	/* From time to count the key begins anew. */
	assert_int_equal(configure(0, 1, 0), 0);
	see_at(1, 100 * SECOND);
	*(unsigned int *)user_function_symbol(&function, "faas_param_by") = 1;
	set("events", 2);
	see_at(2, 101 * SECOND);
	wait_until(1000 * SECOND);
	assert_int_equal(key.record_count, 0);
	see_at(3, 1001 * SECOND);
	assert_int_equal(key.record_count, 1);
	assert_true(key.records[0].fields[1].f64 == 5);
}

static void test_hostile_numbers(void **state)
{
	static const double values[] = {NAN, INFINITY, -INFINITY, DBL_MAX, DBL_MAX, DBL_MAX};
	static const double small[] = {-DBL_MAX, -DBL_MAX, 4.9e-324, -0.0};

	(void)state;
	assert_int_equal(configure(0, 1, 0), 0);
	key.now_ns = 100 * SECOND;
	for (unsigned int i = 0; i < ROWS(values); i++)
		assert_int_equal(see(values[i], NULL), 0);
	wait_until(111 * SECOND);
	for (unsigned int i = 0; i < ROWS(small); i++)
		assert_int_equal(see(small[i], NULL), 0);
	wait_until(200 * SECOND);
	assert_int_equal(key.record_count, 2);
	assert_int_equal(key.records[0].fields[0].u64, 3);
	assert_true(key.records[0].fields[1].f64 == DBL_MAX);
	assert_true(key.records[0].fields[4].f64 >= DBL_MAX / 3);
	assert_int_equal(key.records[1].fields[0].u64, 4);
	for (unsigned int i = 1; i < 5; i++)
		assert_true(isfinite(key.records[1].fields[i].f64));
	/* Neither a value nor a state. */
	assert_int_equal(function.on_event(&(struct faas_call){.has_value = true}, NULL, NULL),
			 -EINVAL);
	assert_int_equal(
		function.on_event(&(struct faas_call){.has_value = false}, NULL, key.state), 0);
}

/* Steps that there is no room for, as nobody but a person can put them. */
static void test_unsound_state(void **state)
{
	/* horizon, next, newest, length of a step; then clock and number of steps */
	static const int64_t states[][5] = {
		{0, 0, 0, 10 * SECOND, 1 | 17ll << 32},
		{0, 0, 0, -1, 1 | 1ll << 32},
		{0, 0, 0, 10 * SECOND, 3 | 1ll << 32},
		{0, 0, INT64_MIN, 10 * SECOND, 1 | 1ll << 32},
		{0, 0, INT64_MAX, 1, 1 | 1ll << 32},
	};

	(void)state;
	for (unsigned int i = 0; i < ROWS(states); i++) {
		assert_int_equal(configure(0, 1, 0), 0);
		memcpy(key.state, states[i], sizeof(states[i]));
		assert_int_equal(ask(0), 0);
		see_at(1, 100 * SECOND);
		wait_until(111 * SECOND);
		assert_int_equal(key.record_count, 1);
		assert_int_equal(key.records[0].fields[0].u64, 1);
		assert_int_equal(key.records[0].fields[5].s64, 100 * SECOND);
	}
}

/* What does not fit is refused when the workflow is loaded. */
static void test_limits(void **state)
{
	static const struct {
		uint64_t over;
		int64_t lateness_ns;
		int expected;
	} rows[] = {
		{12, 30 * SECOND, 0}, {12, 30 * SECOND + 1, -ERANGE},
		{1, 140 * SECOND, 0}, {1, 140 * SECOND + 1, -ERANGE},
		{12, 0, 0},	      {3, 86400 * SECOND, -ERANGE},
	};

	(void)state;
	for (unsigned int i = 0; i < ROWS(rows); i++)
		assert_int_equal(configure(0, rows[i].over, (uint64_t)rows[i].lateness_ns),
				 rows[i].expected);
}

/* ---- anything at all ---- */

struct seen {
	double value;
	int64_t time_ns;
};

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % below;
}

/* The windows that @p values make, compared with those told. */
static void compare(const struct seen *values, unsigned int count, uint64_t over, bool in_order)
{
	int64_t step_ns = 10 * SECOND, last_begin = INT64_MIN;
	uint64_t told = 0;

	for (unsigned int i = 0; i < key.record_count; i++) {
		const struct faas_value *fields = key.records[i].fields;
		double sum = 0, min = INFINITY, max = -INFINITY;
		uint64_t inside = 0;

		if (key.records[i].output != WINDOW)
			continue;
		told += fields[0].u64;
		assert_int_equal(fields[6].s64 - fields[5].s64, (int64_t)over * step_ns);
		if (!in_order)
			continue;
		for (unsigned int k = 0; k < count; k++) {
			if (values[k].time_ns < fields[5].s64 || values[k].time_ns >= fields[6].s64)
				continue;
			inside++;
			sum += values[k].value;
			min = fmin(min, values[k].value);
			max = fmax(max, values[k].value);
		}
		assert_true(fields[5].s64 > last_begin);
		assert_int_equal(fields[0].u64, inside);
		assert_true(fabs(fields[1].f64 - sum) <= 1e-9 * (1 + fabs(sum)));
		assert_true(fields[2].f64 == min && fields[3].f64 == max);
		last_begin = fields[5].s64;
	}
	/* Every value is in as many windows as have its step. */
	assert_int_equal(told, count * over);
}

static void run_random(uint64_t seed, bool sensor)
{
	uint64_t over = 1 + draw(&seed, 12);
	uint64_t lateness = draw(&seed, (14 - over) * 10 * (uint64_t)SECOND);
	uint64_t gap = (uint64_t)1 << draw(&seed, 37);
	struct seen values[300];
	unsigned int count = 0, late = 0;

	assert_int_equal(configure(0, over, lateness), 0);
	key.now_ns = (uint64_t)SECOND * 100000 + draw(&seed, 1000000000);
	for (unsigned int i = 0; i < ROWS(values); i++) {
		unsigned int before;
		struct seen one = {.value = (double)draw(&seed, 2000) / 8 - 100};
		int64_t time_ns;

		wait_until(key.now_ns + draw(&seed, gap) +
			   (draw(&seed, 50) ? 0 : draw(&seed, 100 * (uint64_t)SECOND)));
		time_ns = (int64_t)(key.now_ns - draw(&seed, 1 + lateness + lateness / 8));
		before = key.record_count;
		one.time_ns = sensor ? time_ns : (int64_t)key.now_ns;
		assert_int_equal(see(one.value, sensor ? &time_ns : NULL), 0);
		if (key.record_count > before && key.records[before].output == LATE)
			late++;
		else
			values[count++] = one;
	}
	wait_until(key.now_ns + 1000000 * (uint64_t)SECOND);
	assert_int_equal(key.deadline_ns, 0);
	assert_true(sensor || !late);
	assert_in_range(key.most_in_one_call, 1, TOLD_MAX);
	/* A sensor that was silent begins anew, maybe in the middle of a window. */
	compare(values, count, over, !sensor);
}

static void test_random(void **state)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	(void)state;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	for (unsigned int i = 0; i < 400; i++)
		run_random((seed + i) * 0x9e3779b97f4a7c15ull | 1, i % 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tumbling),	cmocka_unit_test(test_sliding),
		cmocka_unit_test(test_wall_clock),	cmocka_unit_test(test_lateness),
		cmocka_unit_test(test_negative),	cmocka_unit_test(test_many),
		cmocka_unit_test(test_count),		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_wrong_time),	cmocka_unit_test(test_update),
		cmocka_unit_test(test_hostile_numbers), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_unsound_state),	cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("window", tests, setup, teardown);
}
