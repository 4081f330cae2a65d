// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/ewma: against the definition, and against numbers that break sums. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <float.h>
#include <math.h>

#include <cmocka.h>

#include "user_function.h"

struct state {
	double mean, variance;
	uint64_t n;
};

static struct user_function function;

static void configure(double alpha, double threshold, uint64_t warmup)
{
	*(double *)user_function_symbol(&function, "faas_param_alpha") = alpha;
	*(double *)user_function_symbol(&function, "faas_param_threshold") = threshold;
	*(uint64_t *)user_function_symbol(&function, "faas_param_warmup") = warmup;
}

static int setup(void **state)
{
	(void)state;
	function = user_function_load("ewma");
	assert_int_equal(function.state_bytes, sizeof(struct state));
	*(unsigned int *)user_function_symbol(&function, "faas_input_value") = USER_FUNCTION_INPUT;
	*(unsigned int *)user_function_symbol(&function, "faas_output_anomaly") = 3;
	*(unsigned int *)user_function_symbol(&function, "faas_output_level") = 4;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	user_function_close(&function);
	return 0;
}

/* One value; the answer is whether it is an anomaly. */
static bool see(struct state *state, double value, struct faas_call *call)
{
	struct faas_call local, *here = call ? call : &local;

	*here = (struct faas_call){.has_value = true, .value = value};
	assert_int_equal(function.on_event(here, NULL, state), 0);
	assert_true(isfinite(state->mean) && isfinite(state->variance) && state->variance >= 0);
	for (unsigned int i = 0; here->emitted && i < 3; i++)
		assert_true(isfinite(here->fields[i].f64));
	return here->emitted;
}

static void close_to(double value, double expected)
{
	if (!(fabs(value - expected) <= 1e-9 * (1 + fabs(expected))))
		fail_msg("%.17g, expected %.17g", value, expected);
}

/* The definition, summed up anew for each value: weights alpha (1 - alpha)^k,
 * the first value carrying the rest. */
static void test_definition(void **test_state)
{
	static const double values[] = {21.5, 21.6, 21.4, 21.5, 25.0, 20.0, -3.5, 21.5, 0, 21.5};
	static const double alphas[] = {0.1, 0.5, 1};

	(void)test_state;
	for (unsigned int a = 0; a < sizeof(alphas) / sizeof(alphas[0]); a++) {
		struct state state = {0};

		configure(alphas[a], 4, 16);
		for (unsigned int i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			double mean = 0, variance = 0;

			assert_false(see(&state, values[i], NULL));
			for (unsigned int k = 0; k <= i; k++)
				mean += values[k] * (k ? alphas[a] : 1) * pow(1 - alphas[a], i - k);
			for (unsigned int k = 0; k <= i; k++)
				variance += (values[k] - mean) * (values[k] - mean) *
					    (k ? alphas[a] : 1) * pow(1 - alphas[a], i - k);
			close_to(state.mean, mean);
			close_to(state.variance, variance);
			assert_int_equal(state.n, i + 1);
		}
	}
}

static void test_threshold(void **test_state)
{
	struct state state, before;
	struct faas_call call;
	double deviation;

	(void)test_state;
	configure(0.1, 4, 16);
	memset(&state, 0, sizeof(state));
	for (int i = 0; i < 16; i++) /* warming up: nothing is an anomaly, not even this */
		assert_false(see(&state, i == 8 ? 1000 : 20 + i % 2, NULL));
	for (int i = 0; i < 400; i++)
		see(&state, 20 + i % 2, NULL);
	before = state;
	deviation = sqrt(before.variance);
	assert_false(see(&state, before.mean + 3.999 * deviation, NULL));
	state = before;
	assert_true(see(&state, before.mean + 4.001 * deviation, &call));
	assert_int_equal(call.emitted, 1);
	assert_int_equal(call.output, 3);
	assert_int_equal(call.field_count, 3);
	close_to(call.fields[0].f64, before.mean + 4.001 * deviation);
	close_to(call.fields[1].f64, before.mean);
	close_to(call.fields[2].f64, 4.001);
	assert_int_equal(state.n, before.n + 1); /* it teaches, too */
	state = before;
	assert_true(see(&state, before.mean - 4.001 * deviation, &call));
	close_to(call.fields[2].f64, -4.001);
	/* The fourth value is the first that is judged. */
	configure(0.5, 1, 3);
	memset(&state, 0, sizeof(state));
	assert_false(see(&state, 1, NULL));
	assert_false(see(&state, 100, NULL));
	assert_false(see(&state, 1, NULL));
	assert_true(see(&state, 1000, NULL));
}

/* A signal that never moved: its first move is an anomaly, however small, and
 * then it adapts. */
static void test_constant_signal(void **test_state)
{
	struct state state = {0};
	struct faas_call call;
	int anomalies = 0;

	(void)test_state;
	configure(0.1, 4, 16);
	for (int i = 0; i < 1000; i++)
		assert_false(see(&state, 21.5, NULL));
	assert_true(state.variance == 0);
	assert_true(see(&state, 21.6, &call));
	assert_true(call.fields[2].f64 > 4);
	for (int i = 0; i < 200; i++)
		anomalies += see(&state, 21.6, NULL);
	assert_int_equal(anomalies, 0);
	close_to(state.mean, 21.6);
}

static void test_hostile_numbers(void **test_state)
{
	static const double values[] = {NAN,	  INFINITY, -INFINITY, DBL_MAX, -DBL_MAX, DBL_MIN,
					4.9e-324, -0.0,	    1e200,     -1e200,	0};
	struct state state = {0}, before;
	struct faas_call call = {.has_value = false};

	(void)test_state;
	configure(0.1, 4, 1);
	for (size_t round = 0; round < 50; round++)
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
			see(&state, values[i * (round + 1) % (sizeof(values) / sizeof(values[0]))],
			    NULL);

	/* What is no number changes nothing and is no anomaly; neither is an
	 * event without the field. */
	memset(&state, 0, sizeof(state));
	for (int i = 0; i < 20; i++)
		see(&state, 20 + i % 2, NULL);
	before = state;
	assert_false(see(&state, NAN, NULL));
	assert_false(see(&state, INFINITY, NULL));
	assert_int_equal(function.on_event(&call, NULL, &state), 0);
	assert_int_equal(call.emitted, 0);
	assert_memory_equal(&state, &before, sizeof(state));
	/* A number too large to learn from is an anomaly all the same. */
	assert_true(see(&state, DBL_MAX, NULL));
	assert_memory_equal(&state, &before, sizeof(state));
	see(&state, 22, NULL);
	assert_int_equal(state.n, before.n + 1);
}

/* One wrong value is not what all others are measured by, whenever it comes. */
static void test_too_large(void **test_state)
{
	static const double values[] = {DBL_MAX, -DBL_MAX, 1.1e150, -1e200};

	(void)test_state;
	configure(0.1, 4, 16);
	for (unsigned int i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct state state = {0};

		assert_false(see(&state, values[i], NULL));
		assert_int_equal(state.n, 0);
		for (int k = 0; k < 20; k++)
			assert_false(see(&state, 20 + k % 2, NULL));
		assert_int_equal(state.n, 20);
		assert_true(see(&state, values[i], NULL));
		assert_int_equal(state.n, 20);
		assert_false(see(&state, 20.5, NULL));
	}
}

/* The size of the unit says nothing: a signal in units of 1e-140 is judged like one in
 * units of 1e140, and its mirror image as well. */
static void test_any_unit(void **test_state)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	(void)test_state;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	srandom((unsigned int)seed);
	configure(0.1, 2, 5);
	for (int run = 0; run < 100; run++) {
		/* A power of two: no digit is rounded otherwise. */
		double unit = ldexp(run % 2 ? -1 : 1, (int)(random() % 920) - 460);
		struct state state = {0}, other = {0};
		double min = INFINITY, max = -INFINITY;

		for (int i = 0; i < 200; i++) {
			double value = (double)(random() % 2000) / 16 - (random() % 20 ? 50 : 5000);
			struct faas_call call, other_call;

			assert_int_equal(see(&state, value, &call),
					 see(&other, value * unit, &other_call));
			if (call.emitted)
				assert_true(call.fields[2].f64 ==
					    other_call.fields[2].f64 * (unit < 0 ? -1 : 1));
			assert_true(state.mean * unit == other.mean);
			/* No mean is outside of what it is the mean of. */
			min = fmin(min, value);
			max = fmax(max, value);
			assert_true(state.mean >= min && state.mean <= max);
			assert_true(state.variance <= (max - min) * (max - min));
		}
	}
}

/* What it cannot have written itself is forgotten. */
static void test_unsound_state(void **test_state)
{
	static const struct state states[] = {
		{NAN, 1, 100}, {INFINITY, 1, 100}, {1e151, 1, 100}, {1, NAN, 100},
		{1, -1, 100},  {1, INFINITY, 100}, {1, 1e301, 100}};

	(void)test_state;
	configure(0.1, 4, 16);
	for (unsigned int i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct state state = states[i];

		assert_false(see(&state, 20, NULL));
		assert_int_equal(state.n, 1);
		assert_true(state.mean == 20 && state.variance == 0);
	}
	/* The largest count stays what it is. */
	assert_false(see(&(struct state){20, 1, UINT64_MAX}, 20, NULL));
}

/* A trigger of time asks for what is known. */
static void test_asked(void **test_state)
{
	static const struct {
		struct state state;
		bool told;
	} rows[] = {{{0, 0, 0}, false}, {{21.5, 0.25, 7}, true}, {{NAN, 0.25, 7}, false}};

	(void)test_state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct faas_call call = {.has_value = false};
		struct state state = rows[i].state;

		assert_int_equal(function.on_timer(&call, NULL, &state), 0);
		assert_int_equal(call.emitted, rows[i].told);
		if (!rows[i].told)
			continue;
		assert_int_equal(call.output, 4);
		assert_true(call.fields[0].f64 == 21.5 && call.fields[1].f64 == 0.5);
		assert_int_equal(call.fields[2].u64, 7);
	}
	assert_int_equal(function.on_timer(&(struct faas_call){.value = 0}, NULL, NULL), 0);
}

static void test_without_state(void **test_state)
{
	struct faas_call call = {.has_value = true, .value = 1};

	(void)test_state;
	assert_int_equal(function.on_event(&call, NULL, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_definition),	cmocka_unit_test(test_threshold),
		cmocka_unit_test(test_constant_signal), cmocka_unit_test(test_hostile_numbers),
		cmocka_unit_test(test_too_large),	cmocka_unit_test(test_asked),
		cmocka_unit_test(test_any_unit),	cmocka_unit_test(test_unsound_state),
		cmocka_unit_test(test_without_state),
	};

	return cmocka_run_group_tests_name("ewma", tests, setup, teardown);
}
