/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tests of the worker share: one rig, and what it must show. */
#ifndef FAAS_TESTS_POOL_WORKER_HELPERS_H
#define FAAS_TESTS_POOL_WORKER_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <ebpf_faas/pins.h>

#include "ringview.h"
#include "userspace/state/state_lookup.h"
#include "worker_rig.h"

static struct rig *rig;

static inline int open_rig(const struct rig_options *options)
{
	rig = calloc(1, sizeof(*rig));
	return rig_open(rig, options);
}

static inline int close_rig(void **state)
{
	(void)state;
	if (rig) {
		rig_close(rig);
		free(rig);
	}
	rig = NULL;
	return 0;
}

static inline void pause_us(unsigned int us)
{
	const struct timespec time = {.tv_nsec = us * 1000L};

	(void)nanosleep(&time, NULL);
}

static inline struct page_counters counters(void)
{
	struct page_counters copy;

	assert_int_equal(worker_page_read(rig->page, &copy), 0);
	return copy;
}

/* Emit in pieces that the ring takes, reading the log as it fills. */
static inline void emit(uint64_t count)
{
	while (count) {
		uint32_t piece = count > 2500 ? 2500 : (uint32_t)count;
		struct ringview view;
		uint64_t waiting;

		assert_int_equal(rig_emit(rig, piece), 0);
		count -= piece;
		assert_int_equal(ringview_open(rig->ring, &view), 0);
		for (int i = 0; i < 200000; i++) {
			assert_int_equal(rig_read(rig), 0);
			if (*view.producer - *view.consumer < view.bytes / 2)
				break;
			pause_us(20);
		}
		waiting = *view.producer - *view.consumer;
		ringview_close(&view);
		assert_true(waiting < rig->options.ring_bytes / 2);
	}
}

/* The state of a key in the table of the first function, as its file has it. */
static inline void key_state(uint64_t key, uint64_t ret[3])
{
	const uint64_t bytes[2] = {0, key};
	struct state_shape shape = {
		.keys_max = rig->options.state_keys,
		.key_bytes = 16,
		.value_bytes = state_value_bytes(&rig->bundle->user[0]),
		.value_version = 1,
	};
	uint64_t file_bytes = state_file_bytes(rig->bundle, 0);
	struct state_place place;
	struct state_table table;
	const void *value;
	void *mapping;

	mapping = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, rig->states[0], 0);
	assert_ptr_not_equal(mapping, MAP_FAILED);
	assert_int_equal(state_open(&table, mapping, file_bytes, &shape, 0), 0);
	value = state_find(&table, bytes, sizeof(bytes), state_hash(&table, bytes, sizeof(bytes)),
			   &place);
	memset(ret, 0, 3 * sizeof(*ret));
	if (value)
		memcpy(ret, value, 3 * sizeof(*ret));
	(void)munmap(mapping, file_bytes);
}

/* Of the counts of all keys. */
static inline uint64_t state_sum(void)
{
	uint64_t file_bytes = state_file_bytes(rig->bundle, 0);
	struct state_shape shape = {.keys_max = rig->options.state_keys,
				    .key_bytes = 16,
				    .value_bytes = 24,
				    .value_version = 1};
	struct state_table table;
	uint64_t sum = 0;
	void *mapping;

	mapping = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, rig->states[0], 0);
	assert_ptr_not_equal(mapping, MAP_FAILED);
	assert_int_equal(state_open(&table, mapping, file_bytes, &shape, 0), 0);
	for (uint64_t i = 0; i < table.capacity; i++) {
		const uint64_t *slot = (const void *)(table.slots + i * table.slot_bytes);

		if (!*(const uint32_t *)slot)
			continue;
		assert_int_equal(slot[3] ^ slot[4], slot[5]);
		sum += slot[3];
	}
	(void)munmap(mapping, file_bytes);
	return sum;
}

/* All that were submitted came through once, and the state is that of all. */
static inline void check_all_counted(uint64_t keys)
{
	uint64_t events = rig->config->submitted;

	assert_int_equal(rig->config->lost, 0);
	assert_int_equal(rig->read.events, events);
	assert_int_equal(rig->read.outputs, events);
	assert_int_equal(rig->read.repeated, 0);
	assert_int_equal(rig->read.wrong, 0);
	assert_int_equal(counters().processed, events);
	assert_int_equal(counters().functions[0].events, events);
	assert_int_equal(counters().functions[0].outputs[0], events);
	for (uint64_t key = 0; key < keys; key++) {
		/* Numbers key, key + keys, ... below `made`. */
		uint64_t n = (rig->config->made - key + keys - 1) / keys;
		uint64_t value[3];

		key_state(key, value);
		assert_int_equal(value[0], n);
		assert_int_equal(value[1], n * key + keys * n * (n - 1) / 2);
		assert_int_equal(value[2], value[0] ^ value[1]);
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, close_rig)

#endif
