// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "userspace/state/state_lookup.h"

static void *mapping;
static uint64_t mapping_bytes;

static int set_up(void **state)
{
	(void)state;
	mapping_bytes = 4 << 20;
	mapping = mmap(NULL, mapping_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		       0);
	return mapping == MAP_FAILED;
}

static int tear_down(void **state)
{
	(void)state;
	return munmap(mapping, mapping_bytes);
}

static const void *find(const struct state_table *table, const void *key, uint32_t key_bytes)
{
	struct state_place place;

	return state_find(table, key, key_bytes, state_hash(table, key, key_bytes), &place);
}

/* A key of @p bytes that is @p n. */
static void make_key(uint8_t *key, uint32_t bytes, uint64_t n)
{
	memset(key, 0, bytes);
	memcpy(key, &n, bytes < 8 ? bytes : 8);
}

/* Sizes that do and do not fill words: all keys in, all found, none mistaken. */
static void test_fills_up(void **state)
{
	static const uint32_t key_sizes[] = {1, 2, 7, 8, 9, 16, 17, 24, 40};
	static const uint32_t value_sizes[] = {1, 8, 20, 24, 64, 127, 128, 500};

	(void)state;
	for (size_t k = 0; k < sizeof(key_sizes) / sizeof(key_sizes[0]); k++) {
		for (size_t v = 0; v < sizeof(value_sizes) / sizeof(value_sizes[0]); v++) {
			struct state_shape shape = {.keys_max = key_sizes[k] == 1 ? 200 : 1000,
						    .key_bytes = key_sizes[k],
						    .value_bytes = value_sizes[v],
						    .value_version = 1};
			uint8_t key[FAAS_KEY_BYTES_MAX], value[512] = {0};
			struct state_table table;

			memset(mapping, 0, mapping_bytes);
			assert_int_equal(state_open(&table, mapping, mapping_bytes, &shape, 42), 0);
			for (uint64_t n = 0; n < shape.keys_max; n++) {
				make_key(key, shape.key_bytes, n);
				assert_null(find(&table, key, shape.key_bytes));
				memset(value, (int)(n % 251), shape.value_bytes);
				assert_int_equal(state_put(&table, key, shape.key_bytes, value), 0);
			}
			assert_false(state_has_room(&table));
			make_key(key, shape.key_bytes, shape.keys_max);
			assert_int_equal(state_put(&table, key, shape.key_bytes, value), -ENOSPC);
			/* As another process sees it. */
			assert_int_equal(state_open(&table, mapping, mapping_bytes, &shape, 43), 0);
			assert_int_equal(table.keys, shape.keys_max);
			for (uint64_t n = 0; n < shape.keys_max; n++) {
				const void *found;

				make_key(key, shape.key_bytes, n);
				found = find(&table, key, shape.key_bytes);
				assert_non_null(found);
				memset(value, (int)(n % 251), shape.value_bytes);
				assert_memory_equal(found, value, shape.value_bytes);
			}
		}
	}
}

/* A key is its bytes and its length: a zero at the end makes another one. */
static void test_key_lengths_differ(void **state)
{
	struct state_shape shape = {
		.keys_max = 100, .key_bytes = 40, .value_bytes = 8, .value_version = 1};
	uint8_t key[FAAS_KEY_BYTES_MAX] = {0};
	struct state_table table;

	(void)state;
	assert_int_equal(state_open(&table, mapping, mapping_bytes, &shape, 42), 0);
	for (uint64_t bytes = 0; bytes <= 40; bytes++)
		assert_int_equal(state_put(&table, key, (uint32_t)bytes, &bytes), 0);
	assert_int_equal(table.keys, 41);
	for (uint64_t bytes = 0; bytes <= 40; bytes++)
		assert_memory_equal(find(&table, key, (uint32_t)bytes), &bytes, 8);
	assert_int_equal(state_put(&table, key, 41, key), -EINVAL);
}

/* Keys that differ in one bit spread: no search is long. */
static void test_spreads(void **state)
{
	struct state_shape shape = {
		.keys_max = 16384, .key_bytes = 16, .value_bytes = 8, .value_version = 1};
	struct state_table table;
	uint64_t longest = 0, run = 0;
	uint8_t key[16] = {0};

	(void)state;
	assert_int_equal(state_open(&table, mapping, mapping_bytes, &shape, 42), 0);
	/* Addresses of one network, as bytes in network order. */
	key[10] = key[11] = 0xff;
	key[12] = 10;
	for (uint32_t n = 0; n < shape.keys_max; n++) {
		uint64_t value = n;

		key[14] = (uint8_t)(n >> 8);
		key[15] = (uint8_t)n;
		assert_int_equal(state_put(&table, key, sizeof(key), &value), 0);
	}
	for (uint64_t i = 0; i < table.capacity; i++) {
		const uint32_t *mark = (const void *)(table.slots + i * table.slot_bytes);

		run = *mark ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	assert_true(longest < 200);
	assert_true(table.keys * 4 <= table.capacity * 3 + 4);
}

static void test_refuses_other_shapes(void **state)
{
	const struct state_shape shape = {
		.keys_max = 100, .key_bytes = 16, .value_bytes = 24, .value_version = 1};
	struct state_header *header = mapping;
	struct state_shape other = shape;
	struct state_table table;

	(void)state;
	assert_int_equal(state_open(&table, mapping, 4096, &shape, 42), -EINVAL);
	assert_int_equal(header->magic, 0);
	assert_int_equal(state_open(&table, mapping, mapping_bytes, &shape, 42), 0);
	assert_int_equal(header->seed, 42);
	other.value_version = 2;
	assert_int_equal(state_open(&table, mapping, mapping_bytes, &other, 42), -ESTALE);
	other = shape;
	other.value_bytes = 32;
	assert_int_equal(state_open(&table, mapping, mapping_bytes, &other, 42), -ESTALE);
	other = shape;
	other.keys_max = 101;
	assert_int_equal(state_open(&table, mapping, mapping_bytes, &other, 42), -ESTALE);
	header->capacity *= 1000;
	assert_int_equal(state_open(&table, mapping, mapping_bytes, &shape, 42), -ESTALE);
	header->magic = 1;
	assert_int_equal(state_open(&table, mapping, mapping_bytes, &shape, 42), -EINVAL);
}

/*
 * A process that inserts and updates is killed at random. Every key in the
 * table is one that it inserted, whole; what a redo of the last one puts there
 * is there.
 */
static void test_killed_while_storing(void **state)
{
	struct state_shape shape = {
		.keys_max = 2000, .key_bytes = 16, .value_bytes = 64, .value_version = 1};
	unsigned int seed = (unsigned int)time(NULL);
	/* What the process is about to store: the log, as it were. */
	volatile uint64_t *intent =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	print_message("seed %u\n", seed);
	assert_ptr_not_equal(intent, MAP_FAILED);
	for (int round = 0; round < 40; round++) {
		struct state_table table;
		pid_t pid = fork();
		uint64_t value[8];
		uint64_t key[2];
		int status;

		assert_true(pid >= 0);
		if (!pid) {
			if (state_open(&table, mapping, mapping_bytes, &shape, 42))
				_exit(1);
			for (uint64_t n = *intent;; n++) {
				key[0] = key[1] = n % shape.keys_max;
				for (int i = 0; i < 8; i++)
					value[i] = n;
				*intent = n;
				__atomic_signal_fence(__ATOMIC_SEQ_CST);
				if (state_put(&table, key, sizeof(key), value))
					_exit(2);
			}
		}
		(void)nanosleep(&(struct timespec){.tv_nsec = rand_r(&seed) % 2000000}, NULL);
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));

		assert_int_equal(state_open(&table, mapping, mapping_bytes, &shape, 42), 0);
		key[0] = key[1] = *intent % shape.keys_max;
		for (int i = 0; i < 8; i++)
			value[i] = *intent;
		assert_int_equal(state_put(&table, key, sizeof(key), value), 0);
		for (uint64_t n = 0; n < shape.keys_max; n++) {
			const uint64_t *found;
			uint64_t want = *intent - (*intent + shape.keys_max - n) % shape.keys_max;

			key[0] = key[1] = n;
			found = find(&table, key, sizeof(key));
			if (n > *intent) {
				assert_null(found);
				continue;
			}
			assert_non_null(found);
			for (int i = 0; i < 8; i++)
				assert_int_equal(found[i], want);
		}
	}
	(void)munmap((void *)(uintptr_t)intent, 4096);
}

/* What the runtime allocates is what the worker lays out, by way of the keys
 * that reach a function. */
static void test_bytes_of_a_workflow(void **state)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));

	(void)state;
	assert_non_null(bundle);
	bundle->user_count = 3;
	bundle->user[0].output_count = 1;
	bundle->user[0].outputs[0].target_count = 1;
	bundle->user[0].outputs[0].targets[0] =
		(struct bundle_target){.kind = TARGET_USER, .index = 2};
	bundle->entry_count = 3;
	bundle->entries[0] =
		(struct bundle_entry){.kind = TARGET_USER, .index = 0, .key_bytes = 20};
	bundle->entries[1] =
		(struct bundle_entry){.kind = TARGET_USER, .index = 1, .key_bytes = 16};
	bundle->entries[2] =
		(struct bundle_entry){.kind = TARGET_SINK, .index = 2, .key_bytes = 36};
	bundle->user[2].has_state = true;
	bundle->user[2].state_keys = 300;
	bundle->user[2].state_bytes = 24;
	assert_int_equal(state_key_bytes(bundle, 0), 20);
	assert_int_equal(state_key_bytes(bundle, 1), 16);
	assert_int_equal(state_key_bytes(bundle, 2), 20);
	assert_int_equal(state_file_bytes(bundle, 0), 0);
	assert_int_equal(state_file_bytes(bundle, 2), state_table_bytes(300, 20, 24));
	free(bundle);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_fills_up),
		TEST(test_key_lengths_differ),
		TEST(test_spreads),
		TEST(test_refuses_other_shapes),
		TEST(test_killed_while_storing),
		TEST(test_bytes_of_a_workflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
