// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A feed over a log that the writer of userspace/log wrote, with real files and
 * sockets. "A courier dies" is: its feed is closed without a last word, another
 * one opens the same page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "crc32c.h"
#include "sink_fixture.h"
#include "userspace/sink/feed.h"

#define SEGMENTS 2
#define SEGMENT_BYTES 65536
#define LOG_ID 0xfeedu

enum { SINK_A, SINK_B, SINK_U, SINKS };
#define TO_A (1u << SINK_A)
#define TO_B (1u << SINK_B)
#define TO_U (1u << SINK_U)

static char directory[64];

static struct fixture {
	char paths[2][128]; /* of sinks A and B */
	char dead[128];
	int log, worker, courier, space;
	int receiver;
	uint16_t port;
	uint8_t *mapping;
	struct worker_page *page;
	struct courier_page *courier_page;
	struct log_writer writer;
	struct bundle *bundle;
	struct feed *feed;
	struct feed_scratch *scratch;
	uint64_t processed;
} fix;

static void *map_file(int *fd, uint64_t bytes)
{
	void *mapping;

	*fd = memfd_create("fixture", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)bytes))
		return NULL;
	mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	return mapping == MAP_FAILED ? NULL : mapping;
}

static int open_receiver(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);

	fix.receiver = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(fix.receiver, (struct sockaddr *)&address, sizeof(address)) ||
	    getsockname(fix.receiver, (struct sockaddr *)&address, &bytes))
		return -1;
	fix.port = ntohs(address.sin_port);
	return 0;
}

static void describe_sinks(void)
{
	fix.bundle->sink_count = SINKS;
	for (int i = SINK_A; i <= SINK_B; i++) {
		snprintf(fix.paths[i], sizeof(fix.paths[i]), "%s/%c.jsonl", directory, 'a' + i);
		fix.bundle->sinks[i].kind = SINK_FILE;
		snprintf(fix.bundle->sinks[i].name, FAAS_NAME_BYTES, "file-%c", 'a' + i);
		strcpy(fix.bundle->sinks[i].path, fix.paths[i]);
	}
	fix.bundle->sinks[SINK_U].kind = SINK_UDP;
	strcpy(fix.bundle->sinks[SINK_U].name, "alarm");
	strcpy(fix.bundle->sinks[SINK_U].host, "127.0.0.1");
	fix.bundle->sinks[SINK_U].port = fix.port;
}

static int set_up(void **state)
{
	uint64_t log_bytes = log_file_bytes(SEGMENTS, SEGMENT_BYTES);

	(void)state;
	memset(&fix, 0, sizeof(fix));
	strcpy(directory, "/tmp/feed-XXXXXX");
	if (!mkdtemp(directory) || open_receiver())
		return -1;
	snprintf(fix.dead, sizeof(fix.dead), "%s/dead-letters.jsonl", directory);
	fix.mapping = map_file(&fix.log, log_bytes);
	fix.page = map_file(&fix.worker, WORKER_PAGE_BYTES);
	fix.courier_page = map_file(&fix.courier, COURIER_PAGE_BYTES);
	fix.scratch = feed_scratch_new();
	fix.bundle = fixture_bundle();
	if (!fix.mapping || !fix.page || !fix.courier_page || !fix.scratch)
		return -1;
	describe_sinks();
	log_format(fix.mapping, SEGMENTS, SEGMENT_BYTES, LOG_ID, 1, 2);
	fix.page->magic = WORKER_PAGE_MAGIC;
	fix.page->version = PAGES_VERSION;
	return log_writer_open(&fix.writer, fix.mapping, log_bytes, 1, 0, 0, 0);
}

static int tear_down(void **state)
{
	char name[160];

	(void)state;
	feed_close(fix.feed);
	feed_scratch_free(fix.scratch);
	free(fix.bundle);
	munmap(fix.mapping, log_file_bytes(SEGMENTS, SEGMENT_BYTES));
	munmap(fix.page, WORKER_PAGE_BYTES);
	munmap(fix.courier_page, COURIER_PAGE_BYTES);
	close(fix.log);
	close(fix.worker);
	close(fix.courier);
	if (fix.receiver >= 0)
		close(fix.receiver);
	for (int i = 0; i < 2; i++) {
		(void)unlink(fix.paths[i]);
		for (int k = 1; k < 4; k++) {
			snprintf(name, sizeof(name), "%s.%d", fix.paths[i], k);
			(void)unlink(name);
		}
	}
	(void)unlink(fix.dead);
	return rmdir(directory);
}

/* As a worker that starts: what an earlier feed had goes. */
static void open_feed(bool strict)
{
	struct diags *diags = calloc(1, sizeof(*diags));
	struct feed_files files = {
		.log = fix.log, .worker_page = fix.worker, .courier_page = fix.courier};

	for (int i = 0; i < FAAS_SINKS_MAX; i++)
		files.udp[i] = -1;
	memset(files.verdict_maps, -1, sizeof(files.verdict_maps));
	files.space = fix.space = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	files.udp[SINK_U] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	fix.feed = feed_open(fix.bundle, &files, fix.dead, strict, diags);
	if (!fix.feed) {
		close(files.space);
		close(files.udp[SINK_U]);
	}
	free(diags);
}

static void reopen_feed(void)
{
	feed_close(fix.feed);
	open_feed(false);
	assert_non_null(fix.feed);
}

static void publish(void)
{
	struct page_counters *counters = &fix.page->counters[0];

	fix.page->head = fix.writer.head;
	fix.page->head_sequence = fix.writer.sequence;
	counters->sequence = fix.writer.sequence;
	counters->log_position = fix.writer.head;
}

/* A record with one output to each of @p sinks, count times. -EAGAIN: full. */
static int write_record(uint32_t sinks, uint32_t count)
{
	const uint64_t fields[] = {fix.processed + 1, 0, 0, 0};
	const struct courier_cursor *cursor =
		&fix.courier_page->cursors[fix.courier_page->current & 1];
	union fixture_event event;
	uint32_t bytes;

	log_set_tail(&fix.writer, cursor->log_position);
	if (log_begin(&fix.writer))
		return -EAGAIN;
	fixture_event(&event, ORIGIN_ANOMALY, fields, 4, "");
	bytes = event_bytes(&event.event);
	assert_int_equal(log_trace(&fix.writer, NULL, 0), 0);
	for (uint32_t i = 0; i < count; i++)
		memcpy(log_output(&fix.writer, sinks, bytes), &event, bytes);
	fix.processed++;
	log_commit(&fix.writer, LOG_EVENT, 0, 0, 64 * fix.processed, fix.processed, 0);
	if (count)
		fix.page->counters[0].output_position = fix.writer.head;
	publish();
	return 0;
}

static void write_dead(void)
{
	assert_int_equal(log_begin(&fix.writer), 0);
	assert_int_equal(log_trace(&fix.writer, NULL, 0), 0);
	memcpy(log_dead(&fix.writer, 0, LOG_DEAD_ERROR, 1, 3), "abc", 3);
	fix.processed++;
	log_commit(&fix.writer, LOG_DEAD, 0, 0, 64 * fix.processed, fix.processed, 1);
	fix.page->counters[0].output_position = fix.writer.head;
	publish();
}

static void step(void)
{
	for (int i = 0; i < 1000 && feed_step(fix.feed, fix.scratch); i++)
		;
}

/* Step until nothing is held up; what is waited for takes milliseconds. */
static void settle(void)
{
	uint64_t deadline = clock_monotonic_ns() + 10 * CLOCK_NS_PER_S;

	step();
	while (feed_retry_ns(fix.feed)) {
		uint64_t now = clock_monotonic_ns();

		assert_true(now < deadline);
		if (feed_retry_ns(fix.feed) > now)
			poll(NULL, 0, (int)((feed_retry_ns(fix.feed) - now) / CLOCK_NS_PER_MS) + 1);
		step();
	}
}

static const struct courier_cursor *cursor(void)
{
	return &fix.courier_page->cursors[fix.courier_page->current & 1];
}

/* The file holds a line for each of the sequence numbers from..to in order, each
 * @p repeat times, and nothing else. */
static void assert_lines(const char *path, uint64_t from, uint64_t to, unsigned int repeat)
{
	FILE *file = fopen(path, "r");
	char line[4096], id[64];

	assert_non_null(file);
	for (uint64_t sequence = from; sequence <= to; sequence++) {
		for (unsigned int i = 0; i < repeat; i++) {
			assert_non_null(fgets(line, sizeof(line), file));
			snprintf(id, sizeof(id), "{\"id\":\"%016x-1-%llu-%u\",", LOG_ID,
				 (unsigned long long)sequence, i);
			assert_memory_equal(line, id, strlen(id));
			assert_string_equal(line + strlen(line) - 3, "}}\n");
		}
	}
	assert_null(fgets(line, sizeof(line), file));
	fclose(file);
}

static unsigned int count_datagrams(void)
{
	char datagram[4096];
	unsigned int count = 0;

	while (recv(fix.receiver, datagram, sizeof(datagram), MSG_DONTWAIT) > 0)
		count++;
	return count;
}

static void test_delivers_to_each_sink(void **state)
{
	(void)state;
	open_feed(true);
	assert_non_null(fix.feed);
	for (int i = 0; i < 50; i++)
		assert_int_equal(write_record(TO_A | TO_U, 2), 0);
	step();
	assert_lines(fix.paths[SINK_A], 1, 50, 2);
	assert_lines(fix.paths[SINK_B], 1, 0, 1);
	assert_int_equal(count_datagrams(), 100);
	assert_int_equal(cursor()->sinks[SINK_A].delivered, 100);
	assert_int_equal(cursor()->sinks[SINK_U].delivered, 100);
	assert_int_equal(cursor()->sequence, 50);
	assert_int_equal(cursor()->log_position, fix.writer.head);
	assert_true(feed_is_done(fix.feed));
	assert_int_equal(feed_undelivered(fix.feed), 0);
}

/* Round the log several times, a crash of the courier every few records. */
static void test_wraps_and_survives(void **state)
{
	uint64_t from = 1;

	(void)state;
	open_feed(true);
	while (fix.processed < 1500) {
		if (write_record(TO_A, 1) == -EAGAIN) {
			step();
			assert_int_equal(write_record(TO_A, 1), 0);
		}
		if (fix.processed % 97 == 0) {
			step();
			reopen_feed();
		}
	}
	step();
	assert_true(fix.writer.head > 2 * SEGMENTS * SEGMENT_BYTES);
	assert_lines(fix.paths[SINK_A], from, 1500, 1);
	assert_int_equal(cursor()->corrupt, 0);
}

/* More lines than a batch holds, for two sinks. */
static void test_batches(void **state)
{
	(void)state;
	open_feed(true);
	while (!write_record(TO_A | TO_B, 1))
		;
	assert_true(feed_step(fix.feed, fix.scratch));
	assert_true(cursor()->sequence > 0 && cursor()->sequence < fix.processed);
	step();
	assert_true(fix.feed->sinks[SINK_A].file.bytes > FEED_BATCH_BYTES);
	assert_lines(fix.paths[SINK_A], 1, fix.processed, 1);
	assert_lines(fix.paths[SINK_B], 1, fix.processed, 1);
}

/* The page as it was before a batch: the successor writes the batch again, and
 * what is in the file of it is cut off. */
static void test_crash_between_write_and_cursor(void **state)
{
	struct courier_page before;

	(void)state;
	open_feed(true);
	for (int i = 0; i < 20; i++)
		assert_int_equal(write_record(TO_A | TO_B, 1), 0);
	step();
	before = *fix.courier_page;
	for (int i = 0; i < 20; i++)
		assert_int_equal(write_record(TO_A | TO_B, 1), 0);
	step();
	assert_lines(fix.paths[SINK_A], 1, 40, 1);
	*fix.courier_page = before;
	reopen_feed();
	step();
	assert_lines(fix.paths[SINK_A], 1, 40, 1);
	assert_lines(fix.paths[SINK_B], 1, 40, 1);
	assert_int_equal(cursor()->sinks[SINK_A].delivered, 40);
}

/* A datagram is never sent twice: that it was sent stands in the page at once. */
static void test_udp_at_most_once_over_a_crash(void **state)
{
	struct courier_page before;
	uint64_t done;

	(void)state;
	open_feed(true);
	for (int i = 0; i < 20; i++)
		assert_int_equal(write_record(TO_A | TO_U, 1), 0);
	before = *fix.courier_page;
	step();
	/* As a courier that died after the datagrams and before the cursor. */
	done = cursor()->sinks[SINK_U].done;
	assert_int_equal(done, 20 << 8 | 1);
	*fix.courier_page = before;
	fix.courier_page->cursors[before.current & 1].sinks[SINK_U].done = done;
	reopen_feed();
	step();
	assert_int_equal(count_datagrams(), 20);
	assert_int_equal(cursor()->sequence, 20);
}

/* One sink cannot be written: the others go on, the cursor waits, and later it
 * gets what it missed. */
static void test_held_up_sink(void **state)
{
	char aside[160], inside[160];

	(void)state;
	open_feed(true);
	assert_int_equal(write_record(TO_A | TO_B, 1), 0);
	step();
	/* In the place of B's directory there is a file. */
	snprintf(inside, sizeof(inside), "%s/x", fix.paths[SINK_A]);
	fix.feed->sinks[SINK_B].file.path = inside;
	for (int i = 0; i < 30; i++) {
		assert_int_equal(write_record(TO_A | TO_B | TO_U, 1), 0);
		step();
	}
	assert_lines(fix.paths[SINK_A], 1, 31, 1);
	assert_int_equal(count_datagrams(), 30);
	assert_int_equal(cursor()->sequence, 1);
	assert_false(feed_is_done(fix.feed));
	assert_int_equal(feed_undelivered(fix.feed), 30);
	assert_int_equal(cursor()->sinks[SINK_B].last_error, ENOTDIR);
	assert_true(cursor()->sinks[SINK_B].errors > 0);
	assert_true(feed_retry_ns(fix.feed) > 0);
	/* Meanwhile the courier dies. */
	snprintf(aside, sizeof(aside), "%s.aside", fix.paths[SINK_B]);
	assert_int_equal(rename(fix.paths[SINK_B], aside), 0);
	assert_int_equal(mkdir(fix.paths[SINK_B], 0700), 0);
	reopen_feed();
	step();
	assert_lines(fix.paths[SINK_A], 1, 31, 1);
	assert_int_equal(cursor()->sinks[SINK_B].last_error, EISDIR);
	assert_int_equal(rmdir(fix.paths[SINK_B]), 0);
	assert_int_equal(rename(aside, fix.paths[SINK_B]), 0);
	settle();
	assert_lines(fix.paths[SINK_A], 1, 31, 1);
	assert_lines(fix.paths[SINK_B], 1, 31, 1);
	assert_int_equal(count_datagrams(), 0);
	assert_int_equal(cursor()->sequence, 31);
	assert_int_equal(cursor()->sinks[SINK_B].last_error, 0);
	assert_true(feed_is_done(fix.feed));
}

/* Nobody listens: datagrams are given up, the file goes on, and the log empties. */
static void test_dead_collector(void **state)
{
	(void)state;
	open_feed(true);
	close(fix.receiver);
	fix.receiver = -1;
	for (int i = 0; i < 40; i++)
		assert_int_equal(write_record(TO_A | TO_U, 1), 0);
	settle();
	assert_lines(fix.paths[SINK_A], 1, 40, 1);
	assert_int_equal(cursor()->sequence, 40);
	assert_true(cursor()->sinks[SINK_U].errors > 0);
	assert_int_equal(cursor()->sinks[SINK_U].delivered + cursor()->sinks[SINK_U].refused, 40);
	/* The kernel takes every second datagram: that is no success. */
	assert_int_equal(cursor()->sinks[SINK_U].last_error, ECONNREFUSED);
	/* Somebody listens again. What is refused now is the last one before. */
	fix.receiver = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fix.receiver, (struct sockaddr *)&fix.feed->sinks[SINK_U].udp.to,
			      fix.feed->sinks[SINK_U].udp.to_bytes),
			 0);
	assert_int_equal(write_record(TO_U, 1), 0);
	settle();
	assert_int_equal(cursor()->sinks[SINK_U].last_error, ECONNREFUSED);
	fix.feed->sinks[SINK_U].refused_ns = 1; /* long ago */
	assert_int_equal(write_record(TO_U, 1), 0);
	settle();
	assert_int_equal(cursor()->sinks[SINK_U].last_error, 0);
	assert_int_equal(count_datagrams(), 2);
}

/* No socket at all: each datagram is tried, given up and counted, in bounded time. */
static void test_no_socket(void **state)
{
	(void)state;
	open_feed(true);
	close(fix.feed->sinks[SINK_U].udp.fd);
	fix.feed->sinks[SINK_U].udp.fd = -1;
	for (int i = 0; i < 40; i++)
		assert_int_equal(write_record(TO_A | TO_U, 1), 0);
	settle();
	assert_lines(fix.paths[SINK_A], 1, 40, 1);
	assert_int_equal(cursor()->sinks[SINK_U].refused, 40);
	assert_int_equal(cursor()->sinks[SINK_U].errors, FEED_DATAGRAM_TRIES + 39);
	assert_int_equal(cursor()->sinks[SINK_U].last_error, ENETDOWN);
}

static void test_rotation_over_crashes(void **state)
{
	char name[160];
	FILE *file;
	char line[4096];
	unsigned int lines = 0;

	(void)state;
	fix.bundle->sinks[SINK_A].rotate_bytes = 6000;
	fix.bundle->sinks[SINK_A].keep = 3;
	open_feed(true);
	for (int i = 0; i < 60; i++) {
		struct courier_page before = *fix.courier_page;

		assert_int_equal(write_record(TO_A, 1), 0);
		step();
		if (i % 3)
			continue;
		/* It died after the last write and before the cursor. A new file
		 * stands in the page before it is written to, so what is not
		 * known of is in the newest file. */
		if (before.cursors[before.current & 1].sinks[SINK_A].file_inode ==
		    cursor()->sinks[SINK_A].file_inode)
			*fix.courier_page = before;
		reopen_feed();
		step();
	}
	for (int i = 0; i <= 3; i++) {
		snprintf(name, sizeof(name), i ? "%s.%d" : "%s", fix.paths[SINK_A], i);
		file = fopen(name, "r");
		if (i < 3)
			assert_non_null(file);
		if (!file)
			continue;
		while (fgets(line, sizeof(line), file))
			lines++;
		assert_true(ftell(file) <= 6000);
		fclose(file);
	}
	assert_int_equal(lines, 60);
}

static void test_dead_letter_file_when_needed(void **state)
{
	struct stat status;

	(void)state;
	open_feed(true);
	assert_int_equal(write_record(TO_A, 1), 0);
	step();
	assert_int_equal(stat(fix.dead, &status), -1);
	write_dead();
	step();
	assert_int_equal(stat(fix.dead, &status), 0);
	assert_true(status.st_size > 0);
}

static void test_dead_letters_once(void **state)
{
	struct courier_page before;
	char line[1024];
	FILE *file;

	(void)state;
	open_feed(true);
	before = *fix.courier_page;
	write_dead();
	step();
	assert_int_equal(cursor()->dead_letters, 1);
	*fix.courier_page = before;
	fix.courier_page->cursors[before.current & 1].dead_letter_file.file_inode =
		fix.feed->sinks[fix.feed->sink_count].file.inode;
	reopen_feed();
	step();
	file = fopen(fix.dead, "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	assert_non_null(strstr(line, "\"reason\":\"error\",\"attempts\":1,\"function\":\"trend\","
				     "\"event\":\"616263\"}"));
	assert_null(fgets(line, sizeof(line), file));
	fclose(file);
	assert_int_equal(cursor()->dead_letters, 1);
}

/* Records without outputs are stepped over as the worker's page says. */
static void test_steps_over(void **state)
{
	(void)state;
	open_feed(true);
	assert_int_equal(write_record(TO_A, 1), 0);
	step();
	for (int i = 0; i < 100; i++)
		assert_int_equal(write_record(0, 0), 0);
	/* They are not even looked at. */
	fix.mapping[LOG_DATA_OFFSET + fix.writer.head - 100] ^= 1;
	step();
	assert_lines(fix.paths[SINK_A], 1, 1, 1);
	assert_int_equal(cursor()->corrupt, 0);
	assert_int_equal(cursor()->sequence, 101);
	assert_int_equal(cursor()->log_position, fix.writer.head);
	assert_int_equal(write_record(TO_A, 1), 0);
	step();
	assert_int_equal(cursor()->sinks[SINK_A].delivered, 2);
}

/* The worker makes its counters again from the disk: what is in them before that is done is
 * not to be stepped over by, in whatever order it becomes seen. */
static void test_counters_before_taken_up(void **state)
{
	struct page_counters *counters = &fix.page->counters[0];

	(void)state;
	fix.bundle->user[0].has_state = true;
	fix.bundle->user[0].state_mode = STATE_DURABLE;
	open_feed(true);
	assert_int_equal(write_record(TO_A, 1), 0);
	counters->output_position = 0;
	step();
	assert_lines(fix.paths[SINK_A], 1, 1, 1);
	assert_int_equal(write_record(0, 0), 0);
	fix.page->taken_up = 1;
	/* Now it counts. */
	fix.mapping[LOG_DATA_OFFSET + fix.writer.head - 100] ^= 1;
	step();
	assert_int_equal(cursor()->sequence, 2);
	assert_int_equal(cursor()->corrupt, 0);
}

/* Whoever looks at a cursor while the courier moves on twice sees that it did. */
static void test_publications_are_counted(void **state)
{
	uint32_t first;

	(void)state;
	open_feed(true);
	/* With a new file there are two of them. */
	assert_int_equal(write_record(TO_A, 1), 0);
	step();
	first = fix.courier_page->current;
	for (uint32_t i = 1; i < 5; i++) {
		const struct courier_cursor *other;
		struct courier_cursor seen;

		assert_int_equal(fix.courier_page->current, first + i - 1);
		other = &fix.courier_page->cursors[(first + i) & 1];
		assert_int_equal(pages_read_cursor(fix.courier, &seen), 0);
		assert_int_equal(seen.sequence, i);
		assert_int_not_equal(other->sequence, i + 1);
		assert_int_equal(write_record(TO_A, 1), 0);
		step();
		assert_int_equal(other->sequence, i + 1);
	}
}

/* A record that is damaged: counted, and the feed goes on behind the head. */
static void test_damaged_record(void **state)
{
	(void)state;
	open_feed(true);
	assert_int_equal(write_record(TO_A, 1), 0);
	step();
	for (int i = 0; i < 3; i++)
		assert_int_equal(write_record(TO_A, 1), 0);
	fix.mapping[LOG_DATA_OFFSET + cursor()->log_position + 80] ^= 1;
	step();
	assert_int_equal(cursor()->corrupt, 1);
	assert_int_equal(cursor()->sequence, 4);
	assert_int_equal(write_record(TO_A, 1), 0);
	step();
	assert_int_equal(cursor()->sinks[SINK_A].delivered, 2);
}

/* A record that is whole, and claims the ring of another worker. */
static void test_record_of_another_ring(void **state)
{
	struct log_record record;
	uint8_t *at;

	(void)state;
	open_feed(true);
	assert_int_equal(write_record(TO_A, 1), 0);
	at = (uint8_t *)fix.mapping + LOG_DATA_OFFSET;
	memcpy(&record, at, sizeof(record));
	record.ring = 1;
	memcpy(at, &record, sizeof(record));
	record.crc = crc32c(0, at + sizeof(record.crc), record.bytes - sizeof(record.crc));
	memcpy(at, &record, sizeof(record));
	step();
	assert_int_equal(cursor()->corrupt, 1);
	assert_int_equal(cursor()->sinks[SINK_A].delivered, 0);
	assert_int_equal(write_record(TO_A, 1), 0);
	step();
	assert_int_equal(cursor()->corrupt, 1);
	assert_int_equal(cursor()->sinks[SINK_A].delivered, 1);
}

/* A hostile page and log: whatever the worker writes there, the feed ends its
 * turns and reads nothing out of bounds (run with the address sanitizer). */
static void test_hostile_worker(void **state)
{
	uint64_t random = 88172645463325252ull;

	(void)state;
	open_feed(true);
	for (int i = 0; i < 3000; i++) {
		uint64_t at;

		if (i % 10 == 0)
			(void)!write_record(TO_A | TO_U, 1);
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		at = random % (SEGMENTS * SEGMENT_BYTES);
		fix.mapping[LOG_DATA_OFFSET + at] = (uint8_t)(random >> 40);
		if (i % 7 == 0)
			fix.page->head = random >> 20;
		if (i % 11 == 0)
			fix.page->counters[0].log_position = random >> 10;
		if (i % 13 == 0)
			fix.page->counters[0].output_position = random >> 50;
		(void)feed_step(fix.feed, fix.scratch);
		(void)feed_sleep(fix.feed, fix.scratch);
		fix.feed->stuck_until_ns = 0;
		count_datagrams();
	}
}

/* Sleeping: odd, once; woken: even. A record that came before the look keeps it
 * awake. */
static void test_sleep(void **state)
{
	(void)state;
	open_feed(true);
	step();
	assert_int_equal(fix.courier_page->sleep_epoch, 0);
	assert_true(feed_sleep(fix.feed, fix.scratch));
	assert_int_equal(fix.courier_page->sleep_epoch, 1);
	assert_true(feed_sleep(fix.feed, fix.scratch));
	assert_int_equal(fix.courier_page->sleep_epoch, 1);
	feed_wake(fix.feed);
	assert_int_equal(fix.courier_page->sleep_epoch, 2);
	assert_int_equal(write_record(TO_A, 1), 0);
	assert_false(feed_sleep(fix.feed, fix.scratch));
	assert_int_equal(fix.courier_page->sleep_epoch, 4);
	/* One that dies asleep leaves no odd number to its successor. */
	step();
	assert_true(feed_sleep(fix.feed, fix.scratch));
	reopen_feed();
	assert_int_equal(fix.courier_page->sleep_epoch, 6);
}

static void test_tells_a_waiting_worker(void **state)
{
	uint64_t count;

	(void)state;
	open_feed(true);
	assert_int_equal(write_record(TO_A, 1), 0);
	step();
	assert_int_equal(read(fix.space, &count, sizeof(count)), -1);
	assert_int_equal(write_record(TO_A, 1), 0);
	fix.page->waiting = 1;
	step();
	assert_int_equal(read(fix.space, &count, sizeof(count)), sizeof(count));
	/* Once for each move. */
	step();
	assert_int_equal(read(fix.space, &count, sizeof(count)), -1);
}

/* Returns how often the worker was told before all was delivered; that it was told then
 * is checked. */
static unsigned int tell_while_delivering(void)
{
	unsigned int told = 0;
	uint64_t count;
	bool more;

	do {
		more = feed_step(fix.feed, fix.scratch);
		if (more)
			told += read(fix.space, &count, sizeof(count)) > 0;
	} while (more);
	assert_int_equal(cursor()->log_position, fix.page->head);
	if (!told)
		assert_int_equal(read(fix.space, &count, sizeof(count)), sizeof(count));
	return told;
}

/* A worker that wants more room than there is yet: when that much is there, or no more
 * comes. */
static void test_tells_a_worker_when_it_pays(void **state)
{
	static const struct {
		uint64_t part, of;  /* of the log's records, where the worker wants the cursor */
		unsigned int early; /* told before the end */
	} rows[] = {{1, 1, 0}, {2, 1, 0}, {1, 8, 2}};
	uint64_t begin;

	(void)state;
	open_feed(true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin = fix.writer.head;
		while (!write_record(TO_A, 1))
			;
		fix.page->waiting = begin + (fix.writer.head - begin) * rows[i].part / rows[i].of;
		assert_int_equal(tell_while_delivering(), rows[i].early);
	}
}

static void test_strict(void **state)
{
	(void)state;
	snprintf(fix.bundle->sinks[SINK_B].path, FAAS_PATH_BYTES, "%s/none/b", directory);
	open_feed(true);
	assert_null(fix.feed);
	open_feed(false);
	assert_non_null(fix.feed);
	feed_close(fix.feed);
	/* Two sinks, one file. */
	strcpy(fix.bundle->sinks[SINK_B].path, fix.paths[SINK_A]);
	open_feed(true);
	assert_null(fix.feed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_delivers_to_each_sink),
		TEST(test_wraps_and_survives),
		TEST(test_batches),
		TEST(test_crash_between_write_and_cursor),
		TEST(test_udp_at_most_once_over_a_crash),
		TEST(test_held_up_sink),
		TEST(test_dead_collector),
		TEST(test_no_socket),
		TEST(test_rotation_over_crashes),
		TEST(test_dead_letter_file_when_needed),
		TEST(test_dead_letters_once),
		TEST(test_steps_over),
		TEST(test_counters_before_taken_up),
		TEST(test_publications_are_counted),
		TEST(test_damaged_record),
		TEST(test_record_of_another_ring),
		TEST(test_hostile_worker),
		TEST(test_sleep),
		TEST(test_tells_a_waiting_worker),
		TEST(test_tells_a_worker_when_it_pays),
		TEST(test_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
