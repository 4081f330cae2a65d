// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The kernel's side of bare.h: every UDP packet over IPv4 becomes a record of a ring. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <ebpf_faas/event.h>

#include "bare_record.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, BARE_RING_BYTES);
} ring SEC(".maps");

__u64 lost = 0;

SEC("xdp.frags")
int bare(struct xdp_md *context)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__u64 *payload = (void *)(udp + 1);
	struct bare_record *record;

	if ((void *)payload + sizeof(record->payload) > data_end ||
	    ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lost++;
		return XDP_DROP;
	}
	record->time_ns = bpf_ktime_get_ns();
#pragma unroll
	for (int i = 0; i < BARE_REST_WORDS; i++)
		record->rest[i] = 0;
	record->key[0] = 0;
	record->key[1] = (__u64)ip->saddr << 32 | 0xffff0000;
	__builtin_memcpy(record->payload, payload, sizeof(record->payload));
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return XDP_DROP;
}

char bare_license[] SEC("license") = "Dual BSD/GPL";
