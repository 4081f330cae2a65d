// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Snapshots of the tables. A table never removes a slot and stores a key before
 * the mark that makes it count, and a record holds a key's whole value: an image
 * that is copied piece by piece while events go on becomes right when the
 * records from its begin on are redone on it. So it counts when they are on the
 * disk up to where it ended, and not before.
 */
#include "userspace/log/durable_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "fault.h"

/* Zeros that one chunk stands for, at most: looking for their end takes time. */
#define ZERO_RUN_BYTES (4u << 20)

uint64_t durable_snapshot_bytes(const struct durable_image *images)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++)
		if (images[i].shape.name[0])
			bytes += durable_image_bytes(images[i].shape.image_bytes);
	return bytes;
}

static bool is_zero(const uint8_t *bytes, uint64_t count)
{
	static const uint8_t zeros[4096];

	for (; count > sizeof(zeros); bytes += sizeof(zeros), count -= sizeof(zeros))
		if (memcmp(bytes, zeros, sizeof(zeros)) != 0)
			return false;
	return !memcmp(bytes, zeros, count);
}

/* How many bytes the chunk from here on stands for. */
static uint64_t chunk_extent(const uint8_t *from, uint64_t left, bool *ret_zero)
{
	uint64_t bytes = left < DURABLE_CHUNK_BODY ? left : DURABLE_CHUNK_BODY;

	*ret_zero = is_zero(from, bytes);
	while (*ret_zero && bytes < left && bytes < ZERO_RUN_BYTES) {
		uint64_t more =
			left - bytes < DURABLE_CHUNK_BODY ? left - bytes : DURABLE_CHUNK_BODY;

		if (!is_zero(from + bytes, more))
			break;
		bytes += more;
	}
	return bytes;
}

static uint32_t chunk_crc(const struct durable_chunk *chunk)
{
	uint64_t bytes = sizeof(*chunk) - sizeof(chunk->crc);

	if (!chunk->zero)
		bytes += chunk->bytes;
	return crc32c(0, (const uint8_t *)chunk + sizeof(chunk->crc), bytes);
}

void durable_snapshot_begin(struct durable *durable)
{
	struct durable_snapshot *snapshot = &durable->snapshot;

	assert(!snapshot->active && durable->log->head == durable->closed);
	snapshot->active = true;
	if (!snapshot->id)
		snapshot->id = (uint64_t)durable->super->incarnation << 32;
	snapshot->id++;
	snapshot->file = durable->super->snapshot ? !durable->super->snapshot_file : 0;
	snapshot->chunks = 0;
	snapshot->function = durable_next_image(durable->images, 0);
	snapshot->offset = 0;
	snapshot->end = 0;
	snapshot->begin.position = durable->log->head;
	snapshot->begin.sequence = durable->log->sequence;
}

void durable_snapshot_abandon(struct durable *durable)
{
	durable->snapshot.active = false;
}

uint64_t durable_chunk_fill(const struct durable_image *images, struct durable_chunk *chunk)
{
	const struct durable_image *image = &images[chunk->function];
	const uint8_t *from = image->mapping + chunk->offset;
	uint64_t written = sizeof(*chunk);
	bool zero;

	chunk->magic = DURABLE_CHUNK_MAGIC;
	chunk->bytes = chunk_extent(from, image->shape.image_bytes - chunk->offset, &zero);
	chunk->zero = zero;
	memset(chunk->reserved, 0, sizeof(chunk->reserved));
	if (!zero) {
		memcpy(chunk + 1, from, chunk->bytes);
		written += chunk->bytes;
	}
	chunk->crc = chunk_crc(chunk);
	return written;
}

uint32_t durable_next_image(const struct durable_image *images, uint32_t function)
{
	while (function < FAAS_USER_FUNCTIONS_MAX && !images[function].shape.name[0])
		function++;
	return function;
}

/* Copy the next chunk into a free slot's buffer, and queue it. */
static void make_chunk(struct durable *durable, uint32_t slot)
{
	struct durable_snapshot *snapshot = &durable->snapshot;
	const struct durable_image *image = &durable->images[snapshot->function];
	uint8_t *buffer = snapshot->buffers + (size_t)slot * DURABLE_CHUNK_BYTES;
	struct durable_chunk *chunk = (struct durable_chunk *)(void *)buffer;
	uint64_t written;

	chunk->log_id = durable->super->log_id;
	chunk->snapshot = snapshot->id;
	chunk->index = snapshot->chunks;
	chunk->function = snapshot->function;
	chunk->offset = snapshot->offset;
	written = durable_chunk_fill(durable->images, chunk);
	durable_write_set(durable, WRITE_OF_CHUNK(slot),
			  snapshot->file ? DISK_SNAPSHOT_1 : DISK_SNAPSHOT_0,
			  (uint64_t)snapshot->chunks * DURABLE_CHUNK_BYTES, buffer,
			  (written + DISK_BLOCK_BYTES - 1) & ~(DISK_BLOCK_BYTES - 1ull));
	snapshot->chunks++;
	snapshot->offset += chunk->bytes;
	if (snapshot->offset == image->shape.image_bytes) {
		snapshot->function = durable_next_image(durable->images, snapshot->function + 1);
		snapshot->offset = 0;
	}
}

static void name_snapshot(struct durable *durable)
{
	const struct durable_snapshot *snapshot = &durable->snapshot;
	struct durable_super *super = durable->super_next;
	uint64_t reached;

	*super = *durable->super;
	super->generation = durable->generation;
	super->begin = snapshot->begin;
	super->snapshot = snapshot->id;
	super->snapshot_file = snapshot->file;
	super->snapshot_chunks = snapshot->chunks;
	super->snapshot_end = snapshot->end;
	if (durable->catching && durable->durable_position < snapshot->begin.position)
		super->whole_from = snapshot->begin;
	/* While adrift the log went on, and the disk stood still. */
	reached = durable->catching ? snapshot->begin.position : durable->durable_position;
	if (super->reached < reached)
		super->reached = reached;
	durable->naming = true;
	/* Behind `begin` may be no group that says it. */
	if (durable->courier.position > super->delivered.position)
		super->delivered = durable->courier;
	super->monotonic_ns = durable->now_ns;
	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++)
		super->shapes[i] = durable->images[i].shape;
	durable_super_write(durable);
}

void durable_snapshot_step(struct durable *durable)
{
	struct durable_snapshot *snapshot = &durable->snapshot;
	bool written = true;

	if (durable->naming) {
		if (durable_write_finish(durable, WRITE_OF_SUPER)) {
			*durable->super = *durable->super_next;
			durable->naming = false;
			snapshot->active = false;
			durable->snapshots_written++;
			fault_point("durable.snapshot_named");
		}
		return;
	}
	for (uint32_t i = 0; i < DURABLE_CHUNKS; i++) {
		(void)durable_write_finish(durable, WRITE_OF_CHUNK(i));
		if (durable_write_is_free(durable, WRITE_OF_CHUNK(i)) &&
		    snapshot->function < FAAS_USER_FUNCTIONS_MAX)
			make_chunk(durable, i);
		written &= durable_write_is_free(durable, WRITE_OF_CHUNK(i));
	}
	if (snapshot->function < FAAS_USER_FUNCTIONS_MAX)
		return;
	if (!snapshot->end)
		snapshot->end = durable->log->head;
	/* A catching up begins and ends at one place, and nothing came since. */
	if (written && durable_write_is_free(durable, WRITE_OF_SUPER) &&
	    (durable->catching || durable->durable_position >= snapshot->end))
		name_snapshot(durable);
}

/* ---- loading --------------------------------------------------------------- */

/* A place in the images, all of them one behind the other. */
struct image_place {
	uint32_t function;
	uint64_t offset;
};

/* What lies between two places was not found: zero it, and say so. */
static int lose(const struct durable_setup *setup, uint32_t wanted, struct image_place *at,
		const struct image_place *to)
{
	int err = 0;

	while (!err && (at->function < to->function ||
			(at->function == to->function && at->offset < to->offset))) {
		const struct durable_image *image = &setup->images[at->function];
		uint64_t end = at->function < to->function ? image->shape.image_bytes : to->offset;

		if (wanted >> at->function & 1 && at->offset < end) {
			memset(image->mapping + at->offset, 0, end - at->offset);
			err = setup->repair(setup->context, at->function, at->offset, end);
		}
		if (at->function == to->function)
			break;
		at->function = durable_next_image(setup->images, at->function + 1);
		at->offset = 0;
	}
	return err;
}

static bool chunk_is_right(const struct durable_chunk *chunk, const struct durable_setup *setup,
			   const struct durable_super *super, uint32_t index,
			   const struct image_place *at)
{
	uint64_t image_bytes;

	if (chunk->magic != DURABLE_CHUNK_MAGIC || chunk->log_id != super->log_id ||
	    chunk->snapshot != super->snapshot || chunk->index != index || chunk->zero > 1 ||
	    (!chunk->zero && chunk->bytes > DURABLE_CHUNK_BODY) || chunk->crc != chunk_crc(chunk))
		return false;
	if (chunk->function >= FAAS_USER_FUNCTIONS_MAX || !super->shapes[chunk->function].name[0])
		return false;
	image_bytes = super->shapes[chunk->function].image_bytes;
	(void)setup;
	return chunk->offset <= image_bytes && chunk->bytes <= image_bytes - chunk->offset &&
	       (chunk->function > at->function ||
		(chunk->function == at->function && chunk->offset >= at->offset));
}

static int load_chunks(const struct durable_setup *setup, const struct durable_super *super,
		       uint32_t wanted, struct durable_chunk *chunk, struct durable_recovered *ret)
{
	bool before = super->magic == DURABLE_BEFORE_MAGIC;
	enum disk_file file = before		     ? DISK_BEFORE
			      : super->snapshot_file ? DISK_SNAPSHOT_1
						     : DISK_SNAPSHOT_0;
	const struct image_place end = {.function = FAAS_USER_FUNCTIONS_MAX};
	struct image_place at = {.function = durable_next_image(setup->images, 0)};
	int err = 0;

	for (uint32_t i = 0; !err && i < super->snapshot_chunks; i++) {
		uint64_t offset =
			(uint64_t)i * DURABLE_CHUNK_BYTES + (before ? DISK_BLOCK_BYTES : 0);
		int64_t got = setup->disk->ops->read(setup->disk, file, offset, chunk,
						     DURABLE_CHUNK_BYTES);
		struct image_place place;

		/* What cannot be read is damage, as what reads wrong. */
		if (got != DURABLE_CHUNK_BYTES)
			memset(chunk, 0, DURABLE_CHUNK_BYTES);
		if (!chunk_is_right(chunk, setup, super, i, &at)) {
			ret->corrupt++;
			ret->corrupt_bytes += DURABLE_CHUNK_BYTES;
			durable_keep_damage(setup, super, file, offset, DURABLE_CHUNK_BYTES);
			continue;
		}
		place = (struct image_place){.function = chunk->function, .offset = chunk->offset};
		err = lose(setup, wanted, &at, &place);
		if (!err && wanted >> chunk->function & 1) {
			uint8_t *to = setup->images[chunk->function].mapping + chunk->offset;

			if (chunk->zero)
				memset(to, 0, chunk->bytes);
			else
				memcpy(to, chunk + 1, chunk->bytes);
		}
		at = place;
		at.offset += chunk->bytes;
		if (at.offset == super->shapes[at.function].image_bytes)
			at = (struct image_place){
				.function = durable_next_image(setup->images, at.function + 1)};
	}
	return err ? err : lose(setup, wanted, &at, &end);
}

int durable_snapshot_load(const struct durable_setup *setup, const struct durable_super *super,
			  uint32_t wanted, struct durable_recovered *ret)
{
	struct durable_chunk *chunk;
	int err;

	/* What is not in the snapshot begins empty: so do the others if there is none. Tables
	 * that are another's are not mapped. */
	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++)
		if (setup->images[i].mapping && setup->images[i].shape.name[0] &&
		    (!super->snapshot || !(wanted >> i & 1)))
			memset(setup->images[i].mapping, 0, setup->images[i].shape.image_bytes);
	if (!super->snapshot)
		return 0;
	chunk = aligned_alloc(DISK_BLOCK_BYTES, DURABLE_CHUNK_BYTES);
	if (!chunk)
		return -ENOMEM;
	err = load_chunks(setup, super, wanted, chunk, ret);
	free(chunk);
	return err;
}
