// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The peers of the chain benchmark: a bare XDP_DROP, and eight checks written
 * by hand in one program, as funcs/bench_check has them: plain, and counting
 * how often each check let a packet on, as the fused workflow does.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define CHECKS 8

struct counts {
	__u64 packets;
	__u64 dropped;
	__u64 passed;
	__u64 on[CHECKS];
	__u64 out[CHECKS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counts SEC(".maps");

SEC("xdp")
int bare(struct xdp_md *context)
{
	return XDP_DROP;
}

struct words {
	__be32 word[CHECKS];
};

/* Where the payload's words are; NULL if the packet is another. */
static __always_inline struct words *find_words(struct xdp_md *context)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct words *words = (void *)(udp + 1);

	if ((void *)(words + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->ihl != 5 || ip->protocol != IPPROTO_UDP || udp->dest != bpf_htons(5005))
		return NULL;
	return words;
}

SEC("xdp")
int hand(struct xdp_md *context)
{
	struct words *words = find_words(context);

	if (!words)
		return XDP_PASS;
#pragma unroll
	for (int i = 0; i < CHECKS; i++)
		if (bpf_ntohl(words->word[i]) > 1000u + (__u32)i)
			return XDP_PASS;
	return XDP_DROP;
}

SEC("xdp")
int hand_counting(struct xdp_md *context)
{
	struct words *words = find_words(context);
	struct counts *count;
	__u32 zero = 0;

	if (!words)
		return XDP_PASS;
	count = bpf_map_lookup_elem(&counts, &zero);
	if (!count)
		return XDP_PASS;
	count->packets++;
#pragma unroll
	for (int i = 0; i < CHECKS; i++) {
		if (bpf_ntohl(words->word[i]) > 1000u + (__u32)i) {
			count->out[i]++;
			count->passed++;
			return XDP_PASS;
		}
		count->on[i]++;
	}
	count->dropped++;
	return XDP_DROP;
}

char chain_license[] SEC("license") = "Dual BSD/GPL";
