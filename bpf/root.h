/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the root programs of all hooks do with a packet that is parsed: find its
 * trigger, count, describe the packet to the workflow, go there.
 *
 * The file that includes this one says before, beside what parse.h asks for,
 * which array holds the workflows of its hook (HOOK_SLOTS), what lets a packet
 * pass there (HOOK_PASS), and how a frame is parsed (hook_parse()).
 */
#ifndef FAAS_BPF_ROOT_H
#define FAAS_BPF_ROOT_H

#include "find.h"
#include "host_maps.h"
#include "parse.h"
#include "tables.h"

HOST_PROGRAMS(HOOK_SLOTS);

/* A packet that no workflow takes passes, and is counted by the reason. */
static __always_inline int root_pass(enum parse_result why)
{
	__u32 zero = 0;
	struct faas_root_counters *count = bpf_map_lookup_elem(&counters, &zero);

	if (!count)
		return HOOK_PASS;
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
	case PARSE_CUT:
		count->malformed++;
		break;
	case PARSE_NONLINEAR:
		count->nonlinear++;
		break;
	}
	return HOOK_PASS;
}

/* Where the port table leads: its destination port counts before its source
 * port. Slot 0 if nowhere. */
static __always_inline struct faas_trigger_ref root_find_port(const struct faas_packet *found)
{
	struct faas_trigger_ref none = {};
	struct faas_port_entry *entry;
	int udp = found->ip_protocol == IPPROTO_UDP;
	__u32 port = found->destination_port;

	entry = bpf_map_lookup_elem(&ports, &port);
	if (entry) {
		struct faas_trigger_ref ref =
			find_load_ref(udp ? &entry->udp_destination : &entry->tcp_destination);

		if (ref.slot)
			return ref;
	}
	port = found->source_port;
	entry = bpf_map_lookup_elem(&ports, &port);
	if (entry) {
		struct faas_trigger_ref ref =
			find_load_ref(udp ? &entry->udp_source : &entry->tcp_source);

		if (ref.slot)
			return ref;
	}
	return none;
}

/* Where a table of prefixes leads, if to a trigger directly. @p stage are the
 * tables that hold something. Slot 0: nowhere, or to a chain. Where returns are
 * mitigated, the call of a function costs as much as looking a prefix up, so this
 * is done before find_trigger() for the frames that nearly all are. */
static __always_inline struct faas_trigger_ref
root_find_prefix(struct parse *parse, const struct faas_packet *found, __u32 stage)
{
	struct faas_trigger_ref none = {}, ref = {};
	struct faas_trigger_ref *at = NULL;
	struct find_key key;

	if ((stage & FAAS_STAGE_DESTINATION) && found->ip_version) {
		find_load_destination(parse->data, parse->data_end, found, &key);
		at = bpf_map_lookup_elem(&destinations, FIND_PREFIX_KEY(&key));
	}
	if (!at && (stage & FAAS_STAGE_SOURCE) && found->ip_version) {
		find_load_source(parse->data, parse->data_end, found, &key);
		at = bpf_map_lookup_elem(&sources, FIND_PREFIX_KEY(&key));
	}
	if (at)
		ref = find_load_ref(at);
	return faas_ref_is_chain(ref) ? none : ref;
}

/* Describe the packet to the workflow. Field by field: as one copy it would be
 * read in wider words than it was written, which stalls the CPU. */
static __always_inline int root_hand_over(const struct faas_packet *found)
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
	to->ethertype = found->ethertype;
	return 0;
}

/* Count the packet for the trigger that takes it, and describe it. The slot to go
 * to; 0: @p ref is no trigger, but a chain. */
static __always_inline __u32 root_take(struct faas_packet *found, struct faas_trigger_ref ref,
				       __u32 frame_bytes)
{
	struct faas_slot_counters *count;
	__u32 slot = ref.slot;

	/* A chain is greater than every slot: this one look tells it as well. */
	count = slot_counters_of(slot);
	if (unlikely(!count))
		return 0;
	found->trigger = ref.trigger;
	if (!(count->matched & (FAAS_TIME_SAMPLE_EVERY - 1)))
		found->trigger |= FAAS_PACKET_SAMPLED;
	if (root_hand_over(found))
		return 0;
	count->matched++;
	count->matched_bytes += frame_bytes;
	return slot;
}

/* Go to the workflow. Comes back only without a program in the slot.
 *
 * A tail call to a constant slot is a patched jump; to one that is not known it is
 * an indirect one, which costs ten times as much where speculation is mitigated.
 * Most gateways run few workflows. But an update patches every such jump of every
 * interface anew, while all CPUs wait: they stand where nearly all packets go by
 * (@p patched, a constant), and nowhere else. */
static __always_inline int root_enter(struct HOOK_CONTEXT *context, __u32 slot, int patched)
{
	struct faas_slot_counters *count;

	if (patched && slot == 1)
		bpf_tail_call_static(context, &HOOK_SLOTS, 1);
	else if (patched && slot == 2)
		bpf_tail_call_static(context, &HOOK_SLOTS, 2);
	else if (patched && slot == 3)
		bpf_tail_call_static(context, &HOOK_SLOTS, 3);
	else if (patched && slot == 4)
		bpf_tail_call_static(context, &HOOK_SLOTS, 4);
	else
		bpf_tail_call(context, &HOOK_SLOTS, slot);
	/* Looked up again: the pointer does not live across the call. */
	count = slot_counters_of(slot);
	if (count)
		count->no_program++;
	return HOOK_PASS;
}

/* What the port table alone does not answer: @p ref is what it said, @p stage as
 * for find_trigger(). */
static __always_inline int root_search(struct parse *parse, enum parse_result result,
				       struct faas_trigger_ref ref, __u32 stage,
				       struct faas_packet *found)
{
	__u32 trigger = 0, slot;

	/* The chain that it leads to holds the trigger mostly: one call then. */
	if (faas_ref_is_chain(ref))
		trigger = find_in_chain(parse->context, found, faas_ref_chain(ref));
	if (!trigger)
		trigger = find_trigger(parse->context, found, stage);
	if (!trigger)
		return root_pass(result);
	slot = root_take(found, FIND_REF(trigger), parse->frame_bytes);
	return slot ? root_enter(parse->context, slot, 0) : root_pass(result);
}

/* The way of a packet that has ports, in registers as far as the port table and
 * those of prefixes answer. What is searched with is a copy: only that has to lie
 * in memory. */
static __always_inline int root_run_ports(struct parse *parse, struct faas_packet *found,
					  int patched)
{
	struct faas_trigger_ref ref = root_find_port(found);
	struct faas_packet rest;
	__u32 slot, stage = 0;

	if (unlikely(!ref.slot)) {
		stage = find_stages();
		if (!stage)
			return root_pass(PARSE_PORTS);
		ref = root_find_prefix(parse, found, stage);
	}
	slot = ref.slot ? root_take(found, ref, parse->frame_bytes) : 0;
	if (likely(slot))
		return root_enter(parse->context, slot, patched);
	rest = *found;
	return root_search(parse, PARSE_PORTS, ref, stage, &rest);
}

/* The whole way of a packet. There are copies of what follows the parser: in the
 * first the offsets are constants, the second has no call of a parser, and nothing
 * has to be kept for the others. */
static __always_inline int root_run(struct parse *parse)
{
	struct faas_packet plain = {}, usual = {}, found = {};
	struct faas_trigger_ref ref = {};
	enum parse_result result;
	__u32 slot, stage = 0;

	if (likely(!hook_has_tag(parse->context))) {
		if (likely(parse_plain(parse->data, parse->data_end, &plain)))
			return root_run_ports(parse, &plain, 1);
		if (parse_usual(parse->data, parse->data_end, &usual))
			return root_run_ports(parse, &usual, 0);
	}
	result = hook_parse(parse->context, &found);
	if (result >= PARSE_MALFORMED)
		return root_pass(result);
	parse->frame_bytes = hook_bytes(parse->context);
	if (result == PARSE_PORTS)
		ref = root_find_port(&found);
	if (ref.slot) {
		slot = root_take(&found, ref, parse->frame_bytes);
		if (slot)
			return root_enter(parse->context, slot, 0);
	} else {
		stage = find_stages();
		if (!stage)
			return root_pass(result);
	}
	return root_search(parse, result, ref, stage, &found);
}

#endif
