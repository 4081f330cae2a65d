// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One event: call its functions on working copies, then write one record with
 * everything that came of it, then let the copies into the tables. The record
 * is the commit; whoever is killed before it has done nothing, whoever is
 * killed behind it has done everything, for recovery repeats the rest.
 */
#include "userspace/pool/worker_event.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "event_check.h"
#include "event_hash.h"
#include "fault.h"
#include "userspace/log/log_build.h"
#include "userspace/pool/supervisor_policy.h"
#include "userspace/pool/worker_output.h"
#include "userspace/pool/worker_rest.h"
#include "userspace/pool/worker_timer.h"
#include "userspace/state/state_lookup.h"
#include "words.h"

int faas_emit(struct faas_call *call, unsigned int output, const struct faas_value *values,
	      unsigned int count)
{
	const struct worker_function *function = call->function;
	struct worker_run *run = &call->worker->run;
	struct worker_emission *emission;

	if (__builtin_expect(call->gathered != NULL, 0))
		return worker_gathered_emit(call->gathered, 0, output, values, count);
	if (output >= function->output_count || count != function->outputs[output].field_count)
		return -EINVAL;
	if (run->emission_count == FAAS_EMITS_MAX)
		return -ENOBUFS;
	emission = &run->emissions[run->emission_count++];
	emission->function = function->number;
	emission->output = (uint8_t)output;
	emission->parent = call->emission;
	emission->payload = NULL;
	words_copy(emission->values, values, count * (uint32_t)sizeof(values[0]));
	return 0;
}

/* Make the working copy of the key's state, once for an event. */
static inline int touch_state(struct worker *worker, struct worker_function *function)
{
	const struct faas_event *event = worker->run.event;
	uint32_t bytes = function->table.value_bytes;
	uint64_t hash;

	if (worker->run.touched >> function->number & 1)
		return 0;
	if (worker->run.hashed == function)
		hash = worker->run.hash;
	else
		hash = state_hash(&function->table, faas_event_key(event), event->key_bytes);
	function->stored = state_find(&function->table, faas_event_key(event), event->key_bytes,
				      hash, &function->place);
	if (function->stored) {
		words_copy(function->copy, function->stored, bytes);
	} else {
		if (!state_has_room(&function->table))
			return LOG_DEAD_STATE;
		memset(function->copy, 0, bytes);
	}
	worker->run.touched |= 1u << function->number;
	return 0;
}

/* What a callback returned, and the emissions from @p first on are its own. 0, or an enum
 * log_dead_reason. */
static inline int note_call(struct worker *worker, uint8_t number, uint32_t first, int failed)
{
	struct worker_run *run = &worker->run;
	uint16_t call_trace;

	/* One store, see log_build.h. */
	call_trace =
		(uint16_t)((failed ? number | 0x80 : number) | (run->emission_count - first) << 8);
	memcpy(run->trace + run->trace_bytes, &call_trace, sizeof(call_trace));
	run->trace_bytes += (uint32_t)sizeof(call_trace);
	for (uint32_t i = first; i < run->emission_count; i++)
		run->trace[run->trace_bytes++] = run->emissions[i].output;
	if (!failed)
		return 0;
	worker->live.functions[number].errors++;
	return LOG_DEAD_ERROR;
}

/* One callback. 0, or an enum log_dead_reason. */
static inline int call_function(struct worker *worker, uint8_t number, worker_callback *callback,
				const struct faas_event *event, int16_t emission)
{
	struct worker_function *function = &worker->functions[number];
	struct page_function_counters *counters = &worker->live.functions[number];
	struct worker_run *run = &worker->run;
	struct faas_call call = {.worker = worker, .function = function, .emission = emission};
	uint32_t first = run->emission_count;
	uint8_t *state = NULL;
	int failed;

	run->failed = number;
	if (function->has_state) {
		int reason = touch_state(worker, function);

		if (reason)
			return reason;
		state = function->copy;
	}

	if (counters->events++ % TIME_SAMPLE_EVERY || function->on_batch) {
		failed = callback(&call, event, state);
	} else {
		uint64_t begin_ns = worker->now_ns();

		failed = callback(&call, event, state);
		counters->time_ns += worker->now_ns() - begin_ns;
		counters->time_samples++;
	}
	return note_call(worker, number, first, failed);
}

/* The header of what is emitted to an output behind event @p from. */
static inline void make_header(const struct worker_output *output, const struct faas_event *from,
			       bool own_payload, uint32_t payload_bytes, uint8_t *to)
{
	struct output_header header = output_header(output, from, own_payload, payload_bytes);

	log_put_word(to, header.word[0]);
	log_put_word(to + 8, header.word[1]);
	log_put_word(to + 16, header.word[2]);
	log_put_word(to + 24, header.word[3]);
	log_put_word(to + 32, header.word[4]);
	log_put_word(to + 40, header.word[5]);
	log_put_word(to + 48, header.word[6]);
	log_put_word(to + 56, header.word[7]);
}

/* The parts of what an emission is as an event. */
struct event_parts {
	uint32_t head_bytes; /* header, addresses and key */
	uint32_t field_bytes;
	uint32_t payload_bytes;
	bool own_payload;
};

static inline uint32_t parts_bytes(const struct event_parts *parts)
{
	return parts->head_bytes + parts->field_bytes + words_pad(parts->payload_bytes);
}

static inline struct event_parts parts_of(const struct faas_event *from,
					  const struct worker_emission *emission,
					  const struct worker_output *output, bool with_payload)
{
	struct event_parts parts = {
		.head_bytes = FAAS_EVENT_KEY_OFFSET + FAAS_ALIGN8(from->key_bytes),
		.field_bytes = (uint32_t)(output->field_count * sizeof(emission->values[0])),
		.own_payload = with_payload && emission->payload,
	};

	if (with_payload)
		parts.payload_bytes =
			parts.own_payload ? emission->payload_bytes : from->payload_bytes;
	return parts;
}

/* Write what an emission is as an event: the header, addresses and key of the event it
 * follows, its own fields, and the payload if asked for. */
static inline void make_event(const struct faas_event *from, const struct worker_emission *emission,
			      const struct worker_output *output, const struct event_parts *parts,
			      uint8_t *to)
{
	uint8_t *payload = to + parts->head_bytes + parts->field_bytes;

	make_header(output, from, parts->own_payload, parts->payload_bytes, to);
	words_copy(to + FAAS_EVENT_HEADER_BYTES, (const uint8_t *)from + FAAS_EVENT_HEADER_BYTES,
		   parts->head_bytes - FAAS_EVENT_HEADER_BYTES);
	words_copy(to + parts->head_bytes, emission->values, parts->field_bytes);
	if (parts->payload_bytes) {
		log_put_word(payload + words_pad(parts->payload_bytes) - sizeof(uint64_t), 0);
		memcpy(payload, parts->own_payload ? emission->payload : faas_event_payload(from),
		       parts->payload_bytes);
	}
}

/* The same for the functions behind it. */
static void make_downstream(struct worker *worker, const struct worker_emission *emission,
			    const struct worker_output *output)
{
	const struct faas_event *from = worker->run.event;
	struct event_parts parts = parts_of(from, emission, output, true);

	make_event(from, emission, output, &parts, (uint8_t *)worker->downstream);
}

/* Call the functions behind what was emitted, in the order of the emissions.
 * Most events emit nothing: out of the way of those. */
static __attribute__((noinline)) int call_downstream(struct worker *worker)
{
	struct worker_run *run = &worker->run;
	int reason = 0;

	for (uint32_t i = 0; !reason && i < run->emission_count; i++) {
		const struct worker_emission *emission = &run->emissions[i];
		const struct worker_output *output =
			&worker->functions[emission->function].outputs[emission->output];

		if (output->user_count)
			make_downstream(worker, emission, output);
		for (uint32_t u = 0; !reason && u < output->user_count; u++)
			reason = call_function(worker, output->users[u],
					       worker->functions[output->users[u]].on_event,
					       (const struct faas_event *)worker->downstream,
					       (int16_t)i);
	}
	return reason;
}

static bool is_zero(const uint8_t *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (bytes[i])
			return false;
	return true;
}

/* Whether the working copy says anything that the table does not. */
static inline bool changed(const struct worker_function *function)
{
	if (!function->stored)
		return !is_zero(function->copy, function->table.value_bytes);
	return !words_same(function->copy, function->stored, function->table.value_bytes);
}

/* Append the state changes; bit n of *ret_changed: that of function n. */
static inline int log_states(struct worker *worker, uint32_t *ret_changed)
{
	const struct faas_event *event = worker->run.event;

	*ret_changed = 0;
	for (uint32_t left = worker->run.touched; left; left &= left - 1) {
		uint8_t number = (uint8_t)__builtin_ctz(left);
		const struct worker_function *function = &worker->functions[number];
		void *value;

		if (!changed(function))
			continue;
		value = log_build_state(&worker->log, number, faas_event_key(event),
					event->key_bytes, function->table.value_bytes);
		if (!value)
			return LOG_DEAD_LIMIT;
		words_copy(value, function->copy, function->table.value_bytes);
		*ret_changed |= 1u << number;
	}
	return 0;
}

/* Append how far the trigger of time is. */
static int log_sweep(struct worker *worker)
{
	const struct worker_firing *firing = worker->run.firing;
	void *body;

	if (!firing->is_sweep)
		return 0;
	body = log_build_entry(&worker->log, LOG_ENTRY_SWEEP, firing->timer, 0,
			       sizeof(firing->sweep), 0, 0);
	if (!body)
		return LOG_DEAD_LIMIT;
	memcpy(body, &firing->sweep, sizeof(firing->sweep));
	return 0;
}

static __attribute__((noinline)) int log_outputs(struct worker *worker, bool *ret_any)
{
	const struct worker_run *run = &worker->run;

	for (uint32_t i = 0; i < run->emission_count; i++) {
		const struct worker_emission *emission = &run->emissions[i];
		const struct worker_output *output =
			&worker->functions[emission->function].outputs[emission->output];
		struct event_parts parts;
		uint8_t *body;

		if (!output->sinks)
			continue;
		parts = parts_of(run->event, emission, output, !output->field_count);
		body = log_build_entry(&worker->log, LOG_ENTRY_OUTPUT, 0, 0, parts_bytes(&parts),
				       output->sinks, 0);
		if (!body)
			return LOG_DEAD_LIMIT;
		make_event(run->event, emission, output, &parts, body);
		*ret_any = true;
	}
	return 0;
}

static __attribute__((noinline)) int log_verdicts(struct worker *worker, bool *ret_any)
{
	const struct worker_run *run = &worker->run;

	for (uint32_t i = 0; i < run->verdict_count; i++) {
		const struct worker_verdict *verdict = &run->verdicts[i];
		void *body = log_build_entry(&worker->log, LOG_ENTRY_VERDICT, verdict->function, 0,
					     sizeof(verdict->log), 0, verdict->verdict);

		if (!body)
			return LOG_DEAD_LIMIT;
		memcpy(body, &verdict->log, sizeof(verdict->log));
	}
	*ret_any = true;
	return 0;
}

static void commit(struct worker *worker, enum log_kind kind, uint16_t shard, uint64_t end,
		   bool for_courier)
{
	struct page_counters *live = &worker->live;

	if (kind == LOG_DEAD)
		live->dead_lettered++;
	else if (kind == LOG_EVENT)
		live->processed++;
	(void)log_build_commit(&worker->log, kind, (uint8_t)shard, worker->instance, end,
			       live->processed, live->dead_lettered);
	fault_point("commit.after_write");
	live->sequence = worker->log.sequence;
	live->log_position = worker->log.head;
	live->ring_position = end;
	if (for_courier)
		live->output_position = worker->log.head;
}

/* Let a changed working copy into its table. */
static inline void store_state(struct worker_function *function, const struct faas_event *event)
{
	state_store(&function->table, &function->place, faas_event_key(event), event->key_bytes,
		    function->copy);
}

/* The event came through: write its record, then do what it says. */
static __attribute__((noinline)) int commit_event(struct worker *worker, enum log_kind kind,
						  uint64_t end)
{
	struct worker_run *run = &worker->run;
	const struct faas_event *event = run->event;
	bool for_courier = false;
	uint32_t changes;
	int reason;

	fault_point("commit.before_write");
	if (log_build_trace(&worker->log, run->trace, run->trace_bytes))
		return LOG_DEAD_LIMIT;
	reason = log_states(worker, &changes);
	if (!reason && kind == LOG_TIMER)
		reason = log_sweep(worker);
	if (!reason && run->emission_count)
		reason = log_outputs(worker, &for_courier);
	if (!reason && run->verdict_count)
		reason = log_verdicts(worker, &for_courier);
	if (reason)
		return reason;
	commit(worker, kind, event->shard, end, for_courier);

	for (; changes; changes &= changes - 1) {
		struct worker_function *function = &worker->functions[__builtin_ctz(changes)];

		store_state(function, event);
		if (function->deadline)
			worker_timer_note(worker, function);
	}
	for (uint32_t i = 0; i < run->emission_count; i++)
		worker->live.functions[run->emissions[i].function]
			.outputs[run->emissions[i].output]++;
	return 0;
}

/* How often somebody tried it: calls that failed, and workers that died of it. */
static uint32_t attempts_of(const struct worker *worker, uint64_t attempt, int reason)
{
	const struct runtime_page *runtime = worker->runtime_page;
	uint64_t attempts = 0;

	if (worker->page->retry_position == attempt)
		attempts = worker->page->retry_errors;
	else if (reason == LOG_DEAD_ERROR || reason == LOG_DEAD_LIMIT || reason == LOG_DEAD_STATE)
		attempts = 1;
	if (runtime->poison_position == attempt)
		attempts += runtime->poison_deaths;
	return (uint32_t)attempts;
}

/* Begin the record of a dead letter: with the bytes, and the calls that were made,
 * but nothing of what they did. */
static void log_dead_letter(struct worker *worker, const void *data, uint32_t bytes, int reason,
			    uint64_t attempt)
{
	struct worker_run *run = &worker->run;
	uint8_t trace[2 * WORKER_CALLS_MAX];
	uint32_t trace_bytes = 0;
	void *body = NULL;
	int err;

	for (uint32_t i = 0; i < run->trace_bytes; i += 2u + run->trace[i + 1]) {
		trace[trace_bytes++] = run->trace[i];
		trace[trace_bytes++] = 0;
	}
	log_abandon(&worker->log);
	/* There was room for the largest record at this place a moment ago. */
	err = log_begin(&worker->log);
	if (!err)
		err = log_trace(&worker->log, trace, trace_bytes);
	if (!err)
		body = log_dead(&worker->log, run->failed, (enum log_dead_reason)reason,
				attempts_of(worker, attempt, reason), bytes);
	assert(body);
	memcpy(body, data, bytes);
}

/* Put the event aside. */
static void commit_dead(struct worker *worker, const struct ring_record *record, int reason)
{
	uint32_t bytes =
		record->bytes < FAAS_EVENT_BYTES_MAX ? record->bytes : FAAS_EVENT_BYTES_MAX;
	uint16_t shard = 0;

	if (reason != LOG_DEAD_INVALID) {
		bytes = event_bytes(worker->run.event);
		shard = worker->run.event->shard;
	}
	log_dead_letter(worker, record->data, bytes, reason, record->begin + 1);
	commit(worker, LOG_DEAD, shard, record->end, true);
}

/* Put the timer aside: a deadline is past, and else the state is as it was. */
static void commit_dead_timer(struct worker *worker, const struct worker_firing *firing, int reason,
			      uint64_t attempt)
{
	struct worker_function *function = firing->function;
	const struct faas_event *event = worker->run.event;
	void *value;

	log_dead_letter(worker, event, event_bytes(event), reason, attempt);
	worker->live.timers_dead++;
	if (firing->is_sweep) {
		reason = log_sweep(worker);
		assert(!reason);
		commit(worker, LOG_TIMER, event->shard, worker->live.ring_position, true);
		return;
	}
	words_copy(function->copy, function->stored, function->table.value_bytes);
	*function->deadline = 0;
	value = log_build_state(&worker->log, function->number, faas_event_key(event),
				event->key_bytes, function->table.value_bytes);
	assert(value);
	words_copy(value, function->copy, function->table.value_bytes);
	commit(worker, LOG_TIMER, event->shard, worker->live.ring_position, true);
	store_state(function, event);
}

/* Pass an event from the kernel tier on to a sink as it is. */
static int commit_forward(struct worker *worker, uint32_t sink, uint64_t end)
{
	const struct faas_event *event = worker->run.event;
	uint32_t bytes = event_bytes(event);
	void *body;

	fault_point("commit.before_write");
	body = log_output(&worker->log, 1u << sink, bytes);
	if (!body)
		return LOG_DEAD_LIMIT;
	memcpy(body, event, bytes);
	commit(worker, LOG_EVENT, event->shard, end, true);
	return 0;
}

/* Call the function, and those behind it. @p attempt: for whoever finds us dead,
 * this was at work. */
static inline int call_all(struct worker *worker, uint8_t number, worker_callback *callback,
			   uint64_t attempt)
{
	struct worker_run *run = &worker->run;
	int reason;

	__atomic_store_n(&worker->page->attempt_position, attempt, __ATOMIC_RELAXED);
	reason = call_function(worker, number, callback, run->event, -1);
	if (!reason && run->emission_count)
		reason = call_downstream(worker);
	__atomic_store_n(&worker->page->attempt_position, 0, __ATOMIC_RELAXED);
	return reason;
}

/* Take back what was counted of calls that are made again. */
static void uncount_calls(struct worker *worker)
{
	const struct worker_run *run = &worker->run;

	for (uint32_t i = 0; i < run->trace_bytes; i += 2u + run->trace[i + 1]) {
		struct page_function_counters *counters =
			&worker->live.functions[run->trace[i] & 0x7f];

		counters->events--;
		counters->errors -= run->trace[i] >> 7;
	}
}

/* Whether the event, whose function failed, has one attempt more: then when. What its
 * functions did is forgotten, and the ring does not advance: so its key keeps its
 * order, and whoever dies meanwhile is followed by one that knows. */
static bool try_again(struct worker *worker, uint64_t attempt)
{
	const struct runtime_page *runtime = worker->runtime_page;
	const struct bundle *bundle = worker->bundle;
	struct worker_page *page = worker->page;
	struct policy_retry retry = {
		.attempts = bundle->retry_attempts,
		.backoff_min_ms = (bundle->retry_backoff_min_ns + 999999) / 1000000,
		.backoff_max_ms = (bundle->retry_backoff_max_ns + 999999) / 1000000,
	};
	uint64_t failed;

	if (page->retry_position != attempt) {
		page->retry_errors = 0;
		page->retry_position = attempt;
	}
	failed = ++page->retry_errors;
	if (runtime->poison_position == attempt)
		failed += runtime->poison_deaths;
	if (failed >= retry.attempts)
		return false;
	page->retries++;
	uncount_calls(worker);
	log_abandon(&worker->log);
	worker->retry_ns =
		worker->now_ns() + 1000000 * policy_backoff_ms(&retry, (uint32_t)failed + 1);
	return true;
}

/* All functions were called, and it came to @p reason: 0 if they were content. */
static inline int settle(struct worker *worker, const struct ring_record *record, int reason)
{
	if (!reason)
		reason = commit_event(worker, LOG_EVENT, record->end);
	else if (reason == LOG_DEAD_ERROR && worker->bundle->retry_attempts &&
		 try_again(worker, record->begin + 1))
		return -EBUSY;
	if (reason)
		commit_dead(worker, record, reason);
	return 0;
}

int worker_event_called(struct worker *worker, const struct worker_pending *pending, int failed)
{
	struct worker_run *run = &worker->run;
	int reason = note_call(worker, (uint8_t)pending->entry->index, 0, failed);

	if (!reason && run->emission_count && pending->hashed->leads_on)
		reason = call_downstream(worker);
	__atomic_store_n(&worker->page->attempt_position, 0, __ATOMIC_RELAXED);
	return settle(worker, &pending->record, reason);
}

int worker_event(struct worker *worker, const struct worker_pending *pending)
{
	const struct ring_record *record = &pending->record;
	const struct bundle_entry *entry = pending->entry;
	struct worker_run *run = &worker->run;
	int reason;

	if (__builtin_expect(worker->retry_ns != 0, 0)) {
		if (worker->now_ns() < worker->retry_ns)
			return -EBUSY;
		worker->retry_ns = 0;
	}
	if (log_build_begin(&worker->log))
		return -EAGAIN;
	worker_begin_run(run, record->data, pending->hashed, pending->hash);
	if (!entry) {
		reason = LOG_DEAD_INVALID;
		if (worker->rest && worker_rest_is_strange(worker->rest, record)) {
			run->failed = UINT8_MAX; /* none that it has */
			reason = LOG_DEAD_VERSION;
		}
	} else if (entry->kind == TARGET_SINK) {
		reason = commit_forward(worker, entry->index, record->end);
	} else if (record->begin + 1 == worker->condemned) {
		run->failed = (uint8_t)entry->index;
		reason = worker->condemned_of;
	} else if (__builtin_expect(worker->puts_aside, 0)) {
		run->failed = (uint8_t)entry->index;
		reason = LOG_DEAD_QUARANTINE;
	} else {
		reason = call_all(worker, (uint8_t)entry->index,
				  worker->functions[entry->index].on_event, record->begin + 1);
		return settle(worker, record, reason);
	}
	if (reason)
		commit_dead(worker, record, reason);
	return 0;
}

int worker_replay(struct worker *worker, const struct faas_event *event, uint64_t number)
{
	const struct bundle_entry *entry = &worker->bundle->entries[event->entry];
	int reason;

	if (log_build_begin(&worker->log))
		return -EAGAIN;
	worker_begin_run(&worker->run, event, NULL, 0);
	worker_watch(&worker->watch);
	reason = call_all(worker, (uint8_t)entry->index, worker->functions[entry->index].on_event,
			  PAGE_REPLAY_ATTEMPT | number);
	if (!reason) {
		worker->live.replayed++;
		reason = commit_event(worker, LOG_REPLAY, worker->live.ring_position);
		worker->live.replayed -= reason != 0;
	}
	if (reason) {
		uncount_calls(worker);
		log_abandon(&worker->log);
	}
	return reason;
}

/* The event of a timer: when, and which key. */
static const struct faas_event *make_timer_event(struct worker *worker,
						 const struct worker_firing *firing)
{
	struct faas_event *event = (struct faas_event *)(void *)worker->timer_event;
	struct state_slot *slot;

	memset(worker->timer_event, 0, sizeof(worker->timer_event));
	event->time_ns = firing->now_ns;
	event->generation = worker->runtime_page->generation;
	event->entry = firing->function->timer_entry;
	event->origin = FAAS_ORIGIN_TIMER;
	event->trigger = firing->is_sweep ? (uint16_t)firing->sweep.trigger : 0;
	if (firing->slot == PAGE_SLOT_NONE)
		return event;
	slot = state_slot_at(&firing->function->table, firing->slot);
	event->key_bytes = (uint8_t)slot->key_bytes;
	event->key_hash = event_key_hash(state_slot_key(slot), slot->key_bytes);
	event->shard = event_key_shard(event->key_hash);
	memcpy((uint8_t *)event + FAAS_EVENT_KEY_OFFSET, state_slot_key(slot), slot->key_bytes);
	return event;
}

/* Begin: with the working copy of its key, in which the deadline is past. Returns
 * its attempt_position. */
static uint64_t begin_timer(struct worker *worker, const struct worker_firing *firing)
{
	const struct faas_event *event = make_timer_event(worker, firing);
	struct worker_function *function = firing->function;
	uint64_t when_ns = firing->sweep.next_ns;
	int reason = 0;

	worker_begin_run(&worker->run, event, NULL, 0);
	worker->run.failed = function->number;
	worker->run.firing = firing;
	if (firing->slot != PAGE_SLOT_NONE) {
		reason = touch_state(worker, function);
		assert(!reason && function->stored);
	}
	if (!firing->is_sweep) {
		when_ns = *function->deadline;
		*function->deadline = 0;
	}
	return page_timer_attempt(function->number, firing->slot, when_ns);
}

int worker_fire(struct worker *worker, const struct worker_firing *firing)
{
	uint64_t attempt;
	int reason;

	if (log_build_begin(&worker->log))
		return -EAGAIN;
	worker_watch(&worker->watch);
	attempt = begin_timer(worker, firing);
	if (attempt == worker->condemned)
		reason = worker->condemned_of;
	else
		reason = call_all(worker, firing->function->number, firing->function->on_timer,
				  attempt);
	if (!reason)
		reason = commit_event(worker, LOG_TIMER, worker->live.ring_position);
	if (reason)
		commit_dead_timer(worker, firing, reason, attempt);
	else
		worker->live.timers++;
	if (firing->is_sweep)
		worker->live.sweeps[firing->timer] = firing->sweep;
	return 0;
}
