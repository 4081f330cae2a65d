// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A function that takes events in batches, in a worker process. Needs root. */
#include "worker_helpers.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#define EVENTS 20000

static void start(struct rig_options options)
{
	options.decoder = true;
	assert_int_equal(open_rig(&options), 0);
	/* Some wait when it begins. */
	assert_int_equal(rig_emit(rig, 1000), 0);
	assert_int_equal(rig_spawn(rig), 0);
}

static void finish(uint64_t dead)
{
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->config->lost, 0);
	assert_int_equal(counters().processed, rig->config->submitted - dead);
	assert_int_equal(counters().dead_lettered, dead);
	assert_int_equal(rig->read.outputs, rig->config->submitted - dead);
	assert_int_equal(rig->read.disorder, 0);
	assert_int_equal(counters().functions[0].outputs[0], rig->config->submitted - dead);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_each_by_itself(void **state)
{
	(void)state;
	start((struct rig_options){.log_segments = 2});
	assert_int_equal(rig_expect(rig, "ready", 20000), 0);
	emit(EVENTS);
	finish(0);
	assert_int_equal(counters().functions[0].events, EVENTS + 1000);
	assert_int_equal(rig->read.together, FAAS_BATCH_MAX);
	assert_true(counters().functions[0].time_samples > 100);
}

static void test_puts_some_aside(void **state)
{
	(void)state;
	start((struct rig_options){.fail_every = 7});
	assert_int_equal(rig_expect(rig, "ready", 20000), 0);
	emit(EVENTS);
	finish((EVENTS + 1000 + 6) / 7);
	assert_int_equal(rig->read.dead[LOG_DEAD_ERROR], (EVENTS + 1000 + 6) / 7);
	assert_int_equal(rig->read.together, FAAS_BATCH_MAX);
}

/* A batch that is refused: each of its events alone, and only those that are refused
 * alone are put aside. */
static void test_refused_batch(void **state)
{
	(void)state;
	start((struct rig_options){.refuse_every = 100});
	assert_int_equal(rig_expect(rig, "ready", 20000), 0);
	emit(EVENTS);
	finish((EVENTS + 1000) / 100);
	assert_int_equal(rig->read.dead[LOG_DEAD_ERROR], (EVENTS + 1000) / 100);
	assert_int_equal(rig->read.together, FAAS_BATCH_MAX);
}

static void test_killed_at_random(void **state)
{
	(void)state;
	start((struct rig_options){.fail_every = 1000});
	assert_int_equal(rig_expect(rig, "ready", 20000), 0);
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(rig_emit(rig, 1000), 0);
		pause_us(50 + 137 * i % 1000);
		assert_int_equal(rig_read(rig), 0);
		assert_true(WIFSIGNALED(rig_kill(rig)));
		assert_int_equal(rig_start(rig), 0);
		assert_int_equal(rig_drain(rig), 0);
	}
	finish(21);
}

/* Which event of a batch killed the worker is found by calling with each alone. */
static void test_poison(void **state)
{
	uint64_t attempt = 0;

	(void)state;
	start((struct rig_options){.crash_at = 700});
	for (int i = 0; i < 4; i++) {
		int status = rig_wait(rig);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		assert_int_equal((rig->page->attempt_position & PAGE_BATCH_ATTEMPT) != 0, i == 0);
		if (i > 1)
			assert_int_equal(rig->page->attempt_position, attempt);
		attempt = rig->page->attempt_position;
		rig->runtime->poison_position = attempt;
		rig->runtime->poison_condemned = i == 3;
		assert_int_equal(rig_spawn(rig), 0);
	}
	assert_int_equal(rig_expect(rig, "ready", 20000), 0);
	finish(1);
	assert_int_equal(rig->read.dead[LOG_DEAD_POISON], 1);
	/* Behind the batch in which it was there are batches again. */
	assert_int_equal(rig->read.together, FAAS_BATCH_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_by_itself),   TEST(test_puts_some_aside), TEST(test_refused_batch),
		TEST(test_killed_at_random), TEST(test_poison),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
