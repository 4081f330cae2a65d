// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Taking up after a worker that may have died at any instruction. The page's
 * counters are whole as of some record; the records behind it say what else
 * was committed. They are redone: state stored (again), calls counted. Then
 * the ring is taken up behind the last committed event: what the consumer's
 * position says is older than that, never newer, for the ring is released
 * after the log was written.
 */
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/pool/worker_durable.h"
#include "userspace/pool/worker_timer.h"

/* Count the calls of a record again. -EBADMSG: the trace makes no sense. */
static int recount_calls(struct worker *worker, const struct log_record *record)
{
	const uint8_t *trace = (const uint8_t *)(record + 1);
	uint32_t at = 0;

	while (at < record->trace_bytes) {
		uint8_t number = trace[at] & 0x7f;
		bool failed = trace[at] & 0x80;
		struct page_function_counters *counters;

		if (number >= worker->bundle->user_count || at + 2 > record->trace_bytes ||
		    at + 2 + trace[at + 1] > record->trace_bytes)
			return -EBADMSG;
		counters = &worker->live.functions[number];
		counters->events++;
		counters->errors += failed;
		for (uint32_t i = 0; i < trace[at + 1]; i++) {
			uint8_t output = trace[at + 2 + i];

			if (output >= FAAS_OUTPUTS_MAX)
				return -EBADMSG;
			counters->outputs[output]++;
		}
		at += 2u + trace[at + 1];
	}
	return 0;
}

int worker_redo_state(struct worker *worker, uint32_t number, const struct log_entry *entry,
		      const uint8_t *body)
{
	uint32_t key_room = FAAS_ALIGN8(entry->key_bytes);
	struct worker_function *function;

	if (number >= worker->bundle->user_count)
		return -EBADMSG;
	function = &worker->functions[number];
	if (!function->has_state || entry->bytes != key_room + function->table.value_bytes)
		return -EBADMSG;
	return state_put(&function->table, body, entry->key_bytes, body + key_room);
}

static int redo_sweep(struct worker *worker, const struct log_entry *entry, const uint8_t *body)
{
	if (entry->function >= FAAS_TIMERS_MAX || entry->bytes != sizeof(struct page_sweep))
		return -EBADMSG;
	memcpy(&worker->live.sweeps[entry->function], body, sizeof(struct page_sweep));
	return 0;
}

/* Whether a state in the record is laid out as another generation has it, whose tables
 * have gone. */
static bool is_foreign(const struct worker *worker, const struct log_record *record,
		       uint32_t function)
{
	const struct runtime_page *runtime = worker->runtime_page;

	return record->sequence <= runtime->foreign_sequence &&
	       function < FAAS_USER_FUNCTIONS_MAX && runtime->foreign_states >> function & 1;
}

static int redo_record(struct worker *worker, const struct log_record *record)
{
	const struct log_entry *entry;
	struct log_walk walk;
	const uint8_t *body;
	bool dead = false;
	int err;

	err = recount_calls(worker, record);
	log_walk_begin(&walk, record);
	while (!err && (entry = log_walk_next(&walk, &body))) {
		if (entry->kind == LOG_ENTRY_STATE && !is_foreign(worker, record, entry->function))
			err = worker_redo_state(worker, entry->function, entry, body);
		if (entry->kind == LOG_ENTRY_SWEEP)
			err = redo_sweep(worker, entry, body);
		dead |= entry->kind == LOG_ENTRY_DEAD;
	}
	worker->live.replayed += record->kind == LOG_REPLAY;
	if (record->kind == LOG_TIMER) {
		worker->live.timers += !dead;
		worker->live.timers_dead += dead;
	}
	return err;
}

/* Redo all records behind the counters. */
static int redo_log(struct worker *worker)
{
	struct page_counters *live = &worker->live;
	struct log_record *record;
	struct log_view view;
	uint64_t next;
	int64_t bytes;
	int status = 0;

	if (log_view_open(worker->log_mapping, worker->log_bytes, &view))
		return worker_fail(worker, WORKER_EXIT_CORRUPT,
				   "log: its header does not check out");
	record = aligned_alloc(64, LOG_RECORD_BYTES_MAX);
	if (!record)
		return worker_fail(worker, WORKER_EXIT_SETUP, "no memory");
	for (;;) {
		bytes = log_read(&view, live->log_position, live->sequence + 1, record,
				 LOG_RECORD_BYTES_MAX, &next);
		if (bytes <= 0)
			break;
		if (redo_record(worker, record)) {
			bytes = -EBADMSG;
			break;
		}
		live->sequence = record->sequence;
		live->processed = record->processed;
		live->dead_lettered = record->dead_lettered;
		live->ring_position = record->ring_position;
		live->log_position = next;
		/* Whether it has outputs does not matter: one look too many. */
		live->output_position = next;
		if (worker->durable && next == worker->durable->begin)
			worker->durable->at_begin = *live;
		fault_point("recover.inside");
	}
	if (bytes < 0)
		status = worker_fail(worker, WORKER_EXIT_CORRUPT,
				     "log: the record behind sequence %llu does not check out",
				     (unsigned long long)live->sequence);
	free(record);
	return status;
}

/* Take up the ring behind the last event of the log, if that counts in this
 * ring; where the last worker's consumer position is, if it does not. */
static int take_up_ring(struct worker *worker)
{
	const struct runtime_page *runtime = worker->runtime_page;
	struct log_header *header = worker->log_mapping;
	uint64_t position = worker->ring.position;
	bool same = header->ring_map_id == runtime->ring_map_id &&
		    header->ring_boot_hash == runtime->ring_boot_hash;

	if (same && worker->live.sequence && worker->live.sequence >= header->ring_first_sequence) {
		position = worker->live.ring_position;
		if (position < worker->ring.position) {
			/* Somebody released what was not committed. It may be
			 * overwritten by now: it cannot be had back, only told. */
			worker->page->skipped_bytes += worker->ring.position - position;
			position = worker->ring.position;
		}
	}
	if (!same) {
		/* Ended by a kill between these stores, it is done again. */
		header->ring_first_sequence = worker->live.sequence + 1;
		/* Positions begin anew: what was noted of one is of another event. */
		worker->page->batch_end = 0;
		worker->page->retry_position = 0;
		__atomic_store_n(&header->ring_boot_hash, runtime->ring_boot_hash,
				 __ATOMIC_RELEASE);
		__atomic_store_n(&header->ring_map_id, runtime->ring_map_id, __ATOMIC_RELEASE);
		fault_point("recover.new_ring");
	}
	worker->new_ring = !same || worker->live.sequence < header->ring_first_sequence;
	if (ring_seek(&worker->ring, position))
		return worker_fail(worker, WORKER_EXIT_CORRUPT,
				   "log: its position %llu is not in the ring",
				   (unsigned long long)position);
	worker->live.ring_position = position;
	return 0;
}

static void take_up_cursor(struct worker *worker)
{
	const struct courier_page *page = worker->courier_page;
	const struct courier_cursor *cursor = &page->cursors[page->current & 1];

	worker->delivered = cursor->log_position;
	worker->courier = (struct durable_place){cursor->log_position, cursor->sequence};
	if (worker->durable)
		worker->courier =
			(struct durable_place){cursor->synced_position, cursor->synced_sequence};
	/* It has not seen yet where this log begins. */
	if (worker->courier.position < worker->page->begin_position)
		worker->courier = (struct durable_place){worker->page->begin_position,
							 worker->page->begin_sequence};
}

int worker_recover(struct worker *worker)
{
	const struct runtime_page *runtime = worker->runtime_page;
	uint32_t incarnation = runtime->incarnation;
	int status;

	/* What the worker before died of is not what this one dies of before its
	 * first callback. */
	__atomic_store_n(&worker->page->attempt_position, 0, __ATOMIC_RELAXED);
	if (worker->durable)
		incarnation = worker_durable_incarnation(worker);
	worker->live = worker->page->counters[worker->page->current & 1];
	status = redo_log(worker);
	if (status)
		return status;
	/* The courier reads nothing that was not redone here. */
	take_up_cursor(worker);
	if (worker->courier.position > worker->live.log_position ||
	    log_writer_open(&worker->log, worker->log_mapping, worker->log_bytes, incarnation,
			    worker->live.log_position, worker->live.sequence,
			    worker->courier.position))
		return worker_fail(worker, WORKER_EXIT_CORRUPT,
				   "log: the courier is at %llu, the worker at %llu",
				   (unsigned long long)worker->courier.position,
				   (unsigned long long)worker->live.log_position);
	if (!worker->durable)
		worker_set_limit(worker);
	status = take_up_ring(worker);
	if (status)
		return status;
	if (runtime->poison_condemned) {
		worker->condemned = runtime->poison_position;
		worker->condemned_of = runtime->poison_timeout ? LOG_DEAD_TIMEOUT : LOG_DEAD_POISON;
	}
	worker->puts_aside = runtime->quarantined;
	worker_sweeps_open(worker);
	if (worker->durable) {
		status = worker_durable_start(worker);
		if (status)
			return status;
	}
	worker_publish(worker);
	return worker_timers_open(worker);
}
