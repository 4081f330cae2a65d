// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Looking at a table that somebody else writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stateview.h"
#include "userspace/state/state_lookup.h"

#define KEYS_MAX 100
#define VALUE_BYTES 1000
#define SHAPE                                                                                      \
	{                                                                                          \
		.keys_max = KEYS_MAX, .key_bytes = 8, .value_bytes = VALUE_BYTES,                  \
		.value_version = 1,                                                                \
	}

static char path[] = "/tmp/ebpf-faas-stateview-XXXXXX";
static int directory;
static uint64_t file_bytes;
static uint8_t *mapping;
static struct worker_page *page;
static struct state_table table;

static void *make_file(const char *name, uint64_t bytes)
{
	int fd = openat(directory, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	void *file;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	file = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(file, MAP_FAILED);
	close(fd);
	return file;
}

static int set_up(void **state)
{
	const struct state_shape shape = SHAPE;

	(void)state;
	strcpy(path + strlen(path) - 6, "XXXXXX");
	assert_non_null(mkdtemp(path));
	directory = open(path, O_RDONLY | O_DIRECTORY);
	file_bytes = state_table_bytes(KEYS_MAX, 8, VALUE_BYTES);
	mapping = make_file("state.0", file_bytes);
	page = make_file("worker.page", WORKER_PAGE_BYTES);
	page->state = WORKER_RUNNING;
	return state_open(&table, mapping, file_bytes, &shape, 7);
}

static int tear_down(void **state)
{
	(void)state;
	unlinkat(directory, "state.0", 0);
	unlinkat(directory, "worker.page", 0);
	close(directory);
	munmap(mapping, file_bytes);
	munmap(page, WORKER_PAGE_BYTES);
	return rmdir(path);
}

static void store(uint64_t key, uint8_t byte)
{
	uint8_t value[VALUE_BYTES + 8];

	memset(value, byte, sizeof(value));
	assert_int_equal(state_put(&table, &key, sizeof(key), value), 0);
}

static void test_all_keys(void **state)
{
	struct stateview view = {0};
	struct stateview_entry entry;
	bool seen[50] = {false};

	(void)state;
	for (uint64_t key = 0; key < 50; key++)
		store(key, (uint8_t)key);
	assert_int_equal(stateview_open(directory, 1, &view), -ENOENT);
	assert_int_equal(stateview_open(directory, 0, &view), 0);
	assert_int_equal(stateview_count(&view), 50);
	for (uint64_t i = 0; i < view.header.capacity; i++) {
		uint64_t key;

		if (!stateview_read(&view, i, &entry))
			continue;
		assert_int_equal(entry.key_bytes, 8);
		memcpy(&key, entry.key, sizeof(key));
		assert_true(key < 50 && !seen[key]);
		seen[key] = true;
		assert_int_equal(entry.value[0], key);
		assert_int_equal(entry.value[VALUE_BYTES - 1], key);
	}
	for (uint64_t key = 0; key < 50; key++)
		assert_true(seen[key]);
	stateview_close(&view);
}

/* Where the one key is. */
static uint64_t find(const struct stateview *view)
{
	struct stateview_entry entry;
	uint64_t i = 0;

	while (!stateview_read(view, i, &entry))
		assert_true(++i < view->header.capacity);
	return i;
}

/* A worker that was stopped, or killed, in the middle of a copy; one that starts. */
static void test_not_while_copied(void **state)
{
	struct state_header *header = (void *)mapping;
	struct stateview_entry entry;
	struct stateview view = {0};
	uint64_t at;

	(void)state;
	store(1, 1);
	assert_int_equal(stateview_open(directory, 0, &view), 0);
	at = find(&view);
	header->changes |= 1;
	assert_int_equal(stateview_read(&view, at, &entry), -EAGAIN);
	page->state = WORKER_STARTING;
	assert_int_equal(stateview_read(&view, at, &entry), -EAGAIN);
	/* Recovery stores it again. */
	store(1, 2);
	assert_int_equal(stateview_read(&view, at, &entry), -EAGAIN);
	page->state = WORKER_RUNNING;
	assert_int_equal(stateview_read(&view, at, &entry), 1);
	assert_int_equal(entry.value[VALUE_BYTES - 1], 2);
	assert_int_equal(header->changes % 2, 0);
	stateview_close(&view);
}

static void *write_on(void *context)
{
	const bool *go = context;

	for (uint8_t byte = 0; __atomic_load_n(go, __ATOMIC_RELAXED); byte++)
		store(1, byte);
	return NULL;
}

static void test_while_written(void **state)
{
	struct stateview_entry entry;
	struct stateview view = {0};
	pthread_t writer;
	bool go = true;
	int found = 0, torn = 0;
	uint64_t at;

	(void)state;
	store(1, 1);
	assert_int_equal(stateview_open(directory, 0, &view), 0);
	at = find(&view);
	assert_int_equal(pthread_create(&writer, NULL, write_on, &go), 0);
	for (int i = 0; i < 300000; i++) {
		if (stateview_read(&view, at, &entry) != 1)
			continue;
		found++;
		torn += memcmp(entry.value, entry.value + 1, VALUE_BYTES - 1) != 0;
	}
	__atomic_store_n(&go, false, __ATOMIC_RELAXED);
	pthread_join(writer, NULL);
	assert_true(found > 0);
	assert_int_equal(torn, 0);
	stateview_close(&view);
}

static void no_magic(struct state_header *header)
{
	header->magic = 0;
}
static void other_magic(struct state_header *header)
{
	header->magic++;
}
static void other_version(struct state_header *header)
{
	header->version++;
}
static void more_slots(struct state_header *header)
{
	header->capacity++;
}
static void endless_slots(struct state_header *header)
{
	header->capacity = UINT64_MAX;
}
static void small_slots(struct state_header *header)
{
	header->slot_bytes = 16;
}
static void odd_slots(struct state_header *header)
{
	header->slot_bytes += 4;
	header->capacity = 1;
}
static void long_key(struct state_header *header)
{
	header->key_bytes = 41;
}
static void long_value(struct state_header *header)
{
	header->value_bytes = UINT32_MAX;
}

static const struct {
	void (*change)(struct state_header *header);
	int err;
} headers[] = {
	{no_magic, -ENODATA},  {other_magic, -EINVAL}, {other_version, -EINVAL},
	{more_slots, -EINVAL}, {small_slots, -EINVAL}, {endless_slots, -EINVAL},
	{odd_slots, -EINVAL},  {long_key, -EINVAL},    {long_value, -EINVAL},
};

/* Code of an author writes there. */
static void test_hostile_header(void **state)
{
	struct state_header sound;

	(void)state;
	memcpy(&sound, mapping, sizeof(sound));
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct stateview view = {0};

		memcpy(mapping, &sound, sizeof(sound));
		headers[i].change((void *)mapping);
		assert_int_equal(stateview_open(directory, 0, &view), headers[i].err);
		assert_null(view.live);
	}
}

static void test_hostile_slot(void **state)
{
	struct stateview_entry entry;
	struct stateview view = {0};
	uint64_t at;

	(void)state;
	store(1, 1);
	assert_int_equal(stateview_open(directory, 0, &view), 0);
	at = find(&view);
	state_slot_at(&table, at)->key_bytes = 9;
	assert_int_equal(stateview_read(&view, at, &entry), -EAGAIN);
	stateview_close(&view);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_keys),	   TEST(test_not_while_copied), TEST(test_while_written),
		TEST(test_hostile_header), TEST(test_hostile_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
