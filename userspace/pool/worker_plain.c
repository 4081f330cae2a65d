// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The short way of an event: one call, which changes a state that is there, and emits nothing
 * or one record of fields to sinks.
 * Most events come to no more; what turns out to be another one goes on in worker_event.c,
 * from where it is. Nothing here is left out that worker_event.c does, nor in another order:
 * each thing is done once, with what is known.
 */
#include "userspace/pool/worker_event.h"

#include "fault.h"
#include "userspace/log/log_plain.h"
#include "userspace/pool/worker_output.h"
#include "userspace/pool/worker_timer.h"
#include "userspace/state/state_lookup.h"
#include "words.h"

/* Whether more than the event itself decides about it. */
static inline bool is_special(const struct worker *worker, const struct ring_record *record)
{
	return worker->retry_ns || worker->condemned == record->begin + 1 || worker->puts_aside;
}

static __attribute__((noinline)) int call_timed(struct worker *worker, struct faas_call *call,
						struct page_function_counters *counters)
{
	uint64_t begin_ns = worker->now_ns();
	int failed = call->function->on_event(call, worker->run.event, call->function->copy);

	counters->time_ns += worker->now_ns() - begin_ns;
	counters->time_samples++;
	return failed;
}

static inline int call(struct worker *worker, const struct worker_function *function)
{
	struct page_function_counters *counters = &worker->live.functions[function->number];
	struct faas_call call = {.worker = worker, .function = function, .emission = -1};

	if (__builtin_expect(counters->events++ % TIME_SAMPLE_EVERY == 0, 0))
		return call_timed(worker, &call, counters);
	return function->on_event(&call, worker->run.event, function->copy);
}

/* Make the working copy of the key's state. False: it has none yet. */
static inline bool find_state(struct worker *worker, const struct worker_pending *pending,
			      struct worker_function *function)
{
	const struct faas_event *event = worker->run.event;

	function->stored =
		state_find_from(&function->table, faas_event_key(event), event->key_bytes,
				pending->hash, pending->slot, &function->place);
	if (!function->stored)
		return false;
	words_copy(function->copy, function->stored, function->table.value_bytes);
	worker->run.touched = 1u << function->number;
	return true;
}

/* Write the record, then let the copy into the table. False: there is no room where the log
 * is; nothing happened. */
static inline __attribute__((always_inline)) bool commit(struct worker *worker,
							 struct worker_function *function,
							 uint64_t end,
							 const struct log_plain_output *output)
{
	const struct faas_event *event = worker->run.event;
	struct page_counters *live = &worker->live;
	const struct log_plain plain = {
		.key = faas_event_key(event),
		.key_bytes = event->key_bytes,
		.value = function->copy,
		.value_bytes = function->table.value_bytes,
		.call = (uint16_t)(function->number | (output ? 1 << 8 : 0)),
		.function = function->number,
		.shard = (uint8_t)event->shard,
		.ring = worker->instance,
		.ring_position = end,
		.processed = live->processed + 1,
		.dead_lettered = live->dead_lettered,
	};

	fault_point("commit.before_write");
	if (!log_plain_write(&worker->log, &plain, output))
		return false;
	fault_point("commit.after_write");
	live->processed = plain.processed;
	live->sequence = worker->log.sequence;
	live->log_position = worker->log.head;
	live->ring_position = end;
	if (output)
		live->output_position = worker->log.head;
	state_replace(&function->table, function->place.slot, function->copy);
	if (function->deadline)
		worker_timer_note(worker, function);
	if (output)
		live->functions[function->number].outputs[output->number]++;
	return true;
}

static inline bool is_changed(const struct worker_function *function)
{
	return !words_same(function->copy, function->stored, function->table.value_bytes);
}

/* Whether all that was emitted is one record, of fields, for sinks only: those get no payload. */
static inline bool emits_plainly(const struct worker_run *run,
				 const struct worker_function *function)
{
	const struct worker_output *output = &function->outputs[run->emissions[0].output];

	return run->emission_count == 1 && output->sinks && output->field_count &&
	       !output->user_count;
}

/* The same with that record. */
static inline bool commit_output(struct worker *worker, struct worker_function *function,
				 uint64_t end)
{
	const struct worker_emission *emission = &worker->run.emissions[0];
	const struct worker_output *output = &function->outputs[emission->output];
	const struct faas_event *event = worker->run.event;
	const struct output_header header = output_header(output, event, false, 0);
	const struct log_plain_output plain = {
		.header = {header.word[0], header.word[1], header.word[2], header.word[3],
			   header.word[4], header.word[5], header.word[6], header.word[7]},
		.same = (const uint8_t *)event + FAAS_EVENT_HEADER_BYTES,
		.same_bytes = FAAS_EVENT_KEY_OFFSET - FAAS_EVENT_HEADER_BYTES + event->key_bytes,
		.fields = emission->values,
		.field_bytes = (uint32_t)(output->field_count * sizeof(emission->values[0])),
		.sinks = output->sinks,
		.number = emission->output,
	};

	return commit(worker, function, end, &plain);
}

/* The function was called and emitted something. */
static __attribute__((noinline)) int settle_output(struct worker *worker,
						   const struct worker_pending *pending)
{
	struct worker_function *function = pending->hashed;

	if (!emits_plainly(&worker->run, function))
		return worker_event_called(worker, pending, 0);
	__atomic_store_n(&worker->page->attempt_position, 0, __ATOMIC_RELAXED);
	if (!is_changed(function) || !commit_output(worker, function, pending->record.end))
		return worker_event_called(worker, pending, 0);
	return 0;
}

int worker_plain(struct worker *worker, const struct worker_pending *pending)
{
	struct worker_function *function = pending->hashed;
	struct worker_run *run = &worker->run;
	int failed;

	if (!function || is_special(worker, &pending->record) || log_build_begin(&worker->log))
		return worker_event(worker, pending);
	worker_begin_run(run, pending->record.data, function, pending->hash);
	if (!find_state(worker, pending, function))
		return worker_event(worker, pending);
	run->failed = function->number;
	__atomic_store_n(&worker->page->attempt_position, pending->record.begin + 1,
			 __ATOMIC_RELAXED);
	failed = call(worker, function);
	if (failed || run->verdict_count)
		return worker_event_called(worker, pending, failed);
	if (run->emission_count)
		return settle_output(worker, pending);
	__atomic_store_n(&worker->page->attempt_position, 0, __ATOMIC_RELAXED);
	if (!is_changed(function) || !commit(worker, function, pending->record.end, NULL))
		return worker_event_called(worker, pending, 0);
	return 0;
}
