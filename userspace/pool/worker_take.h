/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records of the ring, before their turn comes: whether they are events, where they lead,
 * and which state they want. For inlining: it is done for every event.
 */
#ifndef FAAS_POOL_WORKER_TAKE_H
#define FAAS_POOL_WORKER_TAKE_H

#include "event_check.h"

#include "userspace/pool/worker.h"
#include "userspace/pool/worker_rest.h"
#include "userspace/state/state_lookup.h"

/* Whether the record is an event of this workflow. The kernel tier wrote it,
 * but nothing in it is believed before this. */
static inline const struct bundle_entry *worker_find_entry(const struct worker *worker,
							   const struct ring_record *record)
{
	const struct faas_event *event = record->data;
	const struct bundle_entry *entry;

	if (!event_check(event, record->bytes) || event->entry >= worker->bundle->entry_count)
		return NULL;
	entry = &worker->bundle->entries[event->entry];
	/* A function's table has room for the keys of its entries. */
	if (entry->kind == TARGET_USER && event->key_bytes != entry->key_bytes)
		return NULL;
	return entry;
}

static inline void worker_prepare(struct worker *worker, struct worker_pending *pending)
{
	struct worker_function *function;
	const struct faas_event *event;
	bool known = true;

	if (__builtin_expect(worker->rest != NULL, 0))
		known = worker_rest_take(worker->rest, &pending->record);
	event = pending->record.data;
	pending->entry = known ? worker_find_entry(worker, &pending->record) : NULL;
	pending->hashed = NULL;
	if (!pending->entry || pending->entry->kind != TARGET_USER)
		return;
	function = &worker->functions[pending->entry->index];
	if (!function->has_state)
		return;
	pending->hashed = function;
	pending->hash = state_hash(&function->table, faas_event_key(event), event->key_bytes);
	pending->slot = state_first_slot(&function->table, pending->hash);
}

static inline void worker_prefetch(const struct worker_pending *pending)
{
	if (pending->hashed)
		state_prefetch(&pending->hashed->table, pending->slot);
}

#endif
