// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas list: the registry of this host, as the kernel holds it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "command.h"
#include "host.h"
#include "onlooker.h"
#include "output.h"

static const char *state_name(uint32_t state)
{
	switch (state) {
	case FAAS_REGISTRY_LOADING:
		return "loading";
	case FAAS_REGISTRY_LOADED:
		return "loaded";
	case FAAS_REGISTRY_UNLOADING:
		return "unloading";
	case FAAS_REGISTRY_UPDATING:
		return "updating";
	default:
		return "unknown";
	}
}

int verb_list(const struct options *options, struct diags *diags)
{
	json_t *list = options->json ? json_array() : NULL;
	struct host host;
	int error = 0;

	if (geteuid()) {
		json_decref(list);
		return onlooker_list(options, diags);
	}
	if (host_open(&host, HOST_READ, diags)) {
		json_decref(list);
		return DIAG_FAILED;
	}
	for (uint32_t slot = 1; host.registry && !error && slot < FAAS_SLOTS_MAX; slot++) {
		const struct faas_registry_entry *entry = &host.registry[slot];
		struct faas_slot_counters counters = {0};

		if (entry->state == FAAS_REGISTRY_FREE)
			continue;
		error = host_slot_counters(&host, slot, &counters);
		if (error)
			diag_fail(diags, DIAG_FAILED, NULL, "the counters of workflow %s: %s",
				  entry->name, strerror(-error));
		else if (list)
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:b}", "workflow",
						entry->name, "state", state_name(entry->state),
						"slot", (json_int_t)slot, "generation",
						(json_int_t)entry->generation, "matched",
						(json_int_t)counters.matched, "trial",
						!!(entry->flags & FAAS_REGISTRY_TRIAL), "bypassed",
						!!(entry->flags & FAAS_REGISTRY_BYPASSED)));
		else
			printf("%-32s %-9s slot %-4u generation %-3u matched %llu%s%s\n",
			       entry->name, state_name(entry->state), slot, entry->generation,
			       (unsigned long long)counters.matched,
			       entry->flags & FAAS_REGISTRY_TRIAL ? "  on trial" : "",
			       entry->flags & FAAS_REGISTRY_BYPASSED ? "  bypassed"
			       : entry->flags & (FAAS_REGISTRY_STOPPED_PASS |
						 FAAS_REGISTRY_STOPPED_DROP)
				       ? "  quarantined"
				       : "");
	}
	host_close(&host);
	if (error) {
		json_decref(list);
		return DIAG_FAILED;
	}
	if (list)
		output_json(list);
	return 0;
}
