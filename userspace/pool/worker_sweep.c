// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Triggers of time: one goes through the table of its function, some keys at a
 * time, so that events and timers come in between. With each key that is
 * committed it is written how far it is: whoever dies in the middle is followed
 * by one who goes on behind that key.
 */
#include "userspace/pool/worker_timer.h"

#include <string.h>

#include "fault.h"
#include "userspace/pool/worker_durable.h"
#include "userspace/state/state_lookup.h"

/* Slots that are looked at for one key that is called. */
#define LOOKS_PER_KEY 64

void worker_sweeps_open(struct worker *worker)
{
	const struct bundle *bundle = worker->bundle;
	struct page_sweep *sweeps = worker->live.sweeps;
	struct page_sweep before[FAAS_TIMERS_MAX];
	uint64_t now_ns = worker->now_ns();

	memcpy(before, sweeps, sizeof(before));
	memset(sweeps, 0, sizeof(before));
	for (uint32_t i = 0; i < bundle->timer_count; i++) {
		const struct bundle_timer *timer = &bundle->timers[i];

		sweeps[i].trigger = timer->id;
		sweeps[i].next_ns = now_ns + timer->every_ns;
		for (uint32_t k = 0; k < FAAS_TIMERS_MAX; k++)
			/* Further away than a period: the period or the clock is another. */
			if (before[k].trigger == timer->id &&
			    before[k].next_ns <= sweeps[i].next_ns)
				sweeps[i] = before[k];
	}
	worker->next_sweep_ns = bundle->timer_count && !worker->puts_aside ? 0 : UINT64_MAX;
}

/* The next slot with a key, from the cursor on; the table's capacity: none. */
static uint64_t find_key(const struct state_table *table, uint64_t slot, uint32_t *looks)
{
	for (; slot < table->capacity && *looks; slot++, --*looks)
		if (state_slot_at(table, slot)->mark)
			break;
	return slot;
}

/* Call the function for at most @p most keys. */
static int go_through(struct worker *worker, uint32_t number, uint64_t now_ns, uint32_t most,
		      uint32_t *run)
{
	struct page_sweep *sweep = &worker->live.sweeps[number];
	struct worker_firing firing = {
		.function = &worker->functions[worker->bundle->timers[number].function],
		.now_ns = now_ns,
		.is_sweep = true,
		.timer = (uint8_t)number,
	};
	const struct state_table *table = &firing.function->table;
	uint32_t looks = most * LOOKS_PER_KEY;

	while (*run < most && looks) {
		int err;

		firing.slot = find_key(table, sweep->cursor - 1, &looks);
		sweep->cursor = (uint32_t)firing.slot + 1;
		if (firing.slot == table->capacity) {
			sweep->cursor = 0;
			break;
		}
		if (!looks)
			break;
		firing.sweep = *sweep;
		firing.sweep.cursor = (uint32_t)firing.slot + 2;
		err = worker_fire(worker, &firing);
		if (err)
			return err;
		++*run;
		fault_point("sweep.inside");
	}
	return 0;
}

static int call_once(struct worker *worker, uint32_t number, uint64_t now_ns, uint32_t *run)
{
	struct worker_firing firing = {
		.function = &worker->functions[worker->bundle->timers[number].function],
		.slot = PAGE_SLOT_NONE,
		.now_ns = now_ns,
		.is_sweep = true,
		.timer = (uint8_t)number,
		.sweep = worker->live.sweeps[number],
	};
	int err;

	firing.sweep.cursor = 0;
	err = worker_fire(worker, &firing);
	*run += !err;
	return err;
}

/* Published at once: it is told from others by when the next is due, and who dies
 * of its first key is followed by one that comes to the same. */
static void begin(struct worker *worker, uint32_t number, uint64_t now_ns)
{
	struct page_sweep *sweep = &worker->live.sweeps[number];
	uint64_t every_ns = worker->bundle->timers[number].every_ns;

	sweep->next_ns += every_ns * ((now_ns - sweep->next_ns) / every_ns + 1);
	sweep->cursor = 1;
	if (worker->durable)
		worker_durable_sweep_begins(worker, number);
	/* This releases the ring, and with it what the kernel tier discarded. */
	worker->live.ring_position = worker->ring.position;
	worker_publish(worker);
}

int worker_sweeps(struct worker *worker, uint64_t now_ns, uint32_t most, uint32_t *ret_run)
{
	const struct bundle *bundle = worker->bundle;
	uint64_t next_ns = UINT64_MAX;
	uint32_t run = 0;
	int err = 0;

	for (uint32_t i = 0; i < bundle->timer_count; i++) {
		struct page_sweep *sweep = &worker->live.sweeps[i];

		if (!err && !sweep->cursor && sweep->next_ns <= now_ns)
			begin(worker, i, now_ns);
		if (!err && sweep->cursor && run < most) {
			if (worker->functions[bundle->timers[i].function].has_state)
				err = go_through(worker, i, now_ns, most, &run);
			else
				err = call_once(worker, i, now_ns, &run);
		}
		if (sweep->cursor)
			next_ns = 0;
		else if (sweep->next_ns < next_ns)
			next_ns = sweep->next_ns;
	}
	worker->next_sweep_ns = next_ns;
	*ret_run = run;
	return err;
}
