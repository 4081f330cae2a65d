// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Against a ring buffer of the kernel, and against one made by hand. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event_check.h"
#include "userspace/ring/ring.h"
#include "worker_rig.h"

static struct rig rig;

static int set_up(void **state)
{
	struct rig_options options = {.ring_bytes = 4096};

	(void)state;
	return rig_open(&rig, &options);
}

static int tear_down(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

/* Many laps of a small ring: every record once, in order, in one piece. */
static void test_takes_every_record(void **state)
{
	struct ring_record record = {0};
	uint64_t taken = 0;
	struct ring ring;

	(void)state;
	rig.config->discard_every = 5;
	assert_int_equal(ring_open(rig.ring, &ring), 0);
	assert_int_equal(ring.bytes, 4096);
	assert_true(ring_is_empty(&ring));
	for (int lap = 0; lap < 60; lap++) {
		uint64_t end = ring.position;

		assert_int_equal(rig_emit(&rig, 20), 0);
		assert_false(ring_is_empty(&ring));
		while (ring_take(&ring, &record)) {
			const struct events_record *event = record.data;

			taken += taken % 5 == 0; /* was discarded */
			assert_int_equal(record.bytes, sizeof(*event));
			assert_true(event_check(record.data, record.bytes));
			assert_int_equal(event->field, taken);
			assert_int_equal(event->payload[0], taken);
			assert_true(record.begin >= end);
			assert_true(record.end > record.begin);
			end = record.end;
			taken++;
		}
		assert_true(ring_is_empty(&ring));
		ring_release(&ring);
	}
	assert_int_equal(rig.config->lost, 0);
	assert_int_equal(taken, rig.config->made);
	assert_true(ring.position > 40 * 4096);
	ring_close(&ring);
}

/* What is not released stays: for a successor, and against the producer. */
static void test_release_is_what_counts(void **state)
{
	struct ring_record record = {0};
	struct ring ring;
	uint64_t second = 0;

	(void)state;
	assert_int_equal(ring_open(rig.ring, &ring), 0);
	assert_int_equal(rig_emit(&rig, 100), 0);
	assert_true(rig.config->lost > 0);
	assert_true(ring_take(&ring, &record));
	assert_true(ring_take(&ring, &record));
	second = record.begin;
	ring_close(&ring);

	assert_int_equal(ring_open(rig.ring, &ring), 0);
	assert_true(ring_take(&ring, &record));
	assert_int_equal(((const struct events_record *)record.data)->field, 0);
	assert_int_equal(ring_seek(&ring, second), 0);
	assert_true(ring_take(&ring, &record));
	assert_int_equal(((const struct events_record *)record.data)->field, 1);
	ring_release(&ring);
	assert_int_equal(ring_seek(&ring, second), -ERANGE);
	assert_int_equal(ring_seek(&ring, *ring.producer + 8), -ERANGE);
	assert_int_equal(ring_seek(&ring, *ring.producer - 4), -ERANGE);
	assert_int_equal(ring_seek(&ring, *ring.producer), 0);
	assert_false(ring_take(&ring, &record));
	ring_close(&ring);
}

static void test_counts_without_taking(void **state)
{
	struct ringview view;
	struct ring ring;
	struct ring_record record = {0};
	uint64_t count;

	(void)state;
	rig.config->discard_every = 4;
	assert_int_equal(ring_open(rig.ring, &ring), 0);
	assert_int_equal(ringview_open(rig.ring, &view), 0);
	assert_int_equal(rig_emit(&rig, 16), 0);
	assert_int_equal(ringview_count(&view, 0, &count), 0);
	assert_int_equal(count, 12);
	assert_true(ring_take(&ring, &record));
	assert_int_equal(ringview_count(&view, record.end, &count), 0);
	assert_int_equal(count, 11);
	assert_int_equal(ringview_count(&view, *view.producer, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(ringview_count(&view, *view.producer + 8, &count), -EAGAIN);
	assert_int_equal(ringview_count(&view, record.end + 4, &count), -EAGAIN);
	/* A position from before the producer came around. */
	while (ring_take(&ring, &record))
		;
	ring_release(&ring);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(rig_emit(&rig, 16), 0);
		while (ring_take(&ring, &record))
			;
		ring_release(&ring);
	}
	assert_int_equal(ringview_count(&view, 0, &count), -EAGAIN);
	ringview_close(&view);
	ring_close(&ring);
}

static void test_refuses_what_is_no_ring(void **state)
{
	struct ringview_info info;
	struct ringview view;
	struct ring ring;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(ring_open(fd, &ring), -EINVAL);
	assert_int_equal(ringview_open(fd, &view), -EINVAL);
	assert_int_equal(ringview_identify(fd, &info), -EINVAL);
	/* A map of another kind. */
	assert_int_equal(ring_open(rig.wake, &ring), -EINVAL);
	assert_int_equal(ringview_identify(rig.wake, &info), -EINVAL);
	(void)close(fd);
	assert_int_equal(ring_open(fd, &ring), -ENOENT);
}

/* A record that is reserved and not submitted: it holds up those behind it, and
 * the ring is not empty. */
static void test_busy_record(void **state)
{
	uint64_t consumer = 0, producer = 64;
	uint64_t data[16] = {0};
	struct ring ring = {.consumer = &consumer,
			    .producer = &producer,
			    .data = (const uint8_t *)data,
			    .bytes = sizeof(data)};
	struct ring_record record = {0};
	struct ringview view = {.consumer = &consumer,
				.producer = &producer,
				.data = (const uint8_t *)data,
				.bytes = sizeof(data)};
	uint64_t count;

	(void)state;
	data[0] = 9;		     /* 9 bytes: 24 with header and padding */
	data[3] = 8 | RING_BUSY_BIT; /* 16 */
	data[5] = 16;		     /* 24 */
	assert_true(ring_take(&ring, &record));
	assert_int_equal(record.bytes, 9);
	assert_ptr_equal(record.data, data + 1);
	assert_false(ring_take(&ring, &record));
	assert_false(ring_is_empty(&ring));
	assert_int_equal(ring.position, 24);
	assert_int_equal(ringview_count(&view, 0, &count), 0);
	assert_int_equal(count, 1);
	data[3] = 8 | RING_DISCARD_BIT;
	assert_int_equal(ringview_count(&view, 0, &count), 0);
	assert_int_equal(count, 2);
	assert_true(ring_take(&ring, &record));
	assert_int_equal(record.begin, 40);
	assert_int_equal(record.end, 64);
	assert_int_equal(record.bytes, 16);
	assert_false(ring_take(&ring, &record));
	assert_true(ring_is_empty(&ring));
	assert_int_equal(consumer, 0);
	ring_release(&ring);
	assert_int_equal(consumer, 64);
}

/* Every length that an event claims is held against what there is. */
static void test_event_check(void **state)
{
	uint64_t bytes[FAAS_EVENT_BYTES_MAX / 8 + 1] = {0};
	struct faas_event *event = (void *)bytes;

	(void)state;
	assert_true(event_check(event, 96));
	assert_false(event_check(event, 95));
	assert_false(event_check(event, 0));
	event->key_bytes = 16;
	event->field_count = 2;
	event->payload_bytes = 10;
	assert_true(event_check(event, 96 + 16 + 16 + 16));
	assert_false(event_check(event, 96 + 16 + 16 + 15));
	event->fields_present = 3;
	assert_true(event_check(event, 500));
	event->fields_present = 4;
	assert_false(event_check(event, 500));
	event->fields_present = 0;
	event->shard = 256;
	assert_false(event_check(event, 500));
	event->shard = 255;
	event->key_bytes = FAAS_KEY_BYTES_MAX + 1;
	assert_false(event_check(event, 4096));
	event->key_bytes = FAAS_KEY_BYTES_MAX;
	event->field_count = FAAS_RECORD_FIELDS_MAX + 1;
	assert_false(event_check(event, 4096));
	event->field_count = FAAS_RECORD_FIELDS_MAX;
	event->payload_bytes = FAAS_EVENT_PAYLOAD_MAX + 1;
	assert_false(event_check(event, 4096));
	event->payload_bytes = FAAS_EVENT_PAYLOAD_MAX;
	assert_true(event_check(event, 4096));
	memset(event, 0xff, sizeof(*event));
	assert_false(event_check(event, UINT32_MAX));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_takes_every_record),	    TEST(test_release_is_what_counts),
		TEST(test_counts_without_taking),   TEST(test_refuses_what_is_no_ring),
		cmocka_unit_test(test_busy_record), cmocka_unit_test(test_event_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
