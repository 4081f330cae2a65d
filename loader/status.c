// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas status: everything is read from the kernel's maps, the pages of
 * worker and courier, and the process table, at this moment.
 */
#include "status.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "bundle_names.h"
#include "clock.h"
#include "command.h"
#include "crash_report.h"
#include "control_client.h"
#include "generation.h"
#include "limits_text.h"
#include "onlooker.h"
#include "output.h"
#include "record.h"
#include "timer_report.h"

#define INTEGER(value) ((json_int_t)(value))

json_t *status_ledger_json(const struct ledger *ledger)
{
	json_t *lost = json_pack(
		"{s:I, s:I, s:I, s:I, s:I}", "no_program", INTEGER(ledger->lost_no_program),
		"ring_full", INTEGER(ledger->lost_ring_full), "no_route",
		INTEGER(ledger->lost_no_route), "error", INTEGER(ledger->lost_error),
		"stale_trigger", INTEGER(ledger->lost_stale_trigger));

	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:{s:I, s:I}, s:I, "
		"s:{s:I, s:I}, s:{s:I, s:I}, s:{s:I, s:I}, s:{s:I, s:I}, s:I}",
		"matched", INTEGER(ledger->matched), "dropped", INTEGER(ledger->dropped), "passed",
		INTEGER(ledger->passed), "replied", INTEGER(ledger->replied), "redirected",
		INTEGER(ledger->redirected), "in_kernel", INTEGER(ledger->in_kernel), "emitted",
		INTEGER(ledger->emitted), "processed", INTEGER(ledger->processed), "dead_lettered",
		INTEGER(ledger->dead_lettered), "in_flight", INTEGER(ledger->in_flight), "lost",
		lost, "shed", "deadline", INTEGER(ledger->shed_deadline), "sampled",
		INTEGER(ledger->shed_sampled), "bypassed", INTEGER(ledger->bypassed), "observed",
		"dropped", INTEGER(ledger->observed_dropped), "turned",
		INTEGER(ledger->observed_turned), "timers", "processed",
		INTEGER(ledger->user.timers), "dead_lettered", INTEGER(ledger->user.timers_dead),
		"verdicts", "written", INTEGER(ledger->courier.verdicts), "refused",
		INTEGER(ledger->courier.verdicts_refused), "stopped", "dropped",
		INTEGER(ledger->stopped_dropped), "passed", INTEGER(ledger->stopped_passed),
		"replayed", INTEGER(ledger->user.replayed));
}

void status_print_ledger(const struct ledger *ledger, FILE *stream)
{
#define U(value) ((unsigned long long)(value))
	fprintf(stream,
		"  packets  matched %llu = dropped %llu + passed %llu + replied %llu + redirected "
		"%llu"
		" + no program %llu + in kernel %llu\n",
		U(ledger->matched), U(ledger->dropped), U(ledger->passed), U(ledger->replied),
		U(ledger->redirected), U(ledger->lost_no_program), U(ledger->in_kernel));
	fprintf(stream,
		"  events   emitted %llu = processed %llu + dead-lettered %llu + in flight %llu\n"
		"  lost     ring full %llu, no route %llu, error %llu; stale trigger %llu\n"
		"  shed     deadline %llu, sampled %llu\n",
		U(ledger->emitted), U(ledger->processed), U(ledger->dead_lettered),
		U(ledger->in_flight), U(ledger->lost_ring_full), U(ledger->lost_no_route),
		U(ledger->lost_error), U(ledger->lost_stale_trigger), U(ledger->shed_deadline),
		U(ledger->shed_sampled));
#undef U
}

static json_t *function_json(const struct bundle_function *function, const char *tier,
			     uint64_t events, uint64_t errors, const uint64_t *outputs,
			     uint64_t time_ns, uint64_t samples)
{
	json_t *named = json_object();

	for (uint32_t i = 0; i < function->output_count; i++)
		json_object_set_new(named, function->outputs[i].name,
				    json_integer(INTEGER(outputs[i])));
	return json_pack("{s:s, s:s, s:s, s:I, s:o, s:I, s:{s:I, s:I, s:I}}", "name",
			 function->instance, "function", function->function, "tier", tier, "events",
			 INTEGER(events), "outputs", named, "errors", INTEGER(errors), "time",
			 "samples", INTEGER(samples), "total_ns", INTEGER(time_ns), "mean_ns",
			 INTEGER(samples ? time_ns / samples : 0));
}

static json_t *functions_json(const struct bundle *bundle, const struct ledger *ledger)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		const struct faas_function_meters *meters = &ledger->kernel[i];
		uint64_t events = meters->errors;

		/* Every call ends in one output or in an error. */
		for (uint32_t k = 0; k < bundle->kernel[i].output_count; k++)
			events += meters->outputs[k];
		json_array_append_new(
			list, function_json(&bundle->kernel[i], "kernel", events, meters->errors,
					    (const uint64_t *)(const void *)meters->outputs,
					    meters->time_ns, meters->time_samples));
	}
	for (uint32_t i = 0; i < bundle->user_count; i++) {
		const struct page_function_counters *counters = &ledger->user.functions[i];

		json_array_append_new(list,
				      function_json(&bundle->user[i], "user", counters->events,
						    counters->errors, counters->outputs,
						    counters->time_ns, counters->time_samples));
	}
	return list;
}

static json_t *sinks_json(const struct bundle *bundle, const struct ledger *ledger)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < bundle->sink_count; i++) {
		const struct courier_sink_counters *counters = &ledger->courier.sinks[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:s}", "name",
				  bundle->sinks[i].name, "kind",
				  bundle->sinks[i].kind == SINK_UDP ? "udp" : "file", "delivered",
				  INTEGER(counters->delivered), "errors", INTEGER(counters->errors),
				  "refused", INTEGER(counters->refused), "limited",
				  INTEGER(counters->limited), "last_error",
				  counters->last_error ? strerror((int)counters->last_error) : ""));
	}
	return list;
}

/* One that is dead and waits for its parent does not live. */
static bool process_lives(uint32_t pid)
{
	char path[32], text[128] = "";
	const char *end;
	FILE *stat;

	if (!pid || (kill((pid_t)pid, 0) && errno != EPERM))
		return false;
	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	stat = fopen(path, "re");
	if (!stat)
		return true;
	/* PID (NAME) STATE ... */
	end = fgets(text, sizeof(text), stat) ? strrchr(text, ')') : NULL;
	fclose(stat);
	return !end || !strchr("ZX", end[1] ? end[2] : ' ');
}

static const char *worker_state_name(const struct ledger *ledger)
{
	static const char *const names[] = {"absent",
					    "starting",
					    "running",
					    "sleeping",
					    "waiting for the courier",
					    "stopped",
					    "waiting to try an event again"};

	if (ledger->runtime.quarantined)
		return "quarantined";
	if (ledger->runtime.idle)
		return "idle";
	if (!process_lives(ledger->runtime.worker_pid))
		return "absent";
	return ledger->worker.state < sizeof(names) / sizeof(names[0]) ? names[ledger->worker.state]
								       : "unknown";
}

static bool has_program(const struct bundle *bundle)
{
	for (uint32_t i = 0; i < bundle->user_count; i++)
		if (bundle->user[i].exec.argument_count)
			return true;
	return false;
}

static json_t *processes_json(const struct bundle *bundle, const struct ledger *ledger,
			      uint32_t slot)
{
	const struct runtime_page *runtime = &ledger->runtime;
	char limits[LIMITS_TEXT_BYTES], program_limits[LIMITS_TEXT_BYTES];
	char reason[PAGE_REASON_BYTES];

	snprintf(reason, sizeof(reason), "%.*s", PAGE_REASON_BYTES - 1, runtime->last_reason);
	if (!ledger->user_tier_readable)
		return json_pack("{s:s, s:i, s:I, s:s}", "state", "absent", "pid", 0, "restarts",
				 INTEGER(runtime->restarts), "last_reason", reason);
	return json_pack(
		"{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:s*}",
		"state", worker_state_name(ledger), "class",
		bundle_class_words[bundle->worker_class], "pid",
		INTEGER(process_lives(runtime->worker_pid) ? runtime->worker_pid : 0), "uid",
		INTEGER(FAAS_WORKER_UID_BASE + slot), "incarnation", INTEGER(runtime->incarnation),
		"restarts", INTEGER(runtime->restarts), "last_signal",
		INTEGER(runtime->last_signal), "courier_pid",
		INTEGER(process_lives(runtime->courier_pid) ? runtime->courier_pid : 0), "limits",
		limits_text(runtime->limits, limits), "undelivered_bytes",
		INTEGER(ledger->log_pending_bytes), "last_reason", reason, "retries",
		INTEGER(ledger->worker.retries), "log_damaged", INTEGER(ledger->courier.corrupt),
		"ring_released_unread", INTEGER(ledger->worker.skipped_bytes), "lines_suppressed",
		INTEGER(runtime->lines_suppressed + ledger->worker.lines_dropped), "program_limits",
		has_program(bundle) ? limits_text(runtime->program_limits, program_limits) : NULL);
}

/* What the handoff sheds by, and what it has shed, by trigger. */
static json_t *overload_json(const struct bundle *bundle, const struct ledger *ledger)
{
	json_t *triggers = json_object();

	for (uint32_t i = 0; i < bundle->trigger_count; i++)
		json_object_set_new(
			triggers, bundle->triggers[i].name,
			json_pack("{s:s, s:I, s:I}", "importance",
				  bundle_importance_words[bundle->triggers[i].importance],
				  "deadline", INTEGER(ledger->shed[i].deadline), "sampled",
				  INTEGER(ledger->shed[i].sampled)));
	return json_pack("{s:I, s:I, s:I, s:b, s:o}", "deadline_ns", INTEGER(bundle->deadline_ns),
			 "budget_bytes", INTEGER(ledger->wake.budget), "ring_bytes",
			 INTEGER(ledger->ring_bytes), "pressed", ledger->wake.pressed != 0,
			 "triggers", triggers);
}

/* Why nothing runs, and what becomes of packets meanwhile. */
static json_t *quarantine_json(const struct bundle *bundle, const struct ledger *ledger)
{
	const struct runtime_page *runtime = &ledger->runtime;
	char reason[PAGE_REASON_BYTES];

	snprintf(reason, sizeof(reason), "%.*s", PAGE_REASON_BYTES - 1, runtime->last_reason);
	return json_pack("{s:s, s:I, s:I, s:s}", "reason", reason, "deaths",
			 INTEGER(POLICY_QUARANTINE_DEATHS), "within_ms",
			 INTEGER(POLICY_QUARANTINE_MS), "packets",
			 bundle_pass_drop_words[bundle->on_failure_drop]);
}

/* What of the workflow is on the disk. */
static json_t *storage_json(const struct bundle *bundle, const struct ledger *ledger)
{
	const struct worker_page *page = &ledger->worker;

	return json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:I}", "directory",
			 FAAS_STATE_DURABLE, "state",
			 page->adrift	    ? "not written, going on without"
			 : page->disk_error ? "not written, waiting"
					    : "written",
			 "bytes", INTEGER(bundle->storage_bytes), "when_unwritable",
			 bundle_unwritable_words[bundle->storage_continue], "durable_position",
			 INTEGER(page->durable_position), "durable_sequence",
			 INTEGER(page->durable_sequence), "error",
			 page->disk_error ? strerror((int)page->disk_error) : "", "errors",
			 INTEGER(page->disk_errors), "snapshots", INTEGER(page->snapshots),
			 "corrupt", INTEGER(page->corrupt), "corrupt_bytes",
			 INTEGER(page->corrupt_bytes));
}

/* One interface, asked in its own namespace. */
static json_t *interface_json(const struct bundle *bundle, const struct attachment *attachment)
{
	const struct bundle_trigger *trigger = &bundle->triggers[attachment->trigger];
	enum attach_mode mode = attach_query(&attachment->interface, attachment->hook);
	struct faas_root_counters counters = {0};
	json_t *value;

	value = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "trigger", trigger->name,
			  "trigger_mode", bundle_mode_words[trigger->mode], "interface",
			  attachment->interface.name, "index", INTEGER(attachment->interface.index),
			  "hook", attach_hook_name(attachment->hook), "mode",
			  attach_mode_name(mode));
	if (!attach_counters(&attachment->interface, attachment->hook, &counters))
		json_object_set_new(value, "not_taken",
				    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "unmatched",
					      INTEGER(counters.unmatched), "fragments",
					      INTEGER(counters.fragments), "not_ip",
					      INTEGER(counters.not_ip), "other_protocol",
					      INTEGER(counters.other_protocol), "malformed",
					      INTEGER(counters.malformed), "nonlinear",
					      INTEGER(counters.nonlinear)));
	return value;
}

/* null: nobody can say, the note of the load is gone or damaged. */
static json_t *interfaces_json(const struct bundle *bundle)
{
	struct record *record = calloc(1, sizeof(*record));
	json_t *list = json_null();
	struct netns netns;
	bool entered;

	if (record && !record_read(bundle->name, record)) {
		list = json_array();
		/* A namespace that is gone took its interfaces with it: the
		 * links say so from here as well. */
		entered = !record_enter(record, &netns);
		for (uint32_t i = 0; i < record->attachment_count; i++)
			if (record->attachments[i].trigger < bundle->trigger_count)
				json_array_append_new(
					list, interface_json(bundle, &record->attachments[i]));
		if (entered)
			netns_leave(&netns);
	}
	free(record);
	return list;
}

/* When it goes back, and to which generation: 0 is out. */
static json_t *trial_json(const struct faas_registry_entry *entry)
{
	uint64_t now = clock_ns(CLOCK_BOOTTIME);

	return json_pack(
		"{s:I, s:I}", "goes_back_to",
		INTEGER(generation_pinned_before(entry->name, entry->generation)), "left_ms",
		INTEGER(entry->deadline_ns > now ? (entry->deadline_ns - now) / CLOCK_NS_PER_MS
						 : 0));
}

static json_t *workflow_json(const struct host *host, uint32_t slot, struct diags *diags)
{
	const struct faas_registry_entry *entry = &host->registry[slot];
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	json_t *value = NULL;
	int error = 0;

	if (!bundle || !ledger) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	/* An update may come between the two. */
	for (int i = 0; i < 3; i++) {
		if (generation_running_bundle(entry->name, bundle, diags))
			goto cleanup;
		error = ledger_read(host, bundle, slot, ledger);
		if (error != -ESTALE)
			break;
	}
	if (error) {
		diag_fail(diags, DIAG_FAILED, "is a command unloading it at this moment?",
			  "reading the counters of %s: %s", entry->name, strerror(-error));
		goto cleanup;
	}
	value = json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:b}", "workflow",
			  entry->name, "version", bundle->version, "generation",
			  INTEGER(entry->generation), "slot", INTEGER(slot), "loaded_ns",
			  INTEGER(entry->loaded_time_ns), "interfaces", interfaces_json(bundle),
			  "ledger", status_ledger_json(ledger), "functions",
			  functions_json(bundle, ledger), "sinks", sinks_json(bundle, ledger),
			  "user_tier", ledger->has_user_tier);
	if (value && bundle->timer_count)
		json_object_set_new(value, "timers", timer_report(bundle));
	if (value)
		json_object_set_new(value, "bypassed",
				    json_boolean(entry->flags & FAAS_REGISTRY_BYPASSED));
	if (value && entry->flags & FAAS_REGISTRY_TRIAL)
		json_object_set_new(value, "trial", trial_json(entry));
	if (value && ledger->has_user_tier) {
		json_object_set_new(value, "runtime", json_boolean(control_runtime_running()));
		json_object_set_new(value, "worker", processes_json(bundle, ledger, slot));
		if (bundle->deadline_ns)
			json_object_set_new(value, "overload", overload_json(bundle, ledger));
		json_object_set_new(value, "crashes", crash_report(entry->name));
		if (ledger->user_tier_readable && ledger->runtime.quarantined)
			json_object_set_new(value, "quarantine", quarantine_json(bundle, ledger));
		if (bundle_is_durable(bundle) && ledger->user_tier_readable)
			json_object_set_new(value, "storage", storage_json(bundle, ledger));
	}
	if (!value)
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
cleanup:
	free(ledger);
	free(bundle);
	return value;
}

int verb_status(const struct options *options, struct diags *diags)
{
	json_t *list = json_array(), *status;
	uint32_t only = 0;
	struct host host;
	size_t i;
	int result = DIAG_FAILED;

	if (geteuid()) {
		json_decref(list);
		return onlooker_status(options, diags);
	}
	if (host_open(&host, HOST_READ, diags)) {
		json_decref(list);
		return DIAG_FAILED;
	}
	if (options->argument_count) {
		only = host_find(&host, options->arguments[0]);
		if (!only) {
			diag_fail(diags, DIAG_NOT_FOUND, "`ebpf-faas list` shows those that are",
				  "workflow %s is not loaded", options->arguments[0]);
			goto cleanup;
		}
	}
	for (uint32_t slot = 1; host.registry && slot < FAAS_SLOTS_MAX; slot++) {
		if (host.registry[slot].state == FAAS_REGISTRY_FREE || (only && slot != only))
			continue;
		status = workflow_json(&host, slot, diags);
		if (!status)
			goto cleanup;
		json_array_append_new(list, status);
	}
	result = 0;
	if (options->json) {
		output_json(only ? json_incref(json_array_get(list, 0)) : json_incref(list));
	} else {
		json_array_foreach (list, i, status)
			status_print_workflow(status);
		if (!json_array_size(list))
			printf("no workflow is loaded\n");
	}
cleanup:
	json_decref(list);
	host_close(&host);
	return result;
}
