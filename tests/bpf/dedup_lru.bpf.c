// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * funcs/dedup with its memory in an LRU hash map: what it is measured against.
 * The hash is the same; hence the source is taken in, with its entry renamed.
 */
#define faas_event dedup_event
#include "../../funcs/dedup/dedup.bpf.c"
#undef faas_event

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} times SEC(".maps");

int faas_event(struct faas_call *call)
{
	__u64 hash, now_ns, *then_ns;

	if (hash_packet(call, &hash))
		return faas_output(oversize);
	now_ns = faas_param(window) >= COARSE_WINDOW_NS ? faas_now_coarse_ns() : faas_now_ns();
	then_ns = bpf_map_lookup_elem(&times, &hash);
	if (then_ns && age(now_ns, *then_ns) < faas_param(window))
		return faas_output(repeat);
	if (then_ns)
		*then_ns = now_ns;
	else
		bpf_map_update_elem(&times, &hash, &now_ns, BPF_ANY);
	return faas_output(first);
}
