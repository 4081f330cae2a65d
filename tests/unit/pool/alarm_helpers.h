/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tests of timers share: a worker that runs alarm.user.c. */
#ifndef FAAS_TESTS_POOL_ALARM_HELPERS_H
#define FAAS_TESTS_POOL_ALARM_HELPERS_H

#include "worker_helpers.h"

#define KEYS 100
#define MS 1000000ull

/* As alarm.user.c has it. */
struct alarm_state {
	uint64_t events, fires, due_ns, wrong, ticks;
	uint32_t odd;
} __attribute__((packed));

/* The state of a key of alarm; the deadline of its timer in *ret_deadline. */
static inline struct alarm_state alarm_state(uint64_t key, uint64_t *ret_deadline)
{
	const uint64_t bytes[2] = {0, key};
	struct state_shape shape = {
		.keys_max = rig->options.state_keys,
		.key_bytes = 16,
		.value_bytes = 56, /* 44 to whole words, and the deadline */
		.value_version = 1,
	};
	uint64_t file_bytes = state_file_bytes(rig->bundle, 0);
	struct alarm_state ret = {0};
	struct state_place place;
	struct state_table table;
	const uint8_t *value;
	void *mapping;

	mapping = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, rig->states[0], 0);
	assert_ptr_not_equal(mapping, MAP_FAILED);
	assert_int_equal(state_open(&table, mapping, file_bytes, &shape, 0), 0);
	value = state_find(&table, bytes, sizeof(bytes), state_hash(&table, bytes, sizeof(bytes)),
			   &place);
	assert_non_null(value);
	memcpy(&ret, value, sizeof(ret));
	memcpy(ret_deadline, value + 48, 8);
	(void)munmap(mapping, file_bytes);
	return ret;
}

static inline void wait_for_timers(uint64_t count)
{
	for (int i = 0; i < 100000; i++) {
		struct page_counters now = counters();

		assert_int_equal(rig_read(rig), 0);
		if (now.timers + now.timers_dead >= count)
			return;
		pause_us(100);
	}
	fail_msg("%llu timers, not %llu", (unsigned long long)counters().timers,
		 (unsigned long long)count);
}

static inline void start(struct rig_options options)
{
	options.alarm = true;
	assert_int_equal(open_rig(&options), 0);
	rig->config->keys = KEYS;
	assert_int_equal(rig_start(rig), 0);
}

#endif
