/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The files of a durable log, byte by byte. All little-endian; blocks are 4 KiB.
 *
 * log:
 *   offset 0     struct durable_super with an even number
 *          4096  struct durable_super with an odd number
 *          8192  the circle, `capacity` bytes: log position p lies at 8192 + p % capacity
 *
 * The records are those of the mapped log (log.h), at the same positions; the
 * capacity is a multiple of the mapped log's, so segments lie alike in both. A
 * group is what is written at once: it begins at a block and ends with a record
 * LOG_GROUP, which reaches to the end of its block. A group counts as a whole or
 * not at all.
 *
 * snapshot.0, snapshot.1: chunks of DURABLE_CHUNK_BYTES, one behind the other, each
 * a struct durable_chunk and a part of a table's image, with every byte
 * accounted for. A snapshot counts when a superblock names it.
 *
 * damage: one struct durable_damage a block, each followed by the bytes.
 *
 * before: a struct durable_super with DURABLE_BEFORE_MAGIC, in which log id, generation,
 * snapshot, its chunks, shapes, time and `kept` mean something, then chunks as in a snapshot.
 * It is there from before an update lays tables out anew until that is known to stay:
 * the version before finds its tables there, the new one its own in the snapshot. Tables
 * that both have, the version before takes from there too, with what came since.
 */
#ifndef FAAS_LOG_DURABLE_FORMAT_H
#define FAAS_LOG_DURABLE_FORMAT_H

#include <stdint.h>

#include <ebpf_faas/limits.h>

#include "bundle_size.h"
#include "userspace/log/disk.h"

#define DURABLE_MAGIC 0x65727564732d6661ull
#define DURABLE_BEFORE_MAGIC 0x65726f6665622d66ull
#define DURABLE_VERSION 1
#define DURABLE_LOG_OFFSET SIZE_DISK_SUPERBLOCKS
#define DURABLE_CHUNK_BYTES SIZE_DISK_CHUNK_BYTES
#define DURABLE_CHUNK_MAGIC 0x6b686373u
#define DURABLE_DAMAGE_MAGIC 0x65676d6466616166ull
#define DURABLE_DAMAGE_BYTES SIZE_DISK_DAMAGE /* of the file */

/* A place between two records. */
struct durable_place {
	uint64_t position;
	uint64_t sequence; /* of the record before it */
};

/* One table whose image is in the snapshots. */
struct durable_shape {
	char name[40]; /* instance of the function; "": none, or its state is not durable */
	uint32_t key_bytes;
	uint32_t value_bytes;
	uint32_t value_version;
	uint32_t keys_max;
	uint64_t image_bytes;
};

_Static_assert(sizeof(struct durable_shape) == 64, "a cache line each");
_Static_assert(FAAS_NAME_BYTES <= 40, "a name fits");

/* Tables of before that the version behind an update goes on with. */
struct durable_kept {
	uint32_t generation; /* of that version; 0: nothing is noted */
	/* Of each function of before, +1: its number in that version; 0: it has another table. */
	uint8_t as[FAAS_USER_FUNCTIONS_MAX];
};

struct durable_super {
	uint64_t magic;
	uint32_t version;
	uint32_t crc;	 /* CRC32C of the block, this field 0 */
	uint64_t number; /* +1 for each that is written */
	uint64_t log_id;
	uint64_t capacity;
	uint64_t staging_bytes; /* of the mapped log's circle */
	uint64_t segment_bytes;
	uint32_t incarnation; /* records have this one or an older one */
	uint32_t generation;  /* of the workflow, when it was written */
	/* Where recovery begins: state as of here is in the snapshot, or is empty. */
	struct durable_place begin;
	/* Id, 0: none. Its upper half is the incarnation that made it: no record behind `begin`
	 * is older. One that is was left over by a loss of power. */
	uint64_t snapshot;
	uint32_t snapshot_file;
	uint32_t snapshot_chunks;
	/* The snapshot was made while events went on: it is whole with all records
	 * before this. */
	uint64_t snapshot_end;
	/* The log went on without the disk until here, and not all is there: no record before
	 * it is to be delivered from the disk. */
	struct durable_place whole_from;
	/* Noted with a snapshot, and when the workflow was stopped: the courier had come
	 * so far, or further. The groups behind `begin` say more, if there are any. */
	struct durable_place delivered;
	uint64_t monotonic_ns; /* of the machine, when the snapshot was named; 0: none was */
	/* The log was on the disk up to here when this was written. It never gets further
	 * than DURABLE_REACH(capacity) beyond this before another superblock says so: what
	 * could be damage is not looked for in all of the circle. */
	uint64_t reached;
	/* Here and behind it no record counts of an incarnation older than this: what a loss of
	 * power left there is of nobody who was answered. Incarnation 0: not noted. */
	uint64_t fence_position;
	struct durable_shape shapes[FAAS_USER_FUNCTIONS_MAX];
	uint32_t fence_incarnation;
	struct durable_kept kept; /* in `before` */
	uint8_t padding[DISK_BLOCK_BYTES - 168 - FAAS_USER_FUNCTIONS_MAX * 65];
};

_Static_assert(sizeof(struct durable_super) == DISK_BLOCK_BYTES, "one block");

#define DURABLE_REACH(capacity) ((capacity) / 4)

/* Head of a chunk. */
struct durable_chunk {
	uint32_t crc; /* CRC32C of all behind it: the rest of the head, and `bytes` unless zero */
	uint32_t magic;
	uint64_t log_id;
	uint64_t snapshot;
	uint32_t index;	   /* in the file, from 0 */
	uint32_t function; /* whose table */
	uint64_t offset;   /* in its image */
	uint64_t bytes;	   /* of the image that it stands for */
	uint32_t zero;	   /* 1: they are all zero, and not written */
	uint32_t reserved[3];
};

_Static_assert(sizeof(struct durable_chunk) == SIZE_DISK_CHUNK_HEAD, "a cache line");

#define DURABLE_CHUNK_BODY (DURABLE_CHUNK_BYTES - (uint32_t)sizeof(struct durable_chunk))

/* What did not check out: `bytes` of `file` from `offset` on, cut to what is left
 * of the damage file. Follows in the next block. */
struct durable_damage {
	uint64_t magic;
	uint32_t crc; /* of the head, this field 0 */
	uint32_t file;
	uint64_t offset;
	uint64_t bytes;
	uint64_t kept; /* of them, below */
	uint64_t log_id;
	uint32_t incarnation; /* of the worker that found it */
	uint32_t reserved;
};

#endif
