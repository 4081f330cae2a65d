// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas load. Everything that may fail is done before the first packet is
 * led to the workflow; whatever fails takes back what was done.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <jansson.h>

#include "admission.h"
#include "build.h"
#include "attach.h"
#include "bundle_compare.h"
#include "clock.h"
#include "command.h"
#include "control_client.h"
#include "fault.h"
#include "generation.h"
#include "history.h"
#include "host.h"
#include "kernel_object.h"
#include "load.h"
#include "output.h"
#include "params.h"
#include "record.h"
#include "settle.h"
#include "source.h"
#include "trial.h"
#include "user_tier.h"

struct load {
	const struct options *options;
	struct bundle *bundle;
	const char *directory; /* of the bundle */
	uint32_t generation;
	const struct remembered *stored; /* what is restored; NULL: a new one */
	struct record *record;
	struct host host;
	struct netns netns;
	struct bpf_object *object;
	struct trial trial;
	uint32_t slot; /* 0 until one is taken: then a failure must clean it */
};

int load_interfaces(const struct host *host, uint32_t own_slot, const struct bundle *bundle,
		    const struct netns *netns, struct record *record, struct diags *diags)
{
	snprintf(record->netns_path, sizeof(record->netns_path), "%s", netns->path);
	if (attach_resolve(bundle, netns, record, diags))
		return -1;
	return attach_check(host, own_slot, bundle, record, diags);
}

/* Who works over the network wants to know before. */
static void warn_of_resets(const struct load *load)
{
	char driver[ATTACH_DRIVER_BYTES];

	for (uint32_t i = 0; i < load->record->attachment_count; i++) {
		const struct attachment *attachment = &load->record->attachments[i];

		if (attach_resets(attachment, load->bundle, driver))
			fprintf(stderr,
				"ebpf-faas: warning: attaching XDP to %s (driver %s) restarts its "
				"queues; the link may be down for some seconds\n",
				attachment->interface.name, driver);
	}
}

static void claim_slot(struct load *load, uint32_t slot)
{
	struct faas_registry_entry *entry = &load->host.registry[slot];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	memset(entry, 0, sizeof(*entry));
	snprintf(entry->name, sizeof(entry->name), "%s", load->bundle->name);
	entry->generation = load->generation;
	entry->next_generation = load->generation + 1;
	if (load->stored)
		entry->flags = FAAS_REGISTRY_RESTORED |
			       (load->stored->bypassed ? FAAS_REGISTRY_BYPASSED : 0);
	entry->loaded_time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	/* From here on a killed load is found and taken back. */
	__atomic_store_n(&entry->state, FAAS_REGISTRY_LOADING, __ATOMIC_RELEASE);
	load->slot = slot;
}

/* The runtime belongs to the host, not to a workflow's network namespace. */
static int start_user_tier(struct load *load, struct diags *diags)
{
	struct control_start start = {.workflow = load->bundle->name,
				      .generation = load->generation,
				      .slot = load->slot,
				      .netns = load->record->netns_path};
	int error;

	netns_leave(&load->netns);
	error = control_start_runtime(diags);
	if (!error)
		error = control_start(&start, diags);
	if (!error && netns_enter_path(&load->netns, load->record->netns_path))
		error = diag_fail(diags, DIAG_FAILED, NULL, "network namespace %s went away",
				  load->record->netns_path);
	return error;
}

static int lead_packets(struct load *load, struct diags *diags)
{
	int error = settle_programs(&load->host, load->slot, load->bundle->name, load->generation);

	/* The program is in its slot before any trigger leads there. */
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "putting the program into slot %u: %s",
				 load->slot, strerror(-error));
	fault_point("load.program_in");
	warn_of_resets(load);
	if (attach_put(&load->host, load->slot, load->bundle, load->record, diags))
		return -1;
	fault_point("load.rules_in");
	return 0;
}

/* Only what is on the disk can be there before. */
static int check_resets(const struct load *load, struct diags *diags)
{
	const struct bundle *bundle = load->bundle;

	for (unsigned int i = 0; i < load->options->reset_count; i++) {
		uint32_t number = bundle_user_of(bundle, load->options->resets[i]);

		if (number == BUNDLE_NO_FUNCTION ||
		    bundle->user[number].state_mode != STATE_DURABLE)
			return diag_fail(diags, DIAG_USAGE,
					 "other state begins anew with each load",
					 "--reset-state %s: workflow %s has no function of that "
					 "name with durable state",
					 load->options->resets[i], bundle->name);
	}
	return 0;
}

/* What is restored is stored already. */
static int store(const struct load *load, struct diags *diags)
{
	if (load->stored)
		return generation_store_record(load->bundle->name, load->generation, load->record,
					       diags);
	return generation_store(load->bundle, load->directory, load->generation, load->record,
				diags);
}

static int put_back_params(const struct load *load, struct diags *diags)
{
	int error = params_put_back(load->bundle, load->stored->set);

	if (error)
		return diag_fail(diags, DIAG_FAILED, "unload the workflow, and load it again",
				 "parameters that were changed cannot be set again: %s",
				 strerror(-error));
	return 0;
}

static int load_under_lock(struct load *load, struct diags *diags)
{
	const struct bundle *bundle = load->bundle;
	uint32_t slot;

	if (host_find(&load->host, bundle->name))
		return diag_fail(diags, DIAG_FAILED,
				 "`ebpf-faas update` puts another version in its place; a second "
				 "workflow needs another name",
				 "workflow %s is loaded already", bundle->name);
	slot = host_free_slot(&load->host);
	if (!slot)
		return diag_fail(diags, DIAG_FAILED, "unload some", "%d workflows are loaded",
				 FAAS_SLOTS_MAX - 1);
	if (load_interfaces(&load->host, 0, bundle, &load->netns, load->record, diags))
		return -1;
	if (bundle_needs_runtime(bundle) && kernel_check_rings(diags))
		return -1;
	/* What ran here before fits, whatever else has memory at this moment. */
	if (!load->stored &&
	    admission_check(bundle, load->directory, load->options->overcommit, NULL, diags))
		return -1;
	if (check_resets(load, diags))
		return -1;
	claim_slot(load, slot);
	fault_point("load.claimed");
	if (kernel_object_load(&load->host, bundle, load->directory, load->generation,
			       &load->object, diags) ||
	    kernel_object_pin(load->object, bundle, load->generation, diags))
		return -1;
	fault_point("load.pinned");
	if (store(load, diags))
		return -1;
	if (user_tier_write_resets(bundle, load->generation, load->options->resets,
				   load->options->reset_count, diags))
		return -1;
	fault_point("load.stored");
	if (generation_publish(bundle->name, load->generation, diags))
		return -1;
	fault_point("load.published");
	if (load->stored && put_back_params(load, diags))
		return -1;
	if (bundle_needs_runtime(bundle) && start_user_tier(load, diags))
		return -1;
	fault_point("load.user_tier");
	if (lead_packets(load, diags))
		return -1;
	trial_mark(&load->trial, &load->host.registry[slot]);
	if (!load->stored && remember(&load->host, slot, bundle, diags))
		return -1;
	fault_point("load.remembered");
	history_add(bundle->name, load->stored ? "restored" : "loaded", load->generation,
		    bundle->version, NULL);
	fault_point("load.done");
	__atomic_store_n(&load->host.registry[slot].state, FAAS_REGISTRY_LOADED, __ATOMIC_RELEASE);
	load->host.registry[slot].flags &= ~(uint32_t)FAAS_REGISTRY_RESTORED;
	return 0;
}

static void print_loaded(const struct load *load)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < load->record->attachment_count; i++) {
		const struct attachment *attachment = &load->record->attachments[i];
		enum attach_mode mode = attach_query(&attachment->interface, attachment->hook);
		const char *trigger = load->bundle->triggers[attachment->trigger].name;

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "trigger", trigger,
						      "interface", attachment->interface.name,
						      "hook", attach_hook_name(attachment->hook),
						      "mode", attach_mode_name(mode)));
		if (!load->options->json)
			printf("trigger %s on %s: %s %s\n", trigger, attachment->interface.name,
			       attach_mode_name(mode),
			       attachment->hook == ATTACH_XDP ? "XDP"
							      : attach_hook_name(attachment->hook));
	}
	if (load->options->json) {
		output_json(json_pack("{s:s, s:s, s:I, s:I, s:o}", "workflow", load->bundle->name,
				      "version", load->bundle->version, "slot",
				      (json_int_t)load->slot, "generation",
				      (json_int_t)load->generation, "interfaces", list));
		return;
	}
	json_decref(list);
	if (load->trial.confirm_ns)
		printf("it goes out in %llu s unless `ebpf-faas confirm %s` says otherwise\n",
		       (unsigned long long)(load->trial.confirm_ns / CLOCK_NS_PER_S),
		       load->bundle->name);
	printf("loaded %s in slot %u; see it with `ebpf-faas status %s` or "
	       "`bpftool map dump pinned %s/%s/%s`\n",
	       load->bundle->name, load->slot, load->bundle->name, FAAS_PIN_WORKFLOWS,
	       load->bundle->name, FAAS_PIN_METERS);
}

static int enter_netns(struct load *load, struct diags *diags)
{
	int error;

	if (!load->stored)
		return netns_enter(&load->netns, load->options->netns, diags);
	error = netns_enter_path(&load->netns, load->stored->netns_path);
	if (error)
		return diag_fail(diags, DIAG_NOT_FOUND, NULL, "network namespace %s: %s",
				 load->stored->netns_path, strerror(-error));
	return 0;
}

static int load_bundle(struct load *load, struct diags *diags)
{
	int error;

	if (host_open(&load->host, HOST_CREATE, diags)) {
		host_close(&load->host);
		return DIAG_FAILED;
	}
	load->netns.from_fd = -1;
	error = enter_netns(load, diags);
	if (!error)
		error = load_under_lock(load, diags);
	if (!error && !load->stored)
		print_loaded(load);
	bpf_object__close(load->object);
	netns_leave(&load->netns);
	if (error && load->slot &&
	    host_remove_workflow(&load->host, load->slot, load->bundle->name))
		diag_fail(diags, DIAG_FAILED, "the next command that changes anything removes it",
			  "and what was made of workflow %s could not be taken back",
			  load->bundle->name);
	host_close(&load->host);
	return error ? DIAG_FAILED : 0;
}

int load_stored(const struct remembered *stored, struct bundle *bundle, const char *directory,
		struct diags *diags)
{
	static const struct options none;
	struct load load = {.options = &none,
			    .bundle = bundle,
			    .directory = directory,
			    .generation = stored->generation,
			    .stored = stored,
			    .record = calloc(1, sizeof(*load.record))};
	int status = DIAG_FAILED;

	if (load.record)
		status = load_bundle(&load, diags);
	else
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	free(load.record);
	return status ? -1 : 0;
}

/* Whether it fits, and nothing else. */
static int only_admission(const struct load *load, struct diags *diags)
{
	const struct admission_need *need;
	struct admission_report report;

	if (admission_check(load->bundle, load->directory, false, &report, diags))
		return DIAG_FAILED;
	need = &report.need;
	if (load->options->json)
		output_json(json_pack("{s:s, s:b, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:s}",
				      "workflow", load->bundle->name, "fits", 1, "bytes", "queue",
				      (json_int_t)need->ring, "maps", (json_int_t)need->maps,
				      "states", (json_int_t)need->tables, "log",
				      (json_int_t)need->log, "worker", (json_int_t)need->worker,
				      "disk", (json_int_t)need->disk, "arithmetic", report.text));
	else
		printf("workflow %s fits on this machine:\n%s\n", load->bundle->name, report.text);
	return 0;
}

int verb_load(const struct options *options, struct diags *diags)
{
	struct record *record = calloc(1, sizeof(*record));
	struct load load = {.options = options, .record = record, .generation = GENERATION_FIRST};
	struct source source;
	int status = DIAG_FAILED;

	if (!source_open(options, options->arguments[0], &source, diags)) {
		load.bundle = source.bundle;
		load.directory = source.directory;
		if (!record)
			diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		else if (options->dry_run)
			status = only_admission(&load, diags);
		else if (!trial_terms(options->confirm, NULL, &load.trial, diags) &&
			 !trial_begin(&load.trial, source.bundle->name, diags)) {
			status = load_bundle(&load, diags);
			if (!status && !options->json)
				build_print_separate(source.bundle);
			if (trial_wait(&load.trial, source.bundle->name, !status, diags))
				status = DIAG_FAILED;
		}
	}
	source_close(&source);
	free(record);
	return status;
}
