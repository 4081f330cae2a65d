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
static __always_inline void hook_tag(struct xdp_md *context, struct faas_packet *packet)
{
}

#include "root.h"

SEC("xdp.frags")
int root(struct xdp_md *context)
{
	void *data = (void *)(long)context->data;
	void *data_end = (void *)(long)context->data_end;
	struct parse parse = {context, data, data_end, data_end - data};
	struct faas_packet plain = {}, found = {}, rest;
	enum parse_result result;
	struct faas_trigger_ref ref;
	__u32 slot, trigger;

	/* Two copies of what follows the parser: in the first the offsets are
	 * constants, and nothing has to be kept for the other. */
	if (likely(parse_plain(data, data_end, &plain))) {
		ref = root_find_port(&plain);
		if (likely(ref.slot)) {
			slot = root_take(&plain, ref, data_end - data);
			if (likely(slot))
				return root_enter(context, slot);
		} else if (!root_stages()) {
			return root_pass(PARSE_PORTS);
		}
		result = PARSE_PORTS;
		rest = plain;
	} else {
		result = parse_frame(&parse, &found);
		if (result >= PARSE_MALFORMED)
			return root_pass(parse_why(&parse, result));
		ref = (struct faas_trigger_ref){};
		if (result == PARSE_PORTS)
			ref = root_find_port(&found);
		if (ref.slot) {
			slot = root_take(&found, ref, parse.frame_bytes);
			if (slot)
				return root_enter(context, slot);
		} else if (!root_stages()) {
			return root_pass(result);
		}
		rest = found;
	}
	/* What the port table alone does not answer. */
	trigger = find_trigger(context, &rest, result);
	if (!trigger)
		return root_pass(result);
	slot = root_take(&rest, FIND_REF(trigger), parse.frame_bytes);
	return slot ? root_enter(context, slot) : root_pass(result);
}

char root_license[] SEC("license") = "Dual BSD/GPL";
