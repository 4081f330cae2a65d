// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Verdicts of user functions, written into maps of the kernel tier in the order of
 * their records. Doing it again, after a crash or for a sink that was held up, does
 * no harm: an entry has the version of its record, and none is put in the place of
 * a newer one. One that is taken back stays as an entry whose time is over.
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "userspace/sink/feed_internal.h"

/* Entries that are looked at to make room in a full map. */
#define SWEEP_MAX (1 << 20)

/* Remove all whose time is over, up to those of record @p settled: if we die, a successor
 * begins with the one behind it again, and an entry that it would put in the place of a
 * newer one, which is gone, would count. Returns how many. */
static uint32_t sweep(int map, uint64_t settled, uint64_t now_ns)
{
	struct faas_key keys[2], *before = NULL;
	uint32_t removed = 0;

	for (uint32_t i = 0; i < SWEEP_MAX; i++) {
		struct faas_key *key = &keys[i & 1];
		struct faas_verdict_entry entry;

		if (bpf_map_get_next_key(map, before, key))
			break;
		/* Behind it the search goes on also when it is gone: with the key
		 * before it, which is not. */
		if (!bpf_map_lookup_elem(map, key, &entry) && entry.expires_ns <= now_ns &&
		    entry.version <= settled && !bpf_map_delete_elem(map, key)) {
			removed++;
			i--;
			if (removed == SWEEP_MAX)
				break;
			continue;
		}
		before = key;
	}
	return removed;
}

static int write_verdict(int map, const struct log_verdict *verdict, uint64_t sequence,
			 uint64_t settled, uint64_t now_ns)
{
	struct faas_verdict_entry entry = verdict->entry, before;
	int err;

	entry.version = sequence;
	if (!bpf_map_lookup_elem(map, &verdict->key, &before)) {
		if (before.version > sequence)
			return 0;
	} else if (entry.expires_ns <= now_ns) {
		return 0; /* nothing to take back */
	}
	err = bpf_map_update_elem(map, &verdict->key, &entry, BPF_ANY);
	if (err == -E2BIG && sweep(map, settled, now_ns))
		err = bpf_map_update_elem(map, &verdict->key, &entry, BPF_ANY);
	return err;
}

static void apply(struct feed_turn *turn, uint64_t sequence, const struct log_entry *entry,
		  const uint8_t *body)
{
	const struct log_header *header = (const struct log_header *)turn->feed->log;
	const struct courier_page *page = turn->feed->courier_page;
	struct courier_cursor *cursor = &turn->feed->cursor;
	struct log_verdict verdict;
	uint32_t kernel;

	/* Only damage or a hostile worker makes such an entry. */
	if (entry->function >= FAAS_USER_FUNCTIONS_MAX || entry->reason >= FAAS_VERDICTS_MAX ||
	    entry->bytes != sizeof(verdict))
		return;
	kernel = turn->feed->verdicts_to[entry->function][entry->reason];
	/* Nobody takes it in this version of the workflow. */
	if (kernel >= FAAS_KERNEL_FUNCTIONS_MAX || turn->feed->verdict_maps[kernel] < 0)
		return;
	memcpy(&verdict, body, sizeof(verdict));
	/* Given before the machine started: its time is that of another clock. */
	if (verdict.boot_hash != header->ring_boot_hash)
		return;
	if (write_verdict(turn->feed->verdict_maps[kernel], &verdict, sequence,
			  page->cursors[page->current & 1].verdicts_sequence, turn->now_ns))
		cursor->verdicts_refused++;
	else
		cursor->verdicts++;
}

void feed_apply_verdicts(struct feed_turn *turn)
{
	const struct log_record *record = (const struct log_record *)turn->scratch->record;
	struct courier_cursor *cursor = &turn->feed->cursor;
	const struct log_entry *entry;
	struct log_walk walk;
	const uint8_t *body;

	/* Read again for a sink that was held up. */
	if (record->sequence <= cursor->verdicts_sequence)
		return;
	log_walk_begin(&walk, record);
	while ((entry = log_walk_next(&walk, &body)))
		if (entry->kind == LOG_ENTRY_VERDICT) {
			apply(turn, record->sequence, entry, body);
			cursor->verdicts_sequence = record->sequence;
		}
}
