/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The record of what most events come to: one call, which changed one state, and nothing
 * else. All of it is known before it is begun, so it is written in one go, and its checksum
 * is taken of the words on their way, not of memory behind them.
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
	uint16_t call; /* its trace */
	uint8_t function;
	uint8_t shard;
	uint16_t ring;
	uint64_t ring_position;
	uint64_t processed;
	uint64_t dead_lettered;
};

/* Above this the checksums that go side by side are faster. */
#define LOG_PLAIN_WORDS_BYTES 320

/* Where the next word goes, and the checksum of those before it. */
struct log_plain_place {
	uint8_t *at;
	uint64_t crc;
};

static inline void log_plain_put(struct log_plain_place *place, uint64_t word, bool sums)
{
	log_put_word(place->at, word);
	place->at += sizeof(word);
	if (sums)
		place->crc = crc32c_word(place->crc, word);
}

static inline void log_plain_copy(struct log_plain_place *place, const void *from, uint32_t room,
				  bool sums)
{
	const uint8_t *at = from;
	uint64_t word;

	for (uint32_t done = 0; done < room; done += (uint32_t)sizeof(word)) {
		memcpy(&word, at + done, sizeof(word));
		log_plain_put(place, word, sums);
	}
}

/* All but the checksum, which is returned if @p sums. */
static inline uint32_t log_plain_fill(struct log_writer *writer, const struct log_plain *plain,
				      uint32_t used, bool sums)
{
	struct log_plain_place place = {
		.at = writer->record + offsetof(struct log_record, magic),
		.crc = sums ? crc32c_half(UINT32_MAX, used) : 0,
	};
	uint32_t key_room = words_pad(plain->key_bytes);

	log_header_of(writer)->bytes = used;
	log_plain_put(&place,
		      LOG_RECORD_MAGIC | (uint32_t)LOG_EVENT << 16 | (uint32_t)plain->shard << 24 |
			      (uint64_t)(plain->ring | (uint32_t)sizeof(plain->call) << 16) << 32,
		      sums);
	log_plain_put(&place, writer->log_id, sums);
	log_plain_put(&place, writer->sequence + 1, sums);
	log_plain_put(&place, writer->incarnation | 1ull << 32, sums);
	log_plain_put(&place, plain->ring_position, sums);
	log_plain_put(&place, plain->processed, sums);
	log_plain_put(&place, plain->dead_lettered, sums);
	log_plain_put(&place, plain->call, sums);
	log_plain_put(&place,
		      (uint64_t)LOG_ENTRY_STATE | (uint64_t)plain->function << 8 |
			      (uint64_t)plain->key_bytes << 16 |
			      (uint64_t)(key_room + plain->value_bytes) << 32,
		      sums);
	log_plain_put(&place, 0, sums);
	log_plain_copy(&place, plain->key, key_room, sums);
	log_plain_copy(&place, plain->value, words_pad(plain->value_bytes), sums);
	return ~(uint32_t)place.crc;
}

/* Behind log_build_begin, instead of all that may follow it. False: it does not fit where
 * it was begun; nothing happened. */
static inline bool log_plain_write(struct log_writer *writer, const struct log_plain *plain)
{
	uint32_t used = (uint32_t)(sizeof(struct log_record) + sizeof(uint64_t) +
				   sizeof(struct log_entry)) +
			words_pad(plain->key_bytes) + words_pad(plain->value_bytes);
	struct log_record *header = log_header_of(writer);
	uint32_t crc;

	if (used > writer->room || writer->record != writer->place)
		return false;
	if (crc32c_by_words() && used <= LOG_PLAIN_WORDS_BYTES) {
		crc = log_plain_fill(writer, plain, used, true);
	} else {
		(void)log_plain_fill(writer, plain, used, false);
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
