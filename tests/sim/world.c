// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who runs when: each turn, chance picks the worker, the courier or a producer
 * for a few steps, or the death of one of them. When the events have ended and the
 * deaths too, all must come to rest by itself.
 */
#include <stdlib.h>

#include "world.h"

/* A run that has not come to rest after so many turns never will. */
#define TURNS_MAX 10000000
/* A worker that slept so often, each time anew, was woken by its trigger of time and
 * nothing else. */
#define SLEEPS_CALM 4
#define PASSES_MAX 100

struct world world;
struct sim_totals sim_totals;
uint32_t sim_power_losses;

static bool can_run(const struct sim_process *process)
{
	return process->state == SIM_READY ||
	       (process->state == SIM_BLOCKED && process->wake_ns <= sim_now_ns);
}

/* Whether what it waits for has happened. */
static bool wants_to_run(const struct sim_process *process)
{
	if (can_run(process))
		return true;
	if (process->state != SIM_BLOCKED)
		return false;
	if (process == &world.courier)
		return sim_system.courier_notified;
	return sim_system.ring_fired || sim_system.space_fired || sim_system.control_fired ||
	       disk_has_completed();
}

static uint64_t budget(void)
{
	/* Most turns are short, some are long. */
	return 1 + sim_below(sim_below(4) ? sim_plan.budget_max / 16 + 1 : sim_plan.budget_max);
}

static bool run(struct sim_process *process)
{
	if (process->state == SIM_GONE || process->stalled || !wants_to_run(process))
		return false;
	process_run(process, budget());
	if (process->state != SIM_GONE)
		return true;
	if (process == &world.worker)
		runtime_worker_ended();
	else
		sinks_courier_gone();
	return true;
}

static bool start_what_is_gone(void)
{
	if (world.courier.state == SIM_GONE && (sim_below(8) == 0 || world.stopping)) {
		process_start(&world.courier);
		return true;
	}
	if (world.worker.state == SIM_GONE && world.worker_start_ns <= sim_now_ns) {
		runtime_start_worker();
		return true;
	}
	return false;
}

static bool at_rest(void)
{
	return !wants_to_run(&world.worker) && world.courier.state != SIM_GONE &&
	       !wants_to_run(&world.courier);
}

/* A trigger of time never ends. There is nothing else any more once it has come around
 * some times, in which the worker only slept, and all timers are over. */
static bool has_swept_enough(void)
{
	if (!sim_plan.sweep_ns || sim_kernel.made != sim_plan.events)
		return false;
	if (world.worker.state != SIM_BLOCKED || world_worker_page()->state != WORKER_SLEEPING)
		return false;
	if (world_worker_page()->disk_error)
		return false;
	if (!world.calm_ns) {
		world.calm_ns = sim_now_ns;
		world.sleeps = 0;
		world.calm_wake_ns = 0;
	}
	if (sim_now_ns - world.calm_ns <= 2ull * sim_plan.timer_ns)
		return false;
	/* Until the next round, not for the rest of this wait. */
	if (world.worker.wake_ns > world.calm_wake_ns + sim_plan.sweep_ns / 2) {
		world.sleeps++;
		world.calm_wake_ns = world.worker.wake_ns;
	}
	return world.sleeps > SLEEPS_CALM;
}

/* Nobody has anything to do: let time pass up to when somebody has. */
static bool pass_time(void)
{
	uint64_t next_ns = UINT64_MAX;

	/* The courier is not given anything more, and comes to an end. */
	if (has_swept_enough())
		world.worker.wake_ns = UINT64_MAX;
	if (world.worker.state == SIM_BLOCKED)
		next_ns = world.worker.wake_ns;
	else if (world.worker.state == SIM_GONE)
		next_ns = world.worker_start_ns;
	if (world.courier.state == SIM_BLOCKED && world.courier.wake_ns < next_ns)
		next_ns = world.courier.wake_ns;
	if (next_ns == UINT64_MAX)
		return false;
	if (next_ns > sim_now_ns)
		sim_now_ns = next_ns;
	return true;
}

/* Events may come yet. With a trigger of time there is always something to wait for. */
static bool pass_some_time(void)
{
	bool sleeps = world.worker.state == SIM_BLOCKED &&
		      world_worker_page()->state == WORKER_SLEEPING &&
		      world.courier.wake_ns == UINT64_MAX && !world_worker_page()->disk_error;

	if (!sim_plan.sweep_ns || !sleeps || world.passes++ < PASSES_MAX || sim_below(64) == 0)
		(void)pass_time();
	return true;
}

/* Nobody will do anything: then there is nothing to do. */
static void check_sleep(void)
{
	const struct courier_page *courier = sim_data(SIM_FD_COURIER_PAGE);
	struct page_counters counters;

	if (world_worker_page()->state == WORKER_SLEEPING && world.worker.wake_ns == UINT64_MAX &&
	    kernel_waiting_in(sim_system.reading))
		sim_fail("the worker sleeps, and %u records are in its ring",
			 kernel_waiting_in(sim_system.reading));
	if (world.courier.wake_ns != UINT64_MAX || worker_page_read(world_worker_page(), &counters))
		return;
	if (courier->cursors[courier->current & 1].log_position < counters.output_position)
		sim_fail("the courier sleeps, and there is something to deliver");
	if (world_worker_page()->state == WORKER_WAITING && world.worker.wake_ns == UINT64_MAX)
		sim_fail("the worker waits for space, and the courier sleeps");
}

static void maybe_renew(void)
{
	uint32_t part = sim_plan.events / (sim_plan.renewals + 1);

	if (world.renewing || imports_are_due() || world.renewals >= sim_plan.renewals ||
	    sim_kernel.made < (world.renewals + 1) * part)
		return;
	world.renewing = true;
}

/* One turn. False: nothing more will happen. */
static bool turn(void)
{
	bool calm = sim_kernel.made == sim_plan.events && kernel_is_idle();
	uint32_t what;

	if (death_comes())
		return true;
	death_check_boot();
	if (sim_plan.durable && sim_chance(sim_plan.disk_turns) && disk_step())
		return true;
	maybe_renew();
	if (!world.renewing && imports_are_due())
		imports_step();
	/* The new ring is where events go from now on; the old one's end is told
	 * when its last producer is done. */
	if (world.renewing && kernel_is_idle() && world.worker.state != SIM_GONE &&
	    sim_system.ready && !world.told)
		runtime_tell_worker("stop");
	if (sim_plan.updates && updates_turn())
		return true;
	if (start_what_is_gone())
		return true;
	what = sim_below(1000);
	if (!world.pause_turns && sim_chance(sim_plan.pauses))
		world.pause_turns = sim_below(3000);
	world.pause_turns -= world.pause_turns > 0;
	world.worker.stalled -= world.worker.stalled > 0;
	world.courier.stalled -= world.courier.stalled > 0;
	/* Until it is known what has survived, nothing new comes. */
	if (!calm && what < sim_plan.producing)
		(void)kernel_step(!world.renewing && !world.pause_turns && !world.booted &&
				  !imports_are_due() && !updates_hold_events());
	else if (what < sim_plan.producing + sim_plan.courier_turns)
		(void)run(&world.courier);
	else
		(void)run(&world.worker);
	if (!at_rest() || !disk_is_idle())
		return true;
	if (world.worker.state == SIM_BLOCKED && kernel_is_idle())
		check_sleep();
	if (!calm && (!world.renewing || !kernel_is_idle()))
		return sim_below(4) ? true : pass_some_time();
	if (updates_are_at_it()) {
		(void)pass_time();
		return true;
	}
	return pass_time() || imports_are_due();
}

static void run_to_rest(void)
{
	for (uint64_t turns = 0; turn(); turns++) {
		drift_watch();
		if (turns > TURNS_MAX)
			sim_fail("it does not come to rest");
	}
	drift_watch();
	if (world_worker_page()->adrift)
		sim_fail("at rest the worker has not caught up with its disk");
}

/* ---- a run ---- */

void world_open(void)
{
	system_open();
	kernel_open();
	workflow_open();
	programs_open();
	updates_open();
}

/* What is at rest is on disks, all of it. */
static void lose_power_at_rest(void)
{
	if (!sim_power_losses)
		drift_reset();
	death_by_power();
	run_to_rest();
	check_all(true);
}

void world_run(uint64_t seed)
{
	plan_make(seed);
	workflow_reset();
	system_reset();
	kernel_reset();
	updates_reset();
	world.log_id = sim_random() | 1;
	world.policy = (struct policy){0};
	world.kills = world.stalls = world.renewals = world.pause_turns = 0;
	runtime_lay_out(1);
	world.calm_ns = 0;
	world.passes = 0;
	world.renewing = world.stopping = world.booted = world.dark = false;
	world.survivors = sim_power_losses = 0;
	world.worker.state = world.courier.state = SIM_GONE;
	world.worker_start_ns = 0;
	run_to_rest();
	/* Both sleep, and nobody will wake them. */
	if (world_worker_page()->state != WORKER_SLEEPING)
		sim_fail("at rest the worker does not sleep");
	check_all(true);
	if (sim_plan.durable && sim_below(2))
		lose_power_at_rest();
	world.stopping = true;
	runtime_tell_worker("stop");
	run_to_rest();
	if (!sim_system.stopped)
		sim_fail("the worker was told to stop and did not");
	check_all(false);
	process_kill(&world.courier);
	sinks_courier_gone();
	sim_totals.runs++;
	sim_totals.events += sim_kernel.made;
	sim_totals.lost += sim_kernel.lost;
}
