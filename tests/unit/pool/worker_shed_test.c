// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is shed, with a simulated queue: producers that ask faas_shed_decide as the
 * handoff does, and a worker that learns, tells its budget, and releases the ring at
 * the end of a batch. Time is counted, not waited for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ebpf_faas/shed.h>

#include "userspace/pool/worker_shed.h"

#define RECORD_BYTES 160
#define DEADLINE_NS 5000000ull
#define BATCH_NS (DEADLINE_NS / 16)
#define WORK_NS (DEADLINE_NS - BATCH_NS - 250000)
#define RING_BYTES (16u << 20)
#define QUEUE_MAX (RING_BYTES / RECORD_BYTES)
#define WINDOW_NS 20000000ull /* in which accepted events are counted */
#define WINDOWS 20

/* One run: constant offers, counted after a fifth of a second to settle. */
struct run {
	uint64_t event_ns; /* what the worker needs for one */
	double times;	   /* offered, in multiples of what the worker manages */
	uint32_t level;
	uint64_t cost; /* known at the beginning; 0: nothing */
};

struct outcome {
	uint64_t offered, accepted, late, done, ring_full;
	uint64_t windows[WINDOWS]; /* accepted in each */
	uint64_t deepest;	   /* of what waited, in events */
};

static uint64_t queue[QUEUE_MAX]; /* when each was accepted */

static void simulate(const struct run *run, struct outcome *ret)
{
	uint64_t gap_ns = (uint64_t)((double)run->event_ns / run->times * 1024);
	uint64_t now = 0, offer = 0, head = 0, tail = 0, released = 0, number = 0, cost = run->cost;
	uint64_t batch_begin = 0, batch_first = 0, begin = 10 * WINDOW_NS;
	uint64_t end = begin + WINDOWS * WINDOW_NS;
	uint32_t budget = cost ? shed_budget(cost, WORK_NS, RING_BYTES) : 0;

	memset(ret, 0, sizeof(*ret));
	if (!gap_ns)
		gap_ns = 1;
	while (now < end) {
		uint64_t done_ns = now + run->event_ns;
		bool idle = tail == head;

		/* Offers until the event at hand is done; with none, until one is accepted. */
		while (idle ? tail == head && offer >> 10 < end : offer >> 10 < done_ns) {
			uint64_t at = offer >> 10, depth = (head - released) * RECORD_BYTES;
			bool counts = at >= begin && at < end;

			offer += gap_ns;
			ret->offered += counts;
			if (budget &&
			    faas_shed_decide(depth, budget, run->level, number++) != FAAS_SHED_NO)
				continue;
			if (head - released == QUEUE_MAX) {
				ret->ring_full += counts;
				continue;
			}
			queue[head++ % QUEUE_MAX] = at;
			ret->accepted += counts;
			if (counts)
				ret->windows[(at - begin) / WINDOW_NS]++;
			if (counts && head - tail > ret->deepest)
				ret->deepest = head - tail;
			if (idle)
				now = at;
		}
		if (tail == head)
			break;
		if (idle) { /* a batch begins */
			batch_begin = now;
			batch_first = tail;
			continue;
		}
		now = done_ns;
		ret->late += now >= begin && now - queue[tail % QUEUE_MAX] > DEADLINE_NS;
		ret->done += now >= begin;
		tail++;
		if (now - batch_begin < BATCH_NS && tail - batch_first < 256 && tail < head)
			continue;
		cost = shed_learn(cost, (tail - batch_first) * RECORD_BYTES, now - batch_begin,
				  tail - batch_first < SHED_EVENTS_MIN &&
					  now - batch_begin < BATCH_NS);
		if (cost)
			budget = shed_budget(cost, WORK_NS, RING_BYTES);
		released = tail;
		batch_begin = now;
		batch_first = tail;
	}
}

static void print(const struct run *run, const struct outcome *outcome)
{
	print_error("event %llu ns, %.1f times: offered %llu, accepted %llu, late %llu, done %llu, "
		    "ring full %llu, deepest %llu\n",
		    (unsigned long long)run->event_ns, run->times,
		    (unsigned long long)outcome->offered, (unsigned long long)outcome->accepted,
		    (unsigned long long)outcome->late, (unsigned long long)outcome->done,
		    (unsigned long long)outcome->ring_full, (unsigned long long)outcome->deepest);
}

/* Under constant overload, however much: what is accepted meets the deadline, the worker is
 * never without work, and what is accepted in one window is what is in another. */
static void test_overload_is_steady(void **state)
{
	static const uint64_t events[] = {250, 1000, 20000, 200000};
	static const double times[] = {1.2, 2, 5, 10, 20};
	struct outcome outcome;

	(void)state;
	for (size_t e = 0; e < sizeof(events) / sizeof(events[0]); e++)
		for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++)
			for (uint32_t level = FAAS_SHED_LOW; level <= FAAS_SHED_HIGH; level++) {
				struct run run = {events[e], times[t], level, 0};
				uint64_t span = WINDOWS * WINDOW_NS, can = span / run.event_ns;
				uint64_t each = can / WINDOWS, worst = 0;
				bool good;

				simulate(&run, &outcome);
				for (int i = 0; i < WINDOWS; i++) {
					uint64_t is = outcome.windows[i];

					if (llabs((long long)(is - each)) > (long long)worst)
						worst = (uint64_t)llabs((long long)(is - each));
				}
				good = outcome.late * 1000 <= outcome.done &&
				       outcome.done * 100 >= can * 99 && !outcome.ring_full &&
				       worst * 100 <= each * 8 + 300;
				if (good)
					continue;
				print(&run, &outcome);
				fail_msg("level %u, worst window off by %llu of %llu", level,
					 (unsigned long long)worst, (unsigned long long)each);
			}
}

/* Below what the worker manages, nothing is shed. */
static void test_no_overload_no_shedding(void **state)
{
	static const double times[] = {0.1, 0.5, 0.9};
	struct outcome outcome;

	(void)state;
	for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++) {
		struct run run = {1000, times[t], FAAS_SHED_NORMAL, 0};

		simulate(&run, &outcome);
		if (outcome.accepted == outcome.offered)
			continue;
		print(&run, &outcome);
		fail();
	}
}

/* What a dead worker, or a machine that stood still, left behind is forgotten: also when
 * it was so little that hardly anything is accepted, or so much that nothing is shed. */
static void test_wrong_costs_are_forgotten(void **state)
{
	static const uint64_t costs[] = {1, 1ull << 50};
	struct outcome outcome;

	(void)state;
	for (size_t c = 0; c < sizeof(costs) / sizeof(costs[0]); c++) {
		struct run run = {1000, 5, FAAS_SHED_NORMAL, costs[c]};

		simulate(&run, &outcome);
		if (outcome.done >= WINDOWS * WINDOW_NS / 1000 * 99 / 100 &&
		    outcome.late * 1000 <= outcome.done)
			continue;
		print(&run, &outcome);
		fail_msg("cost %llu", (unsigned long long)costs[c]);
	}
}

static const struct {
	uint64_t depth;
	uint32_t budget, level;
	enum faas_shed first; /* of number 0, of which the place is the lowest */
	uint32_t share;	      /* of 1000 numbers, how many are shed */
} decisions[] = {
	{0, 8000, FAAS_SHED_LOW, FAAS_SHED_NO, 0},
	{1000, 8000, FAAS_SHED_LOW, FAAS_SHED_NO, 0},
	{2000, 8000, FAAS_SHED_LOW, FAAS_SHED_SAMPLED, 500},
	{3000, 8000, FAAS_SHED_LOW, FAAS_SHED_DEADLINE, 1000},
	{3000, 8000, FAAS_SHED_NORMAL, FAAS_SHED_NO, 0},
	{3500, 8000, FAAS_SHED_NORMAL, FAAS_SHED_SAMPLED, 250},
	{5000, 8000, FAAS_SHED_NORMAL, FAAS_SHED_DEADLINE, 1000},
	{5000, 8000, FAAS_SHED_HIGH, FAAS_SHED_NO, 0},
	{6500, 8000, FAAS_SHED_HIGH, FAAS_SHED_SAMPLED, 750},
	{7000, 8000, FAAS_SHED_HIGH, FAAS_SHED_DEADLINE, 1000},
	/* One event at a time, of a function that takes longer than its deadline. */
	{0, 1, FAAS_SHED_LOW, FAAS_SHED_NO, 0},
	{160, 1, FAAS_SHED_HIGH, FAAS_SHED_DEADLINE, 1000},
	{0, UINT32_MAX, FAAS_SHED_NORMAL, FAAS_SHED_NO, 0},
	{UINT32_MAX, UINT32_MAX, FAAS_SHED_HIGH, FAAS_SHED_DEADLINE, 1000},
};

static void test_decisions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++) {
		uint64_t depth = decisions[i].depth;
		uint32_t budget = decisions[i].budget, level = decisions[i].level;

		assert_int_equal(faas_shed_decide(depth, budget, level, 0), decisions[i].first);
		/* Evenly, whichever of every few events ask. */
		for (uint64_t step = 1; step <= 16; step++) {
			int shed = 0;

			for (uint64_t n = 0; n < 1000; n++)
				shed += faas_shed_decide(depth, budget, level, n * step) !=
					FAAS_SHED_NO;
			if (abs(shed - (int)decisions[i].share) > 10)
				fail_msg("row %zu, every %llu: %d of 1000", i,
					 (unsigned long long)step, shed);
		}
	}
}

static void test_learning(void **state)
{
	uint64_t cost;

	(void)state;
	assert_int_equal(shed_learn(0, 4096, 1000, false), 1000);
	/* One event alone tells nothing of what many cost, but for a lower bound. */
	assert_int_equal(shed_learn(0, 160, 5000, true), 0);
	assert_int_equal(shed_learn(1000, 160, 5000, true), 1000);
	assert_true(shed_learn(1000000, 160, 5000, true) < 1000000);
	assert_int_equal(shed_learn(1000, 0, 5000, false), 1000);
	assert_true(shed_learn(0, 8, UINT64_MAX, false) > 0);
	cost = 1;
	for (int i = 0; i < 40; i++)
		cost = shed_learn(cost, 4096, 1000000, false);
	assert_true(cost > 990000 && cost <= 1000000);
	for (int i = 0; i < 150; i++)
		cost = shed_learn(cost, 4096, 100, false);
	assert_true(cost < 120 && cost >= 100);
	assert_int_equal(shed_budget(4096, 5000, 1 << 20), 5000);
	assert_int_equal(shed_budget(1, 5000000000, 1 << 20), 1 << 20);
	assert_int_equal(shed_budget(UINT64_MAX, 5000000, 1 << 20), 1);
	assert_int_equal(shed_budget(0, 5000, 1 << 20), 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_learning),
		cmocka_unit_test(test_overload_is_steady),
		cmocka_unit_test(test_no_overload_no_shedding),
		cmocka_unit_test(test_wrong_costs_are_forgotten),
	};

	return cmocka_run_group_tests_name("pool/worker_shed", tests, NULL, NULL);
}
