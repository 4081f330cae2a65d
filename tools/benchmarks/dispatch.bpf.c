// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the dispatch benchmark needs beside root programs and workflows: a bare
 * XDP_DROP, dispatch by port and one lookup of the destination in an LPM table, both
 * written by hand, and a generator that sends every packet to another port.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NEXT_ROOT 0
#define NEXT_BARE 1
#define PORT_FIRST 20000 /* as in dispatch_main.c */
#define PORTS 65536
#define PREFIXES_MAX 131072

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} port_count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, PORTS);
	__type(key, __u32);
	__type(value, __u32);
} by_port_programs SEC(".maps");

struct prefix {
	__u32 bits;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, PREFIXES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} prefixes SEC(".maps");

__u32 random = 2463534242;

SEC("xdp.frags")
int bare(struct xdp_md *context)
{
	return XDP_DROP;
}

SEC("xdp.frags")
int by_hand(struct xdp_md *context)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct prefix key = {.bits = 32};

	if ((void *)(ip + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	key.address = ip->daddr;
	return bpf_map_lookup_elem(&prefixes, &key) ? XDP_DROP : XDP_PASS;
}

/* The least that leads to a program of the packet's port: an array of programs. */
SEC("xdp.frags")
int by_port(struct xdp_md *context)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP) ||
	    *(__u8 *)ip != 0x45 || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	bpf_tail_call(context, &by_port_programs, bpf_ntohs(udp->dest));
	return XDP_PASS;
}

/* Choose one of the ports, all alike (xorshift), and put it in. */
static __always_inline int choose(struct xdp_md *context)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	struct udphdr *udp = data + sizeof(struct ethhdr) + sizeof(struct iphdr);
	__u32 zero = 0, *count = bpf_map_lookup_elem(&port_count, &zero), value = random;

	if (!count || (void *)(udp + 1) > data_end)
		return -1;
	value ^= value << 13;
	value ^= value >> 17;
	value ^= value << 5;
	random = value;
	udp->dest = bpf_htons(PORT_FIRST + ((__u64)value * *count >> 32));
	return 0;
}

SEC("xdp.frags")
int choose_for_root(struct xdp_md *context)
{
	if (!choose(context))
		bpf_tail_call_static(context, &next, NEXT_ROOT);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int choose_for_bare(struct xdp_md *context)
{
	if (!choose(context))
		bpf_tail_call_static(context, &next, NEXT_BARE);
	return XDP_ABORTED;
}

char dispatch_license[] SEC("license") = "Dual BSD/GPL";
