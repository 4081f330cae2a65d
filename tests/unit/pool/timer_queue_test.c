// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "userspace/pool/timer_queue.h"

#define TIMERS 500

/* The earliest of what stands in a plain list; 0: nothing. */
static uint64_t earliest(const uint64_t *noted)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < TIMERS; i++)
		if (noted[i] && noted[i] < least)
			least = noted[i];
	return least;
}

/* Against a plain list, by seed. */
static void test_random(void **state)
{
	uint64_t noted[TIMERS] = {0};
	struct timer_queue queue;

	(void)state;
	srandom(12345);
	assert_int_equal(timer_queue_open(&queue, TIMERS), 0);
	assert_true(timer_queue_next(&queue) == UINT64_MAX);
	for (uint32_t i = 0; i < 200000; i++) {
		uint32_t timer = (uint32_t)random() % TIMERS;
		uint64_t at = 1 + (uint64_t)random() % 1000;

		switch (random() % 4) {
		case 0:
		case 1:
			timer_queue_set(&queue, timer, at);
			if (!noted[timer] || at < noted[timer])
				noted[timer] = at;
			break;
		case 2:
			if (!queue.count)
				break;
			timer = queue.heap[0].timer;
			at += noted[timer];
			timer_queue_postpone_first(&queue, at);
			noted[timer] = at;
			break;
		case 3:
			if (!queue.count)
				break;
			noted[queue.heap[0].timer] = 0;
			timer_queue_drop_first(&queue);
			break;
		}
		assert_int_equal(timer_queue_next(&queue), earliest(noted));
		if (queue.count)
			assert_int_equal(noted[queue.heap[0].timer], queue.heap[0].at_ns);
	}
	timer_queue_close(&queue);
}

static void test_none(void **state)
{
	struct timer_queue queue;

	(void)state;
	assert_int_equal(timer_queue_open(&queue, 0), 0);
	assert_true(timer_queue_next(&queue) == UINT64_MAX);
	timer_queue_close(&queue);
	timer_queue_close(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
