// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The totals of versions whose counters were laid out otherwise; no program. See pins.h. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <ebpf_faas/pins.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct faas_carried);
} carried SEC(".maps");

char carried_license[] SEC("license") = "Dual BSD/GPL";
