// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Triggers of time in a worker process: each key is called once a period,
 * whoever is killed meanwhile. Needs root.
 */
#include "alarm_helpers.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "clock.h"

/* Wait until a sweep has ended, and no other has begun. */
static void wait_for_rest(uint64_t timers)
{
	for (int i = 0; i < 100000; i++) {
		struct page_counters now = counters();

		assert_int_equal(rig_read(rig), 0);
		if (now.timers + now.timers_dead >= timers && !now.sweeps[0].cursor)
			return;
		pause_us(100);
	}
	fail_msg("%llu timers, not %llu", (unsigned long long)counters().timers,
		 (unsigned long long)timers);
}

/* The same, and the worker is stopped there, so that no other sweep begins while somebody
 * looks: how many there were. Where others have the processors, one may have begun, and
 * then it is that one's end. */
static uint64_t stop_at_rest(uint64_t sweeps)
{
	for (int i = 0; i < 100; i++) {
		struct page_counters now;
		siginfo_t stopped;

		wait_for_rest(sweeps * KEYS);
		assert_int_equal(kill(rig->pid, SIGSTOP), 0);
		assert_int_equal(
			waitid(P_PID, (id_t)rig->pid, &stopped, WSTOPPED | WEXITED | WNOWAIT), 0);
		assert_int_equal(stopped.si_code, CLD_STOPPED);
		now = counters();
		if (!now.sweeps[0].cursor && (now.timers + now.timers_dead) % KEYS == 0)
			return (now.timers + now.timers_dead) / KEYS;
		assert_int_equal(kill(rig->pid, SIGCONT), 0);
	}
	fail_msg("it is never at rest");
	return 0;
}

static void go_on(void)
{
	assert_int_equal(kill(rig->pid, SIGCONT), 0);
}

/* All keys have been called equally often, and records say the same. */
static void check_ticks(uint64_t ticks)
{
	for (uint64_t key = 0; key < KEYS; key++) {
		uint64_t deadline;

		assert_int_equal(alarm_state(key, &deadline).ticks, ticks);
	}
	assert_int_equal(counters().timers, KEYS * ticks);
	assert_int_equal(counters().functions[0].outputs[0], KEYS * ticks);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->read.timers, KEYS * ticks);
	assert_int_equal(rig->read.outputs, KEYS * ticks);
}

static void test_each_key_once(void **state)
{
	const uint64_t every_ns = 300 * MS;
	uint64_t begin_ns, deadline = 0, before_ns = clock_monotonic_ns(), sweeps;

	(void)state;
	start((struct rig_options){.every_ns = every_ns, .after_ns = 10000000 * MS});
	begin_ns = clock_monotonic_ns();
	emit(KEYS);
	sweeps = stop_at_rest(1);
	assert_true(clock_monotonic_ns() - begin_ns > 100 * MS);
	assert_in_range(sweeps, 1, (clock_monotonic_ns() - before_ns) / every_ns);
	check_ticks(sweeps);
	/* A key's own timer has nothing to do with it. */
	assert_true(alarm_state(3, &deadline).fires == 0 && deadline > begin_ns);
	go_on();
	sweeps = stop_at_rest(sweeps + 1);
	assert_in_range(sweeps, 2, (clock_monotonic_ns() - before_ns) / every_ns);
	check_ticks(sweeps);
	go_on();
	assert_int_equal(counters().processed, KEYS);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_without_state(void **state)
{
	(void)state;
	start((struct rig_options){.every_ns = 20 * MS, .no_state = true});
	wait_for_rest(3);
	assert_int_equal(rig_stop(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_in_range(counters().timers, 3, 1000);
	assert_int_equal(rig->read.timers, counters().timers);
	assert_int_equal(rig->read.outputs, counters().timers);
	assert_int_equal(counters().timers_dead, 0);
}

/* What was missed while there was no worker is one call. */
static void test_is_not_made_up_for(void **state)
{
	uint64_t before, begin_ns;

	(void)state;
	start((struct rig_options){.every_ns = 50 * MS, .no_state = true});
	assert_true(WIFSIGNALED(rig_kill(rig)));
	before = counters().timers;
	pause_us(600000);
	assert_int_equal(counters().timers, before);
	begin_ns = clock_monotonic_ns();
	assert_int_equal(rig_start(rig), 0);
	wait_for_rest(before + 1);
	/* Not the twelve, but one, and one for each period that it may be there by now. */
	assert_true(counters().timers - before <=
		    2 + (clock_monotonic_ns() - begin_ns) / (50 * MS));
	assert_int_equal(rig_stop(rig), 0);
}

static void test_dead_letters(void **state)
{
	uint64_t sweeps;

	(void)state;
	start((struct rig_options){.every_ns = 300 * MS, .fail_key = 7});
	emit(KEYS);
	sweeps = stop_at_rest(1);
	assert_int_equal(counters().timers, sweeps * (KEYS - 1));
	assert_int_equal(counters().timers_dead, sweeps);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->read.dead[LOG_DEAD_ERROR], sweeps);
	go_on();
	assert_int_equal(rig_stop(rig), 0);
}

/* Killed in the middle again and again: no key is called twice in a period, and
 * none is left out of one that began. */
static void test_killed_at_random(void **state)
{
	uint64_t deadline, ticks;

	(void)state;
	start((struct rig_options){.every_ns = MS});
	emit(KEYS);
	/* More often where it gets too little of a processor to come far. */
	for (unsigned int i = 0; i < 30 || (i < 500 && counters().timers < 15ull * KEYS); i++) {
		pause_us(2000 + 137 * i % 3000);
		assert_int_equal(rig_read(rig), 0);
		assert_true(WIFSIGNALED(rig_kill(rig)));
		assert_int_equal(rig_start(rig), 0);
	}
	assert_int_equal(rig_drain(rig), 0);
	/* Stopped where it is: some have been called once more than the others. */
	assert_int_equal(rig_stop(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	ticks = alarm_state(0, &deadline).ticks;
	assert_true(ticks > 10);
	for (uint64_t key = 1; key < KEYS; key++)
		assert_in_range(alarm_state(key, &deadline).ticks, ticks - 1, ticks + 1);
	assert_int_equal(counters().timers, rig->read.timers);
	assert_int_equal(counters().timers, rig->read.outputs);
}

#ifdef FAAS_FAULTS
static void test_goes_on_where_it_was(void **state)
{
	static const char *const faults[] = {"sweep.inside:50", "commit.after_write:20",
					     "commit.before_header:7", "recover.inside:1"};

	(void)state;
	start((struct rig_options){.every_ns = 500 * MS});
	emit(KEYS);
	assert_int_equal(rig_drain(rig), 0);
	for (unsigned int i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		rig->options.fault = faults[i];
		assert_true(WIFSIGNALED(rig_kill(rig)));
		assert_int_equal(rig_spawn(rig), 0);
		assert_int_equal(rig_expect_end(rig, 2000), 0);
	}
	rig->options.fault = NULL;
	(void)rig_kill(rig);
	assert_int_equal(rig_start(rig), 0);
	wait_for_rest(KEYS);
	check_ticks(1);
	assert_int_equal(rig_stop(rig), 0);
}
#endif

/* Put aside once, and called again a period later: that is another one. A period is longer than
 * six workers take to begin, so that there is no third one. */
static void test_poison(void **state)
{
	uint64_t attempt = 0, deadline;

	(void)state;
	start((struct rig_options){.every_ns = 8000 * MS, .crash_key = 42});
	assert_int_equal(rig_emit(rig, KEYS), 0);
	for (int i = 0; i < 6; i++) {
		int status = rig_wait(rig);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		assert_int_equal(rig->page->attempt_position >> 63, 1);
		if (i % 3)
			assert_int_equal(rig->page->attempt_position, attempt);
		else
			assert_int_not_equal(rig->page->attempt_position, attempt);
		attempt = rig->page->attempt_position;
		rig->runtime->poison_position = attempt;
		rig->runtime->poison_condemned = i % 3 == 2;
		assert_int_equal(rig_spawn(rig), 0);
	}
	assert_int_equal(rig_expect(rig, "ready", 20000), 0);
	wait_for_rest(2ull * KEYS);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->read.dead[LOG_DEAD_POISON], 2);
	assert_int_equal(counters().timers_dead, 2);
	assert_int_equal(counters().timers, 2 * (KEYS - 1));
	assert_int_equal(alarm_state(42, &deadline).ticks, 0);
	assert_int_equal(alarm_state(41, &deadline).ticks, 2);
	assert_true(WIFSIGNALED(rig_kill(rig)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_key_once),
		TEST(test_without_state),
		TEST(test_is_not_made_up_for),
		TEST(test_dead_letters),
		TEST(test_killed_at_random),
#ifdef FAAS_FAULTS
		TEST(test_goes_on_where_it_was),
#endif
		TEST(test_poison),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
