// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Who dies when: between two turns, at a place that the code names, or at any other. */
#include <signal.h>
#include <string.h>

#include "fault.h"
#include "world.h"

#define STALLS_MAX 50 /* of one run */

struct sim_point sim_points[SIM_POINTS_MAX];

static void kill_worker(void)
{
	/* An event that is killed with its worker a dozen times is condemned. */
	if (world.policy.quarters >= 8)
		return;
	sim_note("kill the worker");
	process_kill(&world.worker);
	sim_totals.kills_worker++;
	runtime_worker_ended();
}

static void kill_courier(void)
{
	sim_note("kill the courier");
	process_kill(&world.courier);
	sinks_courier_gone();
	sim_totals.kills_courier++;
}

/* Its workers end when they see it; the courier too, at any moment. */
static void kill_runtime(void)
{
	sim_note("kill the runtime");
	sim_totals.kills_runtime++;
	sim_system.runtime_gone = true;
	sim_system.control_fired = true;
	if (world.worker.state == SIM_GONE)
		runtime_restart();
	if (sim_plan.updates)
		updates_runtime_died();
	if (world.courier.state != SIM_GONE)
		kill_courier();
}

/* What the runtime knew is gone with it; the boot brings back what the disks have. */
void death_by_power(void)
{
	struct page_counters counters;

	if (!worker_page_read(world_worker_page(), &counters) && world_worker_page()->taken_up &&
	    !world.booted)
		world.survivors = drift_acknowledged(
			world.survivors + (uint32_t)(counters.processed + counters.dead_lettered));
	drift_power_loss();
	sim_note("power loss: %u events were acknowledged", world.survivors);
	process_kill(&world.worker);
	process_kill(&world.courier);
	system_worker_gone();
	sinks_courier_gone();
	updates_power_loss();
	system_power_loss();
	kernel_power_loss();
	runtime_lay_out(2 + sim_kernel.ring_number);
	world.policy = (struct policy){0};
	world.worker_start_ns = sim_now_ns;
	world.booted = true;
	sim_system.ready = false;
	world.told = false;
	sim_power_losses++;
	sim_totals.power_losses++;
}

void death_check_boot(void)
{
	if (!world.booted || !sim_system.ready)
		return;
	world.booted = false;
	world.survivors = check_survivors(world.survivors);
	sim_kernel.accepted_count = world.survivors;
	drift_booted(world.survivors);
	updates_booted();
	sim_note("%u events have survived", world.survivors);
}

static void kill_someone(void)
{
	if (sim_plan.durable && sim_below(100) < sim_plan.power_losses) {
		death_by_power();
		return;
	}
	if (sim_plan.updates && sim_below(2) && updates_kill())
		return;
	switch (sim_below(8)) {
	case 0:
		kill_runtime();
		break;
	case 1:
	case 2:
		if (world.courier.state != SIM_GONE)
			kill_courier();
		break;
	default:
		if (world.worker.state != SIM_GONE)
			kill_worker();
	}
}

bool death_comes(void)
{
	bool power = world.dark;

	if (world.kills >= sim_plan.kills_max && !world.dark)
		return false;
	/* An update takes few turns. */
	if (sim_plan.durable && updates_are_at_it() && sim_chance(sim_plan.power_losses / 4))
		power = true;
	if (!power && !sim_chance(sim_plan.kills))
		return false;
	world.kills += !world.dark;
	world.dark = false;
	if (power)
		death_by_power();
	else
		kill_someone();
	return true;
}

static void count_death(void)
{
	if (sim_current == &world.worker)
		sim_totals.kills_worker++;
	else if (sim_current == &world.courier)
		sim_totals.kills_courier++;
	else
		sim_totals.kills_runtime++;
}

/* A place that the code names as worth dying at. */
void(fault_point)(const char *name)
{
	struct sim_point *point = sim_points;
	uint32_t of_1000 = sim_plan.point_kills;

	if (!sim_current)
		return;
	while (point->name && strcmp(point->name, name))
		if (++point == sim_points + SIM_POINTS_MAX)
			sim_fail("more fault points than SIM_POINTS_MAX");
	point->name = name;
	point->passes++;
	sim_step();
	/* Others may come in between. */
	if (sim_chance(sim_plan.point_pauses))
		sim_pause();
	/* Those are passed seldom. */
	if (!strncmp(name, "durable.", 8) || !strncmp(name, "rest.", 5) ||
	    !strcmp(name, "recover.new_ring"))
		of_1000 *= 10;
	if (!strncmp(name, "migrat", 6))
		of_1000 *= 30;
	/* And that one far too often: for each table that may be there. */
	if (!strcmp(name, "migrate.clearing"))
		of_1000 = of_1000 ? 1 : 0;
	if (world.kills >= sim_plan.kills_max || !sim_chance(of_1000))
		return;
	world.kills++;
	point->kills++;
	if (sim_plan.durable && updates_are_at_it() && sim_below(2)) {
		world.dark = true;
		sim_note("the power goes at %s of %s", name, sim_current->name);
		sim_pause();
	}
	count_death();
	sim_note("%s dies at %s", sim_current->name, name);
	sim_die(SIGKILL);
}

void sim_site(void)
{
	if (!sim_plan.site_kills && !sim_plan.site_stalls)
		return;
	if (world.stalls < STALLS_MAX && sim_chance(sim_plan.site_stalls)) {
		world.stalls++;
		sim_totals.stalls++;
		sim_current->stalled = 1 + sim_below(400);
		sim_pause();
	}
	if (world.kills >= sim_plan.kills_max || !sim_chance(sim_plan.site_kills))
		return;
	world.kills++;
	count_death();
	sim_note("%s dies at a place of kind %u", sim_current->name, sim_plan.site);
	sim_die(SIGKILL);
}
