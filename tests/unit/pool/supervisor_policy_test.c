// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>

#include "userspace/pool/supervisor_policy.h"

static uint32_t die(struct policy *policy, int signal, uint64_t position, bool progress)
{
	const struct policy_death death = {.signal = signal,
					   .attempt_position = position,
					   .lived_ms = 5,
					   .progress = progress};

	return policy_death(policy, &death);
}

static void test_kills_from_outside(void **state)
{
	struct policy policy = {0};

	(void)state;
	for (int i = 0; i < 50; i++)
		assert_int_equal(die(&policy, SIGKILL, 0, true), 0);
	assert_int_equal(die(&policy, SIGKILL, 0, false), 0);
	assert_int_equal(die(&policy, SIGKILL, 0, false), 10);
}

static void test_backs_off(void **state)
{
	static const uint32_t delays[] = {10,	20,   40,   80,	   160,	  320,	640,
					  1280, 2560, 5120, 10000, 10000, 10000};
	const struct policy_death long_life = {.signal = SIGSEGV, .lived_ms = POLICY_LONG_LIFE_MS};
	struct policy policy = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++)
		assert_int_equal(die(&policy, SIGSEGV, 0, false), delays[i]);
	assert_int_equal(die(&policy, SIGSEGV, 0, true), 0);
	assert_int_equal(die(&policy, 0, 0, false), 10);
	assert_int_equal(policy_death(&policy, &long_life), 0);
	assert_int_equal(die(&policy, SIGSEGV, 0, false), 10);
}

static void test_poison(void **state)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, 0};

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct policy policy = {0};

		die(&policy, signals[i], 4097, true);
		die(&policy, signals[i], 4097, false);
		assert_false(policy.condemned);
		die(&policy, signals[i], 4097, false);
		assert_true(policy.condemned);
		assert_int_equal(policy.position, 4097);
		/* Killed before it could put the event aside: still condemned. */
		die(&policy, SIGKILL, 0, false);
		assert_true(policy.condemned);
		/* Another event begins from nothing. */
		die(&policy, SIGSEGV, 8193, true);
		assert_false(policy.condemned);
		assert_int_equal(policy.quarters, 4);
	}
}

static void test_kill_counts_a_quarter(void **state)
{
	struct policy policy = {0};

	(void)state;
	for (int i = 0; i < 11; i++)
		die(&policy, SIGKILL, 1, false);
	assert_false(policy.condemned);
	die(&policy, SIGKILL, 1, false);
	assert_true(policy.condemned);
}

static void test_different_events(void **state)
{
	struct policy policy = {0};

	(void)state;
	for (uint64_t i = 1; i < 100; i++) {
		die(&policy, SIGSEGV, i, true);
		die(&policy, SIGSEGV, i, true);
		assert_false(policy.condemned);
	}
}

/* The runtime ends a worker that hangs: that is no kill from outside. */
static void test_timeout(void **state)
{
	const struct policy_death death = {
		.signal = SIGKILL, .timeout = true, .attempt_position = 4097, .lived_ms = 5};
	struct policy policy = {0};

	(void)state;
	assert_int_equal(policy_death(&policy, &death), 10);
	assert_int_equal(policy_death(&policy, &death), 20);
	assert_false(policy.condemned);
	assert_int_equal(policy_death(&policy, &death), 40);
	assert_true(policy.condemned);
	assert_true(policy.timeout);
	die(&policy, SIGSEGV, 8193, false);
	assert_false(policy.timeout);
}

/* As the workflow says: how often, and how long in between. */
static void test_retry(void **state)
{
	struct policy policy = {
		.retry = {.attempts = 5, .backoff_min_ms = 100, .backoff_max_ms = 300}};
	static const uint32_t delays[] = {100, 200, 300, 300};

	(void)state;
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		assert_int_equal(die(&policy, SIGSEGV, 4097, true), delays[i]);
		assert_false(policy.condemned);
	}
	die(&policy, SIGSEGV, 4097, true);
	assert_true(policy.condemned);
	assert_int_equal(die(&policy, SIGSEGV, 8193, true), 100);
	/* A kill from outside is no attempt. */
	assert_int_equal(die(&policy, SIGKILL, 12289, true), 0);
}

static bool dies_at(struct policy *policy, uint64_t now_ms, bool own)
{
	const struct policy_death death = {
		.signal = SIGSEGV, .progress = true, .now_ms = now_ms, .own = own};

	(void)policy_death(policy, &death);
	return policy->quarantined;
}

/* Fifteen within a minute, of their own. */
static void test_quarantine(void **state)
{
	struct policy policy = {0}, slow = {0}, others = {0};
	uint64_t now_ms = 1000000;

	(void)state;
	for (int i = 0; i < POLICY_QUARANTINE_DEATHS - 1; i++)
		assert_false(dies_at(&policy, now_ms + 4000 * (uint64_t)i, true));
	assert_true(dies_at(&policy, now_ms + 60000, true));
	for (uint64_t i = 0; i < 100; i++)
		assert_false(dies_at(&slow, now_ms + 4300 * i, true));
	for (uint64_t i = 0; i < 100; i++)
		assert_false(dies_at(&others, now_ms + i, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kills_from_outside),
		cmocka_unit_test(test_backs_off),
		cmocka_unit_test(test_poison),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_quarantine),
		cmocka_unit_test(test_kill_counts_a_quarter),
		cmocka_unit_test(test_different_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
