// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/worker_timer.h"

#include <errno.h>
#include <string.h>

#include "userspace/pool/worker_fds.h"
#include "userspace/state/state_lookup.h"

/* Reminders that lead to no timer any more, for one that is run. */
#define STALE_MAX 4

static bool has_timers(const struct worker_function *function)
{
	return function->deadline != NULL;
}

/* The deadline in a slot of the table. */
static uint8_t *deadline_at(const struct worker_function *function, uint64_t slot)
{
	const struct state_table *table = &function->table;

	return state_slot_value(table, state_slot_at(table, slot)) + table->value_bytes -
	       sizeof(uint64_t);
}

static uint64_t read_deadline(const struct worker_function *function, uint64_t slot)
{
	uint64_t deadline;

	memcpy(&deadline, deadline_at(function, slot), sizeof(deadline));
	return deadline;
}

/* Those of a workflow in quarantine wait until it runs again. */
int worker_timers_open(struct worker *worker)
{
	uint64_t timers = 0;

	for (uint32_t i = 0; i < worker->bundle->user_count; i++) {
		struct worker_function *function = &worker->functions[i];

		function->first_timer = (uint32_t)timers;
		if (has_timers(function) && !worker->puts_aside)
			timers += function->table.capacity;
	}
	if (timers > UINT32_MAX || timer_queue_open(&worker->timers, (uint32_t)timers))
		return worker_fail(worker, WORKER_EXIT_SETUP, "no memory for %llu timers",
				   (unsigned long long)timers);
	for (uint32_t i = 0; i < worker->bundle->user_count; i++) {
		struct worker_function *function = &worker->functions[i];

		for (uint64_t s = 0;
		     has_timers(function) && !worker->puts_aside && s < function->table.capacity;
		     s++) {
			if (!state_slot_at(&function->table, s)->mark ||
			    !read_deadline(function, s))
				continue;
			timer_queue_set(&worker->timers, function->first_timer + (uint32_t)s,
					read_deadline(function, s));
		}
	}
	return 0;
}

void worker_timers_close(struct worker *worker)
{
	timer_queue_close(&worker->timers);
}

void worker_timers_move(struct worker_function *function, uint64_t was_ns, uint64_t is_ns)
{
	for (uint64_t s = 0; has_timers(function) && s < function->table.capacity; s++) {
		uint64_t deadline;

		if (!state_slot_at(&function->table, s)->mark)
			continue;
		deadline = read_deadline(function, s);
		if (!deadline)
			continue;
		deadline = deadline > was_ns ? is_ns + (deadline - was_ns) : is_ns;
		memcpy(deadline_at(function, s), &deadline, sizeof(deadline));
	}
}

/* Whose timer it is; its slot is the number behind function->first_timer. */
static struct worker_function *function_of(struct worker *worker, uint32_t timer)
{
	uint32_t i = worker->bundle->user_count - 1;

	while (!has_timers(&worker->functions[i]) || timer < worker->functions[i].first_timer)
		i--;
	return &worker->functions[i];
}

int worker_timers(struct worker *worker, uint64_t now_ns, uint32_t most, uint32_t *ret_run)
{
	struct timer_queue *queue = &worker->timers;
	uint32_t looks = most * STALE_MAX;
	uint32_t run = 0;
	int err = 0;

	while (run < most && looks-- && timer_queue_next(queue) <= now_ns) {
		uint32_t timer = queue->heap[0].timer;
		struct worker_function *function = function_of(worker, timer);
		uint32_t slot = timer - function->first_timer;
		uint64_t deadline = read_deadline(function, slot);

		if (deadline > now_ns) {
			timer_queue_postpone_first(queue, deadline);
			continue;
		}
		timer_queue_drop_first(queue);
		if (!deadline)
			continue;
		err = worker_fire(worker, &(struct worker_firing){
						  .function = function,
						  .slot = slot,
						  .now_ns = now_ns,
					  });
		if (err) {
			timer_queue_set(queue, timer, deadline);
			break;
		}
		run++;
	}
	*ret_run = run;
	return err;
}

void worker_timer_note(struct worker *worker, const struct worker_function *function)
{
	const struct state_table *table = &function->table;
	uint64_t slot;

	if (!*function->deadline)
		return;
	slot = (uint64_t)((uint8_t *)function->place.slot - table->slots) / table->slot_bytes;
	timer_queue_set(&worker->timers, function->first_timer + (uint32_t)slot,
			*function->deadline);
}

int faas_timer(struct faas_call *call, uint64_t after_ns)
{
	uint64_t *deadline = call->function->deadline;
	uint64_t now_ns;

	if (!deadline)
		return -EINVAL;
	if (!after_ns) {
		*deadline = 0;
		return 0;
	}
	now_ns = call->worker->now_ns();
	*deadline = after_ns < INT64_MAX - now_ns ? now_ns + after_ns : INT64_MAX;
	return 0;
}
