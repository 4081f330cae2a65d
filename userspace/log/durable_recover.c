// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Taking up from the disk: the tables from the snapshot that the newest
 * superblock names, then the records behind its begin, group by group, each as a
 * whole or not at all. Records are read into the mapped log at their places, so
 * that what the courier has not had stands there in the end.
 *
 * Where a group does not check out, the log ends, unless a later group says that
 * more than this was on the disk when it was closed: then this is damage, and
 * what lies behind it counts.
 */
#include "userspace/log/durable_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"

/* A window of the log in memory, filled segment by segment. */
struct window {
	uint8_t *data;	 /* of staging_bytes: position p at p % staging_bytes */
	uint64_t loaded; /* segments before this are in it */
};

struct recovery {
	const struct durable_setup *setup;
	const struct durable_super *super;
	struct durable_recovered *ret;
	uint32_t incarnation; /* of the last record, or of the snapshot: it never falls */
	uint64_t last;	      /* no record is behind this */
	bool before;	      /* the tables are those of before an update */
};

/* What was learnt of a group. */
struct group {
	uint64_t begin, end;
	uint64_t sequence; /* of its last record */
	uint32_t incarnation;
	const struct log_group *note;
};

/* Load the segments up to @p position. What cannot be read is zero: damage. */
static void load(const struct recovery *recovery, struct window *window, uint64_t position)
{
	const struct durable_super *super = recovery->super;
	struct disk *disk = recovery->setup->disk;

	while (window->loaded <= position) {
		uint8_t *to = window->data + window->loaded % super->staging_bytes;
		int64_t got = disk->ops->read(disk, DISK_LOG,
					      DURABLE_LOG_OFFSET + window->loaded % super->capacity,
					      to, (uint32_t)super->segment_bytes);

		if (got != (int64_t)super->segment_bytes)
			memset(to, 0, super->segment_bytes);
		window->loaded += super->segment_bytes;
	}
}

static const struct log_record *record_at(const struct recovery *recovery,
					  const struct window *window, uint64_t position)
{
	return (const struct log_record *)(const void *)(window->data +
							 position % recovery->super->staging_bytes);
}

/* The record at @p position if it checks out and may follow; NULL. */
static const struct log_record *check(const struct recovery *recovery, struct window *window,
				      uint64_t position, uint64_t sequence, uint32_t incarnation)
{
	uint64_t rest = recovery->super->segment_bytes - position % recovery->super->segment_bytes;
	const struct log_record *record;

	if (position >= recovery->super->fence_position &&
	    incarnation < recovery->super->fence_incarnation)
		incarnation = recovery->super->fence_incarnation;
	load(recovery, window, position);
	record = record_at(recovery, window, position);
	if (record->magic != LOG_RECORD_MAGIC || record->log_id != recovery->super->log_id ||
	    record->sequence != sequence || record->incarnation < incarnation ||
	    record->incarnation > recovery->super->incarnation || record->bytes < sizeof(*record) ||
	    record->bytes % 8 || record->bytes > rest)
		return NULL;
	if (crc32c(0, (const uint8_t *)record + sizeof(record->crc),
		   record->bytes - sizeof(record->crc)) != record->crc)
		return NULL;
	if (record->kind == LOG_PAD)
		return record->bytes == sizeof(*record) ? record : NULL;
	if (record->kind < LOG_EVENT || record->kind > LOG_REPLAY || log_record_check(record))
		return NULL;
	return record;
}

/* Behind the padding at @p position, if there is some. */
static uint64_t skip_padding(const struct recovery *recovery, struct window *window,
			     uint64_t position, uint64_t sequence, uint32_t incarnation)
{
	uint64_t rest = recovery->super->segment_bytes - position % recovery->super->segment_bytes;
	const struct log_record *record;

	if (rest < sizeof(*record))
		return position + rest;
	record = check(recovery, window, position, sequence, incarnation);
	return record && record->kind == LOG_PAD ? position + rest : position;
}

/* Follow the records of a group from @p place to its end. False: it is not whole. */
static bool follow(const struct recovery *recovery, struct window *window,
		   const struct durable_place *place, uint32_t incarnation, struct group *ret)
{
	uint64_t position = place->position;
	uint64_t sequence = place->sequence;

	ret->begin = position;
	while (position < recovery->last &&
	       position - place->position < recovery->super->staging_bytes) {
		const struct log_record *record;
		const struct log_entry *entry;
		struct log_walk walk;
		const uint8_t *body;

		position = skip_padding(recovery, window, position, sequence + 1, incarnation);
		record = check(recovery, window, position, sequence + 1, incarnation);
		if (!record || record->kind == LOG_PAD)
			return false;
		position += record->bytes;
		sequence++;
		incarnation = record->incarnation;
		if (record->kind != LOG_GROUP)
			continue;
		log_walk_begin(&walk, record);
		entry = log_walk_next(&walk, &body);
		if (!entry || entry->kind != LOG_ENTRY_GROUP ||
		    entry->bytes < sizeof(struct log_group) || position % LOG_BLOCK_BYTES)
			return false;
		ret->note = (const struct log_group *)(const void *)body;
		/* One that was written again by who came after may begin earlier
		 * than the groups within it. */
		if (ret->note->begin > place->position)
			return false;
		ret->end = position;
		ret->sequence = sequence;
		ret->incarnation = incarnation;
		return true;
	}
	return false;
}

/* Hand over the records of a group that was followed. */
static int redo(struct recovery *recovery, struct window *window, const struct group *group)
{
	uint64_t segment = recovery->super->segment_bytes;
	uint64_t position = group->begin;
	int err = 0;

	while (!err && position < group->end) {
		uint64_t rest = segment - position % segment;
		const struct log_record *record = record_at(recovery, window, position);

		if (rest < sizeof(*record) || record->kind == LOG_PAD) {
			position += rest;
			continue;
		}
		if (!recovery->before || recovery->ret->kept) {
			err = recovery->setup->redo(recovery->setup->context, record);
			recovery->ret->records++;
		}
		position += record->bytes;
	}
	return err;
}

static void note_group(struct recovery *recovery, const struct group *group)
{
	struct durable_recovered *ret = recovery->ret;

	ret->end.position = group->end;
	ret->end.sequence = group->sequence;
	recovery->incarnation = group->incarnation;
	if (!recovery->before)
		ret->monotonic_ns = group->note->monotonic_ns;
	else
		ret->kept_ns = group->note->monotonic_ns;
	ret->courier.position = group->note->courier_position;
	ret->courier.sequence = group->note->courier_sequence;
}

/* Whether a later group begins at this block, and what it says. */
static bool later_group(const struct recovery *recovery, struct window *window, uint64_t position,
			struct group *ret)
{
	struct durable_place place = {.position = position};
	const struct log_record *record;

	load(recovery, window, position);
	record = record_at(recovery, window, position);
	if (record->magic != LOG_RECORD_MAGIC || record->log_id != recovery->super->log_id ||
	    record->sequence <= recovery->ret->end.sequence + 1)
		return false;
	place.sequence = record->sequence - 1;
	return follow(recovery, window, &place, recovery->incarnation, ret);
}

/*
 * The records end here. If that is damage, *ret_next is where they go on. Reads
 * as far as the log can have come: the bytes that would be missing are anywhere.
 */
static int look_behind(const struct recovery *recovery, struct durable_place *ret_next)
{
	const struct durable_super *super = recovery->super;
	uint64_t from = recovery->ret->end.position;
	struct window window = {.loaded = from - from % super->segment_bytes};
	uint64_t to = super->reached + DURABLE_REACH(super->capacity);
	uint64_t durable = 0;
	bool found = false;
	struct group group;

	window.data = aligned_alloc(DISK_BLOCK_BYTES, super->staging_bytes);
	if (!window.data)
		return -ENOMEM;
	if (to > recovery->last)
		to = recovery->last;
	for (uint64_t at = from + LOG_BLOCK_BYTES; at < to;) {
		if (!later_group(recovery, &window, at, &group)) {
			at += LOG_BLOCK_BYTES;
			continue;
		}
		if (!found) {
			const struct log_record *record = record_at(recovery, &window, at);

			*ret_next = (struct durable_place){at, record->sequence - 1};
			found = true;
		}
		if (group.note->durable_position > durable)
			durable = group.note->durable_position;
		at = group.end;
	}
	free(window.data);
	return found && durable > from ? 1 : 0;
}

static int redo_groups(struct recovery *recovery, struct window *window)
{
	struct durable_recovered *ret = recovery->ret;
	int err = 0;

	while (!err) {
		struct durable_place next;
		struct group group;

		if (follow(recovery, window, &ret->end, recovery->incarnation, &group)) {
			note_group(recovery, &group);
			err = redo(recovery, window, &group);
			continue;
		}
		err = look_behind(recovery, &next);
		if (err <= 0)
			break;
		err = 0;
		ret->corrupt++;
		ret->corrupt_bytes += next.position - ret->end.position;
		durable_keep_damage(recovery->setup, recovery->super, DISK_LOG,
				    DURABLE_LOG_OFFSET +
					    ret->end.position % recovery->super->capacity,
				    next.position - ret->end.position);
		ret->end = next;
	}
	return err;
}

/* Leave in the mapped log what the courier has not had, and nothing else: an old
 * record where a new one will be would be taken for one. */
static void clean_window(const struct recovery *recovery, struct window *window)
{
	const struct durable_super *super = recovery->super;
	struct durable_recovered *ret = recovery->ret;
	uint64_t room = super->staging_bytes - super->segment_bytes;
	uint64_t from, first;

	/* Who wrote the group ran an author's code. */
	if (ret->courier.position % 8 || ret->courier.position > ret->end.position ||
	    ret->end.position - ret->courier.position > room ||
	    ret->courier.sequence > ret->end.sequence)
		ret->courier = ret->end;
	if (ret->courier.position < super->whole_from.position)
		ret->courier = super->whole_from;
	if (ret->courier.position < super->delivered.position &&
	    super->delivered.position <= ret->end.position)
		ret->courier = super->delivered;
	/* Looking for the end may have gone a lap beyond what is wanted. */
	if (window->loaded > ret->courier.position + room) {
		window->loaded =
			ret->courier.position - ret->courier.position % super->segment_bytes;
		load(recovery, window, ret->end.position);
	}
	from = ret->end.position % super->staging_bytes;
	first = super->staging_bytes - (ret->end.position - ret->courier.position);
	if (from + first > super->staging_bytes) {
		memset(window->data, 0, from + first - super->staging_bytes);
		first = super->staging_bytes - from;
	}
	memset(window->data + from, 0, first);
}

/* The tables on the disk that are those of the setup; -ESTALE: one is not. */
static int match_shapes(const struct durable_setup *setup, const struct durable_super *super,
			uint32_t *ret_wanted, uint32_t *ret_stale)
{
	*ret_wanted = 0;
	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++) {
		const struct durable_shape *there = &super->shapes[i];

		if (!there->name[0] || setup->resets >> i & 1)
			continue;
		if (memcmp(there, &setup->images[i].shape, sizeof(*there)) != 0) {
			*ret_stale = i;
			return -ESTALE;
		}
		*ret_wanted |= 1u << i;
	}
	return 0;
}

/*
 * Whether the tables of before an update are those of the setup, and the newer ones are
 * not. Where states began anew with the update, both are laid out alike: then they are the
 * version's whose number they have.
 */
static bool match_before(const struct durable_setup *setup, const struct durable_super *super,
			 bool is_stale, struct durable_super *before, uint32_t *ret_wanted)
{
	uint32_t wanted, ignored;

	if (durable_before_read(setup->disk, super->log_id, before) ||
	    match_shapes(setup, before, &wanted, &ignored))
		return false;
	if (!is_stale &&
	    (super->generation == setup->generation || before->generation != setup->generation))
		return false;
	*ret_wanted = wanted;
	return true;
}

/* ---- tables that an update kept ---------------------------------------------- */

/* The functions of the version before whose tables the one behind it goes on with: their
 * newest are in its snapshot, as a way back in memory would find them. */
static void find_kept(struct recovery *recovery, const struct durable_super *before,
		      uint32_t wanted)
{
	const struct durable_super *super = recovery->super;
	struct durable_recovered *ret = recovery->ret;

	memset(ret->functions, FAAS_USER_FUNCTIONS_MAX, sizeof(ret->functions));
	if (before->kept.generation != super->generation)
		return;
	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++) {
		uint32_t as = before->kept.as[i] - 1u;

		if (!(wanted >> i & 1) || as >= FAAS_USER_FUNCTIONS_MAX ||
		    memcmp(&super->shapes[as], &before->shapes[i], sizeof(super->shapes[as])) != 0)
			continue;
		ret->functions[as] = (uint8_t)i;
		ret->kept |= 1u << i;
	}
	ret->kept_ns = super->monotonic_ns;
}

/* Repair with the numbers of the version before. */
static int repair_kept(void *context, uint32_t function, uint64_t begin, uint64_t end)
{
	const struct recovery *recovery = context;
	const struct durable_setup *setup = recovery->setup;

	return setup->repair(setup->context, recovery->ret->functions[function], begin, end);
}

/* Load them from the snapshot of the version behind the update, by its numbers. */
static int load_kept(struct recovery *recovery)
{
	const struct durable_super *super = recovery->super;
	struct durable_setup setup = {
		.disk = recovery->setup->disk, .context = recovery, .repair = repair_kept};
	uint32_t wanted = 0;

	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++) {
		uint32_t function = recovery->ret->functions[i];

		setup.images[i].shape = super->shapes[i];
		if (function == FAAS_USER_FUNCTIONS_MAX)
			continue;
		setup.images[i].mapping = recovery->setup->images[function].mapping;
		wanted |= 1u << i;
	}
	return durable_snapshot_load(&setup, super, wanted, recovery->ret);
}

/* Fill the images from the newest tables on the disk that fit them. */
static int load_tables(struct recovery *recovery)
{
	struct durable_super *before = aligned_alloc(DISK_BLOCK_BYTES, sizeof(*before));
	const struct durable_setup *setup = recovery->setup;
	const struct durable_super *from = recovery->super;
	struct durable_recovered *ret = recovery->ret;
	uint32_t wanted = 0;
	int err = before ? match_shapes(setup, from, &wanted, &ret->stale_function) : -ENOMEM;

	if ((!err || err == -ESTALE) && match_before(setup, from, err, before, &wanted)) {
		ret->before = recovery->before = true;
		from = before;
		err = 0;
		find_kept(recovery, before, wanted);
	}
	ret->taken = wanted;
	if (!err)
		err = durable_snapshot_load(setup, from, wanted & ~ret->kept, ret);
	if (!err && ret->kept)
		err = load_kept(recovery);
	ret->monotonic_ns = from->monotonic_ns;
	free(before);
	return err;
}

static int recover(struct recovery *recovery, const struct log_view *view)
{
	const struct durable_super *super = recovery->super;
	const struct durable_setup *setup = recovery->setup;
	uint64_t begin = super->begin.position - super->begin.position % super->segment_bytes;
	struct window window = {
		.data = (uint8_t *)setup->staging + LOG_DATA_OFFSET,
		/* What the courier has not had may begin before the snapshot. */
		.loaded = begin > super->staging_bytes ? begin - super->staging_bytes : 0,
	};
	int err;

	if (view->capacity != super->staging_bytes || view->segment_bytes != super->segment_bytes ||
	    view->log_id != super->log_id)
		return -EBADMSG;
	err = load_tables(recovery);
	if (!err)
		err = setup->loaded(setup->context);
	if (err)
		return err;
	recovery->ret->end = super->begin;
	recovery->ret->courier = super->delivered;
	recovery->incarnation = (uint32_t)(super->snapshot >> 32);
	recovery->last = super->begin.position + super->capacity;
	load(recovery, &window, begin);
	err = redo_groups(recovery, &window);
	if (!err)
		clean_window(recovery, &window);
	return err;
}

int durable_recover(const struct durable_setup *setup, struct durable_recovered *ret)
{
	struct durable_super *super = aligned_alloc(DISK_BLOCK_BYTES, sizeof(*super));
	struct recovery recovery = {.setup = setup, .super = super, .ret = ret};
	struct log_view view;
	int err;

	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++)
		ret->functions[i] = (uint8_t)i;
	if (!super)
		return -ENOMEM;
	err = durable_super_read(setup->disk, super);
	if (!err && log_view_open(setup->staging, setup->staging_bytes, &view))
		err = -EBADMSG;
	if (!err)
		err = recover(&recovery, &view);
	free(super);
	return err;
}
