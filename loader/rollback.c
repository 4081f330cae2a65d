// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas rollback: the version before, as a new generation; a generation on trial
 * goes back to the one that is still in the kernel.
 */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "command.h"
#include "generation.h"
#include "output.h"
#include "undelivered.h"
#include "update.h"

static int end_trial(const struct options *options, struct host *host, uint32_t slot,
		     struct diags *diags)
{
	const char *name = options->arguments[0];
	uint32_t before = generation_pinned_before(name, host->registry[slot].generation);

	if (trial_go_back(host, slot, "a rollback was asked for", diags))
		return -1;
	if (options->json)
		output_json(json_pack("{s:s, s:I, s:b}", "workflow", name, "generation",
				      (json_int_t)before, "unloaded", before == 0));
	else if (before)
		printf("rolled back %s: generation %u runs again\n", name, before);
	else
		printf("unloaded %s: it was on trial, and there is no version before it\n", name);
	return 0;
}

/* The version before, which lies on the disk. */
static int go_back(const struct options *options, struct host *host, uint32_t slot,
		   struct diags *diags)
{
	const char *name = options->arguments[0];
	uint32_t before = generation_stored_before(name, host->registry[slot].generation);
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	struct update_result result = {0};
	char directory[FAAS_PATH_BYTES], event[64];
	int error = -1;

	if (!bundle) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	} else if (!before) {
		diag_fail(diags, DIAG_FAILED,
			  "one is kept, until a trial takes its place; `ebpf-faas history` shows "
			  "what there was, `ebpf-faas update` runs any",
			  "no version of workflow %s before generation %u is kept", name,
			  host->registry[slot].generation);
	} else if (!generation_bundle(name, before, bundle, diags)) {
		generation_directory(name, before, directory, sizeof(directory));
		snprintf(event, sizeof(event), "rolled back to generation %u", before);
		error = update_run(host, slot, bundle, directory, options, NULL, event, &result,
				   diags);
	}
	if (!error)
		update_print(options, bundle, "rolled back", NULL, &result);
	free(result.takeover);
	free(bundle);
	return error;
}

/* What it goes back to may not know what waits for sinks. A trial goes back at once. */
static int wait_for_sinks(const struct options *options, struct diags *diags)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	const char *name = options->arguments[0];
	uint32_t slot = 0, before = 0;
	uint64_t drain_ns;
	struct host host;
	int error = bundle ? undelivered_bound(options->drain, &drain_ns, diags) : -1;

	if (!error) {
		error = host_open(&host, HOST_READ, diags);
		if (!error && host.registry)
			slot = host_find(&host, name);
		if (slot && !(host.registry[slot].flags & FAAS_REGISTRY_TRIAL))
			before = generation_stored_before(name, host.registry[slot].generation);
		host_close(&host);
	}
	if (!error && before)
		error = generation_bundle(name, before, bundle, diags);
	if (!error && before)
		error = undelivered_wait(bundle, drain_ns, diags);
	free(bundle);
	return error;
}

int verb_rollback(const struct options *options, struct diags *diags)
{
	struct host host;
	uint32_t slot = 0;
	int error = -1;

	if (wait_for_sinks(options, diags))
		return DIAG_FAILED;
	if (!host_open(&host, HOST_CHANGE, diags)) {
		slot = host_find(&host, options->arguments[0]);
		if (slot && host.registry[slot].flags & FAAS_REGISTRY_TRIAL)
			error = end_trial(options, &host, slot, diags);
		else if (update_find(&host, options->arguments[0], diags))
			error = go_back(options, &host, slot, diags);
	}
	host_close(&host);
	return error ? DIAG_FAILED : 0;
}
