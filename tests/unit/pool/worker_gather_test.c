// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a call with several events came to is handed to each of them, and to no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ebpf_faas/user.h>

#include "userspace/pool/worker.h"

#define EVENTS 2
#define SPAN 128 /* of the ring, for each */

static struct worker worker;
static struct worker_page *page;
static struct bundle *bundle;
static struct bundle_entry entry = {.kind = TARGET_USER};
static struct faas_event places[EVENTS + 1];
static uint32_t calls;

static uint64_t no_time(void)
{
	return 1000;
}

static int decode(struct faas_call *call, const struct faas_event *const *events,
		  unsigned int count)
{
	calls++;
	for (unsigned int i = 0; i < count; i++) {
		const struct faas_value number = {.u64 = events[i]->time_ns};

		assert_int_equal(faas_emit_for(call, i, 0, &number, 1), 0);
	}
	return 0;
}

static int set_up(void **state)
{
	struct worker_function *function = &worker.functions[0];

	(void)state;
	calls = 0;
	memset(&worker, 0, sizeof(worker));
	page = calloc(1, WORKER_PAGE_BYTES);
	bundle = calloc(1, sizeof(*bundle));
	assert_non_null(page);
	assert_non_null(bundle);
	bundle->user_count = 1;
	worker.bundle = bundle;
	worker.page = page;
	worker.now_ns = no_time;
	function->on_batch = decode;
	function->on_event = worker_on_gathered;
	function->output_count = 1;
	function->outputs[0].field_count = 1;
	return worker_gather_open(&worker);
}

static int tear_down(void **state)
{
	(void)state;
	free(worker.gathered);
	free(page);
	free(bundle);
	return 0;
}

/* Both events wait, and are taken together. */
static void gather(void)
{
	struct worker_pending pending[EVENTS] = {0};

	for (uint32_t i = 0; i < EVENTS; i++) {
		places[i] = (struct faas_event){.time_ns = 100 + i};
		pending[i].entry = &entry;
		pending[i].record.data = &places[i];
		pending[i].record.begin = SPAN * (uint64_t)i;
		pending[i].record.end = SPAN * (uint64_t)(i + 1);
	}
	worker_gather(&worker, pending, EVENTS);
	assert_int_equal(calls, 1);
}

/* What the function emits for event @p i, which lies at @p place now. */
static uint64_t hand_out(uint32_t i, uint32_t place)
{
	struct faas_call call = {
		.worker = &worker, .function = &worker.functions[0], .emission = -1};

	places[place].time_ns = 100 + i;
	worker.run.emission_count = 0;
	page->attempt_position = SPAN * (uint64_t)i + 1;
	assert_int_equal(worker_on_gathered(&call, &places[place], NULL), 0);
	assert_int_equal(worker.run.emission_count, 1);
	return worker.run.emissions[0].values[0].u64;
}

static void test_handed_out_in_turn(void **state)
{
	(void)state;
	gather();
	assert_int_equal(hand_out(0, 0), 100);
	assert_int_equal(hand_out(1, 1), 101);
	assert_int_equal(calls, 1);
}

/* The events of another version's ring are copied. One that is tried again may lie where the
 * one behind it lay. */
static void test_tried_again_in_the_place_of_the_next(void **state)
{
	(void)state;
	gather();
	assert_int_equal(hand_out(0, 0), 100);
	assert_int_equal(hand_out(0, 1), 100);
	assert_int_equal(hand_out(1, 2), 101);
	assert_int_equal(calls, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_handed_out_in_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tried_again_in_the_place_of_the_next, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
