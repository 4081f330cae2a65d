// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/join: who is paired with whom, and who is given up. */
#include <errno.h>
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

#define PAIR 1
#define UNMATCHED 2
#define KIND_INPUT 3
#define LEFT_TRIGGER 100
#define RIGHT_TRIGGER 200
#define MS 1000000ll
#define WITHIN_MS 1000
#define SLACK_MS 100 /* by which a timer is later */
#define WAITING_MAX 8
#define RECORDS_MAX 4096
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct user_function function;

/* One key, as a worker keeps it, and what was told of it. */
static struct key {
	uint64_t state[32];
	uint64_t deadline_ns, now_ns;
	struct user_function_record records[RECORDS_MAX];
	unsigned int record_count;
} key;

static void set(const char *param, uint64_t value)
{
	char name[64];

	snprintf(name, sizeof(name), "faas_param_%s", param);
	*(uint64_t *)user_function_symbol(&function, name) = value;
}

static void set_triggers(unsigned int left, unsigned int right)
{
	*(unsigned int *)user_function_symbol(&function, "faas_param_left") = left;
	*(unsigned int *)user_function_symbol(&function, "faas_param_right") = right;
}

static int setup(void **state)
{
	(void)state;
	function = user_function_load("join");
	assert_in_range(function.state_bytes, 1, sizeof(key.state));
	*(unsigned int *)user_function_symbol(&function, "faas_input_value") = USER_FUNCTION_INPUT;
	*(unsigned int *)user_function_symbol(&function, "faas_input_kind") = KIND_INPUT;
	*(unsigned int *)user_function_symbol(&function, "faas_output_pair") = PAIR;
	*(unsigned int *)user_function_symbol(&function, "faas_output_unmatched") = UNMATCHED;
	set("within", WITHIN_MS * MS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	user_function_close(&function);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	memset(&key, 0, sizeof(key));
	set_triggers(LEFT_TRIGGER, RIGHT_TRIGGER);
	return 0;
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

		key.now_ns = key.deadline_ns;
		memcpy(copy, key.state, sizeof(copy));
		assert_int_equal(function.on_timer(&call, &event, copy), 0);
		commit(&call, copy);
	}
	key.now_ns = now_ns;
}

/* What a packet of now leads to; @p kind only if it is one of its fields. */
static int see(double value, uint16_t trigger, const int64_t *kind)
{
	struct faas_event event = {.time_ns = key.now_ns, .trigger = trigger};
	struct faas_call call = {.now_ns = key.now_ns,
				 .deadline_ns = key.deadline_ns,
				 .has_value = true,
				 .value = value};
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

static void see_at(double value, bool left, int64_t time_ms)
{
	wait_until((uint64_t)(time_ms * MS));
	assert_int_equal(see(value, left ? LEFT_TRIGGER : RIGHT_TRIGGER, NULL), 0);
}

/* A value of some side at some time; what the scene tells, in order. */
struct shown {
	int64_t time_ms;
	double value; /* negative: a right one */
};

struct told {
	unsigned int output;
	double a, b; /* left and right; or value and side */
	int64_t ms;
};

static void test_scenes(void **state)
{
	static const struct {
		struct shown shown[12];
		struct told told[12];
	} rows[] = {
		{{{100, 1}, {200, -2}}, {{PAIR, 1, -2, 100}}},
		{{{100, -2}, {200, 1}}, {{PAIR, 1, -2, -100}}},
		{{{100, 1}, {1100, -2}}, {{PAIR, 1, -2, 1000}}},
		{{{100, 1}, {1101, -2}}, {{UNMATCHED, 1, 0, 1001}, {UNMATCHED, -2, 1, 1000}}},
		{{{100, 1}}, {{UNMATCHED, 1, 0, 1000}}},
		/* first come, first paired; what is left over waits on */
		{{{100, 1}, {200, 2}, {300, -3}, {400, -4}},
		 {{PAIR, 1, -3, 200}, {PAIR, 2, -4, 200}}},
		{{{100, 1}, {200, 2}, {300, -3}}, {{PAIR, 1, -3, 200}, {UNMATCHED, 2, 0, 1000}}},
		{{{100, 1}, {1050, 2}, {1150, -3}}, {{UNMATCHED, 1, 0, 1050}, {PAIR, 2, -3, 100}}},
		/* then the other side waits */
		{{{100, 1}, {200, -2}, {300, -3}, {400, 4}},
		 {{PAIR, 1, -2, 100}, {PAIR, 4, -3, -100}}},
		/* nine wait: the first is given up */
		{{{100, 1},
		  {101, 2},
		  {102, 3},
		  {103, 4},
		  {104, 5},
		  {105, 6},
		  {106, 7},
		  {107, 8},
		  {110, 9},
		  {120, -1}},
		 {{UNMATCHED, 1, 0, 10},
		  {PAIR, 2, -1, 19},
		  {UNMATCHED, 3, 0, 1000},
		  {UNMATCHED, 4, 0, 1000},
		  {UNMATCHED, 5, 0, 1000},
		  {UNMATCHED, 6, 0, 1000},
		  {UNMATCHED, 7, 0, 1000},
		  {UNMATCHED, 8, 0, 1000},
		  {UNMATCHED, 9, 0, 1000}}},
	};

	for (unsigned int r = 0; r < ROWS(rows); r++) {
		begin(state);
		for (unsigned int i = 0; i < ROWS(rows[r].shown) && rows[r].shown[i].time_ms; i++)
			see_at(rows[r].shown[i].value, rows[r].shown[i].value > 0,
			       rows[r].shown[i].time_ms);
		wait_until(100000 * (uint64_t)MS);
		assert_int_equal(key.deadline_ns, 0);
		for (unsigned int i = 0; i < ROWS(rows[r].told); i++) {
			const struct told *told = &rows[r].told[i];
			const struct user_function_record *record = &key.records[i];
			bool pair = told->output == PAIR;

			if (!told->output) {
				assert_int_equal(key.record_count, i);
				break;
			}
			assert_int_equal(record->output, told->output);
			assert_int_equal(record->field_count, 3);
			assert_true(record->fields[0].f64 == told->a);
			if (pair)
				assert_true(record->fields[1].f64 == told->b);
			else
				assert_int_equal(record->fields[1].u64, (uint64_t)told->b);
			assert_int_equal(record->fields[2].s64, told->ms * MS);
		}
	}
}

/* A value is given up by the timer not before one in the ring can have been seen. */
static void test_timer(void **state)
{
	(void)state;
	see_at(1, true, 100);
	wait_until((100 + WITHIN_MS + SLACK_MS) * (uint64_t)MS - 1);
	assert_int_equal(key.record_count, 0);
	wait_until((100 + WITHIN_MS + SLACK_MS) * (uint64_t)MS);
	assert_int_equal(key.record_count, 1);
	/* A trigger of time is none of its own. */
	see_at(1, true, 3000);
	assert_int_equal(function.on_timer(&(struct faas_call){.now_ns = 1},
					   &(struct faas_event){.trigger = 9}, key.state),
			 0);
	wait_until(4100 * (uint64_t)MS);
	assert_int_equal(key.record_count, 2);
	/* After the pair nothing is left to remind of. */
	see_at(1, true, 5000);
	see_at(2, false, 5001);
	assert_int_equal(key.deadline_ns, 0);
}

/* What tells the sides apart: a trigger, or the field kind. */
static void test_sides(void **state)
{
	static const struct {
		unsigned int left, right; /* triggers */
		int64_t kind;		  /* of the second value; -1: none */
		uint16_t trigger;	  /* of it */
		int expected;
		unsigned int told;
	} rows[] = {
		{LEFT_TRIGGER, RIGHT_TRIGGER, -1, RIGHT_TRIGGER, 0, 1},
		{LEFT_TRIGGER, RIGHT_TRIGGER, 21, LEFT_TRIGGER, 0, 0},
		{LEFT_TRIGGER, RIGHT_TRIGGER, 21, 300, 0, 0}, /* of neither: goes by */
		{LEFT_TRIGGER, 0, -1, 300, 0, 0},
		{0, 0, 21, 300, 0, 1},
		{0, 0, 20, 300, 0, 0},
		{0, 0, 22, 300, 0, 0},
		{0, 0, -1, 300, -EINVAL, 0},
	};
	const int64_t left_kind = 20;

	set("left_kind", 20);
	set("right_kind", 21);
	for (unsigned int i = 0; i < ROWS(rows); i++) {
		begin(state);
		set_triggers(rows[i].left, rows[i].right);
		key.now_ns = 1000;
		assert_int_equal(see(1, LEFT_TRIGGER, &left_kind), 0);
		assert_int_equal(see(2, rows[i].trigger, rows[i].kind < 0 ? NULL : &rows[i].kind),
				 rows[i].expected);
		assert_int_equal(key.record_count, rows[i].told);
	}
}

/* Times that do not go on: two processors, and a clock that began anew. */
static void test_times(void **state)
{
	(void)state;
	key.now_ns = 5000 * (uint64_t)MS;
	assert_int_equal(see(1, LEFT_TRIGGER, NULL), 0);
	key.now_ns--;
	assert_int_equal(see(2, RIGHT_TRIGGER, NULL), 0);
	assert_int_equal(key.record_count, 1);
	assert_int_equal(key.records[0].fields[2].s64, -1);
	begin(state);
	see_at(1, true, 900000);
	see_at(2, true, 900900);
	key.now_ns = 2000 * (uint64_t)MS;
	assert_int_equal(see(3, RIGHT_TRIGGER, NULL), 0);
	assert_int_equal(key.records[0].output, PAIR);
	assert_int_equal(key.records[0].fields[2].s64, 900 * MS);
	/* By its timer alone; the one behind it keeps its distance. */
	begin(state);
	see_at(1, true, 900000);
	see_at(2, true, 900900);
	key.now_ns = 2000 * (uint64_t)MS;
	key.deadline_ns = 2200 * (uint64_t)MS;
	wait_until(2200 * (uint64_t)MS);
	assert_int_equal(key.record_count, 1);
	assert_int_equal(key.deadline_ns, 3100 * (uint64_t)MS);
	wait_until(3100 * (uint64_t)MS);
	assert_int_equal(key.record_count, 2);
	assert_int_equal(key.deadline_ns, 0);
}

static void test_hostile(void **state)
{
	static const double values[] = {NAN, INFINITY, -INFINITY};
	struct faas_call call = {.has_value = false};
	struct faas_event event = {.trigger = LEFT_TRIGGER};

	(void)state;
	for (unsigned int i = 0; i < ROWS(values); i++)
		assert_int_equal(see(values[i], LEFT_TRIGGER, NULL), 0);
	assert_int_equal(function.on_event(&call, &event, key.state), 0);
	assert_int_equal(key.state[0], 0);
	assert_int_equal(function.on_event(&call, &event, NULL), -EINVAL);
	assert_int_equal(function.on_timer(&call, &event, key.state), 0);
	assert_int_equal(call.emitted, 0);
}

/* More that wait than there is room for, as nobody but a person can put it. */
static void test_unsound_state(void **state)
{
	static const uint32_t states[][2] = {{9, 0}, {UINT32_MAX, 1}, {1, 2}};
	struct faas_event event = {.time_ns = 1};

	for (unsigned int i = 0; i < ROWS(states); i++) {
		struct faas_call call = {.now_ns = 1};

		begin(state);
		memcpy(key.state, states[i], sizeof(states[i]));
		assert_int_equal(function.on_timer(&call, &event, key.state), 0);
		assert_int_equal(call.emitted, 0);
		see_at(1, true, 100);
		see_at(2, false, 101);
		assert_int_equal(key.record_count, 1);
		assert_int_equal(key.records[0].output, PAIR);
	}
}

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % below;
}

/* Whatever comes, each value is told of once: in a pair, or alone; pairs are within the
 * time and in order. */
static void test_random(void **state)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	print_message("SEED=%llu\n", (unsigned long long)seed);
	seed = seed * 0x9e3779b97f4a7c15ull | 1;
	for (unsigned int run = 0; run < 300; run++) {
		unsigned int count[2] = {0, 0}, next[2] = {0, 0};
		uint64_t gap = (uint64_t)1 << draw(&seed, 32);

		begin(state);
		key.now_ns = draw(&seed, 1000000);
		for (unsigned int i = 0; i < 300; i++) {
			bool left = draw(&seed, 2);

			wait_until(key.now_ns + draw(&seed, gap));
			assert_int_equal(
				see(++count[!left], left ? LEFT_TRIGGER : RIGHT_TRIGGER, NULL), 0);
		}
		wait_until(key.now_ns + 100000 * (uint64_t)MS);
		for (unsigned int i = 0; i < key.record_count; i++) {
			const struct faas_value *fields = key.records[i].fields;

			if (key.records[i].output == PAIR) {
				assert_int_equal((unsigned int)fields[0].f64, ++next[0]);
				assert_int_equal((unsigned int)fields[1].f64, ++next[1]);
				assert_in_range(llabs(fields[2].s64), 0, WITHIN_MS * MS);
			} else {
				assert_in_range(fields[1].u64, 0, 1);
				assert_int_equal((unsigned int)fields[0].f64,
						 ++next[fields[1].u64]);
			}
		}
		assert_int_equal(next[0], count[0]);
		assert_int_equal(next[1], count[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_scenes, begin),
		cmocka_unit_test_setup(test_timer, begin),
		cmocka_unit_test_setup(test_sides, begin),
		cmocka_unit_test_setup(test_times, begin),
		cmocka_unit_test_setup(test_hostile, begin),
		cmocka_unit_test_setup(test_unsound_state, begin),
		cmocka_unit_test_setup(test_random, begin),
	};

	return cmocka_run_group_tests_name("join", tests, setup, teardown);
}
