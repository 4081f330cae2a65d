/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is counted for a slot, by each CPU for itself. A plain array, for the reason
 * that userspace/base/counters.h gives; the loader makes it as large as there are
 * CPUs.
 */
#ifndef FAAS_BPF_SLOT_COUNTERS_H
#define FAAS_BPF_SLOT_COUNTERS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <ebpf_faas/pins.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FAAS_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct faas_slot_counters);
} slot_counters SEC(".maps");

/* Those of this CPU; NULL: there is no such slot. */
static __always_inline struct faas_slot_counters *slot_counters_of(__u32 slot)
{
	__u32 key = bpf_get_smp_processor_id() * FAAS_SLOTS_MAX + slot;

	return slot < FAAS_SLOTS_MAX ? bpf_map_lookup_elem(&slot_counters, &key) : NULL;
}

#endif
