/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a described packet to the trigger that takes it, where one look at the
 * port table does not tell: the places and chains of pins.h, in their order.
 *
 * Two global functions: the kernel verifies each once, for all packets, instead
 * of at every call.
 */
#ifndef FAAS_BPF_FIND_H
#define FAAS_BPF_FIND_H

#include "parse.h"
#include "tables.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "find_load_ref() takes a reference apart for little endian machines"
#endif

#define FIND_NO_ICMP 0x100 /* greater than any type */
#define FIND_IPV4_BITS 96  /* an IPv4 address has this many bits before it */

/* What rules and tables are compared with, beside the packet's description. */
struct find_keys {
	struct faas_prefix_key destination, source;
	__u32 icmp_type;
};

/* A reference as one number, as global functions return nothing else. */
#define FIND_RESULT(ref) ((ref).slot | (__u32)(ref).trigger << 16)
#define FIND_REF(result)                                                                           \
	((struct faas_trigger_ref){.slot = (__u16)(result), .trigger = (__u16)((result) >> 16)})

/* By one load: its halves belong together, also while it is changed. */
static __always_inline struct faas_trigger_ref find_load_ref(const struct faas_trigger_ref *from)
{
	__u32 both = *(const volatile __u32 *)from;

	return FIND_REF(both);
}

/* Whether an address begins as the network of a rule does. Both are made of words
 * in network order. */
static __always_inline int find_in_prefix(const struct faas_packet *packet, const __u8 address[16],
					  const __u8 network[16], __u8 bits)
{
	const __u32 *a = (const __u32 *)address, *b = (const __u32 *)network;

	/* One that is shorter holds all IPv4 addresses by accident only. */
	if (packet->ip_version != 6 && (bits < FIND_IPV4_BITS || packet->ip_version != 4))
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		__u32 differ = bpf_ntohl(a[i] ^ b[i]);

		if (bits < 32 * (i + 1))
			return !(bits & 31) || !(differ >> (32 - (bits & 31)));
		if (differ)
			return 0;
	}
	return 1;
}

static __always_inline int find_fits(const struct faas_rule *rule, const struct faas_packet *packet,
				     const struct find_keys *keys)
{
	__u16 checks = rule->checks;

	if ((checks & FAAS_RULE_DESTINATION_PORT) &&
	    (packet->destination_port < rule->destination_port_first ||
	     packet->destination_port > rule->destination_port_last))
		return 0;
	if ((checks & FAAS_RULE_SOURCE_PORT) && (packet->source_port < rule->source_port_first ||
						 packet->source_port > rule->source_port_last))
		return 0;
	if ((checks & FAAS_RULE_ICMP_TYPE) && keys->icmp_type != rule->icmp_type)
		return 0;
	if ((checks & FAAS_RULE_ETHERTYPE) && packet->ethertype != rule->ethertype)
		return 0;
	if ((checks & FAAS_RULE_VLAN) && packet->vlan != rule->vlan)
		return 0;
	if ((checks & FAAS_RULE_PROTOCOL) &&
	    (!packet->ip_version || packet->ip_protocol != rule->protocol))
		return 0;
	if ((checks & FAAS_RULE_DESTINATION) &&
	    !find_in_prefix(packet, keys->destination.address, rule->destination,
			    rule->destination_bits))
		return 0;
	if ((checks & FAAS_RULE_SOURCE) &&
	    !find_in_prefix(packet, keys->source.address, rule->source, rule->source_bits))
		return 0;
	return 1;
}

/* Walk the chain that begins with rule @p index. The first rule that fits, as
 * FIND_RESULT(); 0: none does. */
__noinline __u32 find_in_chain(const struct faas_packet *packet, const struct find_keys *keys,
			       __u32 index)
{
	if (!packet || !keys)
		return 0;
	for (int i = 0; i < FAAS_CANDIDATES_MAX && index; i++) {
		const struct faas_rule *rule = bpf_map_lookup_elem(&rules, &index);

		if (!rule)
			return 0;
		if (find_fits(rule, packet, keys))
			return FIND_RESULT(rule->leads_to);
		index = rule->next;
	}
	return 0;
}

/* What a place leads to; 0: nothing, or no rule of its chain fits. */
static __always_inline __u32 find_at(const struct faas_trigger_ref *at,
				     const struct faas_packet *packet, const struct find_keys *keys)
{
	struct faas_trigger_ref ref;

	if (!at)
		return 0;
	ref = find_load_ref(at);
	if (!faas_ref_is_chain(ref))
		return ref.slot ? FIND_RESULT(ref) : 0;
	return find_in_chain(packet, keys, faas_ref_chain(ref));
}

static __always_inline __u32 find_class(__u32 class, const struct faas_packet *packet,
					const struct find_keys *keys)
{
	return find_at(bpf_map_lookup_elem(&classes, &class), packet, keys);
}

/* Read the addresses and the ICMP type out of the packet, as parse_frame() saw
 * them there. @p offset4 and @p offset6: of the address in its IP header. */
static __always_inline void find_load_address(void *l3, void *data_end, __u8 version, __u32 offset4,
					      __u32 offset6, struct faas_prefix_key *ret)
{
	__u32 *to = (__u32 *)ret->address;

	ret->bits = 128;
	if (version == 6 && l3 + sizeof(struct ipv6hdr) <= data_end) {
		const __u32 *from = l3 + offset6;

		to[0] = from[0];
		to[1] = from[1];
		to[2] = from[2];
		to[3] = from[3];
		return;
	}
	to[0] = 0;
	to[1] = 0;
	to[2] = bpf_htonl(0xffff);
	to[3] = 0;
	if (version == 4 && l3 + sizeof(struct iphdr) <= data_end)
		to[3] = *(const __u32 *)(l3 + offset4);
}

static __always_inline void find_load_keys(struct HOOK_CONTEXT *context,
					   const struct faas_packet *packet, __u32 result,
					   struct find_keys *ret)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	void *l3 = data + (packet->l3_offset & (PARSE_HEADERS_BYTES_MAX - 1));
	__u8 *type = data + (packet->l4_offset & (PARSE_HEADERS_BYTES_MAX - 1));

	find_load_address(l3, data_end, packet->ip_version, 16, 24, &ret->destination);
	find_load_address(l3, data_end, packet->ip_version, 12, 8, &ret->source);
	ret->icmp_type = FIND_NO_ICMP;
	if (result == PARSE_OTHER_PROTOCOL && parse_is_icmp(packet) &&
	    (void *)(type + 1) <= data_end)
		ret->icmp_type = *type;
}

/* The tables behind the ports, of those that hold something. */
static __always_inline __u32 find_by_stage(const struct faas_packet *packet,
					   const struct find_keys *keys, __u32 stage)
{
	__u16 ethertype = packet->ethertype;
	__u32 ref = 0;

	if ((stage & FAAS_STAGE_DESTINATION) && packet->ip_version)
		ref = find_at(bpf_map_lookup_elem(&destinations, &keys->destination), packet, keys);
	if (!ref && (stage & FAAS_STAGE_SOURCE) && packet->ip_version)
		ref = find_at(bpf_map_lookup_elem(&sources, &keys->source), packet, keys);
	if (!ref && (stage & FAAS_STAGE_ICMP) && keys->icmp_type < FIND_NO_ICMP)
		ref = find_class((packet->ip_version == 4 ? FAAS_CLASS_ICMP : FAAS_CLASS_ICMPV6) +
					 keys->icmp_type,
				 packet, keys);
	if (!ref && (stage & FAAS_STAGE_ETHERTYPE))
		ref = find_at(bpf_map_lookup_elem(&ethertypes, &ethertype), packet, keys);
	if (!ref && (stage & FAAS_STAGE_VLAN) && packet->vlan)
		ref = find_class(FAAS_CLASS_VLAN + packet->vlan, packet, keys);
	if (!ref && (stage & FAAS_STAGE_PROTOCOL) && packet->ip_version)
		ref = find_class(FAAS_CLASS_PROTOCOL + packet->ip_protocol, packet, keys);
	if (!ref && (stage & FAAS_STAGE_ANY))
		ref = find_class(FAAS_CLASS_ANY, packet, keys);
	return ref;
}

/* The trigger that takes the packet, as FIND_RESULT(); 0: none. Looks at all
 * places in their order. */
__noinline __u32 find_trigger(struct HOOK_CONTEXT *context, const struct faas_packet *packet,
			      __u32 result)
{
	struct faas_port_entry *entry;
	struct find_keys keys;
	__u32 zero = 0, port, ref = 0, *stage;
	int udp;

	if (!packet)
		return 0;
	find_load_keys(context, packet, result, &keys);
	if (result == PARSE_PORTS) {
		udp = packet->ip_protocol == IPPROTO_UDP;
		port = packet->destination_port;
		entry = bpf_map_lookup_elem(&ports, &port);
		if (entry)
			ref = find_at(udp ? &entry->udp_destination : &entry->tcp_destination,
				      packet, &keys);
		port = packet->source_port;
		entry = ref ? NULL : bpf_map_lookup_elem(&ports, &port);
		if (entry)
			ref = find_at(udp ? &entry->udp_source : &entry->tcp_source, packet, &keys);
	}
	stage = ref ? NULL : bpf_map_lookup_elem(&stages, &zero);
	if (stage && *stage)
		ref = find_by_stage(packet, &keys, *stage);
	return ref;
}

#endif
