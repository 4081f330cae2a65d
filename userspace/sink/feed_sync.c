// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * With durable state, what was delivered to a file survives a loss of power, or is
 * delivered again: the log keeps it until the file is on its disk. A sync takes
 * milliseconds, so there is one for all lines of some time, and earlier when the log
 * gets short of space.
 */
#include "clock.h"
#include "userspace/sink/feed_internal.h"

/* So much of the log waits for a sync at most: one part of so many. */
#define SYNC_PART 4

static bool any_unsynced(const struct feed *feed)
{
	for (uint32_t i = 0; i <= feed->sink_count; i++)
		if (feed->sinks[i].file.unsynced)
			return true;
	return false;
}

bool feed_is_awaited(const struct feed *feed)
{
	return feed->unsynced_since_ns &&
	       __atomic_load_n(&feed->worker_page->waiting, __ATOMIC_RELAXED);
}

static bool is_due(const struct feed *feed, uint64_t now_ns, bool more)
{
	uint64_t waiting = __atomic_load_n(&feed->worker_page->waiting, __ATOMIC_RELAXED);

	return now_ns >= feed->unsynced_since_ns + FEED_SYNC_MS * CLOCK_NS_PER_MS ||
	       feed->cursor.log_position - feed->cursor.synced_position >
		       feed->view.capacity / SYNC_PART ||
	       (waiting && (!more || feed->cursor.log_position >= waiting));
}

static void note_synced(struct feed *feed)
{
	feed->unsynced_since_ns = 0;
	feed->cursor.synced_position = feed->cursor.log_position;
	feed->cursor.synced_sequence = feed->cursor.sequence;
}

void feed_sync(struct feed_turn *turn, bool more)
{
	struct feed *feed = turn->feed;
	bool failed = false;

	if (!any_unsynced(feed)) {
		note_synced(feed);
		return;
	}
	if (!feed->unsynced_since_ns)
		feed->unsynced_since_ns = turn->now_ns;
	if (!is_due(feed, turn->now_ns, more))
		return;
	for (uint32_t i = 0; i <= feed->sink_count; i++) {
		int err = file_sink_sync(&feed->sinks[i].file);

		if (!err)
			continue;
		feed_file_failed(turn, i, err);
		failed = true;
	}
	if (failed)
		feed->unsynced_since_ns = turn->now_ns;
	else
		note_synced(feed);
}

void feed_sync_now(struct feed *feed)
{
	struct feed_turn turn = {.feed = feed, .now_ns = clock_monotonic_ns()};

	if (!feed->durable || !any_unsynced(feed))
		return;
	turn.begin.position = feed->cursor.log_position;
	turn.begin.sequence = feed->cursor.sequence;
	/* It is time. */
	feed->unsynced_since_ns = 1;
	feed_sync(&turn, false);
	feed_publish(feed);
}
