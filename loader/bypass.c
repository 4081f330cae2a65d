// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas bypass and resume: the way out when a workflow does harm. Nothing but the
 * program in its slot changes; rules, state and processes stay.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "command.h"
#include "control_client.h"
#include "fault.h"
#include "generation.h"
#include "history.h"
#include "output.h"
#include "remember.h"
#include "settle.h"

/* One workflow. It is settled by the next command if this one is killed inside. */
/* For after a reboot. */
static int remember_change(const struct host *host, uint32_t slot, struct diags *diags)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	int error = -1;

	if (!bundle)
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	else if (!generation_running_bundle(host->registry[slot].name, bundle, diags))
		error = remember(host, slot, bundle, diags);
	free(bundle);
	return error;
}

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
		error = remember_change(host, slot, diags);
	}
	__atomic_store_n(&entry->state, FAAS_REGISTRY_LOADED, __ATOMIC_RELEASE);
	return error;
}

/* Out of its quarantine as well. Whether it was in one. */
static int end_quarantine(const struct faas_registry_entry *entry, bool *ret_was,
			  struct diags *diags)
{
	*ret_was = entry->flags & (FAAS_REGISTRY_STOPPED_PASS | FAAS_REGISTRY_STOPPED_DROP);
	if (!*ret_was)
		return 0;
	if (control_start_runtime(diags) || control_resume(entry->name, diags))
		return -1;
	history_add(entry->name, "resumed", entry->generation, "it was in quarantine", NULL);
	return 0;
}

/* All of the argument's; those that are so already are left out. */
static int change_all(const struct options *options, const struct host *host, bool bypass,
		      json_t *list, struct diags *diags)
{
	int error = 0;

	for (uint32_t slot = 1; host->registry && slot < FAAS_SLOTS_MAX; slot++) {
		const struct faas_registry_entry *entry = &host->registry[slot];
		bool changes = !!(entry->flags & FAAS_REGISTRY_BYPASSED) != bypass, was = false;

		if (entry->state != FAAS_REGISTRY_LOADED ||
		    (!options->all &&
		     strncmp(entry->name, options->arguments[0], sizeof(entry->name))))
			continue;
		if ((changes && change(host, slot, bypass, diags)) ||
		    (!bypass && end_quarantine(entry, &was, diags)))
			error = -1;
		else if (changes || was)
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
