// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the processes run: the code of worker_main.c and courier.c, with the
 * simulation's descriptors. */
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "userspace/pool/worker_durable.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/pool/worker_rest.h"
#include "userspace/sink/feed.h"
#include "world.h"

static struct feed_scratch *scratch;

static int run_worker(void)
{
	struct worker *worker = aligned_alloc(64, (sizeof(*worker) + 63) & ~63ul);
	struct worker_files files = {
		.ring = SIM_FD_RING + (int)sim_system.reading,
		.wake = SIM_FD_WAKE + (int)sim_system.reading,
		.worker_page = SIM_FD_WORKER_PAGE,
		.courier_page = SIM_FD_COURIER_PAGE,
		.runtime_page = SIM_FD_RUNTIME_PAGE,
		.log = SIM_FD_LOG,
	};
	int status;

	memset(worker, 0, sizeof(*worker));
	sim_live = &worker->live;
	for (int i = 0; i < SIM_FUNCTIONS_MAX; i++) {
		files.state[i] = SIM_FD_STATE + i;
		files.object[i] = SIM_FD_OBJECT + i;
	}
	for (int i = 0; i < DISK_FILES; i++)
		files.disk[i] = SIM_FD_DISK + i;
	if (updates_before() >= 0)
		files.disk[DISK_BEFORE] = updates_before();
	status = worker_map(worker, sim_bundle, 0, &files);
	if (!status) {
		worker->notify_fd = SIM_FD_NOTIFY;
		worker->control_fd = SIM_FD_CONTROL;
		if (sim_plan.durable)
			status = worker_durable_open(worker, files.disk);
	}
	if (!status)
		status = worker_rest_open(worker);
	if (!status)
		status = worker_recover(worker);
	if (!status)
		status = worker_load(worker, &files);
	if (!status)
		status = worker_init(worker);
	if (!status) {
		sim_system.ready = true;
		updates_worker_ready(worker->live.processed + worker->live.dead_lettered);
		/* So does the runtime: its predecessor may have died before it told. */
		sim_system.courier_notified = true;
		status = worker_run(worker);
	}
	/* It cannot begin without its disk: the runtime tries again. */
	if (status == WORKER_EXIT_SETUP && (sim_plan.disk_errors || sim_plan.outages)) {
		sim_note("the worker ends: %s", worker->error);
		return status;
	}
	if (status)
		sim_fail("the worker gives up with status %d: %s", status, worker->error);
	return status;
}

static int run_courier(void)
{
	struct feed_files files = {
		.log = SIM_FD_LOG,
		.worker_page = SIM_FD_WORKER_PAGE,
		.courier_page = SIM_FD_COURIER_PAGE,
		.space = SIM_FD_SPACE,
	};
	static struct diags diags;
	char dead_letters[256];
	struct feed *feed;

	for (int i = 0; i < FAAS_SINKS_MAX; i++)
		files.udp[i] = -1;
	memset(files.verdict_maps, -1, sizeof(files.verdict_maps));
	if (sim_plan.verdict_room)
		files.verdict_maps[0] = SIM_FD_VERDICTS;
	sinks_path(SIM_SINKS, dead_letters, sizeof(dead_letters));
	feed = feed_open(workflow_bundle(1), &files, dead_letters, false, &diags);
	if (!feed)
		sim_fail("the courier: %s", diags.list[0].cause);
	for (;;) {
		uint64_t retry_ns;

		if (feed_step(feed, scratch) || !feed_sleep(feed, scratch))
			continue;
		retry_ns = feed_retry_ns(feed);
		if (!sim_system.courier_notified)
			sim_block(retry_ns ? retry_ns : UINT64_MAX);
		if (sim_system.courier_notified) {
			sim_system.courier_notified = false;
			feed_wake(feed);
		}
	}
}

void programs_open(void)
{
	process_init(&world.worker, "worker", run_worker);
	process_init(&world.courier, "courier", run_courier);
	scratch = feed_scratch_new();
	if (!scratch)
		abort();
}
