// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * On tc egress: gives every frame the VLAN tag 7. The tag stands beside the packet,
 * as a VLAN interface sets it; whether it gets into the packet is then the decision of
 * the device (ethtool -K DEVICE txvlan), so both kinds can be sent without a kernel
 * that has VLAN interfaces.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int vlan_push(struct __sk_buff *packet)
{
	if (bpf_skb_vlan_push(packet, bpf_htons(ETH_P_8021Q), 7))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

char vlan_push_license[] SEC("license") = "Dual BSD/GPL";
