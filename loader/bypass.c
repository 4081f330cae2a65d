// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas bypass and resume: the way out when a workflow does harm. Nothing but the
 * program in its slot changes; rules, state and processes stay.
 */
#include "bypass.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <jansson.h>

#include "command.h"
#include "fault.h"
#include "history.h"
#include "output.h"
#include "paths.h"
#include "settle.h"

int bypass_load(const struct host *host, uint32_t slot, struct bpf_object **ret)
{
	struct bpf_object *object;
	char path[FAAS_PATH_BYTES];
	struct bpf_map *map;
	int error;

	snprintf(path, sizeof(path), "%s/bypass.bpf.o", paths_libexec());
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return -errno;
	map = bpf_object__find_map_by_name(object, FAAS_PIN_SLOT_COUNTERS);
	error = map ? bpf_map__reuse_fd(map, host->slot_counters_fd) : -ENOENT;
	map = bpf_object__find_map_by_name(object, ".rodata.bypass");
	if (!error)
		error = map ? bpf_map__set_initial_value(map, &slot, sizeof(slot)) : -ENOENT;
	if (!error)
		error = bpf_object__load(object);
	if (error)
		bpf_object__close(object);
	else
		*ret = object;
	return error;
}

int bypass_program(struct bpf_object *object)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, "bypass"));
}

int bypass_tc_program(struct bpf_object *object)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, "bypass_t"));
}

/* One workflow. It is settled by the next command if this one is killed inside. */
static int change(const struct host *host, uint32_t slot, bool bypass, struct diags *diags)
{
	struct faas_registry_entry *entry = &host->registry[slot];
	int error;

	__atomic_store_n(&entry->state, FAAS_REGISTRY_UPDATING, __ATOMIC_RELEASE);
	fault_point("bypass.begun");
	if (bypass)
		entry->flags |= FAAS_REGISTRY_BYPASSED;
	else
		entry->flags &= ~(uint32_t)FAAS_REGISTRY_BYPASSED;
	fault_point("bypass.decided");
	error = settle_programs(host, slot, entry->name, entry->generation);
	fault_point("bypass.switched");
	if (error) {
		/* The flag says what is in the slots: as it was. */
		entry->flags ^= FAAS_REGISTRY_BYPASSED;
		diag_fail(diags, DIAG_FAILED, "`ebpf-faas unload` takes it out", "workflow %s: %s",
			  entry->name, strerror(-error));
	} else {
		history_add(entry->name, bypass ? "bypassed" : "resumed", entry->generation, "",
			    NULL);
	}
	__atomic_store_n(&entry->state, FAAS_REGISTRY_LOADED, __ATOMIC_RELEASE);
	return error;
}

/* All of the argument's; those that are so already are left out. */
static int change_all(const struct options *options, const struct host *host, bool bypass,
		      json_t *list, struct diags *diags)
{
	int error = 0;

	for (uint32_t slot = 1; host->registry && slot < FAAS_SLOTS_MAX; slot++) {
		const struct faas_registry_entry *entry = &host->registry[slot];

		if (entry->state != FAAS_REGISTRY_LOADED ||
		    (!options->all &&
		     strncmp(entry->name, options->arguments[0], sizeof(entry->name))) ||
		    !!(entry->flags & FAAS_REGISTRY_BYPASSED) == bypass)
			continue;
		if (change(host, slot, bypass, diags))
			error = -1;
		else
			json_array_append_new(list, json_string(entry->name));
	}
	return error;
}

static int run(const struct options *options, bool bypass, struct diags *diags)
{
	const char *word = bypass ? "bypassed" : "resumed";
	json_t *list = json_array(), *name;
	int error = -1;
	struct host host;
	size_t i;

	if (options->all == (options->argument_count == 1)) {
		diag_fail(diags, DIAG_USAGE, NULL, "name a workflow, or give --all");
	} else if (!host_open(&host, HOST_CHANGE, diags)) {
		if (!options->all && !host_find(&host, options->arguments[0]))
			diag_fail(diags, DIAG_NOT_FOUND, "`ebpf-faas list` shows those that are",
				  "workflow %s is not loaded", options->arguments[0]);
		else
			error = change_all(options, &host, bypass, list, diags);
		host_close(&host);
	} else {
		host_close(&host);
	}
	if (error) {
		json_decref(list);
		return DIAG_FAILED;
	}
	if (options->json) {
		output_json(json_pack("{s:o}", word, list));
		return 0;
	}
	json_array_foreach (list, i, name)
		printf("%s %s\n", word, json_string_value(name));
	if (!json_array_size(list))
		printf("nothing to do: %s already\n", word);
	json_decref(list);
	return 0;
}

int verb_bypass(const struct options *options, struct diags *diags)
{
	return run(options, true, diags);
}

int verb_resume(const struct options *options, struct diags *diags)
{
	return run(options, false, diags);
}
