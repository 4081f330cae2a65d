// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which tables of states are left after a death at any step: all of the one version or
 * all of the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/log/log.h"
#include "userspace/pool/supervisor_files.h"
#include "userspace/pool/supervisor_migrate.h"
#include "userspace/pool/supervisor_renew.h"
#include "userspace/state/state.h"

#define BOTH 3u

static char root[64];
static struct bundle *before, *after;
static struct diags diags;
static struct run_files files;
static struct worker_page *worker;

static const struct ring_identity ring = {.boot_hash = 77, .map_id = 88};

static struct bundle *make_bundle(uint32_t state_bytes)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));

	assert_non_null(bundle);
	strcpy(bundle->name, "meter");
	bundle->entry_count = 2;
	bundle->user_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		bundle->entries[i].kind = TARGET_USER;
		bundle->entries[i].index = i;
		bundle->entries[i].key_bytes = 2;
		bundle->user[i].has_state = true;
		bundle->user[i].state_bytes = state_bytes;
		bundle->user[i].state_version = 1;
		bundle->user[i].state_keys = 100;
	}
	return bundle;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(root, "/tmp/run-files-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	memset(&diags, 0, sizeof(diags));
	before = make_bundle(8);
	after = make_bundle(64);
	run_files_init(&files);
	if (run_files_create(root, root, before, 3, "", &ring, &files, &diags))
		return -1;
	worker = mmap(NULL, WORKER_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		      files.worker_page, 0);
	worker->state = WORKER_STOPPED;
	worker->counters[0].sequence = 5;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	munmap(worker, WORKER_PAGE_BYTES);
	run_files_close(&files);
	free(before);
	free(after);
	return run_files_remove(root, "meter") || rmdir(root);
}

static off_t size_of(const char *name)
{
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/meter/%s", root, name);
	return stat(path, &status) ? -1 : status.st_size;
}

static void make_both(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		int fd = migrate_make(root, after, i);

		assert_true(fd >= 0);
		close(fd);
	}
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/meter/%s", root, name);
	assert_int_equal(unlink(path), 0);
}

static void check(const struct bundle *bundle, uint32_t generation)
{
	static const char *const names[] = {"state.0", "state.1"};
	static const char *const left[] = {"state.0.next", "state.1.next", "state.0.before",
					   "state.1.before"};

	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(size_of(names[i]), state_file_bytes(bundle, i));
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		assert_int_equal(size_of(left[i]), -1);
	assert_int_equal(files.runtime_page->generation, generation);
	assert_int_equal(files.runtime_page->migrated_from, 0);
}

static void move(const char *from, const char *to)
{
	char a[128], b[128];

	snprintf(a, sizeof(a), "%s/meter/%s", root, from);
	snprintf(b, sizeof(b), "%s/meter/%s", root, to);
	assert_int_equal(rename(a, b), 0);
}

static void test_not_before_the_end(void **state)
{
	(void)state;
	assert_true(migrate_may_begin(root, "meter"));
	worker->state = WORKER_RUNNING;
	assert_false(migrate_may_begin(root, "meter"));
	assert_false(migrate_may_begin(root, "nothing"));
}

/* The new tables count, and those of before are beside them. */
static void check_both(void)
{
	assert_int_equal(size_of("state.0"), state_file_bytes(after, 0));
	assert_int_equal(size_of("state.1"), state_file_bytes(after, 1));
	assert_int_equal(size_of("state.0.before"), state_file_bytes(before, 0));
	assert_int_equal(size_of("state.1.before"), state_file_bytes(before, 1));
	assert_int_equal(files.runtime_page->generation, 4);
	assert_int_equal(files.runtime_page->migrated_from, 3);
}

static void test_kept(void **state)
{
	(void)state;
	make_both();
	assert_int_equal(migrate_swap(root, "meter", BOTH), 0);
	run_files_adopt(&files, 4, &ring);
	check_both();
	/* Death and another runtime change nothing. */
	assert_int_equal(migrate_settle(root, "meter"), 0);
	check_both();
	assert_int_equal(migrate_keep(root, "meter"), 0);
	check(after, 4);
	/* Again, nothing happens. */
	assert_int_equal(migrate_settle(root, "meter"), 0);
	check(after, 4);
	assert_int_equal(migrate_back(root, "meter"), -ENOENT);
	check(after, 4);
}

/* Death in migrate_keep. */
static void test_half_kept(void **state)
{
	(void)state;
	make_both();
	assert_int_equal(migrate_swap(root, "meter", BOTH), 0);
	run_files_adopt(&files, 4, &ring);
	files.runtime_page->migrated_from = 0;
	remove_file("state.0.before");
	assert_int_equal(migrate_settle_unused(root, "meter"), 0);
	check(after, 4);
}

/* One of two: the other function's is nobody's business. */
static void test_one(void **state)
{
	int fd = migrate_make(root, after, 1);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(migrate_swap(root, "meter", 2), 0);
	run_files_adopt(&files, 4, &ring);
	assert_int_equal(size_of("state.0"), state_file_bytes(before, 0));
	assert_int_equal(size_of("state.1"), state_file_bytes(after, 1));
	assert_int_equal(migrate_back(root, "meter"), 0);
	check(before, 3);
	assert_int_equal(files.runtime_page->foreign_states, 2);
}

static void test_filling_ended(void **state)
{
	(void)state;
	make_both();
	assert_int_equal(migrate_settle(root, "meter"), 0);
	check(before, 3);
}

static void test_start_failed(void **state)
{
	(void)state;
	make_both();
	assert_int_equal(migrate_swap(root, "meter", BOTH), 0);
	run_files_adopt(&files, 4, &ring);
	assert_int_equal(migrate_settle_unused(root, "meter"), 0);
	check(before, 3);
}

/* Death in migrate_swap, behind each of its renames. */
static void test_half_swapped(void **state)
{
	static const char *const steps[][2] = {{"state.0", "state.0.before"},
					       {"state.0.next", "state.0"},
					       {"state.1", "state.1.before"},
					       {"state.1.next", "state.1"}};

	(void)state;
	for (size_t done = 0; done <= 4; done++) {
		make_both();
		files.runtime_page->migrated_sequence = 5;
		files.runtime_page->migrated_from = 3;
		for (size_t i = 0; i < done; i++)
			move(steps[i][0], steps[i][1]);
		assert_int_equal(migrate_settle(root, "meter"), 0);
		check(before, 3);
	}
}

/* Death in migrate_back, behind its first store and the first of its renames. */
static void test_half_back(void **state)
{
	(void)state;
	make_both();
	assert_int_equal(migrate_swap(root, "meter", BOTH), 0);
	run_files_adopt(&files, 4, &ring);
	files.runtime_page->generation = 3;
	move("state.0.before", "state.0");
	assert_int_equal(migrate_settle(root, "meter"), 0);
	check(before, 3);
}

/* The runtime died, and the new worker had been at work: it goes on with that. */
static void test_gone_on(void **state)
{
	(void)state;
	make_both();
	assert_int_equal(migrate_swap(root, "meter", BOTH), 0);
	run_files_adopt(&files, 4, &ring);
	worker->counters[0].sequence = 6;
	assert_int_equal(migrate_settle_unused(root, "meter"), 0);
	check_both();
}

/* And it was killed before its page said so: the log does. Back with the states of the
 * version before, that record is known to be none of theirs. */
static void test_gone_on_unsaid(void **state)
{
	uint64_t bytes = log_file_bytes(FAAS_LOG_SEGMENTS, FAAS_LOG_SEGMENT_BYTES);
	struct log_writer writer;
	uint8_t *log = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, files.log, 0);

	(void)state;
	assert_ptr_not_equal(log, MAP_FAILED);
	make_both();
	assert_int_equal(migrate_swap(root, "meter", BOTH), 0);
	run_files_adopt(&files, 4, &ring);
	assert_int_equal(log_writer_open(&writer, log, bytes, 1, 0, 5, 0), 0);
	assert_int_equal(log_begin(&writer), 0);
	(void)log_commit(&writer, LOG_EVENT, 0, 0, 8, 1, 0);
	munmap(log, bytes);
	assert_int_equal(migrate_settle_unused(root, "meter"), 0);
	check_both();
	assert_false(migrate_may_begin(root, "meter"));
	assert_int_equal(migrate_back(root, "meter"), 0);
	check(before, 3);
	assert_int_equal(files.runtime_page->foreign_sequence, 6);
	assert_int_equal(files.runtime_page->foreign_states, BOTH);
	/* With the ring of that generation it still is, with the next generation it is not. */
	run_files_adopt(&files, 3, &ring);
	assert_int_equal(files.runtime_page->foreign_sequence, 6);
	run_files_adopt(&files, 5, &ring);
	assert_int_equal(files.runtime_page->foreign_sequence, 0);
}

/* Workflows without run-time files have nothing to settle. */
static void test_nothing(void **state)
{
	(void)state;
	assert_int_equal(migrate_settle(root, "nothing"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_not_before_the_end), TEST(test_kept),		TEST(test_filling_ended),
		TEST(test_start_failed),       TEST(test_half_swapped), TEST(test_half_kept),
		TEST(test_half_back),	       TEST(test_one),		TEST(test_gone_on),
		TEST(test_gone_on_unsaid),     TEST(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
