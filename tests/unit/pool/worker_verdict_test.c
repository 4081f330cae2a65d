// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Verdicts in a worker process: what of them comes into the log. Needs root. */
#include "alarm_helpers.h"

#include "clock.h"

static void test_verdicts(void **state)
{
	uint64_t begin_ns = clock_monotonic_ns(), end_ns;
	uint64_t key = 0;

	(void)state;
	/* More than an event may give; the first of them takes one back. */
	start((struct rig_options){.verdicts = 20});
	emit(50);
	assert_int_equal(rig_drain(rig), 0);
	end_ns = clock_monotonic_ns();
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(counters().processed, 50);
	assert_int_equal(rig->read.verdicts, 50 * FAAS_VERDICTS_EVENT_MAX);
	assert_int_equal(rig->read.verdict_of, 0);
	assert_int_equal(rig->read.verdict.boot_hash, rig->runtime->ring_boot_hash);
	assert_int_equal(rig->read.verdict.entry.value, FAAS_VERDICTS_EVENT_MAX - 1);
	assert_int_equal(rig->read.verdict.entry.version, 0);
	assert_in_range(rig->read.verdict.entry.expires_ns, begin_ns + 3600 * CLOCK_NS_PER_S,
			end_ns + 3600 * CLOCK_NS_PER_S);
	/* The key of the event is a source address here, its second half a number. */
	memcpy(&key, rig->read.verdict.key.source_address + 8, sizeof(key));
	assert_int_equal(key, 49);
	assert_int_equal(rig->read.verdict.key.source_port, 0);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_taken_back(void **state)
{
	(void)state;
	start((struct rig_options){.verdicts = 1});
	emit(1);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->read.verdicts, 1);
	assert_int_equal(rig->read.verdict.entry.expires_ns, 0);
	assert_int_equal(rig_stop(rig), 0);
}

/* An event that failed has decided nothing. */
static void test_of_a_dead_letter(void **state)
{
	(void)state;
	start((struct rig_options){.verdicts = 1, .state_keys = 4});
	emit(10); /* of ten keys: six find no room */
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->read.dead[LOG_DEAD_STATE], 6);
	assert_int_equal(rig->read.verdicts, 4);
	assert_int_equal(rig_stop(rig), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verdicts),
		TEST(test_taken_back),
		TEST(test_of_a_dead_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
