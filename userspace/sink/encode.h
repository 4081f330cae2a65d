/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What sinks send: a log entry as one JSON object without a line break.
 *
 *	{"id":"<log id>-<incarnation>-<sequence>-<n>",
 *	 "time":"2026-01-02T03:04:05.123456789Z","workflow":"vibration-watch",
 *	 "function":"trend","output":"anomaly","key":"10.20.0.7",
 *	 "source":"10.20.0.7:4242","destination":"10.20.0.1:5005","generation":1,
 *	 "fields":{"value":151.25}}
 *
 * Events that come straight from a trigger have "trigger":NAME in the place of
 * function and output; those without a key have no "key"; those without fields
 * have "payload" in hexadecimal, and "payload_cut":true if it is not all.
 */
#ifndef FAAS_SINK_ENCODE_H
#define FAAS_SINK_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "bundle.h"
#include "userspace/log/log.h"

/* Longer than any line: a payload of FAAS_EVENT_PAYLOAD_MAX or a record of
 * FAAS_EVENT_BYTES_MAX in hexadecimal, and what goes with it. */
#define ENCODE_LINE_BYTES_MAX 16384

/* Which output of which record. */
struct encode_id {
	uint64_t log_id;
	uint64_t sequence;
	uint32_t incarnation;
	uint32_t output; /* number within the record, from 0 */
};

/* What the encoder keeps of a manifest. */
struct encoder;

/* Returns-owned, encoder_free(); NULL without memory. Copies what it needs. */
struct encoder *encoder_new(const struct bundle *bundle);
void encoder_free(struct encoder *encoder);

/**
 * @brief Encode one LOG_ENTRY_OUTPUT.
 *
 * @param data           Its body, 8-byte aligned; not believed in anything.
 * @param wall_offset_ns What makes wall clock of the event's time.
 * @param line           At least ENCODE_LINE_BYTES_MAX bytes.
 *
 * @return Bytes of the line, or -EBADMSG: this is no event of the workflow.
 */
int encode_output(const struct encoder *encoder, const struct encode_id *id, const void *data,
		  uint32_t bytes, int64_t wall_offset_ns, char *line)
	__attribute__((warn_unused_result));

/* Encode one LOG_ENTRY_DEAD: id, time it was put aside, workflow, reason,
 * function that failed and the event in hexadecimal. Returns as encode_output;
 * any bytes will do. */
int encode_dead(const struct encoder *encoder, const struct encode_id *id,
		const struct log_entry *entry, const void *data, uint64_t wall_ns, char *line)
	__attribute__((warn_unused_result));

#endif
