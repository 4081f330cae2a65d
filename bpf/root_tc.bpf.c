// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The root program for TC, ingress and egress alike: as root.bpf.c does it for
 * XDP, on the packets of the network stack.
 *
 * Such a packet may have its outermost VLAN tag beside the frame (the NIC or the
 * stack took it off, or it is still to be put in), and its headers need not be
 * in the linear part: they are pulled into it then.
 *
 * TC programs run with bottom halves disabled on both ways, so the per-CPU entry
 * that describes the packet belongs to one packet at a time here as well. What
 * passes goes on to the filters behind this one.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include <ebpf_faas/pins.h>

#define HOOK_CONTEXT __sk_buff
#define HOOK_SLOTS tc_slots
#define HOOK_PASS TC_ACT_UNSPEC

#define TAG_ID_MASK 0x0fff

static __always_inline __u32 hook_bytes(struct __sk_buff *context)
{
	return context->len;
}

static __always_inline int hook_has_tag(struct __sk_buff *context)
{
	return context->vlan_present;
}

static __always_inline void hook_tag(struct __sk_buff *context, struct faas_packet *packet)
{
	if (!context->vlan_present)
		return;
	packet->vlan = context->vlan_tci & TAG_ID_MASK;
	packet->vlan_tags = 1;
}

#include "parse.h"

/* Pull the headers into the linear part, if they are not there. */
static __always_inline enum parse_result hook_parse(struct __sk_buff *context,
						    struct faas_packet *packet)
{
	enum parse_result result = parse_any(context, packet);

	if (likely(result != PARSE_NONLINEAR) ||
	    bpf_skb_pull_data(context, context->len < PARSE_HEADERS_BYTES_MAX
					       ? context->len
					       : PARSE_HEADERS_BYTES_MAX))
		return result;
	*packet = (struct faas_packet){};
	return parse_any(context, packet);
}

#include "root.h"

SEC("tc")
int root_tc(struct __sk_buff *context)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;

	return root_run(&(struct parse){context, data, data_end, context->len});
}

char root_license[] SEC("license") = "Dual BSD/GPL";
