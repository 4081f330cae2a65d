// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The end of a group: wherever the head is, a block ends with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/log/log.h"

#define SEGMENT_BYTES LOG_GROUP_SEGMENT_MIN
#define SEGMENTS 2

static uint8_t *file;
static uint64_t copy[LOG_RECORD_BYTES_MAX / 8];

static void open_writer(struct log_writer *writer, struct log_view *view)
{
	uint64_t bytes = log_file_bytes(SEGMENTS, SEGMENT_BYTES);

	/* What an earlier lap left must not show through. */
	memset(file, 0xee, bytes);
	log_format(file, SEGMENTS, SEGMENT_BYTES, 7, 1, 1);
	assert_int_equal(log_view_open(file, bytes, view), 0);
	assert_int_equal(log_writer_open(writer, file, bytes, 3, 0, 0, 0), 0);
}

/* A record of @p bytes in all, a multiple of 8 and 80 at least. */
static void append(struct log_writer *writer, uint32_t bytes)
{
	void *body;

	assert_int_equal(log_begin(writer), 0);
	body = log_output(writer, 1, bytes - 80);
	assert_non_null(body);
	memset(body, 1, bytes - 80);
	(void)log_commit(writer, LOG_EVENT, 0, 0, 5, 6, 7);
}

static void check_group(const struct log_view *view, uint64_t from, uint64_t sequence, uint64_t end,
			const struct log_group *group)
{
	const struct log_record *record = (const void *)copy;
	const struct log_entry *entry;
	struct log_walk walk;
	const uint8_t *body;
	uint64_t next;

	assert_true(log_read(view, from, sequence, copy, sizeof(copy), &next) > 0);
	assert_int_equal(next, end);
	assert_int_equal(record->kind, LOG_GROUP);
	assert_int_equal(record->processed, 6);
	log_walk_begin(&walk, record);
	entry = log_walk_next(&walk, &body);
	assert_non_null(entry);
	assert_int_equal(entry->kind, LOG_ENTRY_GROUP);
	assert_memory_equal(body, group, sizeof(*group));
	for (uint32_t i = sizeof(*group); i < entry->bytes; i++)
		assert_int_equal(body[i], 0);
	assert_null(log_walk_next(&walk, &body));
}

/* Every place in a block that a head may have, in the middle of a segment and at
 * its end. */
static void test_reaches_to_the_end_of_a_block(void **state)
{
	const struct log_group group = {
		.begin = 1, .durable_position = 2, .courier_sequence = 3, .monotonic_ns = 4};

	(void)state;
	for (uint64_t block = 0; block < SEGMENT_BYTES; block += SEGMENT_BYTES - LOG_BLOCK_BYTES) {
		for (uint32_t offset = 80; offset <= LOG_BLOCK_BYTES; offset += 8) {
			struct log_writer writer;
			struct log_view view;
			uint64_t head;

			open_writer(&writer, &view);
			while (writer.head < block)
				append(&writer, LOG_BLOCK_BYTES);
			append(&writer, offset);
			head = writer.head;
			assert_int_equal(log_close_group(&writer, 0, &group, 5, 6, 7), 0);
			assert_int_equal(writer.head % LOG_BLOCK_BYTES, 0);
			assert_true(writer.head - head <= LOG_GROUP_ROOM);
			check_group(&view, head, writer.sequence, writer.head, &group);
			/* And the log goes on behind it. */
			append(&writer, 80);
		}
	}
}

static void test_needs_its_room(void **state)
{
	const struct log_group group = {0};
	struct log_writer writer;
	struct log_view view;

	(void)state;
	open_writer(&writer, &view);
	writer.limit = writer.tail + view.capacity - LOG_GROUP_ROOM;
	while (log_begin(&writer) == 0) {
		log_abandon(&writer);
		append(&writer, 1000);
	}
	assert_int_equal(log_close_group(&writer, 0, &group, 5, 6, 7), 0);
	writer.tail = writer.head - view.capacity + LOG_GROUP_ROOM - 8;
	assert_int_equal(log_close_group(&writer, 0, &group, 5, 6, 7), -EAGAIN);
}

static int set_up(void **state)
{
	(void)state;
	file = aligned_alloc(4096, log_file_bytes(SEGMENTS, SEGMENT_BYTES));
	return file ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(file);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reaches_to_the_end_of_a_block),
		cmocka_unit_test(test_needs_its_room),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
