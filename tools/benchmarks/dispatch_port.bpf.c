// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A program by hand for one port, as the workflow of bench dispatch has it: look at
 * a word of the payload, count the packet, drop it. The benchmark loads it once for
 * each port.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define LIMIT 1000 /* the default of funcs/bench_check */

enum { COUNT_ON, COUNT_OUT };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[2]);
} counted SEC(".maps");

SEC("xdp.frags")
int for_port(struct xdp_md *context)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	__u32 *word = data + sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr);
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&counted, &zero);

	if (!count)
		return XDP_PASS;
	if ((void *)(word + 1) > data_end || bpf_ntohl(*word) > LIMIT) {
		count[COUNT_OUT]++;
		return XDP_PASS;
	}
	count[COUNT_ON]++;
	return XDP_DROP;
}

char dispatch_port_license[] SEC("license") = "Dual BSD/GPL";
