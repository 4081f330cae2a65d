// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Another version of the workflow: its states are laid out otherwise and its entries are
 * numbered otherwise. Events go into its ring; the worker of the version before empties
 * its own and ends; a process moves the states; the tables are swapped. Then the new
 * version stays, or refuses a state, or goes back when it has been tried. After a way back
 * the version before empties the other's ring, with its own numbers, and then its own.
 *
 * What control/migration.c and control/workflow_rest.c do in this order is done here, by a
 * process that calls the runtime's real code; it may be interrupted and killed anywhere, as
 * the one that moves the states. Who asked for the update does not die, and says again what
 * it wants. Where the power goes: boots.c.
 */
#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "userspace/pool/supervisor_migrate.h"
#include "userspace/pool/supervisor_renew.h"
#include "userspace/pool/supervisor_rest.h"
#include "userspace/pool/supervisor_storage.h"
#include "updates.h"
#include "world.h"

#define NAME "simulated"

enum outcome { BEGUN, WANTS_MIGRATOR, REFUSED };

static struct sim_process updater;

struct update update;

void updates_processes_gone(void)
{
	updater.state = migrator.state = SIM_GONE;
	update.running = false;
}

int updates_before(void)
{
	return update.before;
}

uint32_t updates_generation(void)
{
	return update.generations[0];
}

void updates_reset(void)
{
	memset(&update, 0, sizeof(update));
	update.last_generation = 1;
	update.versions[0] = 1;
	update.generations[0] = 1;
	update.before = -1;
	returns_reset();
	updates_processes_gone();
	sim_kernel.version = 1;
}

static void go(enum phase phase, enum step step)
{
	update.phase = phase;
	update.step = step;
	update.running = false;
}

void updates_worker_ready(uint64_t events)
{
	if (update.phase != EMPTYING) {
		update.tried |= update.goal || update.phase == LEAVING;
		return;
	}
	if (returns_back(disk_survivors() + (uint32_t)events))
		model_replay(sim_kernel.accepted_count);
}

/* ---- the runtime ---- */

static void check_done(int err, const char *what)
{
	if (err)
		sim_fail("%s: error %d", what, err);
}

/* As in control/migration.c: 1 if the tables are those of the goal. */
static int settle(void)
{
	const struct runtime_page *page = world_runtime_page();
	uint32_t wanted = update.generations[update.goal], kept;

	check_done(migrate_settle("", NAME), "migrate_settle");
	kept = page->migrated_from;
	if (page->generation == wanted)
		return 1;
	if (kept == wanted)
		check_done(migrate_back("", NAME), "migrate_back");
	else if (kept)
		check_done(migrate_keep("", NAME), "migrate_keep");
	return kept == wanted;
}

static struct ring_identity ring_of(uint32_t goal)
{
	struct ring_identity identity = {0};

	check_done(ring_identity_of(SIM_FD_RING + (int)update.rings[goal], &identity), "the ring");
	return identity;
}

/* As in control/workflow_rest.c. */
static void leave(void)
{
	const struct runtime_page *page = world_runtime_page();
	uint32_t generation = page->rest_generation ? page->rest_generation : page->generation;
	uint32_t ring = update.rings[generation != update.generations[0]];

	check_done(rest_leave("", NAME, SIM_FD_RING + (int)ring), "rest_leave");
}

static void begin_rest(void)
{
	struct run_files files = {.runtime_page = world_runtime_page()};
	struct runtime_page *page = files.runtime_page;
	struct ring_identity ring = ring_of(1);

	if (page->ring_map_id != ring.map_id)
		leave();
	rest_tables(workflow_bundle(update.versions[1]), workflow_bundle(update.versions[0]),
		    &page->rest);
	fault_point("rest.tables");
	__atomic_store_n(&page->rest_generation, update.generations[1], __ATOMIC_RELEASE);
	fault_point("rest.noted");
	if (page->generation != update.generations[0] || page->ring_map_id != ring.map_id)
		run_files_adopt(&files, update.generations[0], &ring);
	fault_point("rest.begun");
}

static void end_rest(void)
{
	struct run_files files = {.runtime_page = world_runtime_page()};
	struct ring_identity ring = ring_of(0);

	leave();
	run_files_adopt(&files, update.generations[0], &ring);
	fault_point("rest.over");
	__atomic_store_n(&files.runtime_page->rest_generation, 0, __ATOMIC_RELEASE);
	fault_point("rest.own_ring");
}

static enum outcome begin_workflow(void)
{
	struct run_files files = {.runtime_page = world_runtime_page()};
	uint32_t generation = update.generations[update.goal];
	struct ring_identity ring = ring_of(update.goal);

	update.before = store_before();
	if (update.rest) {
		begin_rest();
		return BEGUN;
	}
	files.runtime_page->rest_generation = 0;
	if (files.runtime_page->generation != generation ||
	    files.runtime_page->ring_map_id != ring.map_id)
		run_files_adopt(&files, generation, &ring);
	return BEGUN;
}

/* As in control/migration.c. */
static enum outcome swap(void)
{
	if (sim_plan.durable && storage_before_commit(SIM_STORE, NAME)) {
		check_done(migrate_settle("", NAME), "migrate_settle");
		return REFUSED;
	}
	fault_point("migration.kept_before");
	check_done(migrate_swap("", NAME, update.moved), "migrate_swap");
	fault_point("migration.swapped");
	return begin_workflow();
}

/* Tables for all functions with states, or those that begin anew. */
static enum outcome make_tables(void)
{
	const struct bundle *to = workflow_bundle(update.versions[1]);

	if (!migrate_may_begin("", NAME))
		sim_fail("the worker has ended as it should, and the states may not be moved");
	update.moved = 0;
	update.disk = -1;
	if (sim_plan.durable) {
		update.disk = storage_before_make(SIM_STORE, workflow_bundle(update.versions[0]));
		if (update.disk < 0) {
			check_done(migrate_settle("", NAME), "migrate_settle");
			return REFUSED;
		}
	}
	for (uint32_t i = 0; i < to->user_count; i++) {
		char name[32];

		if (!to->user[i].has_state)
			continue;
		(void)snprintf(name, sizeof(name), "state.%u", i);
		update.from[i] = tables_find(name);
		update.to[i] = migrate_make("", to, i);
		if (update.to[i] < 0) {
			check_done(migrate_settle("", NAME), "migrate_settle");
			return REFUSED;
		}
		update.moved |= 1u << i;
	}
	return update.anew && !sim_plan.durable ? swap() : WANTS_MIGRATOR;
}

static int run_updater(void)
{
	switch (update.step) {
	case BEGIN:
		if (settle())
			return begin_workflow();
		if (!update.goal)
			sim_fail("the tables of before are not there any more");
		return make_tables();
	case SWAP:
		return swap();
	case UNDO:
		check_done(migrate_settle("", NAME), "migrate_settle");
		return REFUSED;
	case END_REST:
		end_rest();
		return BEGUN;
	case KEEP:
		check_done(migrate_keep("", NAME), "migrate_keep");
		if (sim_plan.durable && storage_before_remove(SIM_STORE, NAME))
			return REFUSED;
		return BEGUN;
	}
	return REFUSED;
}

void updates_open(void)
{
	process_init(&updater, "runtime", run_updater);
	migrator_open();
}

/* ---- one after the other ---- */

static void start_worker(uint32_t ring)
{
	workflow_use(update.versions[update.goal]);
	if (sim_plan.durable)
		disk_fit();
	sim_system.reading = ring;
	sim_system.ring_fired = false;
	runtime_restart();
	world.worker_start_ns = sim_now_ns;
}

/* The version that is to run from now on is that of before. */
static void finish(uint32_t which)
{
	sim_note("generation %u stays", update.generations[which]);
	if (store_before() >= 0)
		sim_fail("the tables of before an update stay on the disk");
	update.generations[0] = update.generations[which];
	update.versions[0] = update.versions[which];
	update.rings[0] = update.rings[which];
	update.done++;
	sim_totals.updates += which;
	sim_totals.returns += !which;
	go(NONE, BEGIN);
}

static void begun(void)
{
	sim_note("generation %u has begun%s", update.generations[update.goal],
		 update.rest ? ", with the other's ring" : "");
	start_worker(update.rings[update.rest ? 1 : update.goal]);
	if (update.goal)
		go(TRIAL, BEGIN);
	else if (update.rest)
		go(EMPTYING, BEGIN);
	else
		updates_settle();
}

void updates_settle(void)
{
	if (sim_plan.durable)
		go(KEEPING, KEEP);
	else
		finish(0);
}

static void updater_ended(void)
{
	switch (update.step) {
	case KEEP:
		/* Whoever asked asks again. */
		if (updater.status == REFUSED)
			go(KEEPING, KEEP);
		else
			finish(update.goal);
		break;
	case END_REST:
		update.rest = false;
		begun();
		break;
	default:
		if (updater.status == BEGUN) {
			begun();
		} else if (updater.status == WANTS_MIGRATOR) {
			process_start(&migrator);
		} else {
			sim_note("the update has failed");
			go(RETURNING, BEGIN);
		}
	}
}

/* It died, or has done its step. */
static void updater_gone(void)
{
	if (updater.ended && !updater.signal) {
		updater_ended();
		return;
	}
	sim_note("the runtime has died in step %d", update.step);
	updates_runtime_died();
}

static bool run_one(struct sim_process *process)
{
	process_run(process, 1 + sim_below(sim_plan.budget_max));
	return process->state == SIM_GONE;
}

static void move(void)
{
	if (migrator.state != SIM_GONE) {
		if (run_one(&migrator))
			go(update.phase,
			   migrator.ended && !migrator.signal && !migrator.status ? SWAP : UNDO);
		return;
	}
	if (!update.running) {
		process_start(&updater);
		update.running = true;
	}
	if (updater.state != SIM_GONE && run_one(&updater))
		updater_gone();
}

/* As long as the tables of before are said to be there, it may be decided so. Then what came
 * of the new version's timers cannot be told apart. */
static bool returns_now(void)
{
	return update.goal && !sim_plan.timer_ns && !sim_plan.sweep_ns && sim_below(2) &&
	       (!update.kept || (!sim_plan.durable && world_runtime_page()->migrated_from));
}

/* Whoever asked for the update goes on where it is, or wants the version before. */
void updates_runtime_died(void)
{
	const struct runtime_page *page = world_runtime_page();

	if (update.phase == NONE || update.phase == STOPPING)
		return;
	updater.state = migrator.state = SIM_GONE;
	update.running = false;
	switch (update.phase) {
	case MOVING:
		if (update.step == END_REST)
			update.rest = page->rest_generation != 0;
		if (returns_now() || (update.goal && !update.tried && !update.kept && sim_below(2)))
			go(RETURNING, BEGIN);
		else
			go(MOVING, BEGIN);
		break;
	case EMPTYING:
	case TRIAL:
	case KEEPING:
		/* Its workers end first: see updates_worker_ended. */
		if (world.worker.state == SIM_GONE) {
			world.worker_start_ns = UINT64_MAX;
			go(MOVING, BEGIN);
			break;
		}
		sim_system.runtime_gone = true;
		sim_system.control_fired = true;
		go(update.phase == KEEPING ? TRIAL : update.phase, BEGIN);
		break;
	default:
		break;
	}
}

bool updates_kill(void)
{
	if (migrator.state != SIM_GONE && sim_below(2)) {
		sim_note("kill who moves the states");
		process_kill(&migrator);
		go(MOVING, UNDO);
		return true;
	}
	if (updater.state == SIM_GONE && migrator.state == SIM_GONE)
		return false;
	sim_note("kill the runtime at an update");
	sim_totals.kills_runtime++;
	process_kill(&updater);
	updater_gone();
	return true;
}

/* True: it is not started again for now. */
bool updates_worker_ended(bool as_told, bool runtime_gone)
{
	struct page_counters counters;

	switch (update.phase) {
	case STOPPING:
		if (!as_told)
			return false;
		if (worker_page_read(world_worker_page(), &counters))
			sim_fail("the worker's page does not hold still");
		world.renewing = false;
		functions_update_cuts(&counters.sweeps[0]);
		returns_swapped(disk_survivors() +
					(uint32_t)(counters.processed + counters.dead_lettered),
				update.anew);
		model_replay(sim_kernel.accepted_count);
		update.goal = 1;
		update.rest = update.tried = update.kept = false;
		kernel_switch_ring(true);
		sim_kernel.version = update.versions[1];
		update.rings[1] = kernel_ring();
		go(MOVING, BEGIN);
		break;
	case LEAVING:
		update.goal = 0;
		update.rest = true;
		go(MOVING, BEGIN);
		break;
	case EMPTYING:
		if (!as_told && !runtime_gone)
			return false;
		go(MOVING, as_told ? END_REST : BEGIN);
		break;
	case TRIAL:
		if (!runtime_gone)
			return false;
		go(returns_now() ? RETURNING : MOVING, BEGIN);
		break;
	default:
		return false;
	}
	world.worker_start_ns = UINT64_MAX;
	return true;
}

static void begin_update(void)
{
	update.anew = !sim_plan.timer_ns && !sim_plan.sweep_ns && sim_below(4) == 0;
	update.kind = sim_below(2) || update.anew ? STAYS : IS_REFUSED;
	if (sim_plan.goes_back && sim_below(3))
		update.kind = GOES_BACK;
	update.versions[1] = update.anew ? update.versions[0] : 3 - update.versions[0];
	update.generations[1] = ++update.last_generation;
	update.rings[0] = kernel_ring();
	update.until = sim_kernel.made + sim_below(sim_plan.events / 4 + 1);
	sim_note("update to generation %u, version %u, kind %d", update.generations[1],
		 update.versions[1], update.kind);
	world.renewing = true;
	go(STOPPING, BEGIN);
}

/* No producer is amid an event: they go into the ring of before from now on. */
static void go_back(void)
{
	kernel_switch_ring(false);
	sim_kernel.version = update.versions[0];
	update.goal = 0;
	update.rest = true;
	if (world.worker.state == SIM_GONE) {
		world.worker_start_ns = UINT64_MAX;
		go(MOVING, BEGIN);
		return;
	}
	go(LEAVING, BEGIN);
	if (sim_below(2)) {
		process_kill(&world.worker);
		runtime_worker_ended();
	}
}

static void keep(void)
{
	update.kept = true;
	/* In memory there is a way back until the tables of before are gone. */
	if (sim_plan.durable)
		returns_stays();
	go(KEEPING, KEEP);
}

bool updates_turn(void)
{
	uint32_t part = sim_plan.events / (sim_plan.updates + 1);

	switch (update.phase) {
	case NONE:
		if (!world.stopping && update.done < sim_plan.updates &&
		    sim_kernel.made >= (update.done + 1) * part && sim_system.ready)
			begin_update();
		return false;
	case MOVING:
		if (!sim_below(3))
			return false;
		move();
		return true;
	case KEEPING:
		if (sim_below(2))
			return false;
		move();
		return true;
	case TRIAL:
		if (sim_kernel.made < update.until && sim_kernel.made < sim_plan.events)
			return false;
		if (sim_system.runtime_gone)
			return false;
		if (update.kind == GOES_BACK)
			go(RETURNING, BEGIN);
		else if (update.tried)
			keep();
		return false;
	case RETURNING:
		if (kernel_is_idle() && !sim_system.runtime_gone)
			go_back();
		return false;
	case LEAVING:
		if (world.worker.state != SIM_GONE && sim_system.ready && !world.told)
			runtime_tell_worker("stop");
		return false;
	case EMPTYING:
		if (world.worker.state != SIM_GONE && sim_system.ready && !world.told &&
		    rest_is_over(SIM_FD_RING + (int)update.rings[1]) == 1)
			runtime_tell_worker("stop");
		return false;
	case STOPPING:
	case BOOTING:
		return false;
	}
	return false;
}

bool updates_are_at_it(void)
{
	return update.phase != NONE;
}

bool updates_hold_events(void)
{
	return update.phase == RETURNING;
}
