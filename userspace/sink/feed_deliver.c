// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "userspace/sink/feed_internal.h"

/* Outputs of one record that have a number in courier_sink_counters.done. */
#define OUTPUTS_MAX 255

/* One output on its way to its sinks; encoded when the first one wants it. */
struct output {
	struct encode_id id;
	const struct log_entry *entry;
	const uint8_t *body;
	uint64_t place; /* see courier_sink_counters.done */
	int bytes;	/* of the line, its end included; 0: not encoded yet; or -errno */
};

static struct courier_sink_counters *counters_of(struct feed *feed, uint32_t number)
{
	return number < feed->sink_count ? &feed->cursor.sinks[number]
					 : &feed->cursor.dead_letter_file;
}

/* Make the cursor that was prepared the one that counts. */
void feed_publish(struct feed *feed)
{
	struct courier_page *page = feed->courier_page;
	uint32_t next = page->current + 1;

	/* Not before it is seen that the other cursor counts: who looks at this one yet finds
	 * that it does not when it has been looked at. Stores keep their order by themselves
	 * on some processors only. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	page->cursors[next & 1] = feed->cursor;
	__atomic_store_n(&page->current, next, __ATOMIC_RELEASE);
}

void feed_hold(struct feed_turn *turn, struct feed_sink *sink, uint64_t until_ns)
{
	struct feed *feed = turn->feed;

	sink->blocked_until_ns = until_ns;
	if (!feed->held) {
		feed->held = true;
		feed->cursor.log_position = turn->begin.position;
		feed->cursor.sequence = turn->begin.sequence;
	}
}

static int encode(struct feed_turn *turn, struct output *output)
{
	const struct encoder *encoder = turn->feed->encoder;
	char *line = turn->scratch->line;

	if (output->bytes)
		return output->bytes;
	if (output->entry->kind == LOG_ENTRY_DEAD)
		output->bytes = encode_dead(encoder, &output->id, output->entry, output->body,
					    turn->now_ns + (uint64_t)turn->wall_offset_ns, line);
	else
		output->bytes = encode_output(encoder, &output->id, output->body,
					      output->entry->bytes, turn->wall_offset_ns, line);
	if (output->bytes > 0)
		line[output->bytes++] = '\n';
	return output->bytes;
}

/* `limits.outputs`: a second's worth at once, then one each gap. Here and not in the
 * worker, where code of an author could undo it. */
static bool is_above_limit(const struct feed_turn *turn, uint32_t number)
{
	return turn->feed->output_gap_ns && number < turn->feed->sink_count &&
	       turn->feed->due_ns > turn->now_ns + CLOCK_NS_PER_S - turn->feed->output_gap_ns;
}

static void count_output(struct feed_turn *turn, uint32_t number)
{
	struct feed *feed = turn->feed;

	if (!feed->output_gap_ns || number == feed->sink_count)
		return;
	if (feed->due_ns < turn->now_ns)
		feed->due_ns = turn->now_ns;
	feed->due_ns += feed->output_gap_ns;
}

static void add_line(struct feed_turn *turn, uint32_t number, const struct output *output)
{
	struct feed_sink *sink = &turn->feed->sinks[number];
	size_t bytes = (size_t)output->bytes;
	uint64_t limit = FEED_BATCH_BYTES;

	/* A batch goes into one file. */
	if (sink->file.rotate_bytes && sink->file.rotate_bytes < limit)
		limit = sink->file.rotate_bytes;
	if (sink->used && sink->used + bytes > limit) {
		turn->full = true;
		return;
	}
	memcpy(turn->scratch->lines[number] + sink->used, turn->scratch->line, bytes);
	count_output(turn, number);
	sink->used += bytes;
	sink->line_count++;
	sink->done = output->place;
}

/* Count a change of a sink's counter in the page at once: what a courier that
 * dies in the middle of a batch must not do again, it must find there. */
#define count_now(turn, number, member, value)                                                     \
	do {                                                                                       \
		struct courier_page *page_ = (turn)->feed->courier_page;                           \
		uint64_t value_ = (value);                                                         \
                                                                                                   \
		(turn)->feed->cursor.sinks[number].member = value_;                                \
		__atomic_store_n(&page_->cursors[page_->current & 1].sinks[number].member, value_, \
				 __ATOMIC_RELEASE);                                                \
	} while (0)

static void give_up(struct feed_turn *turn, uint32_t number, uint64_t place)
{
	struct feed_sink *sink = &turn->feed->sinks[number];

	count_now(turn, number, refused, turn->feed->cursor.sinks[number].refused + 1);
	count_now(turn, number, done, place);
	sink->tries = 0;
	sink->waiting_since_ns = 0;
}

/* What to do about a datagram that was not sent. True: try again now. */
static bool retry_datagram(struct feed_turn *turn, uint32_t number, uint64_t place, int err)
{
	const struct courier_sink_counters *counters = &turn->feed->cursor.sinks[number];
	struct feed_sink *sink = &turn->feed->sinks[number];

	if (err == -EAGAIN) {
		if (!sink->waiting_since_ns)
			sink->waiting_since_ns = turn->now_ns;
		if (turn->now_ns - sink->waiting_since_ns < FEED_DATAGRAM_WAIT_MS * CLOCK_NS_PER_MS)
			feed_hold(turn, sink,
				  turn->now_ns + FEED_DATAGRAM_ROOM_MS * CLOCK_NS_PER_MS);
		else
			give_up(turn, number, place);
		return false;
	}
	count_now(turn, number, last_error, (uint64_t)-err);
	if (err == -EMSGSIZE) {
		give_up(turn, number, place);
		return false;
	}
	count_now(turn, number, errors, counters->errors + 1);
	sink->tries++;
	/* While the collector cannot be reached, one try each: the others of
	 * this workflow wait for the cursor, and the log is not endless. */
	if (sink->down && err != -ECONNREFUSED) {
		give_up(turn, number, place);
		return false;
	}
	if (sink->tries >= FEED_DATAGRAM_TRIES) {
		sink->down = true;
		give_up(turn, number, place);
		return false;
	}
	if (err == -ECONNREFUSED) {
		sink->refused_ns = turn->now_ns;
		return true;
	}
	feed_hold(turn, sink, turn->now_ns + FEED_DATAGRAM_RETRY_MS * CLOCK_NS_PER_MS);
	return false;
}

/* That a datagram was sent, says little of those before it. */
static void forget_error(struct feed_turn *turn, uint32_t number)
{
	struct feed_sink *sink = &turn->feed->sinks[number];

	if (sink->refused_ns && turn->now_ns - sink->refused_ns < FEED_REFUSAL_MS * CLOCK_NS_PER_MS)
		return;
	sink->refused_ns = 0;
	count_now(turn, number, last_error, 0);
}

static void send_datagram(struct feed_turn *turn, uint32_t number, const struct output *output)
{
	struct courier_sink_counters *counters = &turn->feed->cursor.sinks[number];
	struct feed_sink *sink = &turn->feed->sinks[number];
	uint64_t before = counters->done;
	int err;

	do {
		/* At most once: it is done before it is sent. */
		count_now(turn, number, done, output->place);
		err = udp_sink_send(&sink->udp, turn->scratch->line, (size_t)output->bytes - 1);
		if (!err) {
			count_now(turn, number, delivered, counters->delivered + 1);
			count_output(turn, number);
			forget_error(turn, number);
			sink->tries = 0;
			sink->waiting_since_ns = 0;
			sink->down = false;
			return;
		}
		count_now(turn, number, done, before);
	} while (retry_datagram(turn, number, output->place, err));
}

/* It is done with, and counted; by a file together with the lines before it. */
static void leave_out(struct feed_turn *turn, uint32_t number, uint64_t place)
{
	struct feed_sink *sink = &turn->feed->sinks[number];

	if (sink->used) {
		sink->limited++;
		sink->done = place;
		return;
	}
	/* Of these two, first the one that keeps it from being counted again. */
	count_now(turn, number, done, place);
	count_now(turn, number, limited, turn->feed->cursor.sinks[number].limited + 1);
}

static void deliver(struct feed_turn *turn, uint32_t number, struct output *output)
{
	struct courier_sink_counters *counters = counters_of(turn->feed, number);
	struct feed_sink *sink = &turn->feed->sinks[number];

	if (output->place <= counters->done || (sink->used && output->place <= sink->done))
		return;
	if (sink->blocked_until_ns) {
		feed_hold(turn, sink, sink->blocked_until_ns);
		return;
	}
	if (is_above_limit(turn, number)) {
		leave_out(turn, number, output->place);
		return;
	}
	if (encode(turn, output) < 0) {
		/* Only damage or a hostile worker makes such an entry. A file
		 * gets it accounted for with the lines before it. */
		counters->refused++;
		if (sink->used)
			sink->done = output->place;
		else
			counters->done = output->place;
		return;
	}
	if (sink->kind == SINK_FILE)
		add_line(turn, number, output);
	else
		send_datagram(turn, number, output);
}

void feed_deliver_record(struct feed_turn *turn)
{
	const struct log_record *record = (const struct log_record *)turn->scratch->record;
	struct feed *feed = turn->feed;
	struct output output = {
		.id = {.log_id = record->log_id,
		       .sequence = record->sequence,
		       .incarnation = record->incarnation},
	};
	uint32_t all = (uint32_t)((1ull << feed->sink_count) - 1);
	struct log_walk walk;

	log_walk_begin(&walk, record);
	while (!turn->full && (output.entry = log_walk_next(&walk, &output.body))) {
		uint32_t sinks = output.entry->sinks & all;

		if (output.entry->kind != LOG_ENTRY_OUTPUT && output.entry->kind != LOG_ENTRY_DEAD)
			continue;
		if (output.id.output == OUTPUTS_MAX)
			break;
		output.place = record->sequence << 8 | (output.id.output + 1);
		output.bytes = 0;
		if (output.entry->kind == LOG_ENTRY_DEAD)
			deliver(turn, feed->sink_count, &output);
		for (uint32_t i = 0; output.entry->kind == LOG_ENTRY_OUTPUT && i < feed->sink_count;
		     i++)
			if (sinks >> i & 1)
				deliver(turn, i, &output);
		output.id.output++;
	}
}

void feed_file_failed(struct feed_turn *turn, uint32_t number, int err)
{
	struct courier_sink_counters *counters = counters_of(turn->feed, number);
	struct feed_sink *sink = &turn->feed->sinks[number];

	counters->errors++;
	counters->last_error = (uint64_t)-err;
	feed_hold(turn, sink, turn->now_ns + sink->backoff_ms * CLOCK_NS_PER_MS);
	sink->backoff_ms *= 2;
	if (sink->backoff_ms > FEED_RETRY_MAX_MS)
		sink->backoff_ms = FEED_RETRY_MAX_MS;
}

static int write_file(struct feed_turn *turn, uint32_t number)
{
	struct feed *feed = turn->feed;
	struct courier_sink_counters *counters = counters_of(feed, number);
	struct feed_sink *sink = &feed->sinks[number];
	int err;

	err = file_sink_prepare(&sink->file, sink->used);
	if (err)
		return err;
	if (counters->file_inode != sink->file.inode || counters->file_bytes != sink->file.bytes) {
		counters->file_inode = sink->file.inode;
		counters->file_bytes = sink->file.bytes;
		feed_publish(feed);
	}
	err = file_sink_write(&sink->file, turn->scratch->lines[number], sink->used);
	if (err)
		return err;
	/* With the next cursor these take effect together. */
	counters->file_bytes = sink->file.bytes;
	counters->done = sink->done;
	counters->delivered += sink->line_count;
	counters->limited += sink->limited;
	counters->last_error = 0;
	if (number == feed->sink_count)
		feed->cursor.dead_letters += sink->line_count;
	sink->backoff_ms = FEED_RETRY_MIN_MS;
	return 0;
}

void feed_write_files(struct feed_turn *turn)
{
	for (uint32_t i = 0; i <= turn->feed->sink_count; i++) {
		struct feed_sink *sink = &turn->feed->sinks[i];
		int err;

		if (!sink->used)
			continue;
		err = write_file(turn, i);
		if (err)
			feed_file_failed(turn, i, err);
		sink->used = 0;
		sink->line_count = 0;
		sink->limited = 0;
	}
}
