// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Functions that take events in batches. One call is made for several events that
 * wait in the ring, and what it emits for each is kept; then each event goes the way
 * of any other, and where its function would be called it is handed what was kept.
 * So each has its own record, and whoever dies in between has done nothing for those
 * that have none.
 */
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec_frame.h"
#include "userspace/pool/worker_exec.h"
#include "userspace/pool/worker_fds.h"

/* A call in so many is timed. A power of two. */
#define TIME_SAMPLE_EVERY 8

struct worker_gathered {
	const struct worker_function *function;
	const struct faas_event *events[FAAS_BATCH_MAX];
	/* Of each, as in the page: one that comes again may lie where another one lay
	 * (worker_rest.h). */
	uint64_t attempts[FAAS_BATCH_MAX];
	uint32_t count;
	uint32_t next; /* of them, to be handed out */
	uint32_t calls;
	uint64_t alone_until; /* position in the ring: a batch up to there failed */
	const struct worker_exec_result *results; /* of a program; NULL: of none */
	bool failed[FAAS_BATCH_MAX];
	uint32_t emission_counts[FAAS_BATCH_MAX];
	struct worker_emission emissions[FAAS_BATCH_MAX][FAAS_EMITS_MAX];
};

int worker_gather_open(struct worker *worker)
{
	bool any = false;

	for (uint32_t i = 0; i < worker->bundle->user_count; i++)
		any |= worker->functions[i].on_batch != NULL;
	if (!any)
		return 0;
	worker->gathered = calloc(1, sizeof(*worker->gathered));
	if (!worker->gathered)
		return worker_fail(worker, WORKER_EXIT_SETUP, "no memory");
	return 0;
}

const struct faas_event *worker_gathered_event(const struct faas_call *call, unsigned int index)
{
	const struct worker_gathered *gathered = call->gathered;

	return gathered && index < gathered->count ? gathered->events[index] : NULL;
}

int worker_gathered_emit(struct worker_gathered *gathered, unsigned int index, unsigned int output,
			 const struct faas_value *values, unsigned int count)
{
	const struct worker_function *function = gathered->function;
	struct worker_emission *emission;

	if (index >= gathered->count || output >= function->output_count ||
	    count != function->outputs[output].field_count)
		return -EINVAL;
	if (gathered->emission_counts[index] == FAAS_EMITS_MAX)
		return -ENOBUFS;
	emission = &gathered->emissions[index][gathered->emission_counts[index]++];
	emission->output = (uint8_t)output;
	emission->payload = NULL;
	for (unsigned int i = 0; i < count; i++)
		emission->values[i] = values[i];
	return 0;
}

/* What a program answered for one event. Its numbers were checked. */
static int take_outputs(struct worker_gathered *gathered, uint32_t index,
			const struct worker_exec_result *result)
{
	const uint8_t *at = result->outputs;
	int err = 0;

	for (uint32_t i = 0; !err && i < result->output_count; i++) {
		struct faas_value values[FAAS_FIELDS_MAX];
		struct worker_emission *emission;
		struct exec_output output;

		at = exec_frame_output(at, &output);
		memcpy(values, output.values, output.value_count * sizeof(values[0]));
		err = worker_gathered_emit(gathered, index, output.number, values,
					   output.value_count);
		if (err)
			break;
		emission = &gathered->emissions[index][gathered->emission_counts[index] - 1];
		emission->payload = output.payload;
		emission->payload_bytes = output.payload_bytes;
	}
	return err;
}

int worker_on_exec(struct faas_call *call, const struct faas_event *const *events,
		   unsigned int count)
{
	struct worker_gathered *gathered = call->gathered;
	int err = 0;

	gathered->results = worker_exec_call(call->worker, call->function->number, events, count);
	for (uint32_t i = 0; !err && i < count; i++) {
		if (gathered->results[i].status)
			faas_fail(call, i);
		else
			err = take_outputs(gathered, i, &gathered->results[i]);
	}
	return err;
}

int faas_emit_for(struct faas_call *call, unsigned int index, unsigned int output,
		  const struct faas_value *values, unsigned int count)
{
	if (!call->gathered)
		return -EINVAL;
	return worker_gathered_emit(call->gathered, index, output, values, count);
}

void faas_fail(struct faas_call *call, unsigned int index)
{
	if (call->gathered && index < call->gathered->count)
		call->gathered->failed[index] = true;
}

/* The call itself, for the events that stand in the list. */
static int call_batch(struct worker *worker, const struct worker_function *function)
{
	struct page_function_counters *counters = &worker->live.functions[function->number];
	struct worker_gathered *gathered = worker->gathered;
	struct faas_call call = {
		.worker = worker, .function = function, .emission = -1, .gathered = gathered};
	bool timed = gathered->calls++ % TIME_SAMPLE_EVERY == 0;
	uint64_t begin_ns = timed ? worker->now_ns() : 0;
	int failed;

	gathered->function = function;
	gathered->results = NULL;
	gathered->next = 0;
	memset(gathered->failed, 0, gathered->count * sizeof(gathered->failed[0]));
	memset(gathered->emission_counts, 0,
	       gathered->count * sizeof(gathered->emission_counts[0]));
	/* For faas_input_f64 and the like: event 0. */
	worker->run.event = gathered->events[0];
	worker->run.failed = function->number;
	failed = function->on_batch(&call, gathered->events, gathered->count);
	if (timed) {
		counters->time_ns += worker->now_ns() - begin_ns;
		counters->time_samples += gathered->count;
	}
	return failed;
}

/* Whether the event is one for this function, to be called together with others. */
static bool is_for(const struct worker *worker, const struct worker_pending *pending,
		   const struct worker_function *function)
{
	return pending->entry && pending->entry->kind == TARGET_USER &&
	       &worker->functions[pending->entry->index] == function &&
	       pending->record.begin >= worker->page->batch_end &&
	       pending->record.begin >= worker->gathered->alone_until &&
	       pending->record.begin + 1 != worker->condemned;
}

void worker_gather(struct worker *worker, const struct worker_pending *pending, uint32_t count)
{
	struct worker_gathered *gathered = worker->gathered;
	struct worker_page *page = worker->page;
	const struct worker_function *function;

	/* One that is tried again is called alone. */
	if (worker->retry_ns || gathered->next < gathered->count || !pending->entry ||
	    pending->entry->kind != TARGET_USER)
		return;
	gathered->count = gathered->next = 0;
	function = &worker->functions[pending->entry->index];
	if (!function->on_batch)
		return;
	while (gathered->count < count && is_for(worker, &pending[gathered->count], function)) {
		gathered->events[gathered->count] = pending[gathered->count].record.data;
		gathered->attempts[gathered->count] = pending[gathered->count].record.begin + 1;
		gathered->count++;
	}
	/* One alone is called when its turn comes. */
	if (gathered->count < 2) {
		gathered->count = 0;
		return;
	}
	page->batch_end = pending[gathered->count - 1].record.end;
	__atomic_store_n(&page->attempt_position, PAGE_BATCH_ATTEMPT | (pending->record.begin + 1),
			 __ATOMIC_RELEASE);
	if (call_batch(worker, function)) {
		gathered->alone_until = page->batch_end;
		gathered->count = 0;
	}
	__atomic_store_n(&page->attempt_position, 0, __ATOMIC_RELAXED);
	page->batch_end = 0;
}

/* A program's answer to event @p index becomes that of the state at hand, and of its timer.
 * False: it saw another one, for an event before it came to nothing. */
static bool take_state(struct faas_call *call, uint32_t index, void *state)
{
	const struct worker *worker = call->worker;
	const struct worker_gathered *gathered = worker->gathered;
	const struct worker_exec_result *result = &gathered->results[index];
	uint32_t bytes = worker->bundle->user[call->function->number].state_bytes;

	if (!state)
		return true;
	if (memcmp(state, result->before, bytes))
		return false;
	if (gathered->failed[index])
		return true;
	if (result->after)
		memcpy(state, result->after, bytes);
	/* Only of those that have timers it is another one. */
	if (result->timer_ns != FAAS_EXEC_TIMER_SAME)
		(void)faas_timer(call, result->timer_ns);
	return true;
}

/* Whether the next of those that are kept is this event's. */
static bool is_kept(const struct worker *worker, const struct faas_event *event)
{
	const struct worker_gathered *gathered = worker->gathered;
	uint32_t next = gathered->next;

	return next < gathered->count && gathered->events[next] == event &&
	       gathered->attempts[next] == worker->page->attempt_position;
}

/* What was kept for @p event; else it is called alone. */
static int find_gathered(struct faas_call *call, const struct faas_event *event, void *state,
			 uint32_t *ret_index)
{
	struct worker_gathered *gathered = call->worker->gathered;
	bool kept = is_kept(call->worker, event);
	int failed = 0;

	if (kept && gathered->results)
		kept = take_state(call, gathered->next, state);
	if (!kept) {
		gathered->count = 1;
		gathered->events[0] = event;
		failed = call_batch(call->worker, call->function);
		if (!failed && gathered->results)
			(void)take_state(call, 0, state);
	}
	if (failed)
		gathered->count = 0;
	else
		*ret_index = gathered->next++;
	return failed;
}

int worker_on_gathered(struct faas_call *call, const struct faas_event *event, void *state)
{
	struct worker_run *run = &call->worker->run;
	struct worker_gathered *gathered = call->worker->gathered;
	uint32_t index = 0;
	int failed = find_gathered(call, event, state, &index);

	if (failed)
		return failed;
	for (uint32_t i = 0; i < gathered->emission_counts[index]; i++) {
		const struct worker_emission *emission = &gathered->emissions[index][i];
		int err = faas_emit(call, emission->output, emission->values,
				    call->function->outputs[emission->output].field_count);

		if (err)
			return err;
		run->emissions[run->emission_count - 1].payload = emission->payload;
		run->emissions[run->emission_count - 1].payload_bytes = emission->payload_bytes;
	}
	return gathered->failed[index];
}
