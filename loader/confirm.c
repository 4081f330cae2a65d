// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas confirm: a generation on trial stays. */
#include <stdio.h>

#include <jansson.h>

#include "command.h"
#include "host.h"
#include "output.h"
#include "trial.h"

int verb_confirm(const struct options *options, struct diags *diags)
{
	const char *name = options->arguments[0];
	uint32_t slot = 0, generation = 0;
	struct host host;
	int error = -1;

	if (!host_open(&host, HOST_CHANGE, diags)) {
		slot = host_find(&host, name);
		if (!slot)
			diag_fail(diags, DIAG_NOT_FOUND,
				  "its trial may be over; `ebpf-faas list` shows those that are",
				  "workflow %s is not loaded", name);
	}
	if (slot) {
		generation = host.registry[slot].generation;
		if (host.registry[slot].flags & FAAS_REGISTRY_TRIAL)
			error = trial_pass(&host, slot, "confirmed", diags);
		else
			diag_fail(diags, DIAG_FAILED,
				  "`ebpf-faas history` says whether it went back",
				  "generation %u of workflow %s is not on trial", generation, name);
	}
	host_close(&host);
	if (error)
		return DIAG_FAILED;
	if (options->json)
		output_json(json_pack("{s:s, s:I}", "workflow", name, "generation",
				      (json_int_t)generation));
	else
		printf("confirmed %s: generation %u stays\n", name, generation);
	return 0;
}
