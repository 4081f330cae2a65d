// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The runtime's part is played here, with its own rules about poison events
 * (supervisor_policy.h). */
#include <signal.h>
#include <string.h>

#include "userspace/log/log.h"
#include "world.h"

#define NS_PER_MS 1000000ull

void runtime_tell_bytes(const void *message, size_t bytes)
{
	sim_system.to_worker = message;
	sim_system.to_worker_bytes = bytes;
	sim_system.control_fired = true;
}

void runtime_tell_worker(const char *word)
{
	runtime_tell_bytes(word, strlen(word));
	world.told = true;
}

void runtime_start_worker(void)
{
	struct runtime_page *page = world_runtime_page();

	world.calm_ns = 0;
	page->incarnation++;
	page->poison_position = world.policy.position;
	page->poison_deaths = world.policy.quarters / 4;
	page->poison_condemned = world.policy.condemned;
	world.sequence_at_start = world_worker_page()->head_sequence;
	world.worker_started_ns = sim_now_ns;
	sim_system.ready = false;
	sim_system.stopped = false;
	world.told = false;
	if (world.stopping)
		runtime_tell_worker("stop");
	process_start(&world.worker);
}

/* A new runtime knows of a poison event what the page says. */
void runtime_restart(void)
{
	const struct runtime_page *page = world_runtime_page();

	sim_system.runtime_gone = false;
	world.policy = (struct policy){.position = page->poison_position,
				       .quarters = 4 * page->poison_deaths,
				       .condemned = page->poison_condemned};
}

static void switch_rings(void)
{
	struct runtime_page *page = world_runtime_page();

	kernel_new_ring();
	page->ring_map_id++;
	page->generation++;
	world.policy = (struct policy){0};
	world.renewing = false;
	world.renewals++;
	sim_totals.renewals++;
	sim_note("a new ring");
}

void runtime_worker_ended(void)
{
	struct policy_death death = {
		.signal = world.worker.signal,
		.lived_ms = (sim_now_ns - world.worker_started_ns) / NS_PER_MS,
		.progress = world_worker_page()->head_sequence != world.sequence_at_start,
		.attempt_position = sim_system.ready ? world_worker_page()->attempt_position : 0,
	};
	bool as_told = world.worker.ended && !death.signal && sim_system.stopped;
	uint32_t delay_ms;
	bool runtime_gone;

	disk_process_gone();
	sim_note("the worker is gone: signal %d, %s", death.signal,
		 sim_system.stopped ? "stopped" : "not stopped");
	system_worker_gone();
	world.worker.state = SIM_GONE;
	runtime_gone = sim_system.runtime_gone;
	if (runtime_gone)
		runtime_restart();
	world.worker_start_ns = sim_now_ns;
	if (sim_plan.updates && updates_worker_ended(as_told, runtime_gone))
		return;
	if (as_told && world.stopping) {
		world.worker_start_ns = UINT64_MAX;
		return;
	}
	if (as_told && world.renewing) {
		switch_rings();
		return;
	}
	world.policy.retry = (struct policy_retry){
		.attempts = sim_bundle->retry_attempts,
		.backoff_min_ms = sim_bundle->retry_backoff_min_ns / NS_PER_MS,
		.backoff_max_ms = sim_bundle->retry_backoff_max_ns / NS_PER_MS,
	};
	delay_ms = policy_death(&world.policy, &death);
	world.worker_start_ns += delay_ms * NS_PER_MS;
}

void runtime_lay_out(uint32_t boot)
{
	struct runtime_page *page = world_runtime_page();

	page->version = PAGES_VERSION;
	page->log_id = world.log_id;
	page->ring_map_id = 1 + sim_kernel.ring_number;
	page->ring_boot_hash = 76 + boot;
	page->generation = sim_plan.updates ? updates_generation() : 1 + world.renewals;
	page->magic = RUNTIME_PAGE_MAGIC;
	/* Smaller segments than the worker would make: they are used in a circle. */
	log_format(sim_data(SIM_FD_LOG), sim_plan.segment_count, sim_plan.segment_bytes,
		   page->log_id, page->ring_boot_hash, page->ring_map_id);
}
