// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sends every frame it is given out of the interface it is given for. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int generate(struct xdp_md *context)
{
	return XDP_TX;
}

char generate_license[] SEC("license") = "Dual BSD/GPL";
