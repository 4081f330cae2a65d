// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/log/durable_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A catching up that gets nothing written for so long is given up. */
#define CATCHING_NS 1000000000ull
/* How often one step takes what completes meanwhile. */
#define STEP_TURNS 4

/* ---- writes ---------------------------------------------------------------- */

void durable_write_set(struct durable *durable, uint32_t slot, enum disk_file file, uint64_t offset,
		       const void *data, uint64_t bytes)
{
	struct durable_write *write = &durable->writes[slot];

	assert(!write->bytes && bytes && bytes <= INT32_MAX && bytes % DISK_BLOCK_BYTES == 0 &&
	       offset % DISK_BLOCK_BYTES == 0);
	*write = (struct durable_write){
		.data = data, .offset = offset, .bytes = (uint32_t)bytes, .file = (uint8_t)file};
}

bool durable_write_finish(struct durable *durable, uint32_t slot)
{
	struct durable_write *write = &durable->writes[slot];

	if (write->done < write->bytes)
		return false;
	durable->bytes_written += write->bytes;
	write->bytes = write->done = 0;
	return true;
}

/* Queue what is not in flight, unless a failure is being waited out. Returns
 * whether anything is in flight then. */
static bool send(struct durable *durable, uint64_t now_ns)
{
	struct disk *disk = durable->disk;
	bool flying = false;

	if (durable->retry_ns && now_ns >= durable->retry_ns)
		durable->retry_ns = 0;
	for (uint32_t i = 0; i < DURABLE_WRITES; i++) {
		struct durable_write *write = &durable->writes[i];

		if (!write->flying && write->done < write->bytes && !durable->retry_ns)
			write->flying = !disk->ops->write(
				disk, (enum disk_file)write->file, write->offset + write->done,
				write->data + write->done, write->bytes - write->done, i);
		flying |= write->flying;
	}
	return flying;
}

static void failed(struct durable *durable, int err, uint64_t now_ns)
{
	durable->error = err;
	durable->errors++;
	if (durable->retry_ns)
		return; /* another of the same time */
	durable->backoff_ns = durable->backoff_ns ? durable->backoff_ns * 2 : DURABLE_RETRY_MIN_NS;
	if (durable->backoff_ns > DURABLE_RETRY_MAX_NS)
		durable->backoff_ns = DURABLE_RETRY_MAX_NS;
	durable->retry_ns = now_ns + durable->backoff_ns;
}

static void complete(struct durable *durable, const struct disk_completion *completion,
		     uint64_t now_ns)
{
	struct durable_write *write;
	uint32_t whole;

	if (completion->tag >= DURABLE_WRITES)
		return;
	write = &durable->writes[completion->tag];
	if (!write->flying)
		return;
	write->flying = false;
	if (completion->result < 0) {
		failed(durable, completion->result, now_ns);
		return;
	}
	/* A short write ends where it likes; blocks are written again whole. */
	whole = (uint32_t)completion->result & ~(DISK_BLOCK_BYTES - 1u);
	if (!whole || whole > write->bytes - write->done) {
		failed(durable, -EIO, now_ns);
		return;
	}
	write->done += whole;
	durable->progress_ns = now_ns;
	if (write->done == write->bytes && !durable->retry_ns) {
		durable->error = 0;
		durable->backoff_ns = 0;
	}
}

/* Take what has completed. Returns whether anything has. */
static bool take(struct durable *durable, bool wait, uint64_t now_ns)
{
	struct disk_completion list[DURABLE_WRITES];
	int count = durable->disk->ops->reap(durable->disk, list, DURABLE_WRITES, wait);

	for (int i = 0; i < count; i++)
		complete(durable, &list[i], now_ns);
	return count > 0;
}

/* ---- groups ---------------------------------------------------------------- */

static const uint8_t *staged(const struct durable *durable, uint64_t position)
{
	return durable->log->data + position % durable->log->capacity;
}

static void write_group(struct durable *durable, uint32_t slot, uint64_t begin, uint64_t end)
{
	uint64_t lap = durable->log->capacity - begin % durable->log->capacity;
	uint64_t first = end - begin < lap ? end - begin : lap;

	durable_write_set(durable, WRITE_OF_GROUP(slot), DISK_LOG,
			  DURABLE_LOG_OFFSET + begin % durable->capacity, staged(durable, begin),
			  first);
	if (begin + first < end)
		durable_write_set(durable, WRITE_OF_GROUP(slot) + 1, DISK_LOG,
				  DURABLE_LOG_OFFSET + (begin + first) % durable->capacity,
				  staged(durable, begin + first), end - begin - first);
}

/* Write the record that ends a group. False: there is no room for it now. */
static bool close_records(struct durable *durable, struct page_counters *live,
			  const struct durable_place *courier, uint64_t now_ns)
{
	const struct log_group group = {
		.begin = durable->closed,
		.durable_position = durable->durable_position,
		.courier_position = courier->position,
		.courier_sequence = courier->sequence,
		.monotonic_ns = now_ns,
	};

	if (log_close_group(durable->log, 0, &group, live->ring_position, live->processed,
			    live->dead_lettered))
		return false;
	live->log_position = durable->log->head;
	live->sequence = durable->log->sequence;
	return true;
}

/* Returns whether a group was closed. */
static bool close_group(struct durable *durable, struct page_counters *live,
			const struct durable_place *courier, uint64_t now_ns)
{
	uint32_t slot = (durable->group_first + durable->group_count) % DURABLE_GROUPS;
	struct durable_group *group = &durable->groups[slot];

	if (durable->log->head == durable->closed || durable->group_count == DURABLE_GROUPS ||
	    !close_records(durable, live, courier, now_ns))
		return false;
	group->begin = durable->closed;
	group->end = durable->log->head;
	group->counters = *live;
	durable->group_count++;
	durable->closed = group->end;
	write_group(durable, slot, group->begin, group->end);
	return true;
}

/* Acknowledge the groups that are complete up to the first that is not. */
static void advance(struct durable *durable)
{
	while (durable->group_count) {
		uint32_t slot = durable->group_first;
		struct durable_group *group = &durable->groups[slot];
		const struct durable_write *writes = &durable->writes[WRITE_OF_GROUP((size_t)slot)];

		if (writes[0].done < writes[0].bytes || writes[1].done < writes[1].bytes)
			return;
		(void)durable_write_finish(durable, WRITE_OF_GROUP(slot));
		(void)durable_write_finish(durable, WRITE_OF_GROUP(slot) + 1);
		durable->acknowledged = group->counters;
		durable->durable_position = group->end;
		durable->durable_sequence = group->counters.sequence;
		durable->group_first = (slot + 1) % DURABLE_GROUPS;
		durable->group_count--;
		durable->groups_written++;
	}
}

/* A superblock that says how far the log has come is there: its slot is free again. */
static void end_reach(struct durable *durable)
{
	if (!durable->naming && durable_write_finish(durable, WRITE_OF_SUPER))
		*durable->super = *durable->super_next;
}

/* Say in the superblock how far the log has come, before it comes too far. */
static void note_reach(struct durable *durable)
{
	if (durable->naming || !durable_write_is_free(durable, WRITE_OF_SUPER) ||
	    durable->durable_position <
		    durable->super->reached + DURABLE_REACH(durable->capacity) / 4)
		return;
	*durable->super_next = *durable->super;
	durable->super_next->reached = durable->durable_position;
	durable_super_write(durable);
}

/* ---- going on without the disk --------------------------------------------- */

static bool any_flying(const struct durable *durable)
{
	for (uint32_t i = 0; i < DURABLE_WRITES; i++)
		if (durable->writes[i].flying)
			return true;
	return false;
}

/* What is not in flight is not written any more. The superblock is: it may be
 * there already, for all that is known. */
static void drop_writes(struct durable *durable)
{
	for (uint32_t i = 0; i < WRITE_OF_SUPER; i++)
		if (!durable->writes[i].flying)
			durable->writes[i].bytes = durable->writes[i].done = 0;
}

static void drift(struct durable *durable)
{
	durable->adrift = true;
	durable->catching = false;
	durable->group_count = 0;
	durable_snapshot_abandon(durable);
	drop_writes(durable);
}

/*
 * The records between the durable position and here are lost to the disk. A
 * snapshot of the tables as they are now, with no record beside it, makes up for
 * them: nothing is processed until it is there. Before it counts, the one before
 * does, with its records: they lie where they lay.
 */
static void catch_up(struct durable *durable, struct page_counters *live,
		     const struct durable_place *courier, uint64_t now_ns)
{
	if (durable->log->head % LOG_BLOCK_BYTES && !close_records(durable, live, courier, now_ns))
		return;
	durable->closed = durable->log->head;
	durable->retry_ns = 0;
	durable->catching = true;
	durable->progress_ns = now_ns;
	durable_snapshot_begin(durable);
}

static void step_adrift(struct durable *durable, struct page_counters *live,
			const struct durable_place *courier, uint64_t now_ns)
{
	if (durable->catching && now_ns - durable->progress_ns > CATCHING_NS)
		failed(durable, -ETIMEDOUT, now_ns);
	if (durable->catching && durable->retry_ns)
		drift(durable);
	if (!durable->catching) {
		/* Whether a superblock came to stand is known when it was
		 * written without a failure, and not before. */
		if (durable_write_finish(durable, WRITE_OF_SUPER))
			*durable->super = *durable->super_next;
		if (durable_write_is_free(durable, WRITE_OF_SUPER))
			durable->naming = false;
		drop_writes(durable);
		if (durable_write_is_free(durable, WRITE_OF_SUPER) && !any_flying(durable) &&
		    now_ns >= durable->retry_ns)
			catch_up(durable, live, courier, now_ns);
	}
	if (durable->catching) {
		durable_snapshot_step(durable);
		if (!durable->snapshot.active) {
			durable->adrift = durable->catching = false;
			durable->durable_position = durable->closed;
			durable->durable_sequence = durable->log->sequence;
		}
	}
	durable->acknowledged = *live;
}

/* ---- the step -------------------------------------------------------------- */

/* Fill the free slots and queue what is in them. Returns whether anything is in
 * flight. */
static bool fill(struct durable *durable, struct page_counters *live,
		 const struct durable_place *courier, uint64_t now_ns)
{
	durable->courier = *courier;
	durable->now_ns = now_ns;
	if (durable->adrift) {
		step_adrift(durable, live, courier, now_ns);
	} else {
		(void)close_group(durable, live, courier, now_ns);
		if (!durable->snapshot.active && durable->log->head == durable->closed &&
		    durable->closed - durable->super->begin.position >= durable->capacity / 2)
			durable_snapshot_begin(durable);
		/* A snapshot may wait for the superblock's slot, and how far the log is for
		 * that it is named; when nothing else is in flight, nobody looks again. */
		end_reach(durable);
		if (durable->snapshot.active)
			durable_snapshot_step(durable);
		note_reach(durable);
	}
	return send(durable, now_ns);
}

/* Returns whether anything is in flight. */
static bool step(struct durable *durable, struct page_counters *live,
		 const struct durable_place *courier, uint64_t now_ns, bool wait)
{
	bool flying = fill(durable, live, courier, now_ns);

	/* What completes at once makes room for more, but events wait too. */
	for (unsigned int turn = 0; flying && turn < STEP_TURNS; turn++) {
		if (!take(durable, wait, now_ns))
			return true;
		wait = false;
		if (!durable->adrift)
			advance(durable);
		if (!durable->adrift && durable->retry_ns && durable->policy == DURABLE_CONTINUE)
			drift(durable);
		flying = fill(durable, live, courier, now_ns);
	}
	if (flying)
		(void)!durable->disk->ops->reap(durable->disk, NULL, 0, false);
	return flying;
}

void durable_step(struct durable *durable, struct page_counters *live,
		  const struct durable_place *courier, uint64_t now_ns)
{
	(void)step(durable, live, courier, now_ns, false);
}

uint64_t durable_wake_ns(const struct durable *durable)
{
	return durable->catching ? durable->progress_ns + CATCHING_NS : durable->retry_ns;
}

/* Whether the disk has the tables of this generation. */
static bool has_tables(const struct durable *durable)
{
	if (durable->anew || durable->super->generation != durable->generation)
		return false;
	/* Numbers of generations begin anew with each load. */
	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++)
		if (memcmp(&durable->super->shapes[i], &durable->images[i].shape,
			   sizeof(durable->super->shapes[i])))
			return false;
	return true;
}

int durable_settle(struct durable *durable, struct page_counters *live,
		   const struct durable_place *courier, uint64_t now_ns)
{
	enum durable_policy policy = durable->policy;
	uint64_t errors = durable->errors;
	int err = 0;

	/* Nobody was told yet that it goes on without the disk. */
	durable->policy = DURABLE_WAIT;
	for (;;) {
		bool flying = step(durable, live, courier, now_ns, true);

		err = durable->errors != errors ? durable->error : 0;
		if (!err && !flying && !durable_is_settled(durable))
			err = -ENOSPC;
		if (err)
			break;
		if (durable->adrift || durable->snapshot.active || !durable_is_settled(durable))
			continue;
		if (has_tables(durable))
			break;
		durable_snapshot_begin(durable);
		durable->anew = false;
	}
	durable->policy = policy;
	return err;
}

uint64_t durable_limit(const struct durable *durable)
{
	/* A window of records fits the mapped log without the segment that it begins
	 * in: recovery reads whole segments into it. */
	uint64_t staging =
		durable->log->tail + durable->log->capacity - durable->log->segment_bytes;
	uint64_t disk = durable->super->begin.position + durable->capacity;
	uint64_t reach = durable->super->reached + DURABLE_REACH(durable->capacity);

	if (reach < disk)
		disk = reach;
	if (durable->catching)
		return durable->log->head;
	if (durable->adrift || staging < disk)
		disk = staging;
	return disk - LOG_GROUP_ROOM;
}

/*
 * What follows the head on the disk is left over from before a loss of power, unless it is
 * of this incarnation. While records of those before are to be written again, the fence of
 * who came first stands: it is not behind them, and what it keeps out may lie under them.
 */
static void set_fence(struct durable_super *super, const struct log_writer *log,
		      const struct page_counters *acknowledged)
{
	if (acknowledged->log_position != log->head)
		return;
	super->fence_position = log->head;
	super->fence_incarnation = log->incarnation;
}

int durable_start(struct durable *durable, const struct durable_setup *setup,
		  struct log_writer *log, const struct page_counters *acknowledged)
{
	int err;

	memset(durable, 0, sizeof(*durable));
	durable->disk = setup->disk;
	durable->log = log;
	durable->policy = setup->policy;
	durable->generation = setup->generation;
	durable->anew = setup->resets != 0;
	memcpy(durable->images, setup->images, sizeof(durable->images));
	durable->super = aligned_alloc(DISK_BLOCK_BYTES, sizeof(*durable->super));
	durable->super_next = aligned_alloc(DISK_BLOCK_BYTES, sizeof(*durable->super_next));
	durable->snapshot.buffers =
		aligned_alloc(DISK_BLOCK_BYTES, (size_t)DURABLE_CHUNKS * DURABLE_CHUNK_BYTES);
	err = durable->super && durable->super_next && durable->snapshot.buffers ? 0 : -ENOMEM;
	if (!err)
		err = durable_super_read(setup->disk, durable->super);
	if (!err && (durable->super->log_id != log->log_id ||
		     durable->super->staging_bytes != log->capacity ||
		     durable->super->segment_bytes != log->segment_bytes ||
		     log->incarnation != durable_incarnation(durable->super) ||
		     acknowledged->log_position % DISK_BLOCK_BYTES ||
		     acknowledged->log_position < durable->super->begin.position ||
		     acknowledged->log_position > log->head))
		err = -EINVAL;
	if (!err) {
		*durable->super_next = *durable->super;
		durable->super_next->incarnation = log->incarnation;
		/* Who died may have got further than it could show. */
		if (durable->super_next->reached < acknowledged->log_position)
			durable->super_next->reached = acknowledged->log_position;
		set_fence(durable->super_next, log, acknowledged);
		durable->super_next->number++;
		durable_super_seal(durable->super_next);
		err = durable_write_now(setup->disk, DISK_LOG,
					durable->super_next->number % 2 * DISK_BLOCK_BYTES,
					durable->super_next, sizeof(*durable->super_next));
	}
	if (err) {
		durable_end(durable);
		return err;
	}
	*durable->super = *durable->super_next;
	durable->capacity = durable->super->capacity;
	durable->closed = acknowledged->log_position;
	durable->durable_position = acknowledged->log_position;
	durable->durable_sequence = acknowledged->sequence;
	durable->acknowledged = *acknowledged;
	log->limit = durable_limit(durable);
	return 0;
}

void durable_start_adrift(struct durable *durable)
{
	durable->adrift = true;
}

void durable_end(struct durable *durable)
{
	free(durable->super);
	free(durable->super_next);
	free(durable->snapshot.buffers);
	durable->super = durable->super_next = NULL;
	durable->snapshot.buffers = NULL;
}
