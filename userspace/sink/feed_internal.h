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

/* Make feed->cursor the one that counts. */
void feed_publish(struct feed *feed);

#endif
