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

#include "attach.h"
#include "build.h"
#include "command.h"
#include "control_client.h"
#include "files.h"
#include "host.h"
#include "kernel_object.h"
#include "output.h"
#include "record.h"

#define GENERATION_FIRST 1

struct load {
	const struct options *options;
	struct bundle *bundle;
	const char *directory; /* of the bundle */
	struct record *record;
	struct host host;
	struct netns netns;
	struct bpf_object *object;
	uint32_t slot; /* 0 until one is taken: then a failure must clean it */
};

/* The interfaces of all triggers, and whether they can be had. */
static int check_interfaces(struct load *load, struct diags *diags)
{
	struct record *record = load->record;
	int error = 0;

	snprintf(record->netns_path, sizeof(record->netns_path), "%s", load->netns.path);
	for (uint32_t i = 0; i < load->bundle->trigger_count; i++) {
		const struct bundle_trigger *trigger = &load->bundle->triggers[i];

		for (uint32_t k = 0; k < trigger->interface_count; k++) {
			struct attachment *attachment =
				&record->attachments[record->attachment_count];

			attachment->trigger = i;
			if (interface_find(trigger->interfaces[k], &load->netns,
					   &attachment->interface, diags) ||
			    attach_check(&load->host, trigger, &attachment->interface, diags)) {
				error = -1;
				continue;
			}
			record->attachment_count++;
		}
	}
	return error;
}

static void claim_slot(struct load *load, uint32_t slot)
{
	struct faas_registry_entry *entry = &load->host.registry[slot];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	memset(entry, 0, sizeof(*entry));
	snprintf(entry->name, sizeof(entry->name), "%s", load->bundle->name);
	entry->generation = GENERATION_FIRST;
	entry->loaded_time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	/* From here on a killed load is found and taken back. */
	__atomic_store_n(&entry->state, FAAS_REGISTRY_LOADING, __ATOMIC_RELEASE);
	load->slot = slot;
}

static int copy_one(const char *from, const char *to, const char *name)
{
	char source[FAAS_PATH_BYTES], target[FAAS_PATH_BYTES];

	snprintf(source, sizeof(source), "%s/%s", from, name);
	snprintf(target, sizeof(target), "%s/%s", to, name);
	return files_copy(source, target);
}

/* The host keeps its own copy: the runtime restarts from it. */
static int store_bundle(const struct load *load, struct diags *diags)
{
	char path[FAAS_PATH_BYTES], below[FAAS_PATH_BYTES + 8];
	int error;

	snprintf(path, sizeof(path), "%s/%s/bundle", FAAS_STATE_WORKFLOWS, load->bundle->name);
	host_remove_tree(path);
	error = host_make_directory(path);
	snprintf(below, sizeof(below), "%s/user", path);
	if (!error && load->bundle->user_count && mkdir(below, 0700))
		error = -errno;
	snprintf(below, sizeof(below), "%s/data", path);
	if (!error && bundle_has_data(load->bundle) && mkdir(below, 0700))
		error = -errno;
	for (uint32_t i = 0; !error && i < load->bundle->file_count; i++)
		error = copy_one(load->directory, path, load->bundle->files[i].path);
	if (!error)
		error = copy_one(load->directory, path, BUNDLE_MANIFEST);
	if (error)
		return diag_fail(diags, DIAG_FAILED, "is the disk full or read-only?", "%s: %s",
				 path, strerror(-error));
	return 0;
}

/* The runtime belongs to the host, not to a workflow's network namespace. */
static int start_user_tier(struct load *load, struct diags *diags)
{
	struct control_start start = {.workflow = load->bundle->name,
				      .generation = GENERATION_FIRST,
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
	int program = kernel_object_program(load->object, load->bundle, HOOK_XDP);

	/* The program is in its slot before any trigger leads there. */
	if (program >= 0 &&
	    bpf_map_update_elem(load->host.slots_fd, &load->slot, &program, BPF_ANY))
		return diag_fail(diags, DIAG_FAILED, NULL, "putting the program into slot %u: %s",
				 load->slot, strerror(errno));
	for (uint32_t i = 0; i < load->record->attachment_count; i++) {
		const struct attachment *attachment = &load->record->attachments[i];
		const struct bundle_trigger *trigger = &load->bundle->triggers[attachment->trigger];

		if (attach_root(&load->host, &attachment->interface, trigger->hook, diags) ||
		    attach_trigger(trigger, &attachment->interface, load->slot, diags))
			return -1;
	}
	return 0;
}

static int load_under_lock(struct load *load, struct diags *diags)
{
	const struct bundle *bundle = load->bundle;
	uint32_t slot;

	if (host_find(&load->host, bundle->name))
		return diag_fail(diags, DIAG_FAILED,
				 "unload it first, or give this one another name",
				 "workflow %s is loaded already", bundle->name);
	slot = host_free_slot(&load->host);
	if (!slot)
		return diag_fail(diags, DIAG_FAILED, "unload some", "%d workflows are loaded",
				 FAAS_SLOTS_MAX - 1);
	if (check_interfaces(load, diags))
		return -1;
	if (bundle_needs_runtime(bundle) && kernel_check_rings(diags))
		return -1;
	claim_slot(load, slot);
	if (kernel_object_load(&load->host, bundle, load->directory, GENERATION_FIRST,
			       &load->object, diags) ||
	    kernel_object_pin(load->object, bundle, diags) || store_bundle(load, diags) ||
	    record_write(bundle->name, load->record, diags))
		return -1;
	if (bundle_needs_runtime(bundle) && start_user_tier(load, diags))
		return -1;
	if (lead_packets(load, diags))
		return -1;
	__atomic_store_n(&load->host.registry[slot].state, FAAS_REGISTRY_LOADED, __ATOMIC_RELEASE);
	return 0;
}

static void print_loaded(const struct load *load)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < load->record->attachment_count; i++) {
		const struct attachment *attachment = &load->record->attachments[i];
		const char *mode = attach_mode_name(attach_query(&attachment->interface));
		const char *trigger = load->bundle->triggers[attachment->trigger].name;

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s}", "trigger", trigger, "interface",
						attachment->interface.name, "mode", mode));
		if (!load->options->json)
			printf("trigger %s on %s: %s XDP\n", trigger, attachment->interface.name,
			       mode);
	}
	if (load->options->json) {
		output_json(json_pack("{s:s, s:s, s:I, s:I, s:o}", "workflow", load->bundle->name,
				      "version", load->bundle->version, "slot",
				      (json_int_t)load->slot, "generation",
				      (json_int_t)GENERATION_FIRST, "interfaces", list));
		return;
	}
	json_decref(list);
	printf("loaded %s in slot %u; see it with `ebpf-faas status %s` or "
	       "`bpftool map dump pinned %s/%s/%s`\n",
	       load->bundle->name, load->slot, load->bundle->name, FAAS_PIN_WORKFLOWS,
	       load->bundle->name, FAAS_PIN_METERS);
}

static int load_bundle(struct load *load, struct diags *diags)
{
	int error;

	if (host_open(&load->host, HOST_CREATE, diags)) {
		host_close(&load->host);
		return DIAG_FAILED;
	}
	load->netns.from_fd = -1;
	error = netns_enter(&load->netns, load->options->netns, diags);
	if (!error)
		error = load_under_lock(load, diags);
	if (!error)
		print_loaded(load);
	bpf_object__close(load->object);
	netns_leave(&load->netns);
	if (error && load->slot)
		host_remove_workflow(&load->host, load->slot, load->bundle->name);
	host_close(&load->host);
	return error ? DIAG_FAILED : 0;
}

int verb_load(const struct options *options, struct diags *diags)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	struct record *record = calloc(1, sizeof(*record));
	struct load load = {.options = options, .bundle = bundle, .record = record};
	struct build_scratch scratch = {""};
	char directory[FAAS_PATH_BYTES];
	struct stat info;
	int status = DIAG_FAILED;

	if (!bundle || !record) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	if (stat(options->arguments[0], &info)) {
		diag_fail(diags, DIAG_NOT_FOUND, NULL, "%s: %s", options->arguments[0],
			  strerror(errno));
		goto cleanup;
	}
	if (S_ISDIR(info.st_mode)) {
		snprintf(directory, sizeof(directory), "%s", options->arguments[0]);
		if (options->set_count || options->directory_count) {
			diag_fail(diags, DIAG_USAGE, "give them to `ebpf-faas build`",
				  "--set and --funcs change a workflow before it is built; %s is "
				  "built",
				  directory);
			goto cleanup;
		}
		if (bundle_open(directory, bundle, diags))
			goto cleanup;
	} else {
		if (build_scratch_make(&scratch, diags))
			goto cleanup;
		snprintf(directory, sizeof(directory), "%s/bundle", scratch.path);
		if (mkdir(directory, 0700)) {
			diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", directory, strerror(errno));
			goto cleanup;
		}
		if (build_workflow(options->arguments[0], options, &scratch, directory, bundle,
				   diags))
			goto cleanup;
	}
	load.directory = directory;
	status = load_bundle(&load, diags);
cleanup:
	build_scratch_remove(&scratch);
	free(record);
	free(bundle);
	return status;
}
