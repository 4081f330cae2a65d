// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Timers of keys in a worker process: when they run, what comes of them, and
 * what is left of them when the worker is killed. Needs root.
 */
#include "alarm_helpers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

/* No key is armed, each has fired so often, and nothing was wrong. */
static void check_keys(uint64_t fires_min, uint64_t fires_max)
{
	for (uint64_t key = 0; key < KEYS; key++) {
		uint64_t deadline = 1;
		struct alarm_state state = alarm_state(key, &deadline);

		assert_int_equal(deadline, 0);
		assert_int_equal(state.due_ns, 0);
		assert_int_equal(state.wrong, 0);
		assert_in_range(state.fires, fires_min, fires_max);
	}
}

static void wait_until_disarmed(void)
{
	uint64_t armed = KEYS;

	for (int i = 0; armed && i < 1000; i++) {
		armed = 0;
		pause_us(10000);
		for (uint64_t key = 0; key < KEYS; key++) {
			uint64_t deadline;

			(void)alarm_state(key, &deadline);
			armed += deadline != 0;
		}
	}
	assert_int_equal(armed, 0);
}

/* Into the end of a pipe that others have too: only for a moment it does not wait. */
static bool write_some(int fd)
{
	static const char block[4096];
	bool some;

	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	some = write(fd, block, sizeof(block)) > 0;
	(void)fcntl(fd, F_SETFL, 0);
	return some;
}

static void check_fires_once(const struct rig_options *options)
{
	start(*options);
	emit(KEYS);
	wait_for_timers(KEYS);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_keys(1, 1);
	assert_int_equal(counters().processed, KEYS);
	assert_int_equal(counters().timers, KEYS);
	assert_int_equal(counters().timers_dead, 0);
	assert_int_equal(counters().functions[0].events, 2 * KEYS);
	assert_int_equal(counters().functions[0].outputs[0], KEYS);
	assert_int_equal(rig->read.timers, KEYS);
	assert_int_equal(rig->read.events, KEYS);
	assert_int_equal(rig->read.outputs, KEYS);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_fires_once(void **state)
{
	const struct rig_options options = {.after_ns = MS};

	(void)state;
	check_fires_once(&options);
}

static void test_in_cxx(void **state)
{
	const struct rig_options options = {.after_ns = MS, .cxx = true};

	(void)state;
	check_fires_once(&options);
}

/* Lines are bounded in length and number, a full pipe stops nobody, and what was
 * not written is told. */
static void test_log(void **state)
{
	char text[32768] = "";
	const char *line;
	int ends[2];
	ssize_t got;

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	start((struct rig_options){.lines = 1000, .log = ends[1]});
	/* At the beginning of a second, for lines are counted by seconds. */
	pause_us(999999 - (unsigned int)(clock_monotonic_ns() / 1000 % 1000000));
	emit(2);
	assert_int_equal(rig_drain(rig), 0);
	got = read(ends[0], text, sizeof(text) - 1);
	assert_true(got > 0);
	assert_non_null(
		strstr(text, "event=log workflow=rig function=alarm text=\"line 0\\x0a0000"));
	line = strstr(text, "text=\"line 1\\x0a");
	assert_non_null(line);
	assert_true(strchr(line, '\n') - line < FAAS_LOG_LINE_BYTES + 16);
	assert_non_null(strstr(text, "line 49\\x0a"));
	assert_null(strstr(text, "line 50\\x0a"));
	/* Fill the pipe: the next second's lines find no room. */
	while (write_some(ends[1]))
		;
	pause_us(999999);
	emit(1);
	assert_int_equal(rig_drain(rig), 0);
	while (read(ends[0], text, sizeof(text) - 1) > 0)
		;
	assert_int_equal(rig_stop(rig), 0);
	memset(text, 0, sizeof(text));
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	line = strstr(text, "dropped=");
	assert_non_null(line);
	assert_true(strtoull(line + 8, NULL, 10) >= 1950);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* Each event moves the timer on: it runs after the last of them, and it runs no
 * more often than it must. */
static void test_is_moved(void **state)
{
	struct rig_options options = {.after_ns = 300 * MS};
	uint64_t begin_ns;

	(void)state;
	start(options);
	begin_ns = clock_monotonic_ns();
	for (int i = 0; i < 20; i++) {
		emit(KEYS);
		pause_us(1000);
	}
	wait_until_disarmed();
	assert_true(clock_monotonic_ns() - begin_ns >= options.after_ns);
	assert_int_equal(rig_drain(rig), 0);
	check_keys(1, 20);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_is_disarmed(void **state)
{
	(void)state;
	start((struct rig_options){.after_ns = 1000 * MS, .disarm = 2});
	emit(2 * KEYS - 1); /* all keys but the last a second time */
	wait_for_timers(1);
	assert_int_equal(rig_drain(rig), 0);
	/* The others were noted for a time before that of the last. */
	assert_int_equal(counters().timers, 1);
	check_keys(0, 1);
	assert_int_equal(rig_stop(rig), 0);
}

/* A timer that is always due takes turns with events. */
static void test_shares_with_events(void **state)
{
	(void)state;
	start((struct rig_options){.after_ns = 1, .again = 1000});
	emit(50000);
	assert_int_equal(rig_drain(rig), 0);
	wait_for_timers(KEYS * 1000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->read.events, 50000);
	assert_int_equal(counters().processed, 50000);
	assert_int_equal(rig->read.timers, counters().timers);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_dead_letters(void **state)
{
	uint64_t deadline;

	(void)state;
	start((struct rig_options){.after_ns = MS, .fail_key = 7});
	emit(KEYS);
	wait_for_timers(KEYS);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(counters().timers, KEYS - 1);
	assert_int_equal(counters().timers_dead, 1);
	assert_int_equal(counters().dead_lettered, 0);
	assert_int_equal(counters().functions[0].errors, 1);
	assert_int_equal(rig->read.dead[LOG_DEAD_ERROR], 1);
	assert_int_equal(alarm_state(7, &deadline).fires, 0);
	assert_int_equal(deadline, 0);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_without_state(void **state)
{
	(void)state;
	start((struct rig_options){.after_ns = 1, .no_state = true});
	emit(KEYS);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(counters().processed, KEYS);
	assert_int_equal(counters().timers, 0);
	assert_int_equal(rig_stop(rig), 0);
}

/* Armed by one worker, run by the next. */
static void test_outlives_the_worker(void **state)
{
	(void)state;
	start((struct rig_options){.after_ns = 1000 * MS});
	emit(KEYS);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(counters().timers, 0);
	assert_true(WIFSIGNALED(rig_kill(rig)));
	assert_int_equal(rig_start(rig), 0);
	wait_for_timers(KEYS);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_keys(1, 1);
	assert_int_equal(rig->read.outputs, KEYS);
	assert_int_equal(rig_stop(rig), 0);
}

/* Killed again and again while timers run: each takes effect once. */
static void test_killed_at_random(void **state)
{
	(void)state;
	start((struct rig_options){.after_ns = 1, .again = 999});
	emit(KEYS);
	for (unsigned int i = 0; i < 30; i++) {
		pause_us(500 + 137 * i % 3000);
		assert_int_equal(rig_read(rig), 0);
		assert_true(WIFSIGNALED(rig_kill(rig)));
		assert_int_equal(rig_start(rig), 0);
	}
	wait_for_timers(KEYS * 1000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_keys(1000, 1000);
	assert_int_equal(counters().timers, KEYS * 1000);
	assert_int_equal(counters().functions[0].outputs[0], KEYS * 1000);
	assert_int_equal(rig->read.timers, KEYS * 1000);
	assert_int_equal(rig->read.outputs, KEYS * 1000);
	assert_int_equal(rig->page->skipped_bytes, 0);
	assert_int_equal(rig_stop(rig), 0);
}

#ifdef FAAS_FAULTS
static void test_killed_at_fault_points(void **state)
{
	static const char *const names[] = {
		"commit.before_write", "commit.before_header", "commit.after_write",
		"state.half_copied",   "counters.before_flip", "counters.after_flip",
		"recover.inside",
	};

	(void)state;
	start((struct rig_options){.after_ns = 1, .again = 999});
	emit(KEYS);
	for (unsigned int i = 0; i < 4 * sizeof(names) / sizeof(names[0]); i++) {
		char fault[64];

		(void)snprintf(fault, sizeof(fault), "%s:%u", names[i / 4], 1 + i % 4 * 3);
		rig->options.fault = fault;
		assert_true(WIFSIGNALED(rig_kill(rig)));
		assert_int_equal(rig_spawn(rig), 0);
		(void)rig_expect_end(rig, 50);
		assert_int_equal(rig_read(rig), 0);
	}
	rig->options.fault = NULL;
	(void)rig_kill(rig);
	assert_int_equal(rig_start(rig), 0);
	wait_for_timers(KEYS * 1000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_keys(1000, 1000);
	assert_int_equal(counters().timers, KEYS * 1000);
	assert_int_equal(rig->read.timers, KEYS * 1000);
	assert_int_equal(rig->read.outputs, KEYS * 1000);
	assert_int_equal(rig_stop(rig), 0);
}
#endif

/* A timer that kills its worker is known, and can be condemned as an event. */
static void test_poison(void **state)
{
	uint64_t attempt = 0, deadline = 1;

	(void)state;
	start((struct rig_options){.after_ns = MS, .crash_key = 42});
	assert_int_equal(rig_emit(rig, KEYS), 0);
	for (int i = 0; i < 3; i++) {
		int status = rig_wait(rig);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		assert_int_equal(rig->page->attempt_position >> 63, 1);
		if (i)
			assert_int_equal(rig->page->attempt_position, attempt);
		attempt = rig->page->attempt_position;
		if (i == 2) {
			rig->runtime->poison_position = attempt;
			rig->runtime->poison_condemned = 1;
		}
		assert_int_equal(rig_spawn(rig), 0);
	}
	assert_int_equal(rig_expect(rig, "ready", 20000), 0);
	wait_for_timers(KEYS);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->read.dead[LOG_DEAD_POISON], 1);
	assert_int_equal(counters().timers, KEYS - 1);
	assert_int_equal(counters().timers_dead, 1);
	assert_int_equal(alarm_state(42, &deadline).fires, 0);
	assert_int_equal(deadline, 0);
	assert_int_equal(rig_stop(rig), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fires_once),
		TEST(test_in_cxx),
		TEST(test_log),
		TEST(test_is_moved),
		TEST(test_is_disarmed),
		TEST(test_shares_with_events),
		TEST(test_dead_letters),
		TEST(test_without_state),
		TEST(test_outlives_the_worker),
		TEST(test_killed_at_random),
#ifdef FAAS_FAULTS
		TEST(test_killed_at_fault_points),
#endif
		TEST(test_poison),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
