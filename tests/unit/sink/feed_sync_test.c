// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * When a feed with durable state has its files put on their disks, and what it says of
 * it: for nothing that is said to be there may be lost. The system call is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "sink_fixture.h"
#include "userspace/sink/feed_internal.h"

#define CAPACITY 65536
#define SYNC_NS (FEED_SYNC_MS * CLOCK_NS_PER_MS)
#define NOW_NS (1000 * CLOCK_NS_PER_MS)

enum { SINK_A, SINK_B, SINKS };

static char directory[64];
static uint32_t syncs;	 /* of files */
static uint32_t failing; /* this one fails, from 1; 0: none does */

static struct worker_page *worker_page;
static struct courier_page *courier_page;
static struct feed *feed;

int fdatasync(int fd)
{
	(void)fd;
	if (++syncs != failing)
		return 0;
	errno = EIO;
	return -1;
}

static void make_file(uint32_t sink)
{
	struct file_sink *file = &feed->sinks[sink].file;
	static char paths[SINKS][128];

	snprintf(paths[sink], sizeof(paths[sink]), "%s/%c", directory, 'a' + (int)sink);
	file_sink_init(file, paths[sink], 0, 0);
	feed->sinks[sink].kind = SINK_FILE;
	feed->sinks[sink].backoff_ms = FEED_RETRY_MIN_MS;
	assert_int_equal(file_sink_open(file, 0, 0), 0);
	file->durable = true;
	file->unnamed = false;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/feed-sync-XXXXXX");
	worker_page = calloc(1, WORKER_PAGE_BYTES);
	courier_page = calloc(1, COURIER_PAGE_BYTES);
	feed = calloc(1, sizeof(*feed));
	if (!mkdtemp(directory) || !worker_page || !courier_page || !feed)
		return -1;
	feed->sinks = calloc(SINKS + 1, sizeof(*feed->sinks));
	if (!feed->sinks)
		return -1;
	feed->worker_page = worker_page;
	feed->courier_page = courier_page;
	feed->durable = true;
	feed->view.capacity = CAPACITY;
	for (uint32_t i = 0; i <= SINKS; i++)
		feed->sinks[i].file.fd = -1;
	feed->sink_count = SINKS;
	make_file(SINK_A);
	make_file(SINK_B);
	feed->cursor.log_position = 4096;
	feed->cursor.sequence = 9;
	syncs = failing = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SINKS; i++) {
		file_sink_close(&feed->sinks[i].file);
		(void)unlink(feed->sinks[i].file.path);
	}
	free(feed->sinks);
	free(feed);
	free(worker_page);
	free(courier_page);
	return rmdir(directory);
}

static void sync_at(uint64_t now_ns, bool more)
{
	struct feed_turn turn = {.feed = feed, .now_ns = now_ns};

	feed_sync(&turn, more);
}

/* ---- when ---- */

static const struct when {
	const char *name;
	bool unsynced;
	uint64_t since_ns;    /* before now; 0: this is the first turn with something unsynced */
	uint64_t synced_from; /* bytes of the log that were not synced */
	uint64_t waiting;     /* the worker waits for this place; 0: it does not */
	bool more;
	uint32_t syncs;
	bool is_synced;
} whens[] = {
	{"nothing is in a file", false, 0, 4096, 0, true, 0, true},
	{"the first line", true, 0, 4096, 0, true, 0, false},
	{"the first line, and no more", true, 0, 4096, 0, false, 0, false},
	{"before its time", true, SYNC_NS - 1, 4096, 0, false, 0, false},
	{"its time has come", true, SYNC_NS, 4096, 0, true, 1, true},
	{"a part of the log", true, 1, CAPACITY / 4, 0, true, 0, false},
	{"more than a part of the log", true, 1, CAPACITY / 4 + 8, 0, true, 1, true},
	{"the worker waits, and there is more", true, 1, 4096, 4097, true, 0, false},
	{"the worker waits for this place", true, 1, 4096, 4096, true, 1, true},
	{"the worker waits, and there is no more", true, 1, 4096, 4097, false, 1, true},
};

static void test_when(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(whens) / sizeof(whens[0]); i++) {
		const struct when *when = &whens[i];

		print_message("%s\n", when->name);
		syncs = 0;
		feed->cursor.log_position =
			when->synced_from > 4096 ? 2 * (uint64_t)CAPACITY : 4096;
		feed->cursor.synced_position = feed->cursor.log_position - when->synced_from;
		feed->cursor.synced_sequence = 3;
		feed->sinks[SINK_A].file.unsynced = when->unsynced;
		feed->unsynced_since_ns = when->since_ns ? NOW_NS - when->since_ns : 0;
		worker_page->waiting = when->waiting;
		sync_at(NOW_NS, when->more);
		assert_int_equal(syncs, when->syncs);
		assert_int_equal(feed->cursor.synced_position == feed->cursor.log_position,
				 when->is_synced);
		assert_int_equal(feed->cursor.synced_sequence, when->is_synced ? 9 : 3);
		if (when->is_synced)
			assert_int_equal(feed->unsynced_since_ns, 0);
		else
			assert_int_equal(feed->unsynced_since_ns,
					 when->since_ns ? NOW_NS - when->since_ns : NOW_NS);
		assert_int_equal(feed->sinks[SINK_A].file.unsynced, !when->is_synced);
	}
}

/* A worker that waits is a reason to look again, if a sync would help it. */
static void test_awaited(void **state)
{
	(void)state;
	assert_false(feed_is_awaited(feed));
	worker_page->waiting = 1;
	assert_false(feed_is_awaited(feed));
	feed->unsynced_since_ns = 1;
	assert_true(feed_is_awaited(feed));
	worker_page->waiting = 0;
	assert_false(feed_is_awaited(feed));
}

/* ---- failures ---- */

/* One file that fails holds the cursor up; those that did not are not synced again. */
static void test_failure(void **state)
{
	(void)state;
	feed->sinks[SINK_A].file.unsynced = feed->sinks[SINK_B].file.unsynced = true;
	feed->unsynced_since_ns = NOW_NS - SYNC_NS;
	failing = 1;
	sync_at(NOW_NS, false);
	assert_int_equal(syncs, 2);
	assert_int_equal(feed->cursor.synced_position, 0);
	assert_int_equal(feed->cursor.sinks[SINK_A].errors, 1);
	assert_int_equal(feed->cursor.sinks[SINK_A].last_error, EIO);
	assert_int_equal(feed->cursor.sinks[SINK_B].errors, 0);
	assert_true(feed->held);
	assert_true(feed->sinks[SINK_A].file.unsynced);
	assert_false(feed->sinks[SINK_B].file.unsynced);
	/* Not at once again, but later and later. */
	assert_int_equal(feed->unsynced_since_ns, NOW_NS);
	assert_int_equal(feed->sinks[SINK_A].blocked_until_ns,
			 NOW_NS + FEED_RETRY_MIN_MS * CLOCK_NS_PER_MS);

	feed->cursor.log_position = 4096;
	sync_at(NOW_NS + SYNC_NS, false);
	assert_int_equal(syncs, 3);
	assert_int_equal(feed->cursor.synced_position, 4096);
}

/* ---- at the end ---- */

static void test_now(void **state)
{
	const struct courier_cursor *shown;

	(void)state;
	feed_sync_now(feed);
	assert_int_equal(syncs, 0);
	assert_int_equal(courier_page->cursors[1].synced_position, 0);

	feed->sinks[SINK_B].file.unsynced = true;
	feed->durable = false;
	feed_sync_now(feed);
	assert_int_equal(syncs, 0);

	feed->durable = true;
	feed_sync_now(feed);
	assert_int_equal(syncs, 1);
	shown = &courier_page->cursors[courier_page->current & 1];
	assert_int_equal(shown->synced_position, 4096);
	assert_int_equal(shown->synced_sequence, 9);
}

/* ---- what a predecessor left ---- */

static int log_file(void)
{
	uint64_t bytes = log_file_bytes(2, CAPACITY);
	int fd = memfd_create("log", MFD_CLOEXEC);
	void *mapping;

	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(mapping, MAP_FAILED);
	log_format(mapping, 2, CAPACITY, 1, 1, 1);
	munmap(mapping, bytes);
	return fd;
}

static int page_file(const void *page, size_t bytes)
{
	int fd = memfd_create("page", MFD_CLOEXEC);

	assert_int_equal(pwrite(fd, page, bytes, 0), bytes);
	return fd;
}

/* It wrote to A while B held the cursor up, where the last sync was, and died. */
static void test_predecessor(void **state)
{
	struct bundle *bundle = fixture_bundle();
	struct diags *diags = calloc(1, sizeof(*diags));
	struct courier_cursor *cursor = &courier_page->cursors[0];
	struct feed_files files;
	struct feed *next;

	(void)state;
	memset(&files, -1, sizeof(files));
	bundle->user[0].has_state = true;
	bundle->user[0].state_mode = STATE_DURABLE;
	bundle->sink_count = SINKS;
	for (int i = 0; i < SINKS; i++) {
		bundle->sinks[i].kind = SINK_FILE;
		snprintf(bundle->sinks[i].path, sizeof(bundle->sinks[i].path), "%s",
			 feed->sinks[i].file.path);
	}
	courier_page->magic = COURIER_PAGE_MAGIC;
	courier_page->version = PAGES_VERSION;
	cursor->log_position = cursor->synced_position = 4096;
	cursor->sequence = cursor->synced_sequence = 9;
	cursor->sinks[SINK_A].done = 10 << 8 | 1;
	cursor->sinks[SINK_B].done = 9 << 8 | 255;
	files.log = log_file();
	files.worker_page = page_file(worker_page, WORKER_PAGE_BYTES);
	files.courier_page = page_file(courier_page, COURIER_PAGE_BYTES);
	files.space = eventfd(0, EFD_CLOEXEC);

	next = feed_open(bundle, &files, "/nonexistent/dead-letters", false, diags);
	assert_non_null(next);
	assert_true(next->sinks[SINK_A].file.unsynced);
	assert_true(next->sinks[SINK_A].file.unnamed);
	assert_false(next->sinks[SINK_B].file.unsynced);
	feed_sync_now(next);
	assert_int_equal(syncs, 1);

	feed_close(next);
	close(files.log);
	close(files.worker_page);
	close(files.courier_page);
	free(bundle);
	free(diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_when, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_awaited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_now, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_predecessor, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
