// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who runs when: each turn, chance picks the worker, the courier or a producer
 * for a few steps, or the death of one of them. The runtime's part is played
 * here, with its own rules about poison events (supervisor_policy.h). When the
 * events have ended and the deaths too, all must come to rest by itself.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "fault.h"
#include "sim.h"
#include "userspace/log/log.h"
#include "userspace/pool/supervisor_policy.h"
#include "userspace/pool/worker_durable.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/sink/feed.h"

/* A run that has not come to rest after so many turns never will. */
#define TURNS_MAX 10000000
#define STALLS_MAX 50 /* of one run */
#define NS_PER_MS 1000000ull

struct sim_totals sim_totals;
struct sim_point sim_points[SIM_POINTS_MAX];

static struct sim_process worker_process, courier_process;
static struct policy policy;
static uint64_t worker_start_ns;   /* when the next one is started, while there is none */
static uint64_t worker_started_ns; /* the last */
static uint64_t sequence_at_start;
static uint32_t kills, stalls, renewals;
static bool renewing; /* the old worker is to empty its ring and stop */
static bool stopping; /* the last one */
static bool told;     /* this worker, to stop */
uint32_t sim_power_losses;
static uint64_t log_id;
static bool booted;	     /* since the last power loss: nobody is ready yet */
static uint32_t survivors;   /* events that must be there then, at least */
static uint32_t pause_turns; /* without new events */
static struct feed_scratch *scratch;

/* ---- the processes ---- */

static int worker_body(void)
{
	struct worker *worker = aligned_alloc(64, (sizeof(*worker) + 63) & ~63ul);
	struct worker_files files = {
		.ring = SIM_FD_RING,
		.wake = SIM_FD_WAKE,
		.worker_page = SIM_FD_WORKER_PAGE,
		.courier_page = SIM_FD_COURIER_PAGE,
		.runtime_page = SIM_FD_RUNTIME_PAGE,
		.log = SIM_FD_LOG,
	};
	int status;

	memset(worker, 0, sizeof(*worker));
	for (int i = 0; i < SIM_FUNCTIONS_MAX; i++) {
		files.state[i] = SIM_FD_STATE + i;
		files.object[i] = SIM_FD_OBJECT + i;
	}
	for (int i = 0; i < DISK_FILES; i++)
		files.disk[i] = SIM_FD_DISK + i;
	status = worker_map(worker, sim_bundle, 0, &files);
	if (!status) {
		worker->notify_fd = SIM_FD_NOTIFY;
		worker->control_fd = SIM_FD_CONTROL;
		if (sim_plan.durable)
			status = worker_durable_open(worker, files.disk);
	}
	if (!status)
		status = worker_recover(worker);
	if (!status)
		status = worker_load(worker, &files);
	if (!status)
		status = worker_init(worker);
	if (!status) {
		sim_system.ready = true;
		/* So does the runtime: its predecessor may have died before it told. */
		sim_system.courier_notified = true;
		status = worker_run(worker);
	}
	/* It cannot begin without its disk: the runtime tries again. */
	if (status == WORKER_EXIT_SETUP && sim_plan.disk_errors) {
		sim_note("the worker ends: %s", worker->error);
		return status;
	}
	if (status)
		sim_fail("the worker gives up with status %d: %s", status, worker->error);
	return status;
}

static int courier_body(void)
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
	sinks_path(SIM_SINKS, dead_letters, sizeof(dead_letters));
	feed = feed_open(sim_bundle, &files, dead_letters, false, &diags);
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

/* ---- the runtime's part ---- */

static struct runtime_page *runtime_page(void)
{
	return sim_data(SIM_FD_RUNTIME_PAGE);
}

static const struct worker_page *worker_page(void)
{
	return sim_data(SIM_FD_WORKER_PAGE);
}

static void tell_worker(const char *word)
{
	sim_system.to_worker = word;
	sim_system.control_fired = true;
	told = true;
}

static void start_worker(void)
{
	struct runtime_page *page = runtime_page();

	page->incarnation++;
	page->poison_position = policy.position;
	page->poison_deaths = policy.quarters / 4;
	page->poison_condemned = policy.condemned;
	sequence_at_start = worker_page()->head_sequence;
	worker_started_ns = sim_now_ns;
	sim_system.ready = false;
	sim_system.stopped = false;
	told = false;
	if (stopping)
		tell_worker("stop");
	process_start(&worker_process);
}

/* A new runtime knows of a poison event what the page says. */
static void restart_runtime(void)
{
	const struct runtime_page *page = runtime_page();

	sim_system.runtime_gone = false;
	policy = (struct policy){.position = page->poison_position,
				 .quarters = 4 * page->poison_deaths,
				 .condemned = page->poison_condemned};
}

static void switch_rings(void)
{
	struct runtime_page *page = runtime_page();

	kernel_new_ring();
	page->ring_map_id++;
	page->generation++;
	policy = (struct policy){0};
	renewing = false;
	renewals++;
	sim_totals.renewals++;
	sim_note("a new ring");
}

static void worker_ended(void)
{
	struct policy_death death = {
		.signal = worker_process.signal,
		.lived_ms = (sim_now_ns - worker_started_ns) / NS_PER_MS,
		.progress = worker_page()->head_sequence != sequence_at_start,
		.attempt_position = sim_system.ready ? worker_page()->attempt_position : 0,
	};
	bool as_told = worker_process.ended && !death.signal && sim_system.stopped;
	uint32_t delay_ms;

	disk_process_gone();
	sim_note("the worker is gone: signal %d, %s", death.signal,
		 sim_system.stopped ? "stopped" : "not stopped");
	system_worker_gone();
	worker_process.state = SIM_GONE;
	if (sim_system.runtime_gone)
		restart_runtime();
	worker_start_ns = sim_now_ns;
	if (as_told && stopping) {
		worker_start_ns = UINT64_MAX;
		return;
	}
	if (as_told && renewing) {
		switch_rings();
		return;
	}
	delay_ms = policy_death(&policy, &death);
	worker_start_ns += delay_ms * NS_PER_MS;
}

/* ---- deaths ---- */

static void kill_worker(void)
{
	/* An event that is killed with its worker a dozen times is condemned. */
	if (policy.quarters >= 8)
		return;
	sim_note("kill the worker");
	process_kill(&worker_process);
	sim_totals.kills_worker++;
	worker_ended();
}

static void kill_courier(void)
{
	sim_note("kill the courier");
	process_kill(&courier_process);
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
	if (worker_process.state == SIM_GONE)
		restart_runtime();
	if (courier_process.state != SIM_GONE)
		kill_courier();
}

static void lay_out(uint32_t boot)
{
	struct runtime_page *page = runtime_page();

	page->version = PAGES_VERSION;
	page->log_id = log_id;
	page->ring_map_id = 1 + sim_kernel.ring_number;
	page->ring_boot_hash = 76 + boot;
	page->generation = 1 + renewals;
	page->magic = RUNTIME_PAGE_MAGIC;
	/* Smaller segments than the worker would make: they are used in a circle. */
	log_format(sim_data(SIM_FD_LOG), sim_plan.segment_count, sim_plan.segment_bytes,
		   page->log_id, page->ring_boot_hash, page->ring_map_id);
}

/* What the runtime knew is gone with it; the boot brings back what the disks have. */
static void lose_power(void)
{
	struct page_counters counters;

	if (!worker_page_read(worker_page(), &counters) && worker_page()->taken_up && !booted)
		survivors += (uint32_t)(counters.processed + counters.dead_lettered);
	sim_note("power loss: %u events were acknowledged", survivors);
	process_kill(&worker_process);
	process_kill(&courier_process);
	system_worker_gone();
	sinks_courier_gone();
	system_power_loss();
	kernel_power_loss();
	lay_out(2 + sim_kernel.ring_number);
	policy = (struct policy){0};
	worker_start_ns = sim_now_ns;
	booted = true;
	sim_system.ready = false;
	told = false;
	sim_power_losses++;
	sim_totals.power_losses++;
}

static void check_boot(void)
{
	if (!booted || !sim_system.ready)
		return;
	booted = false;
	survivors = check_survivors(survivors);
	sim_kernel.accepted_count = survivors;
	sim_note("%u events have survived", survivors);
}

static void kill_someone(void)
{
	kills++;
	if (sim_plan.durable && sim_below(100) < sim_plan.power_losses) {
		lose_power();
		return;
	}
	switch (sim_below(8)) {
	case 0:
		kill_runtime();
		break;
	case 1:
	case 2:
		if (courier_process.state != SIM_GONE)
			kill_courier();
		break;
	default:
		if (worker_process.state != SIM_GONE)
			kill_worker();
	}
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
	/* Those are passed seldom. */
	if (!strncmp(name, "durable.", 8) || !strcmp(name, "recover.new_ring"))
		of_1000 *= 10;
	if (kills >= sim_plan.kills_max || !sim_chance(of_1000))
		return;
	kills++;
	point->kills++;
	if (sim_current == &worker_process)
		sim_totals.kills_worker++;
	else
		sim_totals.kills_courier++;
	sim_note("%s dies at %s", sim_current->name, name);
	sim_die(SIGKILL);
}

void sim_site(void)
{
	if (!sim_plan.site_kills && !sim_plan.site_stalls)
		return;
	if (stalls < STALLS_MAX && sim_chance(sim_plan.site_stalls)) {
		stalls++;
		sim_totals.stalls++;
		sim_current->stalled = 1 + sim_below(400);
		sim_pause();
	}
	if (kills >= sim_plan.kills_max || !sim_chance(sim_plan.site_kills))
		return;
	kills++;
	if (sim_current == &worker_process)
		sim_totals.kills_worker++;
	else
		sim_totals.kills_courier++;
	sim_note("%s dies at a place of kind %u", sim_current->name, sim_plan.site);
	sim_die(SIGKILL);
}

/* ---- turns ---- */

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
	if (process == &courier_process)
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
	if (process == &worker_process)
		worker_ended();
	else
		sinks_courier_gone();
	return true;
}

static bool start_what_is_gone(void)
{
	if (courier_process.state == SIM_GONE && (sim_below(8) == 0 || stopping)) {
		process_start(&courier_process);
		return true;
	}
	if (worker_process.state == SIM_GONE && worker_start_ns <= sim_now_ns) {
		start_worker();
		return true;
	}
	return false;
}

static bool at_rest(void)
{
	return !wants_to_run(&worker_process) && courier_process.state != SIM_GONE &&
	       !wants_to_run(&courier_process);
}

/* Nobody has anything to do: let time pass up to when somebody has. */
static bool pass_time(void)
{
	uint64_t next_ns = UINT64_MAX;

	if (worker_process.state == SIM_BLOCKED)
		next_ns = worker_process.wake_ns;
	else if (worker_process.state == SIM_GONE)
		next_ns = worker_start_ns;
	if (courier_process.state == SIM_BLOCKED && courier_process.wake_ns < next_ns)
		next_ns = courier_process.wake_ns;
	if (next_ns == UINT64_MAX)
		return false;
	if (next_ns > sim_now_ns)
		sim_now_ns = next_ns;
	return true;
}

/* Nobody will do anything: then there is nothing to do. */
static void check_sleep(void)
{
	const struct courier_page *courier = sim_data(SIM_FD_COURIER_PAGE);
	struct page_counters counters;

	if (worker_page()->state == WORKER_SLEEPING && worker_process.wake_ns == UINT64_MAX &&
	    kernel_waiting())
		sim_fail("the worker sleeps, and %u events are in its ring", kernel_waiting());
	if (courier_process.wake_ns != UINT64_MAX || worker_page_read(worker_page(), &counters))
		return;
	if (courier->cursors[courier->current].log_position < counters.output_position)
		sim_fail("the courier sleeps, and there is something to deliver");
	if (worker_page()->state == WORKER_WAITING && worker_process.wake_ns == UINT64_MAX)
		sim_fail("the worker waits for space, and the courier sleeps");
}

static void maybe_renew(void)
{
	uint32_t part = sim_plan.events / (sim_plan.renewals + 1);

	if (renewing || renewals >= sim_plan.renewals || sim_kernel.made < (renewals + 1) * part)
		return;
	renewing = true;
}

/* One turn. False: nothing more will happen. */
static bool turn(void)
{
	bool calm = sim_kernel.made == sim_plan.events && kernel_is_idle();
	uint32_t what;

	if (kills < sim_plan.kills_max && sim_chance(sim_plan.kills)) {
		kill_someone();
		return true;
	}
	check_boot();
	if (sim_plan.durable && sim_chance(sim_plan.disk_turns) && disk_step())
		return true;
	maybe_renew();
	/* The new ring is where events go from now on; the old one's end is told
	 * when its last producer is done. */
	if (renewing && kernel_is_idle() && worker_process.state != SIM_GONE && sim_system.ready &&
	    !told)
		tell_worker("stop");
	if (start_what_is_gone())
		return true;
	what = sim_below(1000);
	if (!pause_turns && sim_chance(sim_plan.pauses))
		pause_turns = sim_below(3000);
	pause_turns -= pause_turns > 0;
	worker_process.stalled -= worker_process.stalled > 0;
	courier_process.stalled -= courier_process.stalled > 0;
	/* Until it is known what has survived, nothing new comes. */
	if (!calm && what < sim_plan.producing)
		(void)kernel_step(!renewing && !pause_turns && !booted);
	else if (what < sim_plan.producing + sim_plan.courier_turns)
		(void)run(&courier_process);
	else
		(void)run(&worker_process);
	if (!at_rest() || !disk_is_idle())
		return true;
	if (worker_process.state == SIM_BLOCKED && kernel_is_idle())
		check_sleep();
	if (!calm && (!renewing || !kernel_is_idle()))
		return sim_below(4) ? true : pass_time() || true;
	return pass_time();
}

static void run_to_rest(void)
{
	for (uint64_t turns = 0; turn(); turns++)
		if (turns > TURNS_MAX)
			sim_fail("it does not come to rest");
}

/* ---- a run ---- */

void world_open(void)
{
	system_open();
	kernel_open();
	process_init(&worker_process, "worker", worker_body);
	process_init(&courier_process, "courier", courier_body);
	sim_bundle = calloc(1, sizeof(*sim_bundle));
	scratch = feed_scratch_new();
	if (!sim_bundle || !scratch)
		abort();
}

void world_run(uint64_t seed)
{
	plan_make(seed);
	workflow_reset();
	system_reset();
	kernel_reset();
	log_id = sim_random() | 1;
	lay_out(1);
	policy = (struct policy){0};
	kills = stalls = renewals = pause_turns = 0;
	renewing = stopping = booted = false;
	survivors = sim_power_losses = 0;
	worker_process.state = courier_process.state = SIM_GONE;
	worker_start_ns = 0;
	run_to_rest();
	/* Both sleep, and nobody will wake them. */
	if (worker_page()->state != WORKER_SLEEPING)
		sim_fail("at rest the worker does not sleep");
	check_all();
	stopping = true;
	tell_worker("stop");
	run_to_rest();
	if (!sim_system.stopped)
		sim_fail("the worker was told to stop and did not");
	check_all();
	process_kill(&courier_process);
	sinks_courier_gone();
	sim_totals.runs++;
	sim_totals.events += sim_kernel.made;
	sim_totals.lost += sim_kernel.lost;
}
