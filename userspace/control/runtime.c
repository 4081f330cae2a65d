// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/control/runtime.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "bundle_names.h"
#include "clock.h"
#include "logger.h"
#include "userspace/pool/supervisor_migrate.h"
#include "userspace/pool/supervisor_renew.h"

static void on_impatient(struct loop_timer *timer)
{
	struct runtime *runtime = loop_container(timer, struct runtime, patience);

	if (runtime->stays)
		return;
	logger_write(LOGGER_INFO, "runtime.idle", "waited_ms=%d", RUNTIME_PATIENCE_MS);
	runtime_look_for_end(runtime);
}

/* One tick for all: a workflow that is idle wakes nobody. */
static void on_watch(struct loop_timer *timer)
{
	struct runtime *runtime = loop_container(timer, struct runtime, watch);
	bool looks = ++runtime->watch_ticks >= SUPERVISOR_WATCH_MS / WORKFLOW_SLOTS_MS;
	struct workflow *workflow;

	for (workflow = TAILQ_FIRST(&runtime->workflows); workflow;
	     workflow = TAILQ_NEXT(workflow, all)) {
		if (looks)
			supervisor_look(&workflow->supervisor);
		workflow_slots_retry(workflow);
		workflow_rest_look(workflow);
	}
	if (looks)
		runtime->watch_ticks = 0;
	runtime_watch(runtime);
}

/* Once a second, while there is a worker; more often where a command holds the lock that
 * slots need. */
void runtime_watch(struct runtime *runtime)
{
	uint32_t ticks = SUPERVISOR_WATCH_MS / WORKFLOW_SLOTS_MS - runtime->watch_ticks;
	struct workflow *workflow;
	bool needed = false;

	for (workflow = TAILQ_FIRST(&runtime->workflows); workflow && ticks > 1;
	     workflow = TAILQ_NEXT(workflow, all)) {
		needed |= supervisor_is_watched(&workflow->supervisor);
		if (workflow->slots_late || workflow->rest)
			ticks = 1;
	}
	if (!needed && ticks > 1) {
		runtime->watch_ticks = 0;
		loop_unset(runtime->loop, &runtime->watch);
		return;
	}
	runtime->watch_ticks += ticks - 1;
	loop_set(runtime->loop, &runtime->watch,
		 clock_monotonic_ns() + (uint64_t)ticks * WORKFLOW_SLOTS_MS * CLOCK_NS_PER_MS,
		 on_watch);
}

static void on_courier_ended(struct courier_link *link)
{
	loop_container(link, struct runtime, courier)->ended = true;
}

void runtime_init(struct runtime *runtime, struct loop *loop)
{
	memset(runtime, 0, sizeof(*runtime));
	runtime->loop = loop;
	TAILQ_INIT(&runtime->workflows);
	TAILQ_INIT(&runtime->migrations);
	cell_init(&runtime->cell, loop);
	courier_link_init(&runtime->courier, loop);
	runtime->courier.ended = on_courier_ended;
	runtime_be_patient(runtime);
}

void runtime_be_patient(struct runtime *runtime)
{
	loop_set(runtime->loop, &runtime->patience,
		 clock_monotonic_ns() + RUNTIME_PATIENCE_MS * CLOCK_NS_PER_MS, on_impatient);
}

void runtime_look_for_end(struct runtime *runtime)
{
	if (runtime->workflow_count || runtime->courier.ending ||
	    (runtime->stays && !runtime->ending))
		return;
	/* From here on a newcomer starts a runtime of its own; that one waits
	 * for our lock. */
	if (!runtime->ending)
		runtime->forget = true;
	runtime->ending = true;
	loop_unset(runtime->loop, &runtime->patience);
	control_server_deafen(runtime->server);
	control_server_deafen(runtime->readers);
	courier_link_end(&runtime->courier);
}

void runtime_end(struct runtime *runtime)
{
	struct workflow *workflow = TAILQ_FIRST(&runtime->workflows);

	if (runtime->ending)
		return;
	runtime->ending = true;
	if (!workflow) {
		runtime_look_for_end(runtime);
		return;
	}
	while (workflow) {
		struct workflow *next = TAILQ_NEXT(workflow, all);

		/* One that is draining for its stop goes on with that. */
		if (workflow->phase == WORKFLOW_DELIVERING)
			workflow->supervisor.ended(&workflow->supervisor);
		else if (workflow->phase != WORKFLOW_STOPPING)
			workflow_stop(workflow, workflow->supervisor.state == SUPERVISOR_QUARANTINED
							? 0
							: RUNTIME_END_DRAIN_MS);
		workflow = next;
	}
}

/* Slot of the workflow of that name: 0 none, or -errno. */
static int find_slot(int registry, const char *name, struct faas_registry_entry *ret)
{
	for (uint32_t slot = 1; slot < FAAS_SLOTS_MAX; slot++) {
		if (bpf_map_lookup_elem(registry, &slot, ret))
			return -errno;
		if (ret->state != FAAS_REGISTRY_FREE &&
		    !strncmp(ret->name, name, sizeof(ret->name)))
			return (int)slot;
	}
	return 0;
}

static int kill_orphans(const struct workflow *workflow)
{
	const struct runtime_page *page = workflow->supervisor.files.runtime_page;
	int err = supervisor_kill_orphan(page->worker_pid, "ebpf-faas-worker");

	return err ? err : supervisor_kill_orphan(page->courier_pid, "ebpf-faas-courier");
}

static void take_over_one(struct runtime *runtime, const char *name, uint32_t slot,
			  uint32_t generation)
{
	struct start start = {.generation = generation, .slot = slot, .keep = true};
	struct diags *diags = calloc(1, sizeof(*diags));
	struct workflow *workflow = NULL;
	int err;

	memcpy(start.name, name, strlen(name) + 1);
	if (diags)
		workflow = workflow_new(runtime, &start, diags);
	if (!workflow) {
		logger_write(LOGGER_ERROR, "workflow.takeover",
			     "workflow=%s error=\"%s\" advice=\"%s\"", name,
			     diags && diags->count ? diags->list[0].cause : "out of memory",
			     diags && diags->count ? diags->list[0].advice : "");
		free(diags);
		return;
	}
	free(diags);
	err = kill_orphans(workflow);
	if (err) {
		/* Two workers on one ring would be worse than none. */
		logger_write(LOGGER_ERROR, "workflow.orphans", "workflow=%s error=\"%s\"", name,
			     strerror(-err));
		workflow_destroy(workflow);
		return;
	}
	workflow->supervisor.files.runtime_page->worker_pid = 0;
	workflow->supervisor.files.runtime_page->courier_pid = 0;
	workflow->phase = WORKFLOW_RUNNING;
	workflow_enlist(workflow);
	logger_write(LOGGER_INFO, "workflow.takeover", "workflow=%s slot=%u generation=%u", name,
		     slot, generation);
	courier_link_add(&runtime->courier, &workflow->courier);
	supervisor_start(&workflow->supervisor, false);
}

/* An update that replaces tables of states and is not done yet goes on as it was, unless
 * the new version has been at work. */
static void settle_files(const char *name, const struct faas_registry_entry *loaded)
{
	int err;

	if (loaded->state == FAAS_REGISTRY_LOADED)
		err = migrate_settle(FAAS_RUN_WORKFLOWS, name);
	else
		err = migrate_settle_unused(FAAS_RUN_WORKFLOWS, name);
	if (err)
		logger_write(LOGGER_ERROR, "workflow.migration", "workflow=%s error=\"%s\"", name,
			     strerror(-err));
}

void runtime_take_over(struct runtime *runtime)
{
	DIR *directory = opendir(FAAS_RUN_WORKFLOWS);
	struct dirent *entry;
	int registry;

	if (!directory)
		return;
	registry = bpf_obj_get(FAAS_PIN_ROOT "/" FAAS_PIN_REGISTRY);
	if (registry < 0 && errno != ENOENT)
		logger_write(LOGGER_ERROR, "registry", "error=\"%s\"", strerror(errno));
	while (registry >= 0 && (entry = readdir(directory))) {
		struct faas_registry_entry loaded;
		uint32_t generation, before;
		int slot;

		if (!bundle_name_valid(entry->d_name) ||
		    !run_files_exist(FAAS_RUN_WORKFLOWS, entry->d_name))
			continue;
		slot = find_slot(registry, entry->d_name, &loaded);
		if (!slot) {
			logger_write(LOGGER_WARNING, "workflow.leftover", "workflow=%s",
				     entry->d_name);
			(void)!run_files_remove(FAAS_RUN_WORKFLOWS, entry->d_name);
		} else if (slot > 0 && loaded.state != FAAS_REGISTRY_LOADING) {
			/* One that is being unloaded wants to be drained; one that is
			 * being updated goes on as it was, until the command says so. */
			settle_files(entry->d_name, &loaded);
			if (run_files_generation(FAAS_RUN_WORKFLOWS, entry->d_name, &generation,
						 &before))
				generation = loaded.generation;
			take_over_one(runtime, entry->d_name, (uint32_t)slot, generation);
		}
	}
	if (registry >= 0)
		close(registry);
	closedir(directory);
}
