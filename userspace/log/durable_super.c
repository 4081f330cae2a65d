// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Superblocks are written in turns: while one is being written the other stands,
 * and a torn one does not check out.
 */
#include "userspace/log/durable_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"

#define ZERO_BYTES (1u << 20) /* written at once when a file is made */

void durable_super_seal(struct durable_super *super)
{
	super->magic = DURABLE_MAGIC;
	super->version = DURABLE_VERSION;
	super->crc = 0;
	super->crc = crc32c(0, super, sizeof(*super));
}

/* 0, -ENOENT: nothing was ever written here; -EPROTO; -EBADMSG. */
static int check(struct durable_super *super, unsigned int place)
{
	static const struct durable_super none;
	uint32_t crc = super->crc;
	int err = 0;

	if (!memcmp(super, &none, sizeof(none)))
		return -ENOENT;
	if (super->magic != DURABLE_MAGIC)
		return -EBADMSG;
	super->crc = 0;
	if (crc32c(0, super, sizeof(*super)) != crc)
		err = -EBADMSG;
	super->crc = crc;
	if (!err && super->version != DURABLE_VERSION)
		return -EPROTO;
	if (!err && super->number % 2 != place)
		err = -EBADMSG;
	return err;
}

/* Whether its figures can be of this file: they come with a right CRC, but from
 * a disk. */
static bool fits(const struct durable_super *super, const struct disk *disk)
{
	return super->segment_bytes >= LOG_GROUP_SEGMENT_MIN &&
	       super->segment_bytes % DISK_BLOCK_BYTES == 0 &&
	       super->staging_bytes >= 2 * super->segment_bytes &&
	       super->staging_bytes % super->segment_bytes == 0 &&
	       super->capacity >= 2 * super->staging_bytes &&
	       super->capacity % super->staging_bytes == 0 && super->capacity < 1ull << 60 &&
	       super->capacity + DURABLE_LOG_OFFSET <= disk->bytes[DISK_LOG] &&
	       super->begin.position % DISK_BLOCK_BYTES == 0 &&
	       super->begin.position < 1ull << 62 &&
	       super->reached <= super->begin.position + super->capacity &&
	       super->fence_position <= super->reached &&
	       super->fence_incarnation <= super->incarnation && super->snapshot_file <= 1 &&
	       (!super->snapshot || (uint64_t)super->snapshot_chunks * DURABLE_CHUNK_BYTES <=
					    disk->bytes[DISK_SNAPSHOT_0 + super->snapshot_file]);
}

int durable_super_read(struct disk *disk, struct durable_super *ret)
{
	struct durable_super *block = aligned_alloc(DISK_BLOCK_BYTES, sizeof(*block));
	bool found = false;
	int worst = -ENOENT;

	if (!block)
		return -ENOMEM;
	for (unsigned int place = 0; place < 2; place++) {
		int64_t got = disk->ops->read(disk, DISK_LOG, (uint64_t)place * DISK_BLOCK_BYTES,
					      block, DISK_BLOCK_BYTES);
		int err = got < 0 ? (int)got : -EBADMSG;

		if (got == DISK_BLOCK_BYTES)
			err = check(block, place);
		if (!err && !fits(block, disk))
			err = -EBADMSG;
		if (err && (worst == -ENOENT || err == -EPROTO))
			worst = err;
		if (err || (found && block->number < ret->number))
			continue;
		memcpy(ret, block, sizeof(*ret));
		found = true;
	}
	free(block);
	return found ? 0 : worst;
}

int durable_write_now(struct disk *disk, enum disk_file file, uint64_t offset, const void *data,
		      uint32_t bytes)
{
	uint32_t done = 0;

	while (done < bytes) {
		struct disk_completion completion = {0};
		int count = disk->ops->write(disk, file, offset + done,
					     (const uint8_t *)data + done, bytes - done, 0);

		if (count)
			return count;
		do {
			count = disk->ops->reap(disk, &completion, 1, true);
		} while (!count || count == -EINTR);
		if (count < 0)
			return count;
		if (completion.result < 0)
			return completion.result;
		if (completion.result < DISK_BLOCK_BYTES)
			return -EIO;
		done += (uint32_t)completion.result & ~(DISK_BLOCK_BYTES - 1u);
	}
	return 0;
}

void durable_super_write(struct durable *durable)
{
	struct durable_super *super = durable->super_next;

	super->number = durable->super->number + 1;
	durable_super_seal(super);
	durable_write_set(durable, WRITE_OF_SUPER, DISK_LOG, super->number % 2 * DISK_BLOCK_BYTES,
			  super, sizeof(*super));
}

static int write_zeros(struct disk *disk, uint64_t from, uint64_t to)
{
	uint8_t *zeros = aligned_alloc(DISK_BLOCK_BYTES, ZERO_BYTES);
	int err = zeros ? 0 : -ENOMEM;

	if (zeros)
		memset(zeros, 0, ZERO_BYTES);
	while (!err && from < to) {
		uint32_t bytes = to - from < ZERO_BYTES ? (uint32_t)(to - from) : ZERO_BYTES;

		err = durable_write_now(disk, DISK_LOG, from, zeros, bytes);
		from += bytes;
	}
	free(zeros);
	return err;
}

int durable_format(const struct durable_setup *setup)
{
	struct disk *disk = setup->disk;
	struct durable_super *super;
	struct log_view view;
	uint64_t circle;
	int err;

	if (log_view_open(setup->staging, setup->staging_bytes, &view) ||
	    disk->bytes[DISK_LOG] < durable_log_bytes(0, view.capacity))
		return -EINVAL;
	circle = disk->bytes[DISK_LOG] - DURABLE_LOG_OFFSET;
	circle -= circle % view.capacity;
	super = aligned_alloc(DISK_BLOCK_BYTES, sizeof(*super));
	if (!super)
		return -ENOMEM;
	*super = (struct durable_super){
		.log_id = view.log_id,
		.capacity = circle,
		.staging_bytes = view.capacity,
		.segment_bytes = view.segment_bytes,
		.generation = setup->generation,
	};
	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++)
		super->shapes[i] = setup->images[i].shape;
	durable_super_seal(super);
	/* The superblock comes last: a file without one is formatted again. */
	err = write_zeros(disk, 0, DURABLE_LOG_OFFSET + circle);
	if (!err)
		err = durable_write_now(disk, DISK_LOG, 0, super, sizeof(*super));
	free(super);
	return err;
}

int durable_note_delivered(struct disk *disk, const struct durable_place *place)
{
	struct durable_super *super = aligned_alloc(DISK_BLOCK_BYTES, sizeof(*super));
	int err = super ? durable_super_read(disk, super) : -ENOMEM;

	if (!err && place->position > super->delivered.position) {
		super->delivered = *place;
		super->number++;
		durable_super_seal(super);
		err = durable_write_now(disk, DISK_LOG, super->number % 2 * DISK_BLOCK_BYTES, super,
					sizeof(*super));
	}
	free(super);
	return err;
}
