/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by the files durable*.c. */
#ifndef FAAS_LOG_DURABLE_INTERNAL_H
#define FAAS_LOG_DURABLE_INTERNAL_H

#include "userspace/log/durable.h"

/* Slots of durable.writes: two for each group, then chunks, then the superblock. */
#define WRITE_OF_GROUP(slot) (2 * (slot))
#define WRITE_OF_CHUNK(slot) (2 * DURABLE_GROUPS + (slot))
#define WRITE_OF_SUPER (DURABLE_WRITES - 1)

/* Fill a free slot; it is sent with the next step. */
void durable_write_set(struct durable *durable, uint32_t slot, enum disk_file file, uint64_t offset,
		       const void *data, uint64_t bytes);

static inline bool durable_write_is_free(const struct durable *durable, uint32_t slot)
{
	return !durable->writes[slot].bytes;
}

/* Free a slot whose write is complete. False: it is not. */
bool durable_write_finish(struct durable *durable, uint32_t slot);

/* Queue the superblock *durable->super_next, with its number and CRC. */
void durable_super_write(struct durable *durable);

/* Complete it, and make it the one that is on the disk. */
void durable_super_seal(struct durable_super *super);

/* Begin a snapshot: the head is at the end of a group. */
void durable_snapshot_begin(struct durable *durable);

/* Copy and queue chunks, as many as there are slots; when all is written, name
 * it in a superblock. */
void durable_snapshot_step(struct durable *durable);

/* Forget the one in the making. */
void durable_snapshot_abandon(struct durable *durable);

/* Fill the images from the snapshot that the superblock names. 0, or -errno of a
 * read or of a callback. */
int durable_snapshot_load(const struct durable_setup *setup, const struct durable_super *super,
			  uint32_t wanted, struct durable_recovered *ret)
	__attribute__((warn_unused_result));

/* Complete the chunk of the image that its members log_id to offset say. Returns the bytes
 * that matter of DURABLE_CHUNK_BYTES. */
uint64_t durable_chunk_fill(const struct durable_image *images, struct durable_chunk *chunk);

/* The next function at or behind @p function that has an image. */
uint32_t durable_next_image(const struct durable_image *images, uint32_t function);

/* The head of the tables of before an update, for durable_snapshot_load. 0; -ENOENT:
 * there are none that check out and are of this log. */
int durable_before_read(struct disk *disk, uint64_t log_id, struct durable_super *ret)
	__attribute__((warn_unused_result));

/* Keep bytes that did not check out, for a person. Fails silently: it is a copy. */
void durable_keep_damage(const struct durable_setup *setup, const struct durable_super *super,
			 enum disk_file file, uint64_t offset, uint64_t bytes);

/* Write and wait for it. 0 or -errno. */
int durable_write_now(struct disk *disk, enum disk_file file, uint64_t offset, const void *data,
		      uint32_t bytes) __attribute__((warn_unused_result));

#endif
