// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The peers of the veth benchmark, and the end of the replies' way. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* With buffers as the workflows' root program has them, so that the driver hands
 * both the same. */
SEC("xdp.frags")
int bare_drop(struct xdp_md *context)
{
	return XDP_DROP;
}

SEC("xdp.frags")
int bare_tx(struct xdp_md *context)
{
	return XDP_TX;
}

char veth_license[] SEC("license") = "Dual BSD/GPL";
