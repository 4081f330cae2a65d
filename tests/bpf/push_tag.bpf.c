// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Gives a frame a VLAN tag beside it, as a NIC does that takes tags off, and goes on
 * to the program in `next`.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

SEC("tc")
int push_tag(struct __sk_buff *context)
{
	/* Priority 5, VLAN 7. */
	if (bpf_skb_vlan_push(context, bpf_htons(ETH_P_8021Q), 5 << 13 | 7))
		return TC_ACT_SHOT;
	bpf_tail_call(context, &next, 0);
	return TC_ACT_SHOT;
}

char push_tag_license[] SEC("license") = "Dual BSD/GPL";
