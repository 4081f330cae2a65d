// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What stands in the slots of a workflow that is bypassed, or that cannot run: every
 * packet passes, or is dropped, and is counted. One object for each workflow, as the
 * slot is a constant. See userspace/base/slots.h.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "slot_counters.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FAAS_SLOTS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct faas_registry_entry);
} registry SEC(".maps");

struct bypass {
	__u32 slot;
	__u32 flags; /* FAAS_REGISTRY_BYPASSED, FAAS_REGISTRY_STOPPED_* */
};
const volatile struct bypass bypass_constants SEC(".rodata.bypass") = {0};

/* Of a workflow that cannot run. In its entry, for all CPUs together: nobody measures
 * how fast it does not run. */
static __always_inline void count_stopped(int drops)
{
	__u32 slot = bypass_constants.slot;
	struct faas_registry_entry *entry = bpf_map_lookup_elem(&registry, &slot);

	if (!entry)
		return;
	if (drops)
		__sync_fetch_and_add(&entry->stopped_dropped, 1);
	else
		__sync_fetch_and_add(&entry->stopped_passed, 1);
}

/* Whether the packet is dropped. */
static __always_inline int decide(void)
{
	struct faas_slot_counters *counters;
	int drops;

	if (bypass_constants.flags & FAAS_REGISTRY_BYPASSED) {
		counters = slot_counters_of(bypass_constants.slot);
		if (counters)
			counters->bypassed++;
		return 0;
	}
	drops = !!(bypass_constants.flags & FAAS_REGISTRY_STOPPED_DROP);
	count_stopped(drops);
	return drops;
}

SEC("xdp.frags")
int bypass(struct xdp_md *context)
{
	return decide() ? XDP_DROP : XDP_PASS;
}

SEC("tc")
int bypass_t(struct __sk_buff *context)
{
	return decide() ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char bypass_license[] SEC("license") = "Dual BSD/GPL";
