// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What can be asked of the runtime: one row for each operation. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle_names.h"
#include "control_client.h"
#include "limits_text.h"
#include "userspace/control/request_form.h"
#include "userspace/control/runtime.h"
#include "userspace/control/undelivered.h"

#define LIST_MAX 256 /* workflows in one answer */
#define READER_MESSAGE_BYTES_MAX 1024
#define READER_RATE_MAX 500 /* a hundredth of a processor */
#define DRAIN_MS_MAX (json_int_t)(10 * FAAS_DRAIN_MS)

struct request {
	struct runtime *runtime;
	struct control_server *server; /* that it came by */
	uint64_t client;
	const json_t *message;
	const char *workflow; /* its name, checked; NULL for operations without one */
};

static void handle_hello(const struct request *request)
{
	control_server_answer(request->server, request->client,
			      json_pack("{s:b, s:i, s:i, s:s}", "ok", 1, "protocol",
					CONTROL_PROTOCOL, "pid", (int)getpid(), "version",
					FAAS_VERSION));
}

/* An integer between @p least and @p most; answers when it is not. */
static bool take_integer(const struct request *request, const char *key, json_int_t least,
			 json_int_t most, json_int_t *ret)
{
	const json_t *value = json_object_get(request->message, key);
	json_int_t integer = json_integer_value(value);

	if (json_is_integer(value) && integer >= least && integer <= most) {
		*ret = integer;
		return true;
	}
	control_server_refuse(request->server, request->client, NULL,
			      "\"%s\" must be an integer from %lld to %lld", key, (long long)least,
			      (long long)most);
	return false;
}

static const char *take_path(const struct request *request, const char *key)
{
	const json_t *value = json_object_get(request->message, key);
	const char *path = json_string_value(value);

	if (path && (!path[0] || path[0] == '/') && strlen(path) < FAAS_PATH_BYTES &&
	    strlen(path) == json_string_length(value))
		return path;
	control_server_refuse(request->server, request->client, NULL,
			      "\"%s\" must be an absolute path, or empty", key);
	return NULL;
}

static void handle_start(const struct request *request)
{
	struct start start = {.keep = json_is_true(json_object_get(request->message, "keep")),
			      .client = request->client};
	struct runtime *runtime = request->runtime;
	json_int_t generation, slot, rest = 0;
	const char *netns;

	if (!take_integer(request, "generation", 1, UINT32_MAX, &generation) ||
	    !take_integer(request, "slot", 1, FAAS_SLOTS_MAX - 1, &slot))
		return;
	if (json_object_get(request->message, "rest") &&
	    !take_integer(request, "rest", 0, UINT32_MAX, &rest))
		return;
	netns = take_path(request, "netns");
	if (!netns)
		return;
	if (workflow_find(runtime, request->workflow) ||
	    migration_runs(runtime, request->workflow)) {
		control_server_refuse(runtime->server, request->client, "unload it first",
				      "workflow %s is there already", request->workflow);
		return;
	}
	start.generation = (uint32_t)generation;
	start.slot = (uint32_t)slot;
	start.rest = start.keep ? (uint32_t)rest : 0;
	memcpy(start.name, request->workflow, strlen(request->workflow) + 1);
	memcpy(start.netns, netns, strlen(netns) + 1);
	if (start.keep)
		migration_begin(runtime, &start);
	else
		workflow_begin(runtime, &start);
}

/* The workflow that is asked for; answers when there is none. */
static struct workflow *take_workflow(const struct request *request)
{
	struct workflow *workflow = workflow_find(request->runtime, request->workflow);

	if (!workflow)
		control_server_refuse(request->server, request->client, NULL,
				      "the runtime has no workflow %s", request->workflow);
	return workflow;
}

static void handle_stop(const struct request *request)
{
	json_int_t drain_ms = FAAS_DRAIN_MS;
	struct workflow *workflow = take_workflow(request);

	if (!workflow)
		return;
	if (json_object_get(request->message, "drain_ms") &&
	    !take_integer(request, "drain_ms", 0, DRAIN_MS_MAX, &drain_ms))
		return;
	if (workflow->phase != WORKFLOW_RUNNING) {
		control_server_refuse(request->server, request->client, "wait until that is done",
				      "workflow %s is %s", request->workflow,
				      workflow_phase_name(workflow));
		return;
	}
	workflow->waiter = request->client;
	workflow->keep = json_is_true(json_object_get(request->message, "keep"));
	workflow_stop(workflow, (uint32_t)drain_ms);
}

static void handle_resume(const struct request *request)
{
	struct workflow *workflow = take_workflow(request);

	if (!workflow)
		return;
	if (supervisor_resume(&workflow->supervisor))
		control_server_refuse(request->server, request->client, NULL,
				      "workflow %s is %s, not in quarantine", request->workflow,
				      workflow_phase_name(workflow));
	else
		control_server_answer(request->server, request->client,
				      json_pack("{s:b}", "ok", 1));
}

/* The generation that runs stays: nothing leads back from it any more. */
static void handle_settle(const struct request *request)
{
	struct workflow *workflow = take_workflow(request);
	json_int_t generation;

	if (!workflow || !take_integer(request, "generation", 1, UINT32_MAX, &generation))
		return;
	if (workflow->supervisor.generation != generation) {
		control_server_refuse(request->server, request->client, "try again",
				      "generation %u of workflow %s runs",
				      workflow->supervisor.generation, request->workflow);
		return;
	}
	workflow_settle(workflow);
	control_server_answer(request->server, request->client, json_pack("{s:b}", "ok", 1));
}

/* For the generation that the command looked at, or its numbers mean something else. */
static void handle_import(const struct request *request)
{
	struct workflow *workflow = take_workflow(request);
	json_int_t generation;

	if (!workflow || !take_integer(request, "generation", 1, UINT32_MAX, &generation))
		return;
	if (workflow->phase != WORKFLOW_RUNNING || workflow->supervisor.generation != generation)
		control_server_refuse(request->server, request->client, "try again",
				      "workflow %s is %s, and generation %u of it runs",
				      request->workflow, workflow_phase_name(workflow),
				      workflow->supervisor.generation);
	else
		workflow_import(workflow, request->client,
				json_object_get(request->message, "piece"));
}

static json_t *describe(const struct workflow *workflow)
{
	const struct supervisor *supervisor = &workflow->supervisor;
	const struct runtime_page *page = supervisor->files.runtime_page;
	char limits[LIMITS_TEXT_BYTES];
	struct page_counters counters;

	workflow_read_counters(workflow, &counters);
	return json_pack(
		"{s:s, s:s, s:I, s:I, s:i, s:I, s:i, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I}",
		"workflow", supervisor->name, "state", workflow_phase_name(workflow), "generation",
		(json_int_t)supervisor->generation, "slot", (json_int_t)supervisor->slot,
		"worker_pid", (int)supervisor->pid, "worker_uid",
		(json_int_t)FAAS_WORKER_UID_BASE + supervisor->slot, "courier_pid",
		(int)workflow->runtime->courier.pid, "incarnation", (json_int_t)page->incarnation,
		"restarts", (json_int_t)page->restarts, "last_signal",
		(json_int_t)page->last_signal, "last_status", (json_int_t)page->last_status,
		"limits", limits_text(page->limits, limits), "processed",
		(json_int_t)counters.processed, "dead_lettered", (json_int_t)counters.dead_lettered,
		"rest", (json_int_t)workflow->rest);
}

static void handle_status(const struct request *request)
{
	struct workflow *workflow = take_workflow(request);
	json_t *value;

	if (!workflow)
		return;
	value = describe(workflow);
	json_object_set_new(value, "ok", json_true());
	control_server_answer(request->server, request->client, value);
}

static void handle_undelivered(const struct request *request)
{
	struct workflow *workflow = take_workflow(request);
	json_t *list = json_array();
	struct undelivered count;
	int err = workflow ? undelivered_count(&workflow->supervisor.files, &count) : -ENOENT;

	for (uint32_t i = 0; !err && i <= FAAS_SINKS_MAX; i++)
		if (count.outputs[i])
			json_array_append_new(list,
					      json_pack("{s:I, s:I, s:I}", "sink", (json_int_t)i,
							"outputs", (json_int_t)count.outputs[i],
							"error", (json_int_t)count.errors[i]));
	if (workflow && err)
		control_server_refuse(request->server, request->client, NULL, "the log of %s: %s",
				      request->workflow, strerror(-err));
	if (!err)
		control_server_answer(request->server, request->client,
				      json_pack("{s:b, s:O}", "ok", 1, "sinks", list));
	json_decref(list);
}

/* In the order of their names, from behind "after" on: an answer is bounded. */
static void handle_list(const struct request *request)
{
	const char *after = json_string_value(json_object_get(request->message, "after"));
	json_t *list = json_array();
	struct workflow *workflow;
	bool more = false;

	for (workflow = TAILQ_FIRST(&request->runtime->workflows); workflow;
	     workflow = TAILQ_NEXT(workflow, all)) {
		if (after && strcmp(workflow->supervisor.name, after) <= 0)
			continue;
		if (json_array_size(list) == LIST_MAX) {
			more = true;
			break;
		}
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:I, s:I}", "workflow",
						workflow->supervisor.name, "state",
						workflow_phase_name(workflow), "slot",
						(json_int_t)workflow->supervisor.slot, "generation",
						(json_int_t)workflow->supervisor.generation));
	}
	control_server_answer(
		request->server, request->client,
		json_pack("{s:b, s:b, s:o}", "ok", 1, "more", more, "workflows", list));
}

/* Somebody who started a runtime found that it is not needed. */
static void handle_end(const struct request *request)
{
	struct runtime *runtime = request->runtime;

	if (runtime->workflow_count) {
		control_server_refuse(runtime->server, request->client, "unload them first",
				      "the runtime has %u workflows", runtime->workflow_count);
		return;
	}
	control_server_answer(runtime->server, request->client,
			      json_pack("{s:b, s:b}", "ok", 1, "stays", runtime->stays));
	runtime_look_for_end(runtime);
}

static const struct request_form operations[] = {
	{"hello", handle_hello, false, {0}},
	{"list", handle_list, false, {"after"}},
	{"status", handle_status, true, {0}},
	{"start", handle_start, true, {"generation", "slot", "netns", "keep", "rest"}},
	{"stop", handle_stop, true, {"drain_ms", "keep"}},
	{"resume", handle_resume, true, {0}},
	{"undelivered", handle_undelivered, true, {0}},
	{"settle", handle_settle, true, {"generation"}},
	{"import", handle_import, true, {"generation", "piece"}},
	{"end", handle_end, false, {0}},
};

/* Those that change nothing. */
static const char *const readable[] = {"hello", "list", "status", NULL};

static void handle_from(struct control_server *server, const char *const *names,
			struct runtime *runtime, uint64_t client, const json_t *message)
{
	struct request request = {
		.runtime = runtime, .server = server, .client = client, .message = message};
	struct request_refusal refusal;
	struct request_checked checked;

	if (request_check(message, operations, sizeof(operations) / sizeof(operations[0]), names,
			  &checked, &refusal)) {
		control_server_refuse(server, client, refusal.advice, "%s", refusal.error);
		return;
	}
	if (runtime->ending) {
		control_server_refuse(server, client, "start it again", "the runtime is ending");
		return;
	}
	request.workflow = checked.workflow;
	checked.form->handle(&request);
}

static void handle(void *context, uint64_t client, const json_t *message)
{
	struct runtime *runtime = context;

	handle_from(runtime->server, NULL, runtime, client, message);
}

static void handle_reader(void *context, uint64_t client, const json_t *message)
{
	struct runtime *runtime = context;

	handle_from(runtime->readers, readable, runtime, client, message);
}

/* Who waited for an answer is gone. A start that nobody waits for is taken back,
 * a stop goes on. */
static void gone(void *context, uint64_t client)
{
	struct runtime *runtime = context;
	struct workflow *workflow;

	migration_forget(runtime, client);
	for (workflow = TAILQ_FIRST(&runtime->workflows); workflow;
	     workflow = TAILQ_NEXT(workflow, all)) {
		if (workflow->importer == client) {
			/* It is taken in all the same. */
			workflow->importer = 0;
			return;
		}
		if (workflow->waiter != client)
			continue;
		workflow->waiter = 0;
		if (!workflow->undo &&
		    (workflow->phase == WORKFLOW_ADDING || workflow->phase == WORKFLOW_STARTING))
			workflow_undo(workflow, "nobody waits for its start any more", "");
		return;
	}
}

const struct control_handler runtime_handler = {.request = handle, .gone = gone};

const struct control_handler runtime_reader_handler = {
	.request = handle_reader,
	.message_bytes_max = READER_MESSAGE_BYTES_MAX,
	.rate_max = READER_RATE_MAX,
};
