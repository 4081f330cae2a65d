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

/* An address of the packet as the tables of prefixes have it. The halves are
 * written and read whole: a read of what two writes made waits for both of them. */
struct find_key {
	__u32 unused;
	__u32 bits;
	__u64 halves[2];
};
#define FIND_PREFIX_KEY(key) ((struct faas_prefix_key *)&(key)->bits)
_Static_assert(sizeof(struct find_key) == sizeof(__u32) + sizeof(struct faas_prefix_key),
	       "the end of the one is the other");

/* Beginning and end of the linear part, as two arguments. */
#define FIND_LINEAR(context) (void *)(long)(context)->data, (void *)(long)(context)->data_end

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

/* Read one of the packet's addresses. @p offset4 and @p offset6 say where it is in
 * its IP header. */
static __always_inline void find_load_key(void *data, void *data_end,
					  const struct faas_packet *packet, __u32 offset4,
					  __u32 offset6, struct find_key *ret)
{
	void *l3 = data + (packet->l3_offset & (PARSE_HEADERS_BYTES_MAX - 1));

	ret->unused = 0;
	ret->bits = 128;
	if (packet->ip_version == 6 && l3 + sizeof(struct ipv6hdr) <= data_end) {
		const __u32 *from = l3 + offset6;

		ret->halves[0] = from[0] | (__u64)from[1] << 32;
		ret->halves[1] = from[2] | (__u64)from[3] << 32;
		return;
	}
	ret->halves[0] = 0;
	ret->halves[1] = bpf_htonl(0xffff);
	if (packet->ip_version == 4 && l3 + sizeof(struct iphdr) <= data_end)
		ret->halves[1] |= (__u64) * (const __u32 *)(l3 + offset4) << 32;
}

static __always_inline void find_load_destination(void *data, void *data_end,
						  const struct faas_packet *packet,
						  struct find_key *ret)
{
	find_load_key(data, data_end, packet, 16, 24, ret);
}

static __always_inline void find_load_source(void *data, void *data_end,
					     const struct faas_packet *packet, struct find_key *ret)
{
	find_load_key(data, data_end, packet, 12, 8, ret);
}

/* The type in the ICMP header; FIND_NO_ICMP if the packet has none. */
static __always_inline __u32 find_icmp_type(struct HOOK_CONTEXT *context,
					    const struct faas_packet *packet)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	__u8 *type = data + (packet->l4_offset & (PARSE_HEADERS_BYTES_MAX - 1));

	if (!parse_is_icmp(packet) || (packet->flags & FAAS_EVENT_FRAGMENT) ||
	    (void *)(type + 1) > data_end)
		return FIND_NO_ICMP;
	return *type;
}

/* Whether an address begins as the network of a rule does. */
static __always_inline int find_in_prefix(const struct faas_packet *packet,
					  const struct find_key *key, const __u8 network[16],
					  __u8 bits)
{
	const __u64 *halves = (const __u64 *)network;
	__u64 first = bpf_be64_to_cpu(key->halves[0] ^ halves[0]);
	__u64 second = bpf_be64_to_cpu(key->halves[1] ^ halves[1]);

	/* One that is shorter holds all IPv4 addresses by accident only. */
	if (packet->ip_version != 6 && (bits < FIND_IPV4_BITS || packet->ip_version != 4))
		return 0;
	if (bits < 64)
		return !bits || !(first >> (64 - bits));
	return !first && (bits == 64 || !(second >> ((128 - bits) & 63)));
}

static __always_inline int find_fits(const struct faas_rule *rule, const struct faas_packet *packet,
				     const struct find_key *destination,
				     const struct find_key *source, __u32 icmp_type)
{
	__u16 checks = rule->checks;

	if ((checks & FAAS_RULE_DESTINATION_PORT) &&
	    (packet->destination_port < rule->destination_port_first ||
	     packet->destination_port > rule->destination_port_last))
		return 0;
	if ((checks & FAAS_RULE_SOURCE_PORT) && (packet->source_port < rule->source_port_first ||
						 packet->source_port > rule->source_port_last))
		return 0;
	if ((checks & FAAS_RULE_ICMP_TYPE) && icmp_type != rule->icmp_type)
		return 0;
	if ((checks & FAAS_RULE_ETHERTYPE) && packet->ethertype != rule->ethertype)
		return 0;
	if ((checks & FAAS_RULE_VLAN) && packet->vlan != rule->vlan)
		return 0;
	if ((checks & FAAS_RULE_PROTOCOL) &&
	    (!packet->ip_version || packet->ip_protocol != rule->protocol))
		return 0;
	if ((checks & FAAS_RULE_DESTINATION) &&
	    !find_in_prefix(packet, destination, rule->destination, rule->destination_bits))
		return 0;
	if ((checks & FAAS_RULE_SOURCE) &&
	    !find_in_prefix(packet, source, rule->source, rule->source_bits))
		return 0;
	return 1;
}

/* Walk the chain that begins with rule @p index. The first rule that fits, as
 * FIND_RESULT(); 0: none does. */
__noinline __u32 find_in_chain(struct HOOK_CONTEXT *context, const struct faas_packet *packet,
			       __u32 index)
{
	struct find_key destination, source;
	__u32 icmp_type;

	if (!packet)
		return 0;
	find_load_destination(FIND_LINEAR(context), packet, &destination);
	find_load_source(FIND_LINEAR(context), packet, &source);
	icmp_type = find_icmp_type(context, packet);
	for (int i = 0; i < FAAS_CANDIDATES_MAX && index; i++) {
		const struct faas_rule *rule = bpf_map_lookup_elem(&rules, &index);

		if (!rule)
			return 0;
		if (find_fits(rule, packet, &destination, &source, icmp_type))
			return FIND_RESULT(rule->leads_to);
		index = rule->next;
	}
	return 0;
}

/* What a place leads to; 0: nothing, or no rule of its chain fits. */
static __always_inline __u32 find_at(struct HOOK_CONTEXT *context, const struct faas_packet *packet,
				     const struct faas_trigger_ref *at)
{
	struct faas_trigger_ref ref;

	if (!at)
		return 0;
	ref = find_load_ref(at);
	if (!faas_ref_is_chain(ref))
		return ref.slot ? FIND_RESULT(ref) : 0;
	return find_in_chain(context, packet, faas_ref_chain(ref));
}

static __always_inline __u32 find_class(struct HOOK_CONTEXT *context,
					const struct faas_packet *packet, __u32 class)
{
	return find_at(context, packet, bpf_map_lookup_elem(&classes, &class));
}

/* Where the ports lead, through chains as well. */
static __always_inline __u32 find_by_port(struct HOOK_CONTEXT *context,
					  const struct faas_packet *packet)
{
	int udp = packet->ip_protocol == IPPROTO_UDP;
	struct faas_port_entry *entry;
	__u32 port = packet->destination_port, ref = 0;

	entry = bpf_map_lookup_elem(&ports, &port);
	if (entry)
		ref = find_at(context, packet,
			      udp ? &entry->udp_destination : &entry->tcp_destination);
	if (ref)
		return ref;
	port = packet->source_port;
	entry = bpf_map_lookup_elem(&ports, &port);
	return entry ? find_at(context, packet, udp ? &entry->udp_source : &entry->tcp_source) : 0;
}

/* Where the tables behind the ports lead, of those that hold something. */
static __always_inline __u32 find_by_stage(struct HOOK_CONTEXT *context,
					   const struct faas_packet *packet, __u32 stage)
{
	__u16 ethertype = packet->ethertype;
	struct find_key key;
	__u32 ref = 0, icmp_type;

	if ((stage & FAAS_STAGE_DESTINATION) && packet->ip_version) {
		find_load_destination(FIND_LINEAR(context), packet, &key);
		ref = find_at(context, packet,
			      bpf_map_lookup_elem(&destinations, FIND_PREFIX_KEY(&key)));
	}
	if (!ref && (stage & FAAS_STAGE_SOURCE) && packet->ip_version) {
		find_load_source(FIND_LINEAR(context), packet, &key);
		ref = find_at(context, packet,
			      bpf_map_lookup_elem(&sources, FIND_PREFIX_KEY(&key)));
	}
	if (!ref && (stage & FAAS_STAGE_ICMP)) {
		icmp_type = find_icmp_type(context, packet);
		if (icmp_type < FIND_NO_ICMP)
			ref = find_class(
				context, packet,
				(packet->ip_version == 4 ? FAAS_CLASS_ICMP : FAAS_CLASS_ICMPV6) +
					icmp_type);
	}
	if (!ref && (stage & FAAS_STAGE_ETHERTYPE))
		ref = find_at(context, packet, bpf_map_lookup_elem(&ethertypes, &ethertype));
	if (!ref && (stage & FAAS_STAGE_VLAN) && packet->vlan)
		ref = find_class(context, packet, FAAS_CLASS_VLAN + packet->vlan);
	if (!ref && (stage & FAAS_STAGE_PROTOCOL) && packet->ip_version)
		ref = find_class(context, packet, FAAS_CLASS_PROTOCOL + packet->ip_protocol);
	if (!ref && (stage & FAAS_STAGE_ANY))
		ref = find_class(context, packet, FAAS_CLASS_ANY);
	return ref;
}

/* Which tables behind the ports hold something, FAAS_STAGE_*. */
static __always_inline __u32 find_stages(void)
{
	__u32 zero = 0, *stage = bpf_map_lookup_elem(&stages, &zero);

	return stage ? *stage : 0;
}

/* The trigger that takes the packet, as FIND_RESULT(); 0: none. @p stage is what
 * find_stages() said, if the ports are known to lead nowhere; with 0 they are
 * looked at as well. */
__noinline __u32 find_trigger(struct HOOK_CONTEXT *context, const struct faas_packet *packet,
			      __u32 stage)
{
	__u32 ref;

	if (!packet)
		return 0;
	if (!stage) {
		ref = find_by_port(context, packet);
		if (ref)
			return ref;
		stage = find_stages();
	}
	return find_by_stage(context, packet, stage);
}

#endif
