// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Waiting on a beat, and what its ticks may not end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "userspace/pool/worker_waiter.h"

#define BEAT_NS 2000000ull

static struct waiter waiter;
static int event;

static int set_up(void **state)
{
	(void)state;
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event < 0 || waiter_open(&waiter, false))
		return -1;
	waiter_watch(&waiter, WAITER_CONTROL, event);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	waiter_close(&waiter);
	(void)close(event);
	return 0;
}

static unsigned int ticks_set(void)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < WAITER_TICKS; i++)
		count += waiter.ticks[i].ns != 0;
	return count;
}

static void beat(uint64_t ns)
{
	assert_int_equal(waiter_wait_beat(&waiter, clock_monotonic_ns(), ns), 0);
}

/* Beats come one by one, in their time, and the next is set before. */
static void test_keeps_the_beat(void **state)
{
	uint64_t begin_ns = clock_monotonic_ns(), passed_ns;
	unsigned int set = 0;

	(void)state;
	/* A wait that comes late finds two ticks that are over: where others have the
	 * processors, that may be most of them. */
	for (int i = 0; i < 50 || (i < 2000 && set < 10); i++) {
		beat(BEAT_NS);
		assert_true(ticks_set() <= 1);
		set += ticks_set();
		assert_false(waiter.fired[WAITER_CONTROL]);
	}
	passed_ns = clock_monotonic_ns() - begin_ns;
	assert_true(passed_ns >= 25 * BEAT_NS);
	assert_true(set >= 10);
}

/* A shorter one holds at once, a longer one as soon as the ticks that are set are over. */
static void test_changes_the_beat(void **state)
{
	static const uint64_t factors[] = {500, 1, 20, 1, 300};

	(void)state;
	beat(BEAT_NS);
	for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
		uint64_t begin_ns = clock_monotonic_ns();

		for (int k = 0; k < 4; k++)
			beat(factors[i] * BEAT_NS / 10);
		assert_true(ticks_set() < WAITER_TICKS);
		if (factors[i] >= 20)
			assert_true(clock_monotonic_ns() - begin_ns >= factors[i] * BEAT_NS / 10);
	}
}

/* A child writes to the eventfd, later. */
static pid_t write_later(unsigned int after_us)
{
	const struct timespec pause = {.tv_nsec = after_us * 1000L};
	const uint64_t one = 1;
	pid_t pid = fork();

	if (!pid) {
		(void)nanosleep(&pause, NULL);
		_exit(write(event, &one, sizeof(one)) != sizeof(one));
	}
	assert_true(pid > 0);
	return pid;
}

/* Who waits for ever is not woken by the ticks of a beat that it left. */
static void test_ticks_end_no_other_wait(void **state)
{
	pid_t pid;

	(void)state;
	/* A wait that comes late leaves no tick. */
	for (int i = 0; i < 2000 && !ticks_set(); i++)
		beat(2 * BEAT_NS);
	assert_true(ticks_set() > 0);
	pid = write_later(50000);
	assert_int_equal(waiter_wait(&waiter, -1), 0);
	assert_true(waiter.fired[WAITER_CONTROL]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* What fires ends a beat; what fired before lets none begin. */
static void test_is_woken(void **state)
{
	uint64_t begin_ns = clock_monotonic_ns();
	pid_t pid = write_later(20000);

	(void)state;
	beat(10000000000ull);
	assert_true(waiter.fired[WAITER_CONTROL]);
	assert_true(clock_monotonic_ns() - begin_ns < 9000000000ull);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	waiter.unseen = true;
	begin_ns = clock_monotonic_ns();
	waiter.fired[WAITER_CONTROL] = false;
	assert_int_equal(waiter_wait_beat(&waiter, begin_ns, 10000000000ull), 0);
	assert_true(clock_monotonic_ns() - begin_ns < 9000000000ull);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_keeps_the_beat),
		TEST(test_changes_the_beat),
		TEST(test_ticks_end_no_other_wait),
		TEST(test_is_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
