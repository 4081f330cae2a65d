// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One workflow of the runtime, from start to stop. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "bundle_compare.h"
#include "clock.h"
#include "logger.h"
#include "netsocket.h"
#include "userspace/control/runtime.h"
#include "userspace/pool/supervisor_migrate.h"
#include "userspace/pool/supervisor_renew.h"

const char *workflow_phase_name(const struct workflow *workflow)
{
	switch (workflow->phase) {
	case WORKFLOW_ADDING:
	case WORKFLOW_STARTING:
		return "starting";
	case WORKFLOW_RUNNING:
		return supervisor_state_name(&workflow->supervisor);
	case WORKFLOW_STOPPING:
		return "stopping";
	case WORKFLOW_DELIVERING:
		return "delivering";
	}
	return "";
}

struct workflow *workflow_find(struct runtime *runtime, const char *name)
{
	struct workflow *workflow;

	for (workflow = TAILQ_FIRST(&runtime->workflows); workflow;
	     workflow = TAILQ_NEXT(workflow, all))
		if (!strcmp(workflow->supervisor.name, name))
			return workflow;
	return NULL;
}

void workflow_enlist(struct workflow *workflow)
{
	struct runtime *runtime = workflow->runtime;
	struct workflow *next;

	loop_unset(runtime->loop, &runtime->patience);
	runtime->workflow_count++;
	for (next = TAILQ_FIRST(&runtime->workflows); next; next = TAILQ_NEXT(next, all)) {
		if (strcmp(next->supervisor.name, workflow->supervisor.name) > 0) {
			TAILQ_INSERT_BEFORE(next, workflow, all);
			return;
		}
	}
	TAILQ_INSERT_TAIL(&runtime->workflows, workflow, all);
}

void workflow_destroy(struct workflow *workflow)
{
	workflow_ring_stop(workflow, false);
	supervisor_destroy(&workflow->supervisor);
	if (workflow->namespace_fd >= 0)
		close(workflow->namespace_fd);
	free(workflow);
}

/* The answer to who asked for the stop, or for the start that failed. */
static void answer(struct workflow *workflow, const struct page_counters *counters)
{
	struct runtime *runtime = workflow->runtime;
	const struct runtime_page *page = workflow->supervisor.files.runtime_page;

	if (!workflow->waiter)
		return;
	if (workflow->undo) {
		control_server_refuse(runtime->server, workflow->waiter, workflow->advice, "%s",
				      workflow->error);
		return;
	}
	control_server_answer(
		runtime->server, workflow->waiter,
		json_pack("{s:b, s:b, s:b, s:I, s:I, s:I, s:i}", "ok", 1, "last",
			  runtime->workflow_count == 0, "drained", workflow->supervisor.reported,
			  "processed", (json_int_t)counters->processed, "dead_lettered",
			  (json_int_t)counters->dead_lettered, "undelivered",
			  (json_int_t)workflow->undelivered, "restarts", (int)page->restarts));
}

void workflow_read_counters(const struct workflow *workflow, struct page_counters *ret)
{
	if (pages_read_counters(workflow->supervisor.files.worker_page, ret))
		memset(ret, 0, sizeof(*ret));
}

/* Durable state stays. A start that failed takes back what it made; else the next
 * load does not deliver again what was delivered. */
static void leave_storage(struct workflow *workflow)
{
	const struct run_files *files = &workflow->supervisor.files;
	struct durable_place place = {0};
	struct courier_cursor cursor;
	int err = 0;

	if (files->storage.fds[DISK_LOG] < 0)
		return;
	if (workflow->undo && files->storage.made) {
		err = storage_remove(FAAS_STATE_DURABLE, workflow->supervisor.name);
	} else if (!pages_read_cursor(files->courier_page, &cursor)) {
		place.position = cursor.synced_position;
		place.sequence = cursor.synced_sequence;
		err = storage_note_delivered(&files->storage, &place);
	}
	if (err)
		logger_write(LOGGER_ERROR, "workflow.storage", "workflow=%s error=\"%s\"",
			     workflow->supervisor.name, strerror(-err));
}

/* Nothing runs and nobody knows it any more. */
static void finish(struct workflow *workflow)
{
	struct runtime *runtime = workflow->runtime;
	struct page_counters counters;
	int err;

	workflow_read_counters(workflow, &counters);
	TAILQ_REMOVE(&runtime->workflows, workflow, all);
	runtime->workflow_count--;
	if (!workflow->keep)
		leave_storage(workflow);
	err = workflow->keep ? 0 : run_files_remove(FAAS_RUN_WORKFLOWS, workflow->supervisor.name);
	if (err)
		logger_write(LOGGER_ERROR, "workflow.files", "workflow=%s error=\"%s\"",
			     workflow->supervisor.name, strerror(-err));
	logger_write(LOGGER_INFO, "workflow.stopped", "workflow=%s kept=%d",
		     workflow->supervisor.name, workflow->keep);
	answer(workflow, &counters);
	/* Another version of it is about to come. */
	if (workflow->keep && !runtime->workflow_count)
		runtime_be_patient(runtime);
	else
		runtime_look_for_end(runtime);
	workflow_destroy(workflow);
}

static void on_removed(struct courier_client *client, uint64_t undelivered)
{
	struct workflow *workflow = loop_container(client, struct workflow, courier);

	workflow->undelivered = undelivered;
	finish(workflow);
}

/* Of the time that whoever stops it gives. */
static uint32_t left_of(const struct workflow *workflow)
{
	uint64_t now = clock_monotonic_ns(), deadline = workflow->stop_deadline_ns;

	return deadline > now ? (uint32_t)((deadline - now) / CLOCK_NS_PER_MS) : 0;
}

/* The ring of another version is empty, or the one before a move, or the worker died: what has
 * come meanwhile waits in the own ring, or the next one. False: this is its end. */
static bool go_on(struct workflow *workflow)
{
	struct supervisor *supervisor = &workflow->supervisor;
	bool stops = workflow->phase == WORKFLOW_STOPPING;

	if (!supervisor->reported && stops)
		return false;
	if (supervisor->reported &&
	    (workflow->rest ? workflow_rest_end(workflow) : workflow_ring_take(workflow)))
		return !stops; /* without a process, as the log says */
	if (stops && !workflow->rest && !workflow->ring_next &&
	    !supervisor_idle_has_events(supervisor))
		return false;
	supervisor_start(supervisor, false);
	if (stops)
		supervisor_stop(supervisor, left_of(workflow));
	return true;
}

static void on_ended(struct supervisor *supervisor)
{
	struct workflow *workflow = loop_container(supervisor, struct workflow, supervisor);
	struct runtime *runtime = workflow->runtime;

	if (!runtime->ending && (workflow->rest || workflow->ring_next) && go_on(workflow))
		return;
	if (runtime->ending) {
		/* Its files stay for the next runtime. */
		TAILQ_REMOVE(&runtime->workflows, workflow, all);
		TAILQ_REMOVE(&runtime->courier.clients, &workflow->courier, all);
		runtime->workflow_count--;
		workflow_destroy(workflow);
		runtime_look_for_end(runtime);
		return;
	}
	workflow->phase = WORKFLOW_DELIVERING;
	courier_link_remove(&runtime->courier, &workflow->courier, left_of(workflow));
}

void workflow_stop(struct workflow *workflow, uint32_t drain_ms)
{
	workflow->phase = WORKFLOW_STOPPING;
	workflow->stop_deadline_ns = clock_monotonic_ns() + drain_ms * CLOCK_NS_PER_MS;
	/* Where it runs again, events may come some time before its worker. */
	workflow_ring_stop(workflow, workflow->keep);
	supervisor_stop(&workflow->supervisor, drain_ms);
}

void workflow_undo(struct workflow *workflow, const char *error, const char *advice)
{
	workflow->undo = true;
	snprintf(workflow->error, sizeof(workflow->error), "%s", error);
	snprintf(workflow->advice, sizeof(workflow->advice), "%s", advice);
	logger_write(LOGGER_ERROR, "workflow.failed", "workflow=%s error=\"%s\"",
		     workflow->supervisor.name, workflow->error);
	workflow_stop(workflow, 0);
}

static void on_failed(struct supervisor *supervisor)
{
	struct workflow *workflow = loop_container(supervisor, struct workflow, supervisor);
	char error[sizeof(supervisor->reason) + 64];

	snprintf(error, sizeof(error), "the worker did not start: %s", supervisor->reason);
	workflow_undo(workflow, error, "see the runtime's log for what it printed");
}

void workflow_settle(const struct workflow *workflow)
{
	const char *name = workflow->supervisor.name;
	int err = migrate_keep(FAAS_RUN_WORKFLOWS, name);

	if (!err)
		err = storage_before_remove(FAAS_STATE_DURABLE, name);
	if (err)
		logger_write(LOGGER_ERROR, "workflow.migration", "workflow=%s error=\"%s\"", name,
			     strerror(-err));
}

/* Its first worker is ready. */
static void begin_to_run(struct workflow *workflow)
{
	struct supervisor *supervisor = &workflow->supervisor;

	workflow->phase = WORKFLOW_RUNNING;
	/* What is on the disk is what its worker has: from now on all of it is taken up. */
	supervisor->files.runtime_page->resets = 0;
	if (workflow->rest)
		runtime_watch(workflow->runtime);
	/* Its own tables are on the disk, and none in memory lead back: no version is on
	 * trial. A later load must not find what an earlier update has left. */
	if (!supervisor->files.runtime_page->migrated_from &&
	    supervisor->files.storage.fds[DISK_BEFORE] >= 0)
		workflow_settle(workflow);
	workflow->keep = false;
	control_server_answer(workflow->runtime->server, workflow->waiter,
			      json_pack("{s:b}", "ok", 1));
	workflow->waiter = 0;
}

static void on_ready(struct supervisor *supervisor)
{
	struct workflow *workflow = loop_container(supervisor, struct workflow, supervisor);

	if (!workflow->runtime->watch.deadline_ns)
		runtime_watch(workflow->runtime);
	if (!supervisor->files.runtime_page->quarantined)
		workflow_slots_go_on(workflow);
	if (workflow->phase == WORKFLOW_STARTING)
		begin_to_run(workflow);
	workflow_ring_look(workflow);
}

static void on_idle(struct supervisor *supervisor)
{
	workflow_ring_look(loop_container(supervisor, struct workflow, supervisor));
}

static void on_quarantined(struct supervisor *supervisor)
{
	workflow_slots_stop(loop_container(supervisor, struct workflow, supervisor));
}

static void on_added(struct courier_client *client, bool ok, const char *error, const char *advice)
{
	struct workflow *workflow = loop_container(client, struct workflow, courier);

	if (workflow->phase != WORKFLOW_ADDING)
		return;
	if (!ok) {
		workflow_undo(workflow, error, advice);
		return;
	}
	workflow->phase = WORKFLOW_STARTING;
	supervisor_start(&workflow->supervisor, true);
}

static int take_namespace(struct workflow *workflow, const struct bundle *bundle, bool fresh,
			  struct diags *diags)
{
	bool needed = false;
	int fd = -1;
	int err;

	for (uint32_t i = 0; i < bundle->sink_count; i++) {
		if (bundle->sinks[i].kind != SINK_UDP)
			continue;
		needed = true;
		workflow->courier.families[i] =
			strchr(bundle->sinks[i].host, ':') ? AF_INET6 : AF_INET;
	}
	workflow->courier.namespace_fd = -1;
	if (!workflow->netns[0])
		return 0;
	err = netsocket_namespace(workflow->netns, &fd);
	if (err && fresh)
		return diag_fail(diags, DIAG_FAILED, "give the path of a network namespace",
				 "%s: %s", workflow->netns,
				 err == -EINVAL ? "is no network namespace" : strerror(-err));
	if (err) {
		/* Its datagrams must not get out somewhere else. */
		workflow->courier.no_namespace = true;
		logger_write(LOGGER_ERROR, "workflow.netns", "workflow=%s path=%s error=\"%s\"",
			     bundle->name, workflow->netns, strerror(-err));
		return 0;
	}
	if (needed)
		workflow->courier.namespace_fd = workflow->namespace_fd = fd;
	else
		close(fd); /* an open one keeps the namespace alive */
	return 0;
}

/* Whether files that another version of the workflow used mean the same to this one. */
static int check_files(const struct workflow *workflow, const struct bundle *bundle,
		       struct diags *diags)
{
	uint32_t generation = workflow->supervisor.generation, before, ignored;
	char directory[FAAS_PATH_BYTES], difference[256];
	struct bundle *old;
	int err = run_files_generation(FAAS_RUN_WORKFLOWS, bundle->name, &before, &ignored);

	if (err)
		return diag_fail(diags, DIAG_FAILED, NULL, "the runtime's page of %s: %s",
				 bundle->name, strerror(-err));
	if (before == generation)
		return 0;
	old = calloc(1, sizeof(*old));
	if (!old)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	snprintf(directory, sizeof(directory), "%s/%s/generations/%u", FAAS_STATE_WORKFLOWS,
		 bundle->name, before);
	err = bundle_open(directory, old, diags);
	if (!err && !bundle_same_log(old, bundle, difference, sizeof(difference)))
		err = diag_fail(diags, DIAG_FAILED, "unload the workflow, then load it",
				"the log of %s cannot go on: %s", bundle->name, difference);
	free(old);
	return err;
}

static int take_files(struct workflow *workflow, const struct bundle *bundle, const char *netns,
		      bool fresh, struct diags *diags)
{
	struct supervisor *supervisor = &workflow->supervisor;
	struct ring_identity ring;
	int err = ring_identity_of(supervisor->ring, &ring);

	if (err)
		return diag_fail(diags, DIAG_FAILED, NULL, "the ring of %s: %s", bundle->name,
				 strerror(-err));
	if (fresh) {
		snprintf(workflow->netns, sizeof(workflow->netns), "%s", netns);
		err = run_files_create(FAAS_RUN_WORKFLOWS, FAAS_STATE_DURABLE, bundle,
				       supervisor->generation, netns, &ring, &supervisor->files,
				       diags);
		for (uint32_t i = 0; !err && i < bundle->user_count; i++)
			if (run_files_reset(FAAS_RUN_WORKFLOWS, bundle->name,
					    supervisor->generation, bundle->user[i].instance))
				supervisor->files.runtime_page->resets |= 1u << i;
		return err;
	}
	if (check_files(workflow, bundle, diags) ||
	    run_files_open(FAAS_RUN_WORKFLOWS, FAAS_STATE_DURABLE, bundle, &supervisor->files,
			   workflow->netns, sizeof(workflow->netns), diags))
		return -1;
	/* Back from another version they may be of this one, and of the other's ring. */
	if (workflow->rest)
		return workflow_rest_begin(workflow, bundle, diags);
	supervisor->files.runtime_page->rest_generation = 0;
	if (supervisor->files.runtime_page->generation != supervisor->generation ||
	    supervisor->files.runtime_page->ring_map_id != ring.map_id)
		run_files_adopt(&supervisor->files, supervisor->generation, &ring);
	return 0;
}

struct workflow *workflow_new(struct runtime *runtime, const struct start *start,
			      struct diags *diags)
{
	bool fresh = !start->keep;
	struct workflow *workflow = calloc(1, sizeof(*workflow));
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	char directory[FAAS_PATH_BYTES], pins[FAAS_PATH_BYTES];
	int err = -1;

	if (!workflow || !bundle) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		free(workflow);
		free(bundle);
		return NULL;
	}
	workflow->runtime = runtime;
	workflow->namespace_fd = -1;
	supervisor_init(&workflow->supervisor, runtime->loop, &runtime->cell);
	workflow->supervisor.ready = on_ready;
	workflow->supervisor.idled = on_idle;
	workflow->supervisor.failed = on_failed;
	workflow->supervisor.ended = on_ended;
	workflow->supervisor.quarantined = on_quarantined;
	workflow->supervisor.imported = workflow_imported;
	workflow->courier.supervisor = &workflow->supervisor;
	workflow->courier.added = on_added;
	workflow->courier.removed = on_removed;
	workflow->courier.strict = fresh;
	workflow->rest = fresh ? 0 : workflow_rest_find(start);
	snprintf(directory, sizeof(directory), "%s/%s/generations/%u", FAAS_STATE_WORKFLOWS,
		 start->name, start->generation);
	snprintf(pins, sizeof(pins), "%s/%s/%u", FAAS_PIN_GENERATIONS, start->name,
		 start->generation);
	if (bundle_open(directory, bundle, diags))
		goto cleanup;
	if (strcmp(bundle->name, start->name)) {
		diag_fail(diags, DIAG_INVALID, NULL, "%s is a bundle of workflow %s", directory,
			  bundle->name);
		goto cleanup;
	}
	workflow->on_failure_drop = bundle->on_failure_drop;
	/* An earlier runtime, or version, may have left something there. */
	workflow->slots_flags = fresh ? 0 : UINT32_MAX;
	if (supervisor_prepare(&workflow->supervisor, bundle, start->slot, start->generation,
			       directory, pins, diags) ||
	    take_files(workflow, bundle, start->netns, fresh, diags))
		goto cleanup;
	if (take_namespace(workflow, bundle, fresh, diags)) {
		if (fresh)
			(void)!run_files_remove(FAAS_RUN_WORKFLOWS, start->name);
		goto cleanup;
	}
	workflow_ring_open(workflow, bundle);
	err = 0;
cleanup:
	free(bundle);
	if (err) {
		workflow_destroy(workflow);
		return NULL;
	}
	return workflow;
}

void workflow_begin(struct runtime *runtime, const struct start *start)
{
	struct diags *diags = calloc(1, sizeof(*diags));
	struct workflow *workflow;

	if (!diags) {
		control_server_refuse(runtime->server, start->client, NULL, "out of memory");
		return;
	}
	workflow = workflow_new(runtime, start, diags);
	if (workflow) {
		workflow->keep = start->keep;
		workflow->courier.strict = true;
		workflow->phase = WORKFLOW_ADDING;
		workflow->waiter = start->client;
		workflow_enlist(workflow);
		courier_link_add(&runtime->courier, &workflow->courier);
	} else {
		control_server_refuse(runtime->server, start->client, diags->list[0].advice, "%s",
				      diags->list[0].cause);
		runtime_look_for_end(runtime);
	}
	free(diags);
}
