// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "settle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "attach.h"
#include "carried.h"
#include "fault.h"
#include "generation.h"
#include "remember.h"
#include "slots.h"
#include "user_tier.h"

struct settling {
	const struct host *host;
	struct faas_registry_entry *entry;
	uint32_t slot;
	uint32_t generation;
	struct bundle *bundle;
	struct record *record;
	struct diags *diags;
};

static int fail(const struct settling *settling, const char *what, int error)
{
	return diag_fail(settling->diags, DIAG_FAILED, NULL, "%s of workflow %s: %s", what,
			 settling->bundle->name, strerror(-error));
}

int settle_programs(const struct host *host, uint32_t slot, const char *name, uint32_t generation)
{
	const struct slots slots = host_slots(host);
	char directory[FAAS_PATH_BYTES - 32];

	generation_pins(name, generation, directory, sizeof(directory));
	return slots_put(&slots, slot, host->registry[slot].flags, directory);
}

/* The rules of the generation, and no other. Its namespace may be gone, and its
 * interfaces with it, or another have its name: then there is nothing to lead. */
static int put_rules(const struct settling *settling)
{
	const struct record *record = settling->record;
	struct netns netns;
	int error;

	error = record_enter(record, &netns);
	if (error == -ENOENT || error == -EINVAL)
		return 0;
	if (error)
		return fail(settling, "entering the network namespace", error);
	if (record_is_of(record, &netns))
		error = attach_put(settling->host, settling->slot, settling->bundle, record,
				   settling->diags);
	netns_leave(&netns);
	return error;
}

static int switch_over(const struct settling *settling)
{
	const char *name = settling->bundle->name;
	int error;

	if (user_tier_begin(name, settling->bundle, settling->slot, settling->generation,
			    settling->record->netns_path, settling->diags))
		return -1;
	fault_point("settle.user_tier_there");
	error = attach_retain(settling->host, settling->slot, settling->bundle, settling->record);
	if (error)
		return fail(settling, "taking rules out", error);
	fault_point("settle.rules_out");
	error = host_barrier(settling->host);
	if (error)
		return fail(settling, "waiting for programs", error);
	error = settle_programs(settling->host, settling->slot, name, settling->generation);
	if (error)
		return fail(settling, "switching the programs", error);
	fault_point("settle.switched");
	error = host_barrier(settling->host);
	if (error)
		return fail(settling, "waiting for programs", error);
	if (user_tier_follow(name, settling->bundle, settling->slot, settling->generation,
			     settling->record->netns_path, settling->diags))
		return -1;
	fault_point("settle.user_tier");
	if (put_rules(settling))
		return -1;
	fault_point("settle.rules_in");
	return 0;
}

/* The other generation that has run: the one before, or one that it came back from. */
static int add_up(const struct settling *settling)
{
	const char *name = settling->bundle->name;
	uint32_t generation = settling->generation;
	uint32_t before = generation_pinned_before(name, generation);
	uint32_t last = generation_pinned_before(name, UINT32_MAX);
	uint64_t left = 0;
	int error = 0;

	if (before)
		error = carried_add(name, before, generation);
	if (!error && last > generation)
		error = carried_add(name, last, generation);
	if (!error && last > generation)
		error = user_tier_left(name, last, &left);
	if (!error && left)
		error = carried_give_up(name, last, generation, left);
	if (error)
		return fail(settling, "adding up the counters", error);
	fault_point("settle.counted");
	return 0;
}

static void prune(const struct settling *settling)
{
	const char *name = settling->bundle->name;
	uint32_t generation = settling->generation;
	uint32_t pinned = generation_pinned_before(name, generation);
	uint32_t stored = generation_stored_before(name, generation);
	struct faas_registry_entry *entry = settling->entry;

	/* It was the trial of one that did not come, or went again. */
	if (generation_pinned_before(name, UINT32_MAX) > generation)
		entry->flags &= ~(uint32_t)FAAS_REGISTRY_TRIAL;
	if (entry->flags & FAAS_REGISTRY_TRIAL)
		generation_prune(name, generation, pinned, pinned);
	else
		generation_prune(name, generation, generation, stored);
}

static int run(struct settling *settling)
{
	const char *name = settling->entry->name;
	int error;

	if (generation_bundle(name, settling->generation, settling->bundle, settling->diags))
		return -1;
	error = generation_record(name, settling->generation, settling->record);
	if (error)
		return fail(settling, "reading what was written down", error);
	if (switch_over(settling) || add_up(settling))
		return -1;
	if (generation_publish(name, settling->generation, settling->diags))
		return -1;
	fault_point("settle.published");
	/* While the version before is there, which may be the one written down now. */
	if (remember(settling->host, settling->slot, settling->bundle, settling->diags))
		return -1;
	fault_point("settle.remembered");
	attach_remove_unused();
	prune(settling);
	fault_point("settle.pruned");
	/* As long as it is on trial there is a way back. */
	if (!(settling->entry->flags & FAAS_REGISTRY_TRIAL) &&
	    user_tier_settle(name, settling->bundle, settling->generation, settling->diags))
		return -1;
	fault_point("settle.kept");
	__atomic_store_n(&settling->entry->state, FAAS_REGISTRY_LOADED, __ATOMIC_RELEASE);
	return 0;
}

int settle(const struct host *host, uint32_t slot, struct diags *diags)
{
	struct settling settling = {.host = host,
				    .entry = &host->registry[slot],
				    .slot = slot,
				    .generation = host->registry[slot].generation,
				    .bundle = calloc(1, sizeof(*settling.bundle)),
				    .record = calloc(1, sizeof(*settling.record)),
				    .diags = diags};
	int error = -1;

	if (!settling.bundle || !settling.record)
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	else
		error = run(&settling);
	free(settling.record);
	free(settling.bundle);
	return error;
}

int settle_to(const struct host *host, uint32_t slot, uint32_t generation, struct diags *diags)
{
	struct faas_registry_entry *entry = &host->registry[slot];

	__atomic_store_n(&entry->state, FAAS_REGISTRY_UPDATING, __ATOMIC_RELEASE);
	fault_point("settle.begun");
	__atomic_store_n(&entry->generation, generation, __ATOMIC_RELEASE);
	fault_point("settle.decided");
	return settle(host, slot, diags);
}
