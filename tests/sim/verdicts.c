// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A map of the kernel tier that takes verdicts, as the kernel has it: so many keys, and
 * no more. Nobody ever sees a verdict in it that is older than one that was there for
 * the same key; at rest, there is the last one of each.
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <ebpf_faas/keyed.h>

#include "sim.h"

static struct slot {
	bool used;
	struct faas_key key;
	struct faas_verdict_entry entry;
} slots[SIM_KEYS_MAX];

/* Of each key, also of those that were removed. */
static uint64_t newest[SIM_KEYS_MAX];

void verdicts_reset(void)
{
	memset(slots, 0, sizeof(slots));
	memset(newest, 0, sizeof(newest));
}

static uint32_t key_of(const struct faas_key *key)
{
	struct faas_key wanted;

	for (uint32_t k = 0; k < sim_plan.keys; k++) {
		memset(&wanted, 0, sizeof(wanted));
		workflow_key(k, wanted.source_address);
		if (!memcmp(key, &wanted, sizeof(wanted)))
			return k;
	}
	sim_fail("a verdict about a key that no event has");
}

static struct slot *find(const void *key)
{
	for (uint32_t i = 0; i < SIM_KEYS_MAX; i++)
		if (slots[i].used && !memcmp(&slots[i].key, key, sizeof(slots[i].key)))
			return &slots[i];
	return NULL;
}

static void check_map(int fd)
{
	sim_step();
	if (fd != SIM_FD_VERDICTS)
		sim_fail("a verdict goes into map %d", fd);
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *ret);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *ret)
{
	const struct slot *slot;

	check_map(fd);
	slot = find(key);
	if (!slot)
		return -ENOENT;
	memcpy(ret, &slot->entry, sizeof(slot->entry));
	return 0;
}

int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	const struct faas_verdict_entry *entry = value;
	struct slot *slot;
	uint32_t used = 0, number;

	(void)flags;
	check_map(fd);
	slot = find(key);
	for (uint32_t i = 0; i < SIM_KEYS_MAX; i++)
		used += slots[i].used;
	if (!slot && used == sim_plan.verdict_room)
		return -E2BIG;
	for (uint32_t i = 0; !slot && i < SIM_KEYS_MAX; i++)
		if (!slots[i].used)
			slot = &slots[i];
	if (!slot)
		return -E2BIG;
	memcpy(&slot->key, key, sizeof(slot->key));
	number = key_of(&slot->key);
	if (entry->version < newest[number])
		sim_fail("a verdict of record %llu comes after one of record %llu",
			 (unsigned long long)entry->version, (unsigned long long)newest[number]);
	newest[number] = entry->version;
	slot->entry = *entry;
	slot->used = true;
	return 0;
}

int __wrap_bpf_map_delete_elem(int fd, const void *key);
int __wrap_bpf_map_delete_elem(int fd, const void *key)
{
	struct slot *slot;

	check_map(fd);
	slot = find(key);
	if (!slot)
		return -ENOENT;
	if (slot->entry.expires_ns > sim_now_ns)
		sim_fail("a verdict that counts is removed");
	slot->used = false;
	return 0;
}

/* One that is not there has the first one behind it. */
int __wrap_bpf_map_get_next_key(int fd, const void *key, void *ret);
int __wrap_bpf_map_get_next_key(int fd, const void *key, void *ret)
{
	const struct slot *slot;
	uint32_t i;

	check_map(fd);
	slot = key ? find(key) : NULL;
	for (i = slot ? (uint32_t)(slot - slots) + 1 : 0; i < SIM_KEYS_MAX; i++) {
		if (slots[i].used) {
			memcpy(ret, &slots[i].key, sizeof(slots[i].key));
			return 0;
		}
	}
	return -ENOENT;
}

static void check_key(uint32_t key, bool any_refused)
{
	const struct sim_verdict_given *wanted = &sim_model.verdicts[key];
	const struct slot *slot;
	struct faas_key place;

	memset(&place, 0, sizeof(place));
	workflow_key(key, place.source_address);
	slot = find(&place);
	if (!slot) {
		if (wanted->verdict == VERDICT_KEPT && !any_refused)
			sim_fail("the verdict about key %u is not in its map", key);
		return;
	}
	if (wanted->verdict == VERDICT_NONE || wanted->value != slot->entry.value ||
	    (wanted->verdict == VERDICT_BACK) != !slot->entry.expires_ns ||
	    (wanted->verdict == VERDICT_KEPT) != (slot->entry.expires_ns == INT64_MAX))
		sim_fail("the verdict about key %u is not the last one", key);
}

void verdicts_check(void)
{
	const struct courier_page *page = sim_data(SIM_FD_COURIER_PAGE);
	const struct courier_cursor *cursor = &page->cursors[page->current & 1];

	if (cursor->verdicts + cursor->verdicts_refused != sim_model.verdict_count)
		sim_fail("%llu verdicts are in the map and %llu refused, of %llu",
			 (unsigned long long)cursor->verdicts,
			 (unsigned long long)cursor->verdicts_refused,
			 (unsigned long long)sim_model.verdict_count);
	for (uint32_t k = 0; k < sim_plan.keys; k++)
		check_key(k, cursor->verdicts_refused);
}
