// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What stands in the slots of a workflow that is bypassed: every packet passes, and
 * is counted. One object for each workflow, as the slot is a constant.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "slot_counters.h"

const volatile __u32 bypass_slot SEC(".rodata.bypass") = 0;

static __always_inline void count(void)
{
	struct faas_slot_counters *counters = slot_counters_of(bypass_slot);

	if (counters)
		counters->bypassed++;
}

SEC("xdp.frags")
int bypass(struct xdp_md *context)
{
	count();
	return XDP_PASS;
}

SEC("tc")
int bypass_t(struct __sk_buff *context)
{
	count();
	return TC_ACT_UNSPEC;
}

char bypass_license[] SEC("license") = "Dual BSD/GPL";
