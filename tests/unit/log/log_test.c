// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "userspace/log/log.h"
#include "userspace/log/log_plain.h"

#define SEGMENT_BYTES 8192 /* records of up to 2048 */
#define SEGMENTS 4
#define LOG_ID 0x1122334455667788ull

struct fixture {
	uint8_t *file;
	uint64_t file_bytes;
	struct log_writer writer;
	struct log_view view;
	uint8_t *copy;
};

static struct fixture fix;

static int set_up(void **state)
{
	(void)state;
	fix.file_bytes = log_file_bytes(SEGMENTS, SEGMENT_BYTES);
	fix.file = aligned_alloc(4096, fix.file_bytes);
	fix.copy = aligned_alloc(64, LOG_RECORD_BYTES_MAX);
	if (!fix.file || !fix.copy)
		return -1;
	memset(fix.file, 0, fix.file_bytes);
	log_format(fix.file, SEGMENTS, SEGMENT_BYTES, LOG_ID, 7, 8);
	return log_view_open(fix.file, fix.file_bytes, &fix.view) ||
	       log_writer_open(&fix.writer, fix.file, fix.file_bytes, 1, 0, 0, 0);
}

static int tear_down(void **state)
{
	(void)state;
	free(fix.file);
	free(fix.copy);
	return 0;
}

static int64_t read_at(uint64_t position, uint64_t sequence, uint64_t *next)
{
	return log_read(&fix.view, position, sequence, fix.copy, LOG_RECORD_BYTES_MAX, next);
}

/* What record n holds: sizes differ, so that they meet segment ends in all ways. */
static uint32_t output_bytes(uint64_t n)
{
	return (uint32_t)((n * 7919) % 1500);
}

/* Append record @p n as the writer's next. -EAGAIN when it is full. */
static int append(uint64_t n)
{
	const uint8_t trace[] = {0, 1, 3};
	const uint8_t key[] = {1, 2, 3, 4, 5};
	uint8_t *body;

	if (log_begin(&fix.writer))
		return -EAGAIN;
	assert_int_equal(log_trace(&fix.writer, trace, sizeof(trace)), 0);
	body = log_state(&fix.writer, 2, key, sizeof(key), 8);
	assert_non_null(body);
	memcpy(body, &n, 8);
	body = log_output(&fix.writer, 5, output_bytes(n));
	assert_non_null(body);
	memset(body, (int)(n & 0xff), output_bytes(n));
	(void)log_commit(&fix.writer, LOG_EVENT, (uint8_t)n, 3, n * 100, n, n / 2);
	return 0;
}

static void check_record(uint64_t n)
{
	const struct log_record *record = (const void *)fix.copy;
	const uint8_t *trace = (const uint8_t *)(record + 1);
	const struct log_entry *entry;
	struct log_walk walk;
	const uint8_t *body;

	assert_int_equal(record->sequence, n);
	assert_int_equal(record->kind, LOG_EVENT);
	assert_int_equal(record->shard, (uint8_t)n);
	assert_int_equal(record->ring, 3);
	assert_int_equal(record->ring_position, n * 100);
	assert_int_equal(record->processed, n);
	assert_int_equal(record->dead_lettered, n / 2);
	assert_int_equal(record->log_id, LOG_ID);
	assert_int_equal(record->incarnation, 1);
	assert_int_equal(record->trace_bytes, 3);
	assert_int_equal(trace[2], 3);
	assert_int_equal(record->entry_count, 2);
	log_walk_begin(&walk, record);
	entry = log_walk_next(&walk, &body);
	assert_non_null(entry);
	assert_int_equal(entry->kind, LOG_ENTRY_STATE);
	assert_int_equal(entry->function, 2);
	assert_int_equal(entry->key_bytes, 5);
	assert_int_equal(entry->bytes, 16);
	assert_int_equal(memcmp(body, "\1\2\3\4\5\0\0", 8), 0);
	assert_int_equal(memcmp(body + 8, &n, 8), 0);
	entry = log_walk_next(&walk, &body);
	assert_non_null(entry);
	assert_int_equal(entry->kind, LOG_ENTRY_OUTPUT);
	assert_int_equal(entry->sinks, 5);
	assert_int_equal(entry->bytes, output_bytes(n));
	for (uint32_t i = 0; i < entry->bytes; i++)
		assert_int_equal(body[i], n & 0xff);
	/* Padding is zeros, whatever a lap before left there. */
	for (uint32_t i = entry->bytes; i % 8; i++)
		assert_int_equal(body[i], 0);
	assert_null(log_walk_next(&walk, &body));
}

/* Thousands of records, many laps, every way of meeting the end of a segment. */
static void test_wraps_around(void **state)
{
	uint64_t position = 0, read = 0, written = 0, pads = 0;

	(void)state;
	while (read < 5000) {
		uint64_t next;

		while (append(written + 1) == 0) {
			written++;
			if (written - read > 1 && written % 3 == 0)
				break;
		}
		assert_true(written > read);
		while (read_at(position, read + 1, &next) > 0) {
			check_record(++read);
			assert_true(next > position);
			/* A record lies in one segment. */
			assert_int_equal((next - ((struct log_record *)(void *)fix.copy)->bytes) /
						 SEGMENT_BYTES,
					 (next - 1) / SEGMENT_BYTES);
			pads += next - position != ((struct log_record *)(void *)fix.copy)->bytes;
			position = next;
		}
		assert_int_equal(read, written);
		assert_int_equal(position, fix.writer.head);
		log_set_tail(&fix.writer, position);
	}
	assert_true(pads > 100);
	assert_true(position > 20ull * SEGMENTS * SEGMENT_BYTES);
}

static void test_full(void **state)
{
	uint64_t next, position = 0, written = 0;

	(void)state;
	while (append(written + 1) == 0)
		written++;
	assert_true(written > 10);
	assert_true(fix.writer.head <= fix.view.capacity);
	/* All of it can be read: nothing was overwritten. */
	for (uint64_t n = 1; n <= written; n++) {
		assert_true(read_at(position, n, &next) > 0);
		check_record(n);
		position = next;
	}
	assert_int_equal(read_at(position, written + 1, &next), 0);
	/* As much as was read can be written again. */
	assert_int_equal(log_begin(&fix.writer), -EAGAIN);
	log_set_tail(&fix.writer, position);
	assert_int_equal(append(written + 1), 0);
}

/* Records of exactly what is left in the segment, and of 8, 16, ... bytes less. */
static void test_ends_of_segments(void **state)
{
	(void)state;
	for (uint32_t left = 0; left <= 160; left += 8) {
		uint64_t position = 0, next;
		uint8_t *body;

		(void)tear_down(NULL);
		assert_int_equal(set_up(NULL), 0);
		/* Three records of 2048 and one that leaves `left`. */
		for (int i = 0; i < 4; i++) {
			uint32_t bytes = i < 3 ? 2048 : 2048 - left;

			assert_int_equal(log_begin(&fix.writer), 0);
			body = log_output(&fix.writer, 1, bytes - 80);
			assert_non_null(body);
			memset(body, i, bytes - 80);
			(void)log_commit(&fix.writer, LOG_EVENT, 0, 0, 0, 0, 0);
		}
		assert_int_equal(fix.writer.head, SEGMENT_BYTES - left);
		/* One of 104 bytes: fits, or goes to the next segment. */
		assert_int_equal(log_begin(&fix.writer), 0);
		body = log_output(&fix.writer, 1, 24);
		assert_non_null(body);
		memset(body, 9, 24);
		(void)log_commit(&fix.writer, LOG_EVENT, 0, 0, 55, 0, 0);
		for (uint64_t n = 1; n <= 5; n++) {
			assert_true(read_at(position, n, &next) > 0);
			position = next;
		}
		assert_int_equal(((struct log_record *)(void *)fix.copy)->ring_position, 55);
		assert_int_equal(position,
				 left >= 104 ? SEGMENT_BYTES - left + 104 : SEGMENT_BYTES + 104);
		assert_int_equal(position, fix.writer.head);
	}
}

/* Any byte of a record zeroed or flipped: it is not accepted. */
static void test_torn_records(void **state)
{
	uint64_t position, next;
	uint32_t bytes;

	(void)state;
	for (uint64_t n = 1; n < 4; n++)
		assert_int_equal(append(n), 0);
	assert_true(read_at(0, 1, &position) > 0);
	bytes = (uint32_t)read_at(position, 2, &next);
	for (uint32_t i = 0; i < bytes; i++) {
		uint8_t *at = fix.file + LOG_DATA_OFFSET + position + i;
		uint8_t was = *at;

		for (int bit = 0; bit < 8; bit++) {
			*at = was ^ (uint8_t)(1 << bit);
			assert_true(read_at(position, 2, &next) <= 0);
		}
		*at = 0;
		assert_true(!was || read_at(position, 2, &next) <= 0);
		*at = was;
		/* Cut off here: zeros behind, as a writer that was killed leaves. */
		if (i % 8 == 0) {
			uint8_t rest[4096];

			memcpy(rest, at, bytes - i);
			memset(at, 0, bytes - i);
			assert_true(read_at(position, 2, &next) <= 0 || i == bytes);
			memcpy(at, rest, bytes - i);
		}
	}
	assert_int_equal(read_at(position, 2, &next), bytes);
	check_record(2);
}

/* A record that is being built is not one, however far it is. */
static void test_nothing_before_commit(void **state)
{
	uint64_t next;
	uint8_t *body;

	(void)state;
	for (unsigned int lap = 0; lap < 3; lap++) {
		/* In the second lap, old records with a right CRC lie there. */
		while (fix.writer.head < (lap + 1) * fix.view.capacity) {
			uint64_t n = fix.writer.sequence + 1;

			assert_int_equal(read_at(fix.writer.head, n, &next), 0);
			assert_int_equal(log_begin(&fix.writer), 0);
			assert_int_equal(read_at(fix.writer.head, n, &next), 0);
			body = log_output(&fix.writer, 1, 500);
			assert_non_null(body);
			assert_int_equal(read_at(fix.writer.head, n, &next), 0);
			memset(body, 1, 500);
			assert_int_equal(read_at(fix.writer.head, n, &next), 0);
			log_abandon(&fix.writer);
			assert_int_equal(read_at(fix.writer.head, n, &next), 0);
			assert_int_equal(append(n), 0);
			log_set_tail(&fix.writer, fix.writer.head);
		}
	}
}

/* One writer dies behind the padding of a record that goes to the next segment, its
 * successor while it builds the same record there: that place holds nothing yet. */
static void test_two_deaths_at_the_end_of_a_segment(void **state)
{
	struct log_writer successor;
	uint64_t next;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(log_begin(&fix.writer), 0);
		assert_non_null(log_output(&fix.writer, 1, (i < 3 ? 2048 : 1960) - 80));
		(void)log_commit(&fix.writer, LOG_EVENT, 0, 0, 0, 0, 0);
	}
	successor = fix.writer;
	assert_int_equal(log_begin(&fix.writer), 0);
	assert_non_null(log_output(&fix.writer, 1, 24));
	log_build_pad(&fix.writer);
	assert_int_equal(read_at(successor.head, 5, &next), 0);

	assert_int_equal(log_begin(&successor), 0);
	assert_non_null(log_output(&successor, 1, 24));
	assert_int_equal(read_at(successor.head, 5, &next), 0);
	(void)log_commit(&successor, LOG_EVENT, 0, 0, 55, 0, 0);
	assert_true(read_at(SEGMENT_BYTES - 88, 5, &next) > 0);
	assert_int_equal(((struct log_record *)(void *)fix.copy)->ring_position, 55);
}

/* Old records at the place of the new: not accepted, and not what is wanted. */
static void test_recycled_segments(void **state)
{
	uint64_t next, written = 0, first_lap = 0;

	(void)state;
	while (fix.writer.head < 2 * fix.view.capacity) {
		assert_int_equal(append(++written), 0);
		log_set_tail(&fix.writer, fix.writer.head);
		if (fix.writer.head < fix.view.capacity)
			first_lap = written;
	}
	/* At the head lies what the lap before left. */
	assert_int_equal(read_at(fix.writer.head, written + 1, &next), 0);
	/* Who looks for a record of the first lap finds a later one: gone. */
	assert_true(first_lap > 3);
	assert_int_equal(read_at(0, 1, &next), -EBADMSG);
	/* A log of the same layout and another id. */
	fix.view.log_id++;
	assert_int_equal(read_at(0, 1, &next), 0);
}

/* Overwrite a field of the record at 0 and make its CRC right again. */
static void forge(size_t offset, const void *value, size_t bytes)
{
	struct log_record *record = (void *)(fix.file + LOG_DATA_OFFSET);

	memcpy((uint8_t *)record + offset, value, bytes);
	if (record->bytes >= sizeof(*record) && record->bytes <= SEGMENT_BYTES)
		record->crc = crc32c(0, (uint8_t *)record + 4, record->bytes - 4);
}

#define FORGE(member, number)                                                                      \
	do {                                                                                       \
		struct log_record forged = {.member = (number)};                                   \
		forge(offsetof(struct log_record, member), &forged.member, sizeof(forged.member)); \
	} while (0)

/* Who writes the log may be an author's code: lengths are not believed. */
static void test_hostile_lengths(void **state)
{
	static const uint32_t lengths[] = {0,	  8,	    56,	      65,	  SEGMENT_BYTES + 8,
					   65536, 1u << 20, 1u << 31, 0xfffffff8, 0xffffffff};
	uint8_t *record = fix.file + LOG_DATA_OFFSET;
	uint8_t whole[4096];
	uint64_t next;
	int64_t bytes;

	(void)state;
	assert_int_equal(append(1), 0);
	bytes = read_at(0, 1, &next);
	assert_true(bytes > 0);
	memcpy(whole, record, (size_t)bytes);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		FORGE(bytes, lengths[i]);
		assert_true(read_at(0, 1, &next) <= 0);
		memcpy(record, whole, (size_t)bytes);

		/* The same as the length of the first entry's body. */
		forge(64 + 8 + offsetof(struct log_entry, bytes), &lengths[i], 4);
		assert_true(read_at(0, 1, &next) == -EBADMSG || lengths[i] == 8);
		memcpy(record, whole, (size_t)bytes);

		FORGE(entry_count, lengths[i] ? lengths[i] : 3);
		assert_int_equal(read_at(0, 1, &next), -EBADMSG);
		memcpy(record, whole, (size_t)bytes);
	}
	for (uint32_t trace = 9; trace <= UINT16_MAX; trace += 1) {
		FORGE(trace_bytes, (uint16_t)trace);
		assert_int_equal(read_at(0, 1, &next), -EBADMSG);
	}
	memcpy(record, whole, (size_t)bytes);
	FORGE(kind, 0);
	assert_int_equal(read_at(0, 1, &next), -EBADMSG);
	/* Padding at the start of a segment would lead on for ever. */
	FORGE(kind, LOG_PAD);
	assert_int_equal(read_at(0, 1, &next), -EBADMSG);
	memcpy(record, whole, (size_t)bytes);
	assert_int_equal(read_at(4, 1, &next), -EBADMSG);
	assert_int_equal(read_at(0, 1, &next), bytes);
	/* A buffer too small for it: not read beyond. */
	assert_int_equal(log_read(&fix.view, 0, 1, fix.copy, 128, &next), 0);
	assert_int_equal(log_read(&fix.view, 0, 1, fix.copy, 8, &next), -EBADMSG);
}

static void test_record_limits(void **state)
{
	(void)state;
	assert_int_equal(log_begin(&fix.writer), 0);
	assert_null(log_output(&fix.writer, 1, 2048));
	assert_null(log_output(&fix.writer, 1, UINT32_MAX));
	assert_null(log_output(&fix.writer, 1, 1968 + 1));
	assert_non_null(log_output(&fix.writer, 1, 1968));
	assert_null(log_output(&fix.writer, 1, 0));
	(void)log_commit(&fix.writer, LOG_EVENT, 0, 0, 0, 0, 0);
}

/* Written in one go or built piece by piece, it is the same record; and where it does not fit,
 * nothing was begun. */
static void test_plain_record(void **state)
{
	/* The last but one is as long as checksums are taken on the way. */
	static const struct {
		uint32_t key_bytes, value_bytes;
	} rows[] = {{0, 8}, {4, 12}, {16, 16}, {13, 64}, {16, 72}, {16, 216}, {40, 200}};
	uint8_t key[128] = {0}, value[216] = {0}, pieces[1024];
	const uint8_t trace[] = {3, 0};
	struct log_plain plain = {
		.key = key,
		.value = value,
		.function = 3,
		.shard = 9,
		.ring = 7,
		.ring_position = 24,
		.processed = 1,
		.dead_lettered = 2,
	};

	(void)state;
	memcpy(&plain.call, trace, sizeof(plain.call));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t key_bytes = rows[i].key_bytes, value_bytes = rows[i].value_bytes;
		struct log_writer before = fix.writer, after;
		uint32_t used;
		void *body;

		memset(key, 0, sizeof(key));
		memset(key, 0x5a, key_bytes);
		memset(value, 0, sizeof(value));
		memset(value, 0xa5, value_bytes);
		assert_int_equal(log_begin(&fix.writer), 0);
		assert_int_equal(log_trace(&fix.writer, trace, sizeof(trace)), 0);
		body = log_state(&fix.writer, 3, key, key_bytes, value_bytes);
		assert_non_null(body);
		memcpy(body, value, value_bytes);
		(void)log_commit(&fix.writer, LOG_EVENT, 9, 7, 24, 1, 2);
		after = fix.writer;
		used = (uint32_t)(after.head - before.head);
		memcpy(pieces, before.place, used);

		fix.writer = before;
		memset(before.place, 0xff, used);
		plain.key_bytes = key_bytes;
		plain.value_bytes = value_bytes;
		assert_int_equal(log_begin(&fix.writer), 0);
		assert_true(log_plain_write(&fix.writer, &plain, NULL));
		assert_memory_equal(pieces, before.place, used);
		assert_int_equal(fix.writer.head, after.head);
		assert_int_equal(fix.writer.rest, after.rest);
		assert_int_equal(fix.writer.sequence, after.sequence);
		assert_ptr_equal(fix.writer.place, after.place);
	}
	/* As at the end of a segment: one word less than it takes. */
	assert_int_equal(log_begin(&fix.writer), 0);
	fix.writer.room = sizeof(struct log_record) + 8 + sizeof(struct log_entry) + 40 + 200 - 8;
	assert_false(log_plain_write(&fix.writer, &plain, NULL));
	assert_int_equal(fix.writer.used, sizeof(struct log_record));
	assert_int_equal(fix.writer.entry_count, 0);
	fix.writer.room += 8;
	assert_true(log_plain_write(&fix.writer, &plain, NULL));
}

static void test_header_is_checked(void **state)
{
	struct log_header *header = (void *)fix.file;
	struct log_header good = *header;
	struct log_view view;

	(void)state;
	assert_int_equal(log_view_open(fix.file, fix.file_bytes - 1, &view), -EINVAL);
	assert_int_equal(log_view_open(fix.file, 100, &view), -EINVAL);
	header->magic++;
	assert_int_equal(log_view_open(fix.file, fix.file_bytes, &view), -EINVAL);
	*header = good;
	header->segment_count = 1;
	assert_int_equal(log_view_open(fix.file, fix.file_bytes, &view), -EINVAL);
	*header = good;
	header->segment_bytes = 0;
	assert_int_equal(log_view_open(fix.file, fix.file_bytes, &view), -EINVAL);
	*header = good;
	/* A product that overflows to something small. */
	header->segment_bytes = 1ull << 62;
	header->segment_count = 4;
	assert_int_equal(log_view_open(fix.file, fix.file_bytes, &view), -EINVAL);
	*header = good;
	assert_int_equal(log_view_open(fix.file, fix.file_bytes, &view), 0);
	assert_int_equal(log_writer_open(&fix.writer, fix.file, fix.file_bytes, 1, 4, 0, 0),
			 -EINVAL);
	assert_int_equal(log_writer_open(&fix.writer, fix.file, fix.file_bytes, 1, 8, 0, 16),
			 -EINVAL);
	assert_int_equal(log_writer_open(&fix.writer, fix.file, fix.file_bytes, 1,
					 SEGMENTS * SEGMENT_BYTES + 8, 0, 0),
			 -EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_wraps_around),	  TEST(test_full),
		TEST(test_ends_of_segments),	  TEST(test_torn_records),
		TEST(test_nothing_before_commit), TEST(test_two_deaths_at_the_end_of_a_segment),
		TEST(test_recycled_segments),	  TEST(test_hostile_lengths),
		TEST(test_record_limits),	  TEST(test_header_is_checked),
		TEST(test_plain_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
