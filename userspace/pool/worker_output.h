/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The header of what a function emits, as an event: that of the event it follows, but for
 * what is the output's own. In words, for the checksum reads words in a moment, see
 * log_build.h; and each goes from here to the log without a stop in memory, which would be
 * read before it is whole.
 */
#ifndef FAAS_POOL_WORKER_OUTPUT_H
#define FAAS_POOL_WORKER_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <ebpf_faas/event.h>

#include "userspace/pool/worker.h"

struct output_header {
	uint64_t word[FAAS_EVENT_HEADER_BYTES / 8];
};

static inline uint64_t output_word_of(const struct faas_event *event, size_t index)
{
	uint64_t word;

	memcpy(&word, (const uint8_t *)event + index * sizeof(word), sizeof(word));
	return word;
}

/* @p own_payload: of @p payload_bytes, not the one of @p from, of which there are so many. */
static inline struct output_header output_header(const struct worker_output *output,
						 const struct faas_event *from, bool own_payload,
						 uint32_t payload_bytes)
{
	uint64_t present = (1ull << output->field_count) - 1;
	uint64_t lengths = (output_word_of(from, 4) & ~(0xffffull << 32)) | (uint64_t)payload_bytes
										    << 32;
	uint64_t flags = output_word_of(from, 5);

	if (own_payload) {
		lengths = (lengths & ~0xffff0000ull) | (uint64_t)payload_bytes << 16;
		flags &= ~((uint64_t)FAAS_EVENT_PAYLOAD_CUT << 48);
	} else if (payload_bytes < from->packet_payload_bytes) {
		flags |= (uint64_t)FAAS_EVENT_PAYLOAD_CUT << 48;
	}
	return (struct output_header){{
		output_word_of(from, 0),
		output_word_of(from, 1),
		(output_word_of(from, 2) & UINT32_MAX) | present << 32,
		(output_word_of(from, 3) & ~0xffff0000ull) | (uint64_t)output->origin << 16,
		lengths,
		flags,
		(output_word_of(from, 6) & ~0xffull) | output->field_count,
		output_word_of(from, 7),
	}};
}

/* Where it puts these. */
FAAS_EVENT_AT(fields_present, 20);
FAAS_EVENT_AT(origin, 26);
FAAS_EVENT_AT(packet_payload_bytes, 34);
FAAS_EVENT_AT(payload_bytes, 36);
FAAS_EVENT_AT(flags, 46);
FAAS_EVENT_AT(field_count, 48);

#endif
