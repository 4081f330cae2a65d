// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/sink/feed_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

/* How long a damaged log is left alone before it is looked at again. */
#define STUCK_NS (100 * CLOCK_NS_PER_MS)

struct feed_scratch *feed_scratch_new(void)
{
	return malloc(sizeof(struct feed_scratch));
}

void feed_scratch_free(struct feed_scratch *scratch)
{
	free(scratch);
}

/* The log is damaged here: go on behind what the worker calls its last record. */
static void resync(struct feed_turn *turn)
{
	struct feed *feed = turn->feed;
	uint64_t head = __atomic_load_n(&feed->worker_page->head, __ATOMIC_ACQUIRE) & ~7ull;
	uint64_t sequence = feed->worker_page->head_sequence;

	feed->cursor.corrupt++;
	if (head <= feed->scan.position)
		feed->stuck_until_ns = turn->now_ns + STUCK_NS;
	feed->scan.position = head;
	feed->scan.sequence = sequence;
}

/* Counters that are whole. Those of durable state are made again from the disk, in place:
 * before that is done they are not to be looked at. */
static bool read_counters(const struct feed *feed, struct page_counters *ret)
{
	if (feed->durable && !__atomic_load_n(&feed->worker_page->taken_up, __ATOMIC_ACQUIRE))
		return false;
	return !worker_page_read(feed->worker_page, ret);
}

/* Step over records that hold nothing to deliver: see page_counters. */
static bool step_over(struct feed *feed, const struct page_counters *counters)
{
	if (feed->scan.position < counters->output_position ||
	    feed->scan.position >= counters->log_position || counters->log_position % 8)
		return false;
	feed->scan.position = counters->log_position;
	feed->scan.sequence = counters->sequence;
	return true;
}

/* With durable state: whether there is a record on the disk that was not read. What
 * an earlier life of the log delivered is not in it any more. */
static bool is_durable(struct feed *feed)
{
	uint64_t head = __atomic_load_n(&feed->worker_page->head, __ATOMIC_ACQUIRE);
	uint64_t begin = feed->worker_page->begin_position;

	if (feed->scan.position < begin && begin <= head && begin % 8 == 0) {
		feed->scan.position = begin;
		feed->scan.sequence = feed->worker_page->begin_sequence;
	}
	return feed->scan.position < head;
}

/* A workflow has one worker, the first, and so one ring: a record of another is not its own. */
static bool is_of_its_ring(const struct log_record *record)
{
	return !record->ring;
}

/* As log_read; -EBADMSG also for a record that should be there and is not. */
static int64_t read_record(struct feed_turn *turn, uint64_t *ret_next)
{
	struct feed *feed = turn->feed;
	void *copy = turn->scratch->record;
	int64_t bytes;
	uint64_t head;

	if (feed->durable && !is_durable(feed))
		return 0;
	bytes = log_read(&feed->view, feed->scan.position, feed->scan.sequence + 1, copy,
			 sizeof(turn->scratch->record), ret_next);
	if (bytes)
		return bytes;
	head = __atomic_load_n(&feed->worker_page->head, __ATOMIC_ACQUIRE);
	if (head <= feed->scan.position)
		return 0;
	/* It may have come since. */
	bytes = log_read(&feed->view, feed->scan.position, feed->scan.sequence + 1, copy,
			 sizeof(turn->scratch->record), ret_next);
	return bytes ? bytes : -EBADMSG;
}

/* Sinks whose time has come begin again at the cursor. */
static void release(struct feed_turn *turn)
{
	struct feed *feed = turn->feed;
	bool any = false;

	for (uint32_t i = 0; i <= feed->sink_count; i++) {
		struct feed_sink *sink = &feed->sinks[i];

		if (sink->blocked_until_ns && sink->blocked_until_ns <= turn->now_ns) {
			sink->blocked_until_ns = 0;
			any = true;
		}
	}
	if (feed->stuck_until_ns <= turn->now_ns)
		feed->stuck_until_ns = 0;
	if (!any)
		return;
	feed->held = false;
	feed->scan.position = feed->cursor.log_position;
	feed->scan.sequence = feed->cursor.sequence;
}

/* Wake a worker that waits for the cursor: when it is where the worker wants it, or
 * with @p more false, for it goes no further now. */
static void tell_worker(struct feed *feed, bool more)
{
	const uint64_t one = 1;
	uint64_t position =
		feed->durable ? feed->cursor.synced_position : feed->cursor.log_position;
	uint64_t waiting;

	if (feed->told == position)
		return;
	/* It sets `waiting`, fences, and looks at the cursor. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	waiting = __atomic_load_n(&feed->worker_page->waiting, __ATOMIC_RELAXED);
	if (!waiting || (more && position < waiting))
		return;
	feed->told = position;
	(void)!write(feed->space_fd, &one, sizeof(one));
}

/* Returns whether there may be more. */
static bool read_batch(struct feed_turn *turn)
{
	struct feed *feed = turn->feed;
	struct page_counters counters;
	bool countable = read_counters(feed, &counters);

	for (unsigned int i = 0; i < FEED_BATCH_RECORDS; i++) {
		uint64_t next = 0;
		int64_t bytes;

		if (countable && step_over(feed, &counters))
			continue;
		bytes = read_record(turn, &next);
		if (!bytes)
			return false;
		if (bytes < 0 ||
		    !is_of_its_ring((const struct log_record *)turn->scratch->record)) {
			resync(turn);
			return !feed->stuck_until_ns;
		}
		feed_apply_verdicts(turn);
		feed_deliver_record(turn);
		if (turn->full)
			return true;
		feed->scan.position = next;
		feed->scan.sequence++;
	}
	return true;
}

bool feed_step(struct feed *feed, struct feed_scratch *scratch)
{
	struct courier_cursor *last = &feed->courier_page->cursors[feed->courier_page->current & 1];
	struct feed_turn turn = {
		.feed = feed,
		.scratch = scratch,
		.now_ns = clock_monotonic_ns(),
		.wall_offset_ns = clock_wall_offset_ns(),
	};
	bool more;

	release(&turn);
	if (feed->stuck_until_ns)
		return false;
	turn.begin = feed->scan;
	more = read_batch(&turn);
	feed_write_files(&turn);
	if (!feed->held) {
		feed->cursor.log_position = feed->scan.position;
		feed->cursor.sequence = feed->scan.sequence;
	}
	if (feed->durable)
		feed_sync(&turn, more);
	if (memcmp(last, &feed->cursor, sizeof(*last)))
		feed_publish(feed);
	tell_worker(feed, more);
	return more;
}

void feed_wake(struct feed *feed)
{
	uint64_t epoch = feed->courier_page->sleep_epoch;

	__atomic_store_n(&feed->courier_page->sleep_epoch, epoch + (epoch & 1), __ATOMIC_RELEASE);
}

bool feed_sleep(struct feed *feed, struct feed_scratch *scratch)
{
	struct feed_turn turn = {.feed = feed, .scratch = scratch};
	uint64_t next;

	__atomic_store_n(&feed->courier_page->sleep_epoch, feed->courier_page->sleep_epoch | 1,
			 __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!feed_is_awaited(feed) && (feed->stuck_until_ns || !read_record(&turn, &next)))
		return true;
	feed_wake(feed);
	return false;
}

uint64_t feed_retry_ns(const struct feed *feed)
{
	uint64_t earliest = feed->stuck_until_ns;

	if (feed->unsynced_since_ns &&
	    (!earliest || feed->unsynced_since_ns + FEED_SYNC_MS * CLOCK_NS_PER_MS < earliest))
		earliest = feed->unsynced_since_ns + FEED_SYNC_MS * CLOCK_NS_PER_MS;
	for (uint32_t i = 0; i <= feed->sink_count; i++) {
		uint64_t until = feed->sinks[i].blocked_until_ns;

		if (until && (!earliest || until < earliest))
			earliest = until;
	}
	return earliest;
}

bool feed_is_done(const struct feed *feed)
{
	return !feed->held;
}

uint64_t feed_undelivered(const struct feed *feed)
{
	struct page_counters counters;

	if (!read_counters(feed, &counters) ||
	    counters.output_position <= feed->cursor.log_position ||
	    counters.sequence <= feed->cursor.sequence)
		return 0;
	return counters.sequence - feed->cursor.sequence;
}
