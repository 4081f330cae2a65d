/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The record of what most events come to: one call, which changed one state, and nothing
 * else, or one output. All of it is known before it is begun, so it is written in one go, and
 * its checksum is taken of the words on their way, not of memory behind them.
 */
#ifndef FAAS_LOG_LOG_PLAIN_H
#define FAAS_LOG_LOG_PLAIN_H

#include "userspace/log/log_build.h"

/* What it says. Key and value are borrowed, padded with zeros to words of 8, and read to the
 * end of the last. */
struct log_plain {
	const void *key;
	const void *value;
	uint32_t key_bytes;
	uint32_t value_bytes;
	uint16_t call; /* its trace, but for the output */
	uint8_t function;
	uint8_t shard;
	uint16_t ring;
	uint64_t ring_position;
	uint64_t processed;
	uint64_t dead_lettered;
};

#define LOG_PLAIN_HEADER_WORDS 8

/* The output, an event: its header, what is as in the event it follows, and its fields. In
 * words of 8, as above. */
struct log_plain_output {
	uint64_t header[LOG_PLAIN_HEADER_WORDS];
	const void *same;
	const void *fields;
	uint32_t same_bytes;
	uint32_t field_bytes;
	uint32_t sinks;
	uint8_t number;
};

/* Above this the checksums that go side by side are faster. */
#define LOG_PLAIN_WORDS_BYTES 320

/* Where the next word goes, and the checksum of those before it. */
struct log_plain_place {
	uint8_t *at;
	uint64_t crc;
};

static inline __attribute__((always_inline)) void log_plain_put(struct log_plain_place *place,
								uint64_t word, bool sums)
{
	log_put_word(place->at, word);
	place->at += sizeof(word);
	if (sums)
		place->crc = crc32c_word(place->crc, word);
}

static inline __attribute__((always_inline)) void
log_plain_copy(struct log_plain_place *place, const void *from, uint32_t room, bool sums)
{
	const uint8_t *at = from;
	const uint8_t *end = at + room;
	uint64_t word, next;

	if (room & 8) {
		memcpy(&word, at, sizeof(word));
		log_plain_put(place, word, sums);
		at += 8;
	}
	for (; at < end; at += 16) {
		memcpy(&word, at, sizeof(word));
		memcpy(&next, at + 8, sizeof(next));
		log_plain_put(place, word, sums);
		log_plain_put(place, next, sums);
	}
}

static inline uint32_t log_plain_output_bytes(const struct log_plain_output *output)
{
	return LOG_PLAIN_HEADER_WORDS * 8 + words_pad(output->same_bytes) + output->field_bytes;
}

/* With its entry's head. */
static inline uint32_t log_plain_output_room(const struct log_plain_output *output)
{
	return (uint32_t)sizeof(struct log_entry) + log_plain_output_bytes(output);
}

static inline __attribute__((always_inline)) void
log_plain_put_output(struct log_plain_place *place, const struct log_plain_output *output,
		     bool sums)
{
	log_plain_put(place, LOG_ENTRY_OUTPUT | (uint64_t)log_plain_output_bytes(output) << 32,
		      sums);
	log_plain_put(place, output->sinks, sums);
	log_plain_put(place, output->header[0], sums);
	log_plain_put(place, output->header[1], sums);
	log_plain_put(place, output->header[2], sums);
	log_plain_put(place, output->header[3], sums);
	log_plain_put(place, output->header[4], sums);
	log_plain_put(place, output->header[5], sums);
	log_plain_put(place, output->header[6], sums);
	log_plain_put(place, output->header[7], sums);
	log_plain_copy(place, output->same, words_pad(output->same_bytes), sums);
	log_plain_copy(place, output->fields, output->field_bytes, sums);
}

/* Header, trace and state. */
static inline __attribute__((always_inline)) void
log_plain_put_state(struct log_writer *writer, struct log_plain_place *place,
		    const struct log_plain *plain, const struct log_plain_output *output, bool sums)
{
	uint32_t key_room = words_pad(plain->key_bytes);
	uint32_t trace_bytes = (uint32_t)sizeof(plain->call) + (output ? 1 : 0);

	log_plain_put(place,
		      LOG_RECORD_MAGIC | (uint32_t)LOG_EVENT << 16 | (uint32_t)plain->shard << 24 |
			      (uint64_t)(plain->ring | trace_bytes << 16) << 32,
		      sums);
	log_plain_put(place, writer->log_id, sums);
	log_plain_put(place, writer->sequence + 1, sums);
	log_plain_put(place, writer->incarnation | (output ? 2ull : 1ull) << 32, sums);
	log_plain_put(place, plain->ring_position, sums);
	log_plain_put(place, plain->processed, sums);
	log_plain_put(place, plain->dead_lettered, sums);
	log_plain_put(place, plain->call | (output ? (uint64_t)output->number << 16 : 0), sums);
	log_plain_put(place,
		      (uint64_t)LOG_ENTRY_STATE | (uint64_t)plain->function << 8 |
			      (uint64_t)plain->key_bytes << 16 |
			      (uint64_t)(key_room + plain->value_bytes) << 32,
		      sums);
	log_plain_put(place, 0, sums);
	log_plain_copy(place, plain->key, key_room, sums);
	log_plain_copy(place, plain->value, words_pad(plain->value_bytes), sums);
}

/* All but the checksum, which is returned if @p sums; of the output it is taken beside that
 * of what stands before it. */
static inline __attribute__((always_inline)) uint32_t
log_plain_fill(struct log_writer *writer, const struct log_plain *plain,
	       const struct log_plain_output *output, uint32_t used, bool sums)
{
	struct log_plain_place place = {
		.at = writer->record + offsetof(struct log_record, magic),
		.crc = sums ? crc32c_half(UINT32_MAX, used) : 0,
	};
	uint64_t first;

	log_header_of(writer)->bytes = used;
	log_plain_put_state(writer, &place, plain, output, sums);
	if (output) {
		first = place.crc;
		place.crc = 0;
		log_plain_put_output(&place, output, sums);
		if (sums)
			place.crc =
				crc32c_join(first, place.crc, log_plain_output_room(output) / 8);
	}
	return ~(uint32_t)place.crc;
}

/* Whether the checksum is taken on the way. */
static inline bool log_plain_sums(const struct log_plain_output *output, uint32_t used)
{
	uint32_t room;

	if (!output)
		return crc32c_by_words() && used <= LOG_PLAIN_WORDS_BYTES;
	room = log_plain_output_room(output);
	return crc32c_joins() && room <= LOG_PLAIN_WORDS_BYTES &&
	       used - room <= LOG_PLAIN_WORDS_BYTES;
}

/* Behind log_build_begin, instead of all that may follow it. @p output: NULL, or what was
 * emitted. False: it does not fit where it was begun; nothing happened. */
static inline __attribute__((always_inline)) bool
log_plain_write(struct log_writer *writer, const struct log_plain *plain,
		const struct log_plain_output *output)
{
	uint32_t used = (uint32_t)(sizeof(struct log_record) + sizeof(uint64_t) +
				   sizeof(struct log_entry)) +
			words_pad(plain->key_bytes) + words_pad(plain->value_bytes);
	struct log_record *header = log_header_of(writer);
	uint32_t crc;

	if (output)
		used += log_plain_output_room(output);
	if (used > writer->room || writer->record != writer->place)
		return false;
	if (log_plain_sums(output, used)) {
		crc = log_plain_fill(writer, plain, output, used, true);
	} else {
		(void)log_plain_fill(writer, plain, output, used, false);
		crc = crc32c(0, (uint8_t *)header + sizeof(header->crc),
			     used - sizeof(header->crc));
	}
	fault_point("commit.before_header");
	/* From this store on the record counts. */
	__atomic_store_n(&header->crc, crc, __ATOMIC_RELEASE);
	writer->sequence++;
	log_build_advance(writer, used);
	return true;
}

#endif
