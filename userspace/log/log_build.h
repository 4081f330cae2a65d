/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The writer's functions of log.h in a form that can be inlined, for who calls
 * them for every event. See log_write.c for how a record comes to stand.
 */
#ifndef FAAS_LOG_LOG_BUILD_H
#define FAAS_LOG_LOG_BUILD_H

#include <errno.h>
#include <stdbool.h>

#include "crc32c.h"
#include "fault.h"
#include "words.h"

#include "userspace/log/log.h"

/* Where the next segment begins in the mapping. */
static inline uint8_t *log_next_segment(const struct log_writer *writer)
{
	uint8_t *end = writer->place + writer->rest;

	return end == writer->data + writer->capacity ? writer->data : end;
}

/*
 * The checksum reads in words of 8 what was stored a moment ago. The processor
 * hands such a word from store to load only if it was one store: fields that
 * share a word are put together first, in the order of a little-endian machine.
 */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are put together so");

static inline void log_put_word(void *to, uint64_t word)
{
	memcpy(to, &word, sizeof(word));
}

static inline struct log_record *log_header_of(const struct log_writer *writer)
{
	return (struct log_record *)(void *)writer->record;
}

/* Move the record under construction to the next segment. False: it would be
 * too long, or was moved already. */
bool log_build_move(struct log_writer *writer, uint32_t bytes);

/* Leave padding where the record began, now that it stands in the next segment. */
void log_build_pad(struct log_writer *writer);

/* Begin a record where the head is. There is room for it. */
static inline void log_build_place(struct log_writer *writer)
{
	uint64_t rest = writer->rest;

	if (rest < sizeof(struct log_record)) {
		writer->record = log_next_segment(writer);
		writer->room = writer->record_max;
	} else {
		writer->record = writer->place;
		writer->room = rest < writer->record_max ? (uint32_t)rest : writer->record_max;
	}
	writer->used = sizeof(struct log_record);
	writer->trace_bytes = 0;
	writer->entry_count = 0;
}

static inline int log_build_begin(struct log_writer *writer)
{
	uint64_t rest = writer->rest;
	uint64_t needed = writer->record_max;

	if (rest < needed)
		needed += rest;
	if (writer->head + needed > writer->limit)
		return -EAGAIN;
	log_build_place(writer);
	return 0;
}

/* Get @p bytes more, a multiple of 8 and not 0, in place or by moving on. */
static inline uint8_t *log_build_extend(struct log_writer *writer, uint32_t bytes)
{
	const uint64_t zero = 0;
	uint8_t *start;

	if (__builtin_expect(bytes > writer->room - writer->used, 0) &&
	    !log_build_move(writer, bytes))
		return NULL;
	start = writer->record + writer->used;
	writer->used += bytes;
	/* What pads the last word, and no byte of an earlier lap. */
	memcpy(start + bytes - 8, &zero, 8);
	return start;
}

static inline int log_build_trace(struct log_writer *writer, const uint8_t *trace, uint32_t bytes)
{
	uint64_t word = 0;
	uint8_t *start;

	if (!bytes)
		return 0;
	if (bytes > UINT16_MAX)
		return -EMSGSIZE;
	start = log_build_extend(writer, words_pad(bytes));
	if (!start)
		return -EMSGSIZE;
	/* A call and some emissions, byte by byte, as they were noted. */
	if (bytes <= sizeof(word)) {
		for (uint32_t i = 0; i < bytes; i++)
			word |= (uint64_t)trace[i] << 8 * i;
		log_put_word(start, word);
	} else {
		memcpy(start, trace, bytes);
	}
	writer->trace_bytes = (uint16_t)bytes;
	return 0;
}

/* Append an entry's head; the body follows it, @p bytes long. */
static inline uint8_t *log_build_entry(struct log_writer *writer, enum log_entry_kind kind,
				       uint8_t function, uint16_t key_bytes, uint32_t bytes,
				       uint32_t sinks, uint32_t reason)
{
	uint8_t *start;

	if (bytes > LOG_RECORD_BYTES_MAX)
		return NULL;
	start = log_build_extend(writer, (uint32_t)sizeof(struct log_entry) + words_pad(bytes));
	if (!start)
		return NULL;
	log_put_word(start, (uint64_t)kind | (uint64_t)function << 8 | (uint64_t)key_bytes << 16 |
				    (uint64_t)bytes << 32);
	log_put_word(start + 8, (uint64_t)sinks | (uint64_t)reason << 32);
	writer->entry_count++;
	return start + sizeof(struct log_entry);
}

/* As log_state, with a key whose last word is padded with zeros already. */
static inline void *log_build_state(struct log_writer *writer, uint8_t function, const void *key,
				    uint32_t key_bytes, uint32_t value_bytes)
{
	uint32_t padded = words_pad(key_bytes);
	uint8_t *body = log_build_entry(writer, LOG_ENTRY_STATE, function, (uint16_t)key_bytes,
					padded + value_bytes, 0, 0);

	if (!body)
		return NULL;
	words_copy(body, key, key_bytes);
	return body + padded;
}

/*
 * Have the lines fetched that records like this one will be written to: the log is
 * larger than the near caches, and stores wait for lines that are far. So far ahead
 * that they are there in time. At the end of the log it asks for some in vain.
 */
#define LOG_AHEAD_BYTES 2048
#define LOG_LINE_BYTES 64

static inline void log_fetch_ahead(const struct log_writer *writer, uint32_t used)
{
	const uint8_t *ahead = writer->place + LOG_AHEAD_BYTES;

	for (uint32_t at = 0; at < used; at += LOG_LINE_BYTES)
		__builtin_prefetch(ahead + at, 1);
}

/* A record of @p used bytes stands where the head was. */
static inline void log_build_advance(struct log_writer *writer, uint32_t used)
{
	writer->head += used;
	writer->rest -= used;
	writer->place += used;
	log_fetch_ahead(writer, used);
	if (__builtin_expect(!writer->rest, 0)) {
		writer->place = log_next_segment(writer);
		writer->rest = writer->segment_bytes;
	}
	writer->record = NULL;
}

static inline uint64_t log_build_commit(struct log_writer *writer, enum log_kind kind,
					uint8_t shard, uint16_t ring, uint64_t ring_position,
					uint64_t processed, uint64_t dead_lettered)
{
	struct log_record *header = log_header_of(writer);
	uint32_t used = writer->used;
	uint64_t position;

	fault_point("commit.before_header");
	if (__builtin_expect(writer->record != writer->place, 0))
		log_build_pad(writer);
	position = writer->head;
	header->bytes = used;
	log_put_word(&header->magic,
		     LOG_RECORD_MAGIC | (uint32_t)kind << 16 | (uint32_t)shard << 24 |
			     (uint64_t)(ring | (uint32_t)writer->trace_bytes << 16) << 32);
	header->log_id = writer->log_id;
	header->sequence = ++writer->sequence;
	log_put_word(&header->incarnation,
		     writer->incarnation | (uint64_t)writer->entry_count << 32);
	header->ring_position = ring_position;
	header->processed = processed;
	header->dead_lettered = dead_lettered;
	/* From this store on the record counts. */
	__atomic_store_n(
		&header->crc,
		crc32c(0, (uint8_t *)header + sizeof(header->crc), used - sizeof(header->crc)),
		__ATOMIC_RELEASE);

	log_build_advance(writer, used);
	return position;
}

#endif
