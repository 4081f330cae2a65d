// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The root program: one on each interface that triggers watch. It parses the
 * packet once, finds the workflow by port, counts, and tail-calls it. Workflows
 * come and go by writing its maps; it is never attached again for that.
 *
 * Between root and workflow the packet is described in a per-CPU entry. XDP
 * programs run with bottom halves disabled, so nothing else on the CPU writes
 * it in between; a PREEMPT_RT kernel keeps that for XDP by a local lock.
 */
#include "host_maps.h"
#include "parse.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FAAS_PORTS);
	__type(key, __u32);
	__type(value, struct faas_port_entry);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct faas_root_counters);
} counters SEC(".maps");

/* A packet that no workflow takes passes, and is counted by the reason. */
static __always_inline int pass(enum parse_result why)
{
	__u32 zero = 0;
	struct faas_root_counters *count = bpf_map_lookup_elem(&counters, &zero);

	if (!count)
		return XDP_PASS;
	switch (why) {
	case PARSE_PORTS:
		count->unmatched++;
		break;
	case PARSE_FRAGMENT:
		count->fragments++;
		break;
	case PARSE_NOT_IP:
		count->not_ip++;
		break;
	case PARSE_OTHER_PROTOCOL:
		count->other_protocol++;
		break;
	case PARSE_MALFORMED:
		count->malformed++;
		break;
	}
	return XDP_PASS;
}

/* The trigger that takes the packet: its destination port counts before its
 * source port. Slot 0 if none does. */
static __always_inline struct faas_trigger_ref find_trigger(const struct faas_packet *found)
{
	struct faas_trigger_ref none = {};
	struct faas_port_entry *entry;
	int udp = found->ip_protocol == IPPROTO_UDP;
	__u32 port = found->destination_port;

	entry = bpf_map_lookup_elem(&ports, &port);
	if (entry) {
		struct faas_trigger_ref ref = udp ? entry->udp_destination : entry->tcp_destination;

		if (ref.slot)
			return ref;
	}
	port = found->source_port;
	entry = bpf_map_lookup_elem(&ports, &port);
	if (entry) {
		struct faas_trigger_ref ref = udp ? entry->udp_source : entry->tcp_source;

		if (ref.slot)
			return ref;
	}
	return none;
}

/* Describe the packet to the workflow. Field by field: as one copy it would be
 * read in wider words than it was written, which stalls the CPU. */
static __always_inline int hand_over(const struct faas_packet *found)
{
	__u32 zero = 0;
	struct faas_packet *to = bpf_map_lookup_elem(&packet, &zero);

	if (!to)
		return -1;
	to->trigger = found->trigger;
	to->l3_offset = found->l3_offset;
	to->l4_offset = found->l4_offset;
	to->payload_offset = found->payload_offset;
	to->payload_bytes = found->payload_bytes;
	to->source_port = found->source_port;
	to->destination_port = found->destination_port;
	to->vlan = found->vlan;
	to->ip_version = found->ip_version;
	to->ip_protocol = found->ip_protocol;
	to->flags = found->flags;
	to->vlan_tags = found->vlan_tags;
	return 0;
}

/* From the described packet on: find the workflow, count, go there. */
static __always_inline int dispatch(struct xdp_md *context, struct faas_packet *found,
				    __u32 frame_bytes)
{
	struct faas_slot_counters *count;
	struct faas_trigger_ref ref;
	__u32 slot;

	ref = find_trigger(found);
	if (!ref.slot)
		return pass(PARSE_PORTS);
	slot = ref.slot;
	count = bpf_map_lookup_elem(&slot_counters, &slot);
	if (!count)
		return pass(PARSE_PORTS);
	found->trigger = ref.trigger;
	if (!(count->matched & (FAAS_TIME_SAMPLE_EVERY - 1)))
		found->trigger |= FAAS_PACKET_SAMPLED;
	if (hand_over(found))
		return pass(PARSE_PORTS);
	count->matched++;
	count->matched_bytes += frame_bytes;

	/* A tail call to a constant slot is a patched jump; to one that is not
	 * known it is an indirect one, which costs ten times as much where
	 * speculation is mitigated. Most gateways run few workflows. */
	switch (slot) {
	case 1:
		bpf_tail_call_static(context, &slots, 1);
		break;
	case 2:
		bpf_tail_call_static(context, &slots, 2);
		break;
	case 3:
		bpf_tail_call_static(context, &slots, 3);
		break;
	case 4:
		bpf_tail_call_static(context, &slots, 4);
		break;
	default:
		bpf_tail_call(context, &slots, slot);
	}
	/* Reached only without a program in the slot. Looked up again: the
	 * pointer does not live across the call. */
	count = bpf_map_lookup_elem(&slot_counters, &slot);
	if (count)
		count->no_program++;
	return XDP_PASS;
}

SEC("xdp.frags")
int root(struct xdp_md *context)
{
	void *data = (void *)(long)context->data;
	void *data_end = (void *)(long)context->data_end;
	struct faas_packet plain = {}, found = {};
	enum parse_result result;

	/* Two copies of what follows the parser: in the first the offsets are
	 * constants, and nothing has to be kept for the other. */
	if (likely(parse_plain(data, data_end, &plain)))
		return dispatch(context, &plain, data_end - data);
	result = parse_frame(data, data_end, &found);
	if (result != PARSE_PORTS)
		return pass(result);
	return dispatch(context, &found, data_end - data);
}

char root_license[] SEC("license") = "Dual BSD/GPL";
