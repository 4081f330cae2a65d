// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The peers of the chain benchmark: a bare XDP_DROP, and chains of checks as
 * funcs/bench_check has them, 1 to 32 of them. By hand: all in one program, which
 * looks at the headers once, and counts how often each check let a packet on, as a
 * workflow does. By tail calls: a program for each check, to the next by an index
 * that is a constant, or by one that is not; what is in the table behind the last
 * one drops.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define CHECKS_MAX 32
#define LIMIT(check) (1000u + (check))

struct counts {
	__u64 packets;
	__u64 dropped;
	__u64 passed;
	__u64 on[CHECKS_MAX];
	__u64 out[CHECKS_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counts SEC(".maps");

/* One more than there are checks: the last place drops. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, CHECKS_MAX + 1);
	__type(key, __u32);
	__type(value, __u32);
} tails SEC(".maps"), dynamic_tails SEC(".maps");

/* Not known to the compiler, nor to the verifier. */
volatile __u32 step = 1;

SEC("xdp.frags")
int bare(struct xdp_md *context)
{
	return XDP_DROP;
}

/* The packet's words from @p first to @p last; NULL if the packet is another. */
static __always_inline __be32 *find_words(struct xdp_md *context, int last)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__be32 *words = (void *)(udp + 1);

	if ((void *)(words + last + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->ihl != 5 || ip->protocol != IPPROTO_UDP || udp->dest != bpf_htons(5005))
		return NULL;
	return words;
}

static __always_inline int by_hand(struct xdp_md *context, const int checks)
{
	__be32 *words = find_words(context, checks - 1);
	struct counts *count;
	__u32 zero = 0;

	if (!words)
		return XDP_PASS;
	count = bpf_map_lookup_elem(&counts, &zero);
	if (!count)
		return XDP_PASS;
	count->packets++;
#pragma unroll
	for (int i = 0; i < checks; i++) {
		if (bpf_ntohl(words[i]) > LIMIT(i)) {
			count->out[i]++;
			count->passed++;
			return XDP_PASS;
		}
		count->on[i]++;
	}
	count->dropped++;
	return XDP_DROP;
}

#define HAND(checks)                                                                               \
	SEC("xdp.frags")                                                                           \
	int hand_##checks(struct xdp_md *context)                                                  \
	{                                                                                          \
		return by_hand(context, checks);                                                   \
	}
HAND(1)
HAND(2)
HAND(4)
HAND(8)
HAND(16)
HAND(32)

/* The same 8 without counting. */
SEC("xdp.frags")
int hand_uncounted_8(struct xdp_md *context)
{
	__be32 *words = find_words(context, 7);

	if (!words)
		return XDP_PASS;
#pragma unroll
	for (int i = 0; i < 8; i++)
		if (bpf_ntohl(words[i]) > LIMIT(i))
			return XDP_PASS;
	return XDP_DROP;
}

/* One check of a chain of programs. Each has to find its word by itself, as the
 * next program knows nothing of this one. */
static __always_inline int check(struct xdp_md *context, const int number)
{
	__be32 *words = find_words(context, number);
	struct counts *count;
	__u32 zero = 0;

	if (!words)
		return 0;
	count = bpf_map_lookup_elem(&counts, &zero);
	if (!count)
		return 0;
	if (bpf_ntohl(words[number]) > LIMIT(number)) {
		count->out[number]++;
		return 0;
	}
	count->on[number]++;
	return 1;
}

#define TAIL(number)                                                                               \
	SEC("xdp.frags")                                                                           \
	int tail_##number(struct xdp_md *context)                                                  \
	{                                                                                          \
		if (check(context, number))                                                        \
			bpf_tail_call_static(context, &tails, (number) + 1);                       \
		return XDP_PASS;                                                                   \
	}                                                                                          \
	SEC("xdp.frags")                                                                           \
	int dynamic_##number(struct xdp_md *context)                                               \
	{                                                                                          \
		if (check(context, number))                                                        \
			bpf_tail_call(context, &dynamic_tails, (number) + step);                   \
		return XDP_PASS;                                                                   \
	}
#define TAIL_4(a, b, c, d) TAIL(a) TAIL(b) TAIL(c) TAIL(d)
TAIL_4(0, 1, 2, 3)
TAIL_4(4, 5, 6, 7)
TAIL_4(8, 9, 10, 11)
TAIL_4(12, 13, 14, 15)
TAIL_4(16, 17, 18, 19)
TAIL_4(20, 21, 22, 23)
TAIL_4(24, 25, 26, 27)
TAIL_4(28, 29, 30, 31)

char chain_license[] SEC("license") = "Dual BSD/GPL";
