// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The root program for XDP: one on each interface that triggers watch. It parses
 * the packet once, finds the workflow, counts, and tail-calls it. Workflows come
 * and go by writing its maps; it is never attached again for that.
 *
 * Between root and workflow the packet is described in a per-CPU entry. XDP
 * programs run with bottom halves disabled, so nothing else on the CPU writes
 * it in between; a PREEMPT_RT kernel keeps that for XDP by a local lock.
 *
 * It takes packets that lie in several buffers (jumbo frames, LRO), if their
 * headers are in the first. So do all workflow programs: the kernel wants that
 * all members of an array of programs agree about it.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define HOOK_CONTEXT xdp_md
#define HOOK_SLOTS slots
#define HOOK_PASS XDP_PASS

struct faas_packet;

static __always_inline __u32 hook_bytes(struct xdp_md *context)
{
	return bpf_xdp_get_buff_len(context);
}

/* A tag that the NIC took off is not seen by XDP. */
static __always_inline int hook_has_tag(struct xdp_md *context)
{
	return 0;
}

static __always_inline void hook_tag(struct xdp_md *context, struct faas_packet *packet)
{
}

#include "parse.h"

static __always_inline enum parse_result hook_parse(struct xdp_md *context,
						    struct faas_packet *packet)
{
	return parse_any(context, packet);
}

#include "root.h"

SEC("xdp.frags")
int root(struct xdp_md *context)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;

	return root_run(&(struct parse){context, data, data_end, data_end - data});
}

char root_license[] SEC("license") = "Dual BSD/GPL";
