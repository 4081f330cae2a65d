// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The peers of the veth benchmark, and the end of the replies' way. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* With buffers as the workflows' root program has them, so that the driver hands
 * both the same. */
SEC("xdp.frags")
int bare_drop(struct xdp_md *context)
{
	return XDP_DROP;
}

/* What any program that decides by the packet must do at least. */
SEC("xdp.frags")
int reading_drop(struct xdp_md *context)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->protocol != IPPROTO_UDP || udp->dest != bpf_htons(5005))
		return XDP_PASS;
	return XDP_DROP;
}

SEC("xdp.frags")
int bare_tx(struct xdp_md *context)
{
	return XDP_TX;
}

char veth_license[] SEC("license") = "Dual BSD/GPL";
