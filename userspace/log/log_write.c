// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The record under construction lies where it will be, but its header's CRC is
 * stored last, and nothing that is not whole has the right one: a writer may be
 * killed at any instruction. A record that turns out too long for the rest of
 * its segment is moved to the next one, and padding is left in its place.
 */
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "log_build.h"

void log_format(void *mapping, uint32_t segment_count, uint64_t segment_bytes, uint64_t log_id,
		uint64_t ring_boot_hash, uint32_t ring_map_id)
{
	struct log_header *header = mapping;

	header->version = LOG_VERSION;
	header->segment_count = segment_count;
	header->segment_bytes = segment_bytes;
	header->log_id = log_id;
	header->ring_map_id = ring_map_id;
	header->reserved = 0;
	header->ring_boot_hash = ring_boot_hash;
	header->ring_first_sequence = 1;
	/* The magic says that all of it stands. */
	__atomic_store_n(&header->magic, LOG_MAGIC, __ATOMIC_RELEASE);
}

static uint32_t record_bytes_max(uint64_t segment_bytes)
{
	uint64_t quarter = segment_bytes / 4;

	return quarter < LOG_RECORD_BYTES_MAX ? (uint32_t)quarter : LOG_RECORD_BYTES_MAX;
}

int log_writer_open(struct log_writer *writer, void *mapping, uint64_t file_bytes,
		    uint32_t incarnation, uint64_t head, uint64_t sequence, uint64_t tail)
{
	struct log_view view;
	int err;

	err = log_view_open(mapping, file_bytes, &view);
	if (err)
		return err;
	if (head % 8 || tail > head || head - tail > view.capacity)
		return -EINVAL;
	memset(writer, 0, sizeof(*writer));
	writer->data = (uint8_t *)mapping + LOG_DATA_OFFSET;
	writer->capacity = view.capacity;
	writer->segment_bytes = view.segment_bytes;
	writer->log_id = view.log_id;
	writer->record_max = record_bytes_max(view.segment_bytes);
	writer->incarnation = incarnation;
	writer->head = head;
	writer->place = writer->data + head % writer->capacity;
	writer->rest = writer->segment_bytes - head % writer->segment_bytes;
	writer->sequence = sequence;
	log_set_tail(writer, tail);
	return 0;
}

void log_set_tail(struct log_writer *writer, uint64_t tail)
{
	writer->tail = tail;
	writer->limit = tail + writer->capacity;
}

bool log_build_move(struct log_writer *writer, uint32_t bytes)
{
	uint8_t *next = log_next_segment(writer);
	const uint32_t head = sizeof(struct log_record);

	if (writer->used + bytes > writer->record_max || writer->record == next)
		return false;
	/* Not the header: where it will be may lie the padding of a writer that died
	 * when it had got so far, and is valid. */
	memcpy(next + head, writer->record + head, writer->used - head);
	writer->record = next;
	writer->room = writer->record_max;
	return true;
}

void log_build_pad(struct log_writer *writer)
{
	struct log_record *pad = (struct log_record *)(void *)writer->place;

	if (writer->rest >= sizeof(*pad)) {
		*pad = (struct log_record){
			.bytes = sizeof(*pad),
			.magic = LOG_RECORD_MAGIC,
			.kind = LOG_PAD,
			.log_id = writer->log_id,
			.sequence = writer->sequence + 1,
			.incarnation = writer->incarnation,
		};
		__atomic_store_n(&pad->crc,
				 crc32c(0, (uint8_t *)pad + sizeof(pad->crc),
					sizeof(*pad) - sizeof(pad->crc)),
				 __ATOMIC_RELEASE);
	}
	writer->head += writer->rest;
	writer->place = writer->record;
	writer->rest = writer->segment_bytes;
}

int log_begin(struct log_writer *writer)
{
	return log_build_begin(writer);
}

int log_trace(struct log_writer *writer, const uint8_t *trace, uint32_t bytes)
{
	return log_build_trace(writer, trace, bytes);
}

void *log_state(struct log_writer *writer, uint8_t function, const void *key, uint32_t key_bytes,
		uint32_t value_bytes)
{
	uint64_t padded[FAAS_KEY_BYTES_MAX / 8] = {0};

	if (value_bytes > LOG_RECORD_BYTES_MAX || key_bytes > sizeof(padded))
		return NULL;
	memcpy(padded, key, key_bytes);
	return log_build_state(writer, function, padded, key_bytes, value_bytes);
}

void *log_output(struct log_writer *writer, uint32_t sinks, uint32_t bytes)
{
	return log_build_entry(writer, LOG_ENTRY_OUTPUT, 0, 0, bytes, sinks, 0);
}

void *log_dead(struct log_writer *writer, uint8_t function, enum log_dead_reason reason,
	       uint32_t attempts, uint32_t bytes)
{
	return log_build_entry(writer, LOG_ENTRY_DEAD, function, 0, bytes, attempts, reason);
}

uint64_t log_commit(struct log_writer *writer, enum log_kind kind, uint8_t shard, uint16_t ring,
		    uint64_t ring_position, uint64_t processed, uint64_t dead_lettered)
{
	return log_build_commit(writer, kind, shard, ring, ring_position, processed, dead_lettered);
}

int log_close_group(struct log_writer *writer, uint16_t ring, const struct log_group *group,
		    uint64_t ring_position, uint64_t processed, uint64_t dead_lettered)
{
	const uint32_t least =
		(uint32_t)(sizeof(struct log_record) + sizeof(struct log_entry) + sizeof(*group));
	uint32_t used = (uint32_t)(writer->head % LOG_BLOCK_BYTES) + least;
	uint32_t body;
	void *at;

	/* In the next segment it has a block for itself. */
	if (writer->rest < least)
		used = least;
	body = (uint32_t)(LOG_BLOCK_BYTES - used % LOG_BLOCK_BYTES) % LOG_BLOCK_BYTES +
	       (uint32_t)sizeof(*group);
	if (writer->head + LOG_GROUP_ROOM > writer->tail + writer->capacity)
		return -EAGAIN;
	log_build_place(writer);
	at = log_build_entry(writer, LOG_ENTRY_GROUP, 0, 0, body, 0, 0);
	assert(at);
	memcpy(at, group, sizeof(*group));
	/* What a lap before left here goes into the checksum. */
	memset((uint8_t *)at + sizeof(*group), 0, body - sizeof(*group));
	(void)log_build_commit(writer, LOG_GROUP, 0, ring, ring_position, processed, dead_lettered);
	return 0;
}

void log_abandon(struct log_writer *writer)
{
	writer->record = NULL;
}
