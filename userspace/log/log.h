/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The log of one worker: at once the write-ahead log of the state and the
 * queue of the sinks. One preallocated file, mapped by worker and courier:
 *
 *   offset 0     struct log_header (log_header.h), padded to LOG_DATA_OFFSET
 *          4096  segment_count segments of segment_bytes, used in a circle
 *
 * A log position counts bytes from the beginning of the log's life; its place
 * in the file is LOG_DATA_OFFSET + position % (segment_bytes * segment_count).
 * Records are multiples of 8 bytes and never cross the end of a segment; a
 * record of kind LOG_PAD (or fewer than sizeof(struct log_record) bytes of
 * rest) leads to the next one. One event makes one record: its ring position,
 * its state changes and its outputs take effect together, when the record is
 * complete. A record is complete when its magic, log id, sequence number and
 * CRC are right.
 *
 * The writer never overwrites what lies behind the courier's cursor. Where a
 * function's state is durable, the log is written to the disk as it is, in
 * groups: see durable.h.
 */
#ifndef FAAS_LOG_LOG_H
#define FAAS_LOG_LOG_H

#include <stddef.h>
#include <stdint.h>

#include <ebpf_faas/keyed.h>
#include <ebpf_faas/limits.h>

#include "bundle_size.h"
#include "log_header.h"

#define LOG_MAGIC 0x676f6c2d73616166ull
#define LOG_RECORD_MAGIC 0x6572
#define LOG_VERSION 1
#define LOG_DATA_OFFSET SIZE_LOG_HEAD

enum log_kind {
	LOG_EVENT = 1, /* an event was processed */
	LOG_DEAD = 2,  /* an event was put aside; one LOG_ENTRY_DEAD follows */
	/* Nothing up to the end of the segment. Is a header only, and has the
	 * sequence number of the record behind it: that of a later lap differs. */
	LOG_PAD = 3,
	/* A timer was processed, or put aside: then one LOG_ENTRY_DEAD follows. Its
	 * ring position and totals are those of the record before, for no event was
	 * taken from the ring. */
	LOG_TIMER = 4,
	/* The end of a group that is written to the disk at once; one
	 * LOG_ENTRY_GROUP follows, up to the end of its block. */
	LOG_GROUP = 5,
	LOG_IMPORT = 6, /* state that a person put in */
	/* A dead letter was processed after all. As LOG_TIMER it takes nothing from the
	 * ring, and is counted apart. */
	LOG_REPLAY = 7,
};

struct log_record {
	uint32_t crc;	/* CRC32C of everything behind it, `bytes` - 4 long */
	uint32_t bytes; /* header and entries; a multiple of 8 */
	uint16_t magic;
	uint8_t kind; /* enum log_kind */
	uint8_t shard;
	uint16_t ring;	      /* instance number, of which there is one: 0 */
	uint16_t trace_bytes; /* calls that were made: see log_trace below */
	uint64_t log_id;
	uint64_t sequence;    /* +1 each, from 1, over all incarnations */
	uint32_t incarnation; /* of the worker that wrote it */
	uint32_t entry_count;
	uint64_t ring_position; /* behind this event */
	uint64_t processed;	/* totals that include this event */
	uint64_t dead_lettered;
};

_Static_assert(sizeof(struct log_record) == 64, "one cache line");

/*
 * Behind the header: trace_bytes of trace, padded to 8; then entry_count
 * entries, each a struct log_entry and `bytes` of body, padded to 8.
 *
 * The trace is what a recovery needs to count calls again: for each callback
 * one byte function number | 0x80 if it failed, one byte number of records it
 * emitted, then one byte output number for each.
 */
enum log_entry_kind {
	LOG_ENTRY_STATE = 1, /* key_bytes of key padded to 8, then the value */
	/* A struct faas_event with all behind it, for the sinks of `sinks`. The
	 * payload is left out (payload_bytes 0, FAAS_EVENT_PAYLOAD_CUT) when the
	 * output declares fields. */
	LOG_ENTRY_OUTPUT = 2,
	/* The struct faas_event that was put aside; with LOG_DEAD_INVALID, bytes
	 * that may not be one. */
	LOG_ENTRY_DEAD = 3,
	/* A struct log_verdict, for the map of a kernel function that verdict `reason`
	 * of function `function` leads to. */
	LOG_ENTRY_VERDICT = 4,
	LOG_ENTRY_GROUP = 5, /* a struct log_group, and zeros */
	/* In LOG_TIMER, of a trigger of time: a struct page_sweep, how far it is with
	 * this record. */
	LOG_ENTRY_SWEEP = 6,
};

/* What a group says of the time when it was closed. */
struct log_group {
	uint64_t begin;		   /* log position of its first record: the beginning of a block */
	uint64_t durable_position; /* what was on the disk by then, without a gap */
	uint64_t courier_position; /* the courier's cursor */
	uint64_t courier_sequence;
	uint64_t monotonic_ns;
	uint64_t reserved[3];
};

#define LOG_BLOCK_BYTES 4096

struct log_verdict {
	uint64_t boot_hash; /* of the boot that its time counts in */
	struct faas_key key;
	struct faas_verdict_entry entry; /* its version is 0: it is the record's sequence */
};

enum log_dead_reason {
	LOG_DEAD_ERROR = 1,   /* a callback returned not 0 */
	LOG_DEAD_POISON = 2,  /* it killed its worker repeatedly */
	LOG_DEAD_STATE = 3,   /* no room for the state of one more key */
	LOG_DEAD_INVALID = 4, /* the record in the ring does not check out */
	LOG_DEAD_LIMIT = 5, /* more outputs than FAAS_EMITS_MAX, or a record too long for the log */
	LOG_DEAD_TIMEOUT = 6,	 /* a call took too long, repeatedly */
	LOG_DEAD_QUARANTINE = 7, /* its functions kept failing, and do not run any more */
	/* Of a version that did not stay, for a function or sink that only it has. */
	LOG_DEAD_VERSION = 8,
};

struct log_entry {
	uint8_t kind;
	uint8_t function;   /* STATE: whose; OUTPUT: unused; DEAD: the one that failed */
	uint16_t key_bytes; /* STATE */
	uint32_t bytes;	    /* of the body, not padded */
	uint32_t sinks;	    /* OUTPUT: bit n: sink n of the manifest; DEAD: attempts, 0: none */
	uint32_t reason;    /* DEAD: enum log_dead_reason */
};

_Static_assert(sizeof(struct log_entry) == 16, "two words");

/* The stable id of an output: log, incarnation, sequence, number of the output
 * within its record, as text "LLLLLLLLLLLLLLLL-I-S-N" (log id in hexadecimal). */
#define LOG_OUTPUT_ID_BYTES 64

/* A mapped log. Borrows the mapping. */
struct log_view {
	const uint8_t *data; /* first segment */
	uint64_t capacity;   /* segment_bytes * segment_count */
	uint64_t segment_bytes;
	uint64_t log_id;
};

/**
 * @brief Check a mapped log file's header and make a view of it.
 * @return 0, or -EINVAL (wrong magic, version or geometry for @p file_bytes).
 */
int log_view_open(const void *mapping, uint64_t file_bytes, struct log_view *ret)
	__attribute__((warn_unused_result));

/**
 * @brief Find the record at a position, or behind the padding at it.
 *
 * @param view      The log.
 * @param position  Where to look.
 * @param sequence  Sequence number that the record must have.
 * @param copy      Buffer for the record, @p copy_bytes long, 8-byte aligned; at
 *                  least LOG_RECORD_BYTES_MAX or some records cannot be read. The
 *                  record is copied out before it is checked: the writer may be hostile.
 * @param ret_next  Position behind the record.
 *
 * @return Bytes of the record: its trace and entries fill it exactly, so that
 * log_walk_* may follow them; their contents are not checked. 0 if there is no
 * such record (yet): a reader that knows the writer to be further on (the
 * position is before worker_page.head) has met damage. -EBADMSG if what lies
 * there can never become one: a later record is there, its entries do not fit,
 * or @p position is none.
 */
int64_t log_read(const struct log_view *view, uint64_t position, uint64_t sequence, void *copy,
		 size_t copy_bytes, uint64_t *ret_next) __attribute__((warn_unused_result));

/* Whether trace and entries of a record fill it to its last byte. @p record is all
 * there, `bytes` long, and 8-byte aligned. 0 or -EBADMSG. */
int log_record_check(const struct log_record *record) __attribute__((warn_unused_result));

/* Walk over the entries of a record that log_read returned. */
struct log_walk {
	const uint8_t *at;
	uint32_t left;
};

static inline void log_walk_begin(struct log_walk *walk, const void *record)
{
	const struct log_record *header = (const struct log_record *)record;

	walk->at = (const uint8_t *)record + sizeof(*header) + ((header->trace_bytes + 7u) & ~7u);
	walk->left = header->entry_count;
}

/* The next entry and its body, NULL behind the last. */
static inline const struct log_entry *log_walk_next(struct log_walk *walk, const uint8_t **ret_body)
{
	const struct log_entry *entry = (const struct log_entry *)(const void *)walk->at;

	if (!walk->left)
		return NULL;
	walk->left--;
	*ret_body = walk->at + sizeof(*entry);
	walk->at += sizeof(*entry) + ((entry->bytes + 7u) & ~7u);
	return entry;
}

/* The largest record: all emits of an event, its state changes and itself. */
#define LOG_RECORD_BYTES_MAX (FAAS_LOG_SEGMENT_BYTES / 4)

/*
 * The writer. One record is built at a time, in place:
 *
 *   log_begin -> log_trace, log_state, log_output, log_dead ... -> log_commit
 *
 * Nothing of it counts before log_commit.
 */
struct log_writer {
	uint8_t *data;
	uint64_t capacity;
	uint64_t segment_bytes;
	uint64_t log_id;
	uint32_t incarnation;
	uint32_t record_max;
	uint64_t head;	   /* position of the next record */
	uint64_t sequence; /* of the last committed record */
	uint64_t tail;	   /* courier's cursor as last seen: space from here on is taken */
	uint64_t limit;	   /* records end before this: log_set_limit */
	uint8_t *place;	   /* of `head`, */
	uint64_t rest;	   /* and bytes from there to the end of its segment, not 0 */
	/* The record under construction. */
	uint8_t *record;
	uint32_t used;
	uint32_t room;
	uint32_t entry_count;
	uint16_t trace_bytes;
};

/* Lay out an empty log in a mapped file of log_file_bytes(...) bytes. The worker
 * does it when it finds no magic, with the log id of the runtime's page. */
void log_format(void *mapping, uint32_t segment_count, uint64_t segment_bytes, uint64_t log_id,
		uint64_t ring_boot_hash, uint32_t ring_map_id);

/* Continue the log at @p head after record @p sequence. */
int log_writer_open(struct log_writer *writer, void *mapping, uint64_t file_bytes,
		    uint32_t incarnation, uint64_t head, uint64_t sequence, uint64_t tail)
	__attribute__((warn_unused_result));

/* The courier's cursor is at @p tail now. */
void log_set_tail(struct log_writer *writer, uint64_t tail);

/* Begin a record. 0, or -EAGAIN: the log is full up to writer->limit. */
int log_begin(struct log_writer *writer) __attribute__((warn_unused_result));

/* Append to it. Return a pointer to the body to be filled before the next call
 * (a record that outgrows its segment moves to the next one), NULL if the record
 * would exceed LOG_RECORD_BYTES_MAX or a quarter of a segment. log_trace comes
 * first. In log_state the key is copied, and the pointer is to the value. */
int log_trace(struct log_writer *writer, const uint8_t *trace, uint32_t bytes)
	__attribute__((warn_unused_result));
void *log_state(struct log_writer *writer, uint8_t function, const void *key, uint32_t key_bytes,
		uint32_t value_bytes);
void *log_output(struct log_writer *writer, uint32_t sinks, uint32_t bytes);
void *log_dead(struct log_writer *writer, uint8_t function, enum log_dead_reason reason,
	       uint32_t attempts, uint32_t bytes);

/* Make the record count. Returns its position. */
uint64_t log_commit(struct log_writer *writer, enum log_kind kind, uint8_t shard, uint16_t ring,
		    uint64_t ring_position, uint64_t processed, uint64_t dead_lettered);

/*
 * End a group: a record up to the end of a block. Between records only; the
 * segments must be of LOG_GROUP_SEGMENT_MIN at least. There must be LOG_GROUP_ROOM
 * between the head and the tail's lap: keep it when setting the limit. Counts
 * as of the record before it. -EAGAIN: there is not.
 */
#define LOG_GROUP_ROOM (2ull * LOG_BLOCK_BYTES)
#define LOG_GROUP_SEGMENT_MIN (8ull * LOG_BLOCK_BYTES)
int log_close_group(struct log_writer *writer, uint16_t ring, const struct log_group *group,
		    uint64_t ring_position, uint64_t processed, uint64_t dead_lettered)
	__attribute__((warn_unused_result));

/* Give a begun record up. */
void log_abandon(struct log_writer *writer);

#endif
