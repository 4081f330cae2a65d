// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas update. Everything that may fail is done beside what runs; then the
 * registry names the new generation, and settle() leads packets to it.
 */
#include "build.h"
#include "update.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/libbpf.h>
#include <jansson.h>

#include "admission.h"
#include "attach.h"
#include "carried.h"
#include "clock.h"
#include "control_client.h"
#include "fault.h"
#include "generation.h"
#include "history.h"
#include "kernel_object.h"
#include "load.h"
#include "output.h"
#include "params.h"
#include "settle.h"
#include "source.h"
#include "takeover.h"
#include "undelivered.h"
#include "user_tier.h"
#include "workflow_value.h"

struct update {
	struct host *host;
	struct faas_registry_entry *entry;
	uint32_t slot;
	const struct bundle *to;
	const char *directory;
	const struct trial *trial;
	struct bundle *from;
	struct record *record;
	struct takeover *takeover;
	uint32_t generation;
	bool replaces; /* what the new version counts is lost if the one before comes back */
	struct netns netns;
};

uint32_t update_find(const struct host *host, const char *name, struct diags *diags)
{
	uint32_t slot = host_find(host, name);
	const struct faas_registry_entry *entry;

	if (!slot) {
		diag_fail(diags, DIAG_NOT_FOUND,
			  "`ebpf-faas load` loads it; `ebpf-faas list` shows those that are",
			  "workflow %s is not loaded", name);
		return 0;
	}
	entry = &host->registry[slot];
	if (entry->state != FAAS_REGISTRY_LOADED) {
		diag_fail(diags, DIAG_FAILED, "unload it", "workflow %s is half changed", name);
		return 0;
	}
	if (entry->flags & FAAS_REGISTRY_TRIAL) {
		diag_fail(diags, DIAG_FAILED,
			  "wait for the end of its trial, or end it with `ebpf-faas confirm` or "
			  "`ebpf-faas rollback`",
			  "generation %u of workflow %s is on trial", entry->generation, name);
		return 0;
	}
	return slot;
}

/* What runs, and where the new version is to be attached. Enters the namespace of the
 * workflow: names of interfaces mean something only there. */
static int look(struct update *update, struct diags *diags)
{
	const char *name = update->entry->name;
	int error;

	if (generation_bundle(name, update->entry->generation, update->from, diags))
		return -1;
	error = generation_record(name, update->entry->generation, update->record);
	if (error)
		return diag_fail(diags, DIAG_FAILED, "unload the workflow and load it",
				 "what was written down of workflow %s cannot be read: %s", name,
				 strerror(-error));
	error = record_enter(update->record, &update->netns);
	if (error)
		return diag_fail(diags, DIAG_FAILED, "unload the workflow",
				 "the network namespace of workflow %s cannot be entered%s%s: %s",
				 name, update->record->netns_path[0] ? ": " : "",
				 update->record->netns_path, strerror(-error));
	memset(update->record, 0, sizeof(*update->record));
	return load_interfaces(update->host, update->slot, update->to, &update->netns,
			       update->record, diags);
}

/* Make all that the new generation needs, beside what runs. */
static int prepare(struct update *update, struct diags *diags)
{
	const char *name = update->entry->name;
	uint32_t before = update->entry->generation;
	struct bpf_object *object = NULL;
	int error = -1;

	if (kernel_object_load_over(update->host, update->to, update->directory, update->generation,
				    update->takeover, &object, diags))
		return -1;
	fault_point("update.loaded");
	if (params_carry(update->from, update->to, object, diags))
		goto cleanup;
	if (kernel_object_pin(object, update->to, update->generation, diags))
		goto cleanup;
	fault_point("update.pinned");
	if (carried_prepare(name, before, update->generation, update->takeover->meters_kept, diags))
		goto cleanup;
	fault_point("update.carried");
	if (generation_store(update->to, update->directory, update->generation, update->record,
			     diags))
		goto cleanup;
	if (user_tier_write_resets(update->to, update->generation, update->takeover->resets,
				   update->takeover->reset_count, diags))
		goto cleanup;
	fault_point("update.stored");
	error = 0;
cleanup:
	bpf_object__close(object);
	return error;
}

/* Whether the new generation's worker has taken the state over. A runtime that died
 * meanwhile knows it, too. */
static bool runs_already(const struct update *update)
{
	struct diags *ignored = calloc(1, sizeof(*ignored));
	uint32_t running = 0;
	bool runs = ignored && user_tier_has_files(update->entry->name) &&
		    !control_start_runtime(ignored) &&
		    !control_generation(update->entry->name, &running, ignored) &&
		    running == update->generation;

	free(ignored);
	return runs;
}

/* The new generation, or the old one as it was. */
static int change(struct update *update, struct diags *diags)
{
	struct faas_registry_entry *entry = update->entry;
	uint32_t before = entry->generation;
	struct diags *again;
	struct timespec now;
	int error;

	update->generation = entry->next_generation > before ? entry->next_generation : before + 1;
	entry->next_generation = update->generation + 1;
	__atomic_store_n(&entry->state, FAAS_REGISTRY_UPDATING, __ATOMIC_RELEASE);
	fault_point("update.claimed");
	error = prepare(update, diags);
	netns_leave(&update->netns);
	if (!error) {
		clock_gettime(CLOCK_REALTIME, &now);
		entry->loaded_time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
		if (update->trial)
			trial_mark(update->trial, entry);
		if (!settle_to(update->host, update->slot, update->generation, diags))
			return 0;
		if (update->replaces && !update->trial && runs_already(update))
			return diag_fail(diags, DIAG_FAILED,
					 "the next command that changes something finishes the "
					 "update: `ebpf-faas update` again, once that is mended",
					 "generation %u of workflow %s runs with the state that it "
					 "took over, and is not finished",
					 update->generation, entry->name);
	}
	again = calloc(1, sizeof(*again));
	/* In the order in which they came, if that can be. */
	if (again && !error && bundle_needs_runtime(update->from) &&
	    user_tier_finish(entry->name, update->slot, before, update->record->netns_path, again))
		memset(again, 0, sizeof(*again));
	if (!again || settle_to(update->host, update->slot, before, again))
		diag_fail(diags, DIAG_FAILED,
			  again && again->count ? again->list[0].advice : "unload the workflow",
			  "and generation %u could not be put back: %s", before,
			  again && again->count ? again->list[0].cause : "out of memory");
	free(again);
	return -1;
}

int update_run(struct host *host, uint32_t slot, const struct bundle *bundle, const char *directory,
	       const struct options *options, const struct trial *trial, const char *event,
	       struct update_result *ret, struct diags *diags)
{
	struct update update = {.host = host,
				.entry = &host->registry[slot],
				.slot = slot,
				.to = bundle,
				.directory = directory,
				.trial = trial,
				.netns = {.from_fd = -1},
				.from = calloc(1, sizeof(*update.from)),
				.record = calloc(1, sizeof(*update.record)),
				.takeover = calloc(1, sizeof(*update.takeover))};
	int error = -1;

	if (!update.from || !update.record || !update.takeover) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	update.takeover->from = update.from;
	update.takeover->generation = update.entry->generation;
	update.takeover->resets = options->resets;
	update.takeover->reset_count = options->reset_count;
	*ret = (struct update_result){.slot = slot, .before = update.entry->generation};
	if (trial && update.entry->flags & FAAS_REGISTRY_BYPASSED) {
		diag_fail(diags, DIAG_FAILED, "`ebpf-faas resume` it first",
			  "workflow %s is bypassed: a trial would see no packet", bundle->name);
		goto cleanup;
	}
	if (look(&update, diags))
		goto cleanup;
	if (user_tier_check(update.from, bundle, update.takeover, trial != NULL, diags) ||
	    admission_check_update(bundle, directory, options->overcommit, update.takeover, diags))
		goto cleanup;
	update.replaces = user_tier_replaces(update.from, bundle, update.takeover);
	error = change(&update, diags);
	if (error)
		goto cleanup;
	history_add(bundle->name, event, update.generation, bundle->version, NULL);
	takeover_look_at_user(update.takeover, bundle);
	ret->generation = update.generation;
	ret->takeover = update.takeover;
	update.takeover = NULL;
cleanup:
	netns_leave(&update.netns);
	free(update.takeover);
	free(update.record);
	free(update.from);
	return error;
}

static const char *kind_name(enum takeover_kind kind)
{
	static const char *const names[] = {
		[TAKEOVER_KEPT] = "kept",	 [TAKEOVER_RESET] = "begun anew",
		[TAKEOVER_DIFFERS] = "not kept", [TAKEOVER_NEW] = "new",
		[TAKEOVER_GONE] = "removed",	 [TAKEOVER_MIGRATED] = "taken over",
	};

	return names[kind];
}

void update_print(const struct options *options, const struct bundle *bundle, const char *event,
		  const char *trial, const struct update_result *result)
{
	json_t *list = json_array(), *changed = params_changed(bundle), *param;
	size_t at;

	for (uint32_t i = 0; i < result->takeover->item_count; i++) {
		const struct takeover_item *item = &result->takeover->items[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "instance", item->instance,
						      "state", item->state, "became",
						      kind_name(item->kind)));
		if (!options->json)
			printf("state of %s (%s): %s\n", item->instance, item->state,
			       kind_name(item->kind));
	}
	if (options->json) {
		output_json(json_pack(
			"{s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:s*}", "workflow", bundle->name,
			"version", bundle->version, "slot", (json_int_t)result->slot, "before",
			(json_int_t)result->before, "generation", (json_int_t)result->generation,
			"state", list, "set", changed, "trial", trial));
		return;
	}
	json_array_foreach (changed, at, param)
		printf("%s.%s stays %s, as it was set; the version says %s\n",
		       json_string_value(json_object_get(param, "function")),
		       json_string_value(json_object_get(param, "param")),
		       json_string_value(json_object_get(param, "value")),
		       json_string_value(json_object_get(param, "file")));
	json_decref(list);
	json_decref(changed);
	printf("%s %s: generation %u (version \"%s\") runs in the place of %u\n", event,
	       bundle->name, result->generation, bundle->version, result->before);
	if (trial)
		printf("it is on trial: %s\n", trial);
	fflush(stdout); /* what follows takes its time */
}

/* How it goes on, for a person. NULL without a trial. */
static const char *describe_trial(const struct trial *trial, bool judged, char *text, size_t bytes)
{
	unsigned long long health_s = trial->health.for_ns / CLOCK_NS_PER_S;
	unsigned long long confirm_s = trial->confirm_ns / CLOCK_NS_PER_S;

	if (!trial_wanted(trial))
		return NULL;
	if (judged && !trial->confirm_ns)
		return "passed";
	if (trial->health.given && !judged)
		snprintf(text, bytes, "its health is watched for %llu s%s", health_s,
			 trial->confirm_ns ? ", and it must be confirmed" : "");
	else
		snprintf(text, bytes,
			 "it goes back %llu s after its start unless `ebpf-faas confirm` says "
			 "otherwise",
			 confirm_s);
	return text;
}

static int update(const struct options *options, const struct source *source, struct trial *trial,
		  struct diags *diags)
{
	const struct bundle *bundle = source->bundle;
	struct update_result result = {0};
	struct host host;
	uint32_t slot = 0;
	char text[160];
	uint64_t drain_ns;
	int error = -1;

	error = undelivered_bound(options->drain, &drain_ns, diags);
	if (!error)
		error = undelivered_wait(bundle, drain_ns, diags);
	if (!error) {
		error = host_open(&host, HOST_CHANGE, diags);
		if (!error)
			slot = update_find(&host, bundle->name, diags);
		error = -1;
		if (slot)
			error = update_run(&host, slot, bundle, source->directory, options,
					   trial_wanted(trial) ? trial : NULL, "updated", &result,
					   diags);
		host_close(&host);
	}
	if (!error && !options->json)
		update_print(options, bundle, "updated",
			     describe_trial(trial, false, text, sizeof(text)), &result);
	if (trial_wait(trial, bundle->name, !error, diags))
		error = -1;
	if (!error && options->json)
		update_print(options, bundle, "updated",
			     describe_trial(trial, true, text, sizeof(text)), &result);
	else if (!error && trial->health.given)
		printf("its health was good\n");
	free(result.takeover);
	return error;
}

int verb_update(const struct options *options, struct diags *diags)
{
	struct source source;
	struct trial trial;
	int error;

	error = source_open(options, options->arguments[0], &source, diags);
	if (!error)
		error = trial_terms(options->confirm, &source.bundle->health, &trial, diags);
	if (!error)
		error = trial_begin(&trial, source.bundle->name, diags);
	if (!error)
		error = update(options, &source, &trial, diags);
	if (!error && !options->json)
		build_print_separate(source.bundle);
	source_close(&source);
	return error ? DIAG_FAILED : 0;
}
