// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Lets every packet pass. Two uses: on the far end of a veth pair, where frames
 * sent by XDP_TX are delivered only if an XDP program stands there; and as the
 * program of somebody else, that the loader must not take away.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass_all(struct xdp_md *context)
{
	(void)context;
	return XDP_PASS;
}

char xdp_pass_license[] SEC("license") = "Dual BSD/GPL";
