// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/worker_durable.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/pool/worker_timer.h"

/* ---- taking up from the disk ----------------------------------------------- */

static int open_tables(void *context)
{
	struct worker_durable *self = context;

	for (uint32_t i = 0; i < self->worker->bundle->user_count; i++) {
		const struct worker_function *function = &self->worker->functions[i];

		if (!self->setup.images[i].shape.name[0])
			continue;
		if (self->cut >> i & 1 && state_mend(function->state_mapping, &function->shape))
			return -ENOMEM;
		if (worker_open_table(self->worker, i))
			return -EBADMSG;
	}
	return 0;
}

static int cut_table(void *context, uint32_t function, uint64_t begin, uint64_t end)
{
	struct worker_durable *self = context;
	const struct worker_function *of = &self->worker->functions[function];

	(void)end;
	state_cut(of->state_mapping, &of->shape, begin);
	self->cut |= 1u << function;
	return 0;
}

static int redo_record(void *context, const struct log_record *record)
{
	struct worker_durable *self = context;
	const struct log_entry *entry;
	struct log_walk walk;
	const uint8_t *body;

	log_walk_begin(&walk, record);
	while ((entry = log_walk_next(&walk, &body))) {
		uint32_t function;

		if (entry->kind != LOG_ENTRY_STATE || entry->function >= FAAS_USER_FUNCTIONS_MAX)
			continue;
		function = self->found.functions[entry->function];
		if (function == FAAS_USER_FUNCTIONS_MAX || !(self->found.taken >> function & 1))
			continue;
		/* Its checksum is right, and it is none of ours. */
		if (worker_redo_state(self->worker, function, entry, body)) {
			self->found.corrupt++;
			self->found.corrupt_bytes += record->bytes;
		}
	}
	return 0;
}

static const char *describe_error(int err)
{
	switch (err) {
	case -EBADMSG:
		return "does not check out";
	case -EPROTO:
		return "is of another version of this program";
	default:
		return strerror(-err);
	}
}

static int fail_recovery(struct worker *worker, int err)
{
	const struct worker_durable *self = worker->durable;
	uint32_t function = self->found.stale_function;

	if (err == -ESTALE && function < worker->bundle->user_count)
		return worker_fail(
			worker, WORKER_EXIT_CORRUPT,
			"the durable state of %s is of another version, size or key "
			"than this workflow's; load the version that wrote it and update "
			"from there, or let it begin anew with `ebpf-faas load "
			"--reset-state %s`",
			worker->bundle->user[function].instance,
			worker->bundle->user[function].instance);
	if (err == -ESTALE)
		return worker_fail(
			worker, WORKER_EXIT_CORRUPT,
			"the durable state is of a workflow with more functions; load the "
			"version that wrote it, or delete it with `ebpf-faas unload "
			"--purge %s`",
			worker->bundle->name);
	return worker_fail(worker, WORKER_EXIT_CORRUPT, "the durable log %s", describe_error(err));
}

/* Everything in memory is as the disk has it: from now on it goes from there. */
static void note_recovery(struct worker *worker)
{
	struct worker_durable *self = worker->durable;
	const struct durable_recovered *found = &self->found;
	struct log_header *header = worker->log_mapping;
	struct worker_page *page = worker->page;
	struct page_counters *counters = &page->counters[page->current & 1];
	uint64_t now_ns = worker->now_ns();

	for (uint32_t i = 0; i < worker->bundle->user_count; i++) {
		uint64_t then_ns = found->kept >> i & 1 ? found->kept_ns : found->monotonic_ns;

		if (then_ns && self->setup.images[i].shape.name[0])
			worker_timers_move(&worker->functions[i], then_ns, now_ns);
	}
	/* Counted is from here on, as the kernel does. */
	memset(counters, 0, sizeof(*counters));
	counters->sequence = found->end.sequence;
	/* A courier looks at none of it before all of it is taken up. */
	counters->output_position = found->end.position;
	fault_point("durable.inside_taking_up");
	counters->log_position = found->end.position;
	header->ring_first_sequence = found->end.sequence + 1;
	page->begin_position = found->courier.position;
	page->begin_sequence = found->courier.sequence;
	page->durable_position = found->end.position;
	page->durable_sequence = found->end.sequence;
	page->corrupt = found->corrupt;
	page->corrupt_bytes = found->corrupt_bytes;
	fault_point("durable.before_taken_up");
	__atomic_store_n(&page->head_sequence, found->end.sequence, __ATOMIC_RELEASE);
	__atomic_store_n(&page->head, found->end.position, __ATOMIC_RELEASE);
	__atomic_store_n(&page->taken_up, 1, __ATOMIC_RELEASE);
	(void)fprintf(stderr,
		      "component=worker event=recovered workflow=%s records=%" PRIu64
		      " sequence=%" PRIu64 " corrupt=%" PRIu64 " corrupt_bytes=%" PRIu64 "\n",
		      worker->bundle->name, found->records, found->end.sequence, found->corrupt,
		      found->corrupt_bytes);
}

static int take_up(struct worker *worker)
{
	struct worker_durable *self = worker->durable;
	struct durable_super *super = malloc(sizeof(*super));
	int err = super ? durable_super_read(self->setup.disk, super) : -ENOMEM;

	free(super);
	if (err == -ENOENT && worker->page->taken_up)
		return worker_fail(worker, WORKER_EXIT_CORRUPT, "the durable log is gone");
	if (err == -ENOENT) {
		worker_disk_set_direct(&self->disk);
		err = durable_format(&self->setup);
		if (err)
			return worker_fail(worker, WORKER_EXIT_SETUP,
					   "the durable log cannot be made: %s", strerror(-err));
	}
	if (!err && !worker->page->taken_up) {
		err = durable_recover(&self->setup, &self->found);
		if (!err)
			note_recovery(worker);
	}
	if (err && worker->error[0])
		return WORKER_EXIT_CORRUPT;
	return err ? fail_recovery(worker, err) : 0;
}

int worker_durable_open(struct worker *worker, const int *fds)
{
	const struct bundle *bundle = worker->bundle;
	struct worker_durable *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return worker_fail(worker, WORKER_EXIT_SETUP, "no memory");
	worker->durable = self;
	worker->shown = &self->durable.acknowledged;
	self->worker = worker;
	err = worker_disk_open(&self->disk, &worker->waiter, fds);
	if (err)
		return worker_fail(worker, WORKER_EXIT_SETUP, "the durable log: %s",
				   strerror(-err));
	self->setup = (struct durable_setup){
		.disk = &self->disk.disk,
		.staging = worker->log_mapping,
		.staging_bytes = worker->log_bytes,
		.generation = worker->runtime_page->generation,
		.policy = bundle->storage_continue ? DURABLE_CONTINUE : DURABLE_WAIT,
		.resets = worker->runtime_page->resets,
		.context = self,
		.loaded = open_tables,
		.repair = cut_table,
		.redo = redo_record,
	};
	for (uint32_t i = 0; i < bundle->user_count; i++) {
		struct durable_image *image = &self->setup.images[i];

		state_durable_shape(bundle, i, &image->shape);
		image->mapping = worker->functions[i].state_mapping;
	}
	return take_up(worker);
}

/* ---- going on -------------------------------------------------------------- */

uint32_t worker_durable_incarnation(struct worker *worker)
{
	struct durable_super *super = malloc(sizeof(*super));
	uint32_t incarnation = 0;

	if (super && !durable_super_read(worker->durable->setup.disk, super)) {
		incarnation = durable_incarnation(super);
		worker->durable->begin = super->begin.position;
	}
	free(super);
	return incarnation;
}

static void show(struct worker *worker)
{
	const struct durable *durable = &worker->durable->durable;
	struct worker_page *page = worker->page;

	page->durable_position = durable->durable_position;
	page->durable_sequence = durable->durable_sequence;
	page->disk_error = (uint64_t)-durable->error;
	page->disk_errors = durable->errors;
	page->snapshots = durable->snapshots_written;
	/* Before counters that are ahead of the disk are shown, and behind the position
	 * that ends it. */
	__atomic_store_n(&page->adrift, durable->adrift, __ATOMIC_RELEASE);
}

int worker_durable_start(struct worker *worker)
{
	struct worker_durable *self = worker->durable;
	struct page_counters acknowledged = worker->page->counters[worker->page->current & 1];
	bool adrift = worker->page->adrift;
	int err;

	/* Whoever named the snapshot died before it could show what it knew. */
	if (acknowledged.log_position < self->begin && self->at_begin.log_position == self->begin)
		acknowledged = self->at_begin;
	/* What was acknowledged counts in a ring that is gone. */
	if (worker->new_ring)
		acknowledged.ring_position = worker->live.ring_position;
	/* Its counters are ahead of the disk then. */
	if (adrift) {
		acknowledged.log_position = worker->page->durable_position;
		acknowledged.sequence = worker->page->durable_sequence;
		if (acknowledged.log_position < self->begin)
			acknowledged.log_position = self->begin;
	}
	worker_disk_set_direct(&self->disk);
	err = durable_start(&self->durable, &self->setup, &worker->log, &acknowledged);
	if (err)
		return worker_fail(
			worker, WORKER_EXIT_SETUP, "the durable log cannot be written: %s",
			err == -EINVAL ? "it is not this workflow's log" : strerror(-err));
	if (adrift)
		durable_start_adrift(&self->durable);
	err = durable_settle(&self->durable, &worker->live, &worker->courier, worker->now_ns());
	show(worker);
	if (err)
		return worker_fail(worker, WORKER_EXIT_SETUP,
				   "the durable log cannot be written: %s", strerror(-err));
	worker->log.limit = durable_limit(&self->durable);
	return 0;
}

bool worker_durable_step(struct worker *worker)
{
	struct durable *durable = &worker->durable->durable;
	struct page_counters *acknowledged = &durable->acknowledged;
	uint64_t sequence = acknowledged->sequence;
	uint64_t ring_position = acknowledged->ring_position;

	durable_step(durable, &worker->live, &worker->courier, worker->now_ns());
	/* Records that the kernel tier discarded have nothing to wait for. */
	if (durable_is_settled(durable) && acknowledged->ring_position < worker->live.ring_position)
		acknowledged->ring_position = worker->live.ring_position;
	worker->log.limit = durable_limit(durable);
	show(worker);
	/* Without the disk they come alone as well. */
	return acknowledged->sequence != sequence || acknowledged->ring_position != ring_position;
}

void worker_durable_sweep_begins(struct worker *worker, uint32_t number)
{
	worker->durable->durable.acknowledged.sweeps[number] = worker->live.sweeps[number];
}

bool worker_durable_is_due(const struct worker *worker)
{
	const struct durable *durable = &worker->durable->durable;

	return durable_is_busy(durable) || waiter_has_written(&worker->waiter);
}
