// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The tables of before an update, in a file of their own: written while no worker
 * runs, in one piece, and its head last, so that it counts as a whole or not at all.
 */
#include "userspace/log/durable_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"

/* Chunks that are written at once. */
#define BATCH_CHUNKS 16u
#define BATCH_BYTES ((size_t)BATCH_CHUNKS * DURABLE_CHUNK_BYTES)

/* There is one in the file. */
#define BEFORE_SNAPSHOT 1

static uint32_t head_crc(struct durable_super *head)
{
	uint32_t there = head->crc, crc;

	head->crc = 0;
	crc = crc32c(0, head, sizeof(*head));
	head->crc = there;
	return crc;
}

/* All chunks of all images. */
static int write_chunks(struct disk *disk, const struct durable_image *images,
			struct durable_super *head, uint8_t *batch)
{
	uint32_t function = durable_next_image(images, 0);
	uint64_t offset = 0, place = DISK_BLOCK_BYTES;
	int err = 0;

	while (!err && function < FAAS_USER_FUNCTIONS_MAX) {
		uint32_t count = 0;

		memset(batch, 0, BATCH_BYTES);
		while (count < BATCH_CHUNKS && function < FAAS_USER_FUNCTIONS_MAX) {
			struct durable_chunk *chunk =
				(void *)(batch + (size_t)count++ * DURABLE_CHUNK_BYTES);

			chunk->log_id = head->log_id;
			chunk->snapshot = head->snapshot;
			chunk->index = head->snapshot_chunks++;
			chunk->function = function;
			chunk->offset = offset;
			(void)durable_chunk_fill(images, chunk);
			offset += chunk->bytes;
			if (offset == images[function].shape.image_bytes) {
				function = durable_next_image(images, function + 1);
				offset = 0;
			}
		}
		err = durable_write_now(disk, DISK_BEFORE, place, batch,
					count * DURABLE_CHUNK_BYTES);
		place += (uint64_t)count * DURABLE_CHUNK_BYTES;
	}
	return err;
}

int durable_before_write(struct disk *disk, const struct durable_image *images, uint64_t log_id,
			 uint32_t generation, const struct durable_kept *kept, uint64_t now_ns)
{
	struct durable_super *head = aligned_alloc(DISK_BLOCK_BYTES, sizeof(*head));
	uint8_t *batch = aligned_alloc(DISK_BLOCK_BYTES, BATCH_BYTES);
	int err = head && batch ? 0 : -ENOMEM;

	if (!err) {
		*head = (struct durable_super){.magic = DURABLE_BEFORE_MAGIC,
					       .version = DURABLE_VERSION,
					       .log_id = log_id,
					       .generation = generation,
					       .snapshot = BEFORE_SNAPSHOT,
					       .kept = *kept,
					       .monotonic_ns = now_ns};
		for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++)
			head->shapes[i] = images[i].shape;
		err = write_chunks(disk, images, head, batch);
	}
	if (!err) {
		head->crc = head_crc(head);
		err = durable_write_now(disk, DISK_BEFORE, 0, head, sizeof(*head));
	}
	free(batch);
	free(head);
	return err;
}

int durable_before_read(struct disk *disk, uint64_t log_id, struct durable_super *ret)
{
	int64_t got = disk->bytes[DISK_BEFORE] < DISK_BLOCK_BYTES
			      ? 0
			      : disk->ops->read(disk, DISK_BEFORE, 0, ret, sizeof(*ret));

	if (got != (int64_t)sizeof(*ret) || ret->magic != DURABLE_BEFORE_MAGIC ||
	    ret->version != DURABLE_VERSION || ret->log_id != log_id || ret->crc != head_crc(ret) ||
	    (uint64_t)ret->snapshot_chunks * DURABLE_CHUNK_BYTES >
		    disk->bytes[DISK_BEFORE] - DISK_BLOCK_BYTES)
		return -ENOENT;
	return 0;
}
