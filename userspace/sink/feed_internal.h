/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by feed.c, which reads the log, and feed_deliver.c, which serves the sinks. */
#ifndef FAAS_SINK_FEED_INTERNAL_H
#define FAAS_SINK_FEED_INTERNAL_H

#include "userspace/sink/feed.h"

struct feed_scratch {
	uint64_t record[LOG_RECORD_BYTES_MAX / 8];
	char line[ENCODE_LINE_BYTES_MAX + 1];
	char lines[FAAS_SINKS_MAX + 1][FEED_BATCH_BYTES];
};

_Static_assert(ENCODE_LINE_BYTES_MAX < FEED_BATCH_BYTES, "an empty batch takes any line");

/* One turn. */
struct feed_turn {
	struct feed *feed;
	struct feed_scratch *scratch;
	struct feed_place begin;
	uint64_t now_ns;
	int64_t wall_offset_ns;
	bool full; /* a sink has enough: end before the record at feed->scan */
};

/* Hand the outputs of the record in the scratch buffer to their sinks: datagrams
 * are sent, lines gathered. Sets turn->full when a sink has enough. */
void feed_deliver_record(struct feed_turn *turn);

/* Write the verdicts of the record, but for what newer ones have replaced. */
void feed_apply_verdicts(struct feed_turn *turn);

/* Write the lines that were gathered. */
void feed_write_files(struct feed_turn *turn);

/* The sink cannot go on before @p until_ns: neither can the cursor. And a file that
 * cannot be written or synced is tried again, later and later. */
void feed_hold(struct feed_turn *turn, struct feed_sink *sink, uint64_t until_ns);
void feed_file_failed(struct feed_turn *turn, uint32_t number, int err);

/* feed_sync.c. At the end of a turn: see how far all is on the disk, having it put there
 * if it is time. @p more: there may be more to read. */
void feed_sync(struct feed_turn *turn, bool more);
/* Whether the worker waits for space that a sync would make. */
bool feed_is_awaited(const struct feed *feed);

/* Make feed->cursor the one that counts. */
void feed_publish(struct feed *feed);

#endif
