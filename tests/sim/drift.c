// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a loss of power may take from a workflow that goes on without its disk: events
 * since it did, and the outputs of those that the disk has never seen, or had no record
 * of any more when it was back. Nothing else, and nothing once they are in the sinks.
 */
#include <string.h>

#include "userspace/log/durable_internal.h"
#include "userspace/log/log.h"
#include "world.h"

#define RANGES_MAX 256
#define LOSSES_MAX 32

/* Numbers of events, in the order in which the rings accepted them. */
struct range {
	uint32_t begin, end;
};

/* Records behind the sequence, of older incarnations than that, were lost. */
struct loss {
	uint64_t sequence;
	uint32_t incarnation;
};

static struct range ranges[RANGES_MAX];
static struct loss losses[LOSSES_MAX];
static uint32_t range_count, loss_count;
static bool adrift, lost_adrift;
static uint32_t synced; /* events whose outputs were all on the sinks' disks at some time */
/* Events that were on the disk when it was left behind, and where its log ended. */
static uint32_t durable;
static uint64_t left_at;

void drift_reset(void)
{
	range_count = loss_count = 0;
	adrift = lost_adrift = false;
	synced = durable = 0;
	left_at = 0;
}

static void leave_disk(const struct worker_page *worker)
{
	durable = disk_events_before(worker->durable_position);
	left_at = worker->durable_position;
}

static void add_range(uint32_t end)
{
	if (end <= synced)
		return;
	if (range_count == RANGES_MAX)
		sim_fail("the disk fails without end");
	ranges[range_count++] = (struct range){synced, end};
}

void drift_watch(void)
{
	const struct courier_page *page = sim_data(SIM_FD_COURIER_PAGE);
	const struct worker_page *worker = world_worker_page();
	struct page_counters counters;

	if (!sim_plan.drifts || world.booted || !worker->taken_up ||
	    worker_page_read(worker, &counters))
		return;
	if (worker->adrift && !adrift)
		leave_disk(worker);
	/* It may have gone on since: what counts as lost is more than can be. */
	if (!worker->adrift && adrift)
		add_range(disk_events_before(worker->durable_position));
	if (adrift != worker->adrift)
		sim_note("%s its disk at event %u", adrift ? "back to" : "without",
			 disk_events_before(worker->durable_position));
	adrift = worker->adrift;
	if (page->cursors[page->current & 1].synced_position >= counters.log_position)
		synced = disk_survivors() + (uint32_t)(counters.processed + counters.dead_lettered);
}

uint32_t drift_acknowledged(uint32_t shown)
{
	const struct worker_page *worker = world_worker_page();

	return worker->adrift ? disk_events_before(worker->durable_position) : shown;
}

void drift_power_loss(void)
{
	const struct worker_page *worker = world_worker_page();

	if (!worker->adrift)
		return;
	if (!adrift)
		leave_disk(worker);
	lost_adrift = true;
}

void drift_booted(uint32_t survivors)
{
	const struct log_header *log = sim_data(SIM_FD_LOG);
	const uint8_t *disk = sim_data(SIM_FD_DISK + DISK_LOG);
	struct loss loss = {.sequence = log->ring_first_sequence - 1};
	bool back = survivors > durable;

	for (uint32_t i = 0; i < range_count; i++)
		if (ranges[i].end > survivors)
			ranges[i].end = survivors;
	if (synced > survivors)
		synced = survivors;
	adrift = false;
	if (!lost_adrift)
		return;
	lost_adrift = false;
	for (uint32_t i = 0; i < 2; i++) {
		const struct durable_super *super =
			(const void *)(disk + (size_t)i * DISK_BLOCK_BYTES);

		if (super->magic != DURABLE_MAGIC)
			continue;
		if (super->incarnation > loss.incarnation)
			loss.incarnation = super->incarnation;
		/* Nothing happened without the disk, and yet its log begins anew. */
		if (super->begin.position > left_at)
			back = true;
	}
	/* It was back, and nobody was told. */
	if (back)
		add_range(survivors);
	if (loss_count == LOSSES_MAX)
		sim_fail("more losses of power than LOSSES_MAX");
	losses[loss_count++] = loss;
}

bool drift_may_lack(uint32_t event)
{
	for (uint32_t i = 0; sim_power_losses && i < range_count; i++)
		if (event >= ranges[i].begin && event < ranges[i].end)
			return true;
	return false;
}

bool drift_took(uint32_t incarnation, uint64_t sequence)
{
	for (uint32_t i = 0; i < loss_count; i++)
		if (incarnation < losses[i].incarnation && sequence > losses[i].sequence)
			return true;
	return false;
}

bool drift_took_any(void)
{
	return loss_count || range_count;
}

bool drift_is_booting(void)
{
	return lost_adrift;
}
