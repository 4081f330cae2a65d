// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The maps of a host, without a program. See pins.h for what each holds. */
#include "host_maps.h"

HOST_PROGRAMS(slots);
HOST_PROGRAMS(tc_slots);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FAAS_SLOTS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct faas_registry_entry);
} registry SEC(".maps");

/* Updating an entry of a map of maps returns only after all programs that were
 * running have ended; nothing else that a loader can do waits for them. It is empty at
 * first, for filling it would wait as well. */
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct inner);
} barrier SEC(".maps");

char host_license[] SEC("license") = "Dual BSD/GPL";
