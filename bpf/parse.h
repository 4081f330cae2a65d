/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a frame is: Ethernet, up to two VLAN tags, IPv4 with options, IPv6 with
 * extension headers, UDP, TCP, ICMP. Formats: IEEE 802.1Q, RFC 791, RFC 8200,
 * RFC 4302 (AH), RFC 768, RFC 9293, RFC 792, RFC 4443.
 *
 * A packet has ports when all its headers up to the ports are there. What the
 * headers announce beyond the frame is cut and flagged, not refused: the network
 * stack behind us decides about it as if we were not there.
 *
 * What has no ports is described as well: the payload of another protocol is
 * what follows the IP header (so that of ICMP begins with the ICMP header), that
 * of a later fragment its part, that of a frame without IP what follows the
 * Ethernet header and its tags.
 *
 * The file that includes this one says before what a packet is at its hook:
 * HOOK_CONTEXT is the type of the context, hook_bytes() are the bytes of the
 * frame in all buffers, hook_has_tag() and hook_tag() know the VLAN tag that
 * stands beside the frame.
 */
#ifndef FAAS_BPF_PARSE_H
#define FAAS_BPF_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <ebpf_faas/event.h>
#include <ebpf_faas/pins.h>

#define PARSE_VLAN_TAGS_MAX 2
#define PARSE_EXTENSIONS_MAX 8
#define PARSE_HEADERS_BYTES_MAX 1024 /* as FAAS_HEADERS_BYTES_MAX of kernel.h */
#define PARSE_PAYLOAD_BYTES_MAX 65535
#define PARSE_ICMP_BYTES_MIN 4 /* type, code, checksum */
#define PARSE_VLAN_ID_MASK 0x0fff
#define PARSE_IPV4_OFFSET_MASK 0x1fff
#define PARSE_IPV4_MORE 0x2000

/* Not in the kernel's user headers. */
#define PARSE_IPPROTO_ICMPV6 58
#define PARSE_IPPROTO_MOBILITY 135
#define PARSE_IPPROTO_HIP 139
#define PARSE_IPPROTO_SHIM6 140

/* The usual packet's way is the straight one. */
#ifndef likely
#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#endif

/* With the first four, *packet is filled. */
enum parse_result {
	PARSE_PORTS,
	PARSE_OTHER_PROTOCOL,
	PARSE_FRAGMENT,
	PARSE_NOT_IP,
	PARSE_MALFORMED, /* headers contradict themselves */
	PARSE_CUT,	 /* headers end beyond the frame */
	PARSE_NONLINEAR, /* headers end beyond the linear part of the frame */
};

/* A frame that is parsed. That headers end beyond the linear part is said as
 * PARSE_CUT; parse_any() tells the two apart. */
struct parse {
	struct HOOK_CONTEXT *context;
	void *data, *data_end; /* the linear part */
	__u32 frame_bytes;     /* in all buffers; parse_plain() needs those of the first only */
};

struct parse_vlan_tag {
	__be16 control;
	__be16 type;
};

struct parse_extension {
	__u8 next;
	__u8 length;
};

struct parse_fragment {
	__u8 next;
	__u8 reserved;
	__be16 offset; /* in units of 8 bytes, shifted by 3; lowest bit: more */
	__be32 id;
};

/* Whether the protocol of the packet has an ICMP type. */
static __always_inline int parse_is_icmp(const struct faas_packet *packet)
{
	return packet->ip_version == 4
		       ? packet->ip_protocol == IPPROTO_ICMP
		       : packet->ip_version == 6 && packet->ip_protocol == PARSE_IPPROTO_ICMPV6;
}

/* Note where the payload is, and how much of what is announced is there. */
static __always_inline void parse_payload(struct parse *parse, __u32 offset, __u32 announced,
					  struct faas_packet *packet)
{
	__u32 present = parse->frame_bytes > offset ? parse->frame_bytes - offset : 0;

	if (present > PARSE_PAYLOAD_BYTES_MAX)
		present = PARSE_PAYLOAD_BYTES_MAX;
	if (unlikely(announced > present)) {
		packet->flags |= FAAS_EVENT_TRUNCATED;
		announced = present;
	}
	packet->payload_offset = offset;
	packet->payload_bytes = announced;
}

/* What has no ports: another protocol, or a later fragment of any. */
static __always_inline int parse_portless(struct parse *parse, __u32 l4_offset, __u32 l4_bytes,
					  struct faas_packet *packet)
{
	int later = packet->flags & FAAS_EVENT_FRAGMENT;
	void *l4 = parse->data + l4_offset;
	__u32 header_bytes = !later && parse_is_icmp(packet) ? PARSE_ICMP_BYTES_MIN : 0;

	if (l4 + header_bytes > parse->data_end)
		return PARSE_CUT;
	if (l4_offset >= PARSE_HEADERS_BYTES_MAX)
		return PARSE_MALFORMED;
	packet->l4_offset = l4_offset;
	parse_payload(parse, l4_offset, l4_bytes, packet);
	return later ? PARSE_FRAGMENT : PARSE_OTHER_PROTOCOL;
}

/* L4: ports and where the payload is. @p l4_bytes is what the IP header says
 * that L4 has. */
static __always_inline int parse_l4(struct parse *parse, __u32 l4_offset, __u32 l4_bytes,
				    struct faas_packet *packet)
{
	void *l4 = parse->data + l4_offset;
	__u32 header_bytes, announced;

	if (unlikely(packet->flags & FAAS_EVENT_FRAGMENT)) {
		return parse_portless(parse, l4_offset, l4_bytes, packet);
	} else if (likely(packet->ip_protocol == IPPROTO_UDP)) {
		struct udphdr *udp = l4;

		if (unlikely((void *)(udp + 1) > parse->data_end))
			return PARSE_CUT;
		packet->source_port = bpf_ntohs(udp->source);
		packet->destination_port = bpf_ntohs(udp->dest);
		header_bytes = sizeof(*udp);
		announced = bpf_ntohs(udp->len);
		/* The length in the UDP header counts, but in a fragment. */
		if (unlikely(packet->flags & FAAS_EVENT_FIRST_FRAGMENT)) {
			announced = l4_bytes;
		} else if (unlikely(announced > l4_bytes)) {
			packet->flags |= FAAS_EVENT_TRUNCATED;
			announced = l4_bytes;
		}
	} else if (packet->ip_protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = l4;

		if ((void *)(tcp + 1) > parse->data_end)
			return PARSE_CUT;
		packet->source_port = bpf_ntohs(tcp->source);
		packet->destination_port = bpf_ntohs(tcp->dest);
		header_bytes = tcp->doff * 4;
		announced = l4_bytes;
		if (header_bytes < sizeof(*tcp))
			return PARSE_MALFORMED;
	} else {
		return parse_portless(parse, l4_offset, l4_bytes, packet);
	}
	if (unlikely(l4_offset + header_bytes >= PARSE_HEADERS_BYTES_MAX))
		return PARSE_MALFORMED;
	packet->l4_offset = l4_offset;
	if (unlikely(announced < header_bytes)) {
		packet->flags |= FAAS_EVENT_TRUNCATED;
		announced = header_bytes;
	}
	parse_payload(parse, l4_offset + header_bytes, announced - header_bytes, packet);
	return PARSE_PORTS;
}

static __always_inline int parse_ipv4(struct parse *parse, __u32 l3_offset,
				      struct faas_packet *packet)
{
	struct iphdr *ip = parse->data + l3_offset;
	__u32 header_bytes, total_bytes;
	__u16 fragment;

	if (unlikely((void *)(ip + 1) > parse->data_end))
		return PARSE_CUT;
	if (unlikely(ip->version != 4 || ip->ihl < 5))
		return PARSE_MALFORMED;
	header_bytes = ip->ihl * 4;
	total_bytes = bpf_ntohs(ip->tot_len);
	if (unlikely(total_bytes < header_bytes))
		return PARSE_MALFORMED;
	fragment = bpf_ntohs(ip->frag_off);
	if (unlikely(fragment & PARSE_IPV4_OFFSET_MASK))
		packet->flags |= FAAS_EVENT_FRAGMENT;
	else if (unlikely(fragment & PARSE_IPV4_MORE))
		packet->flags |= FAAS_EVENT_FIRST_FRAGMENT;
	packet->ip_version = 4;
	packet->ip_protocol = ip->protocol;
	return parse_l4(parse, l3_offset + header_bytes, total_bytes - header_bytes, packet);
}

#define PARSE_EXTENSION(next, bytes) ((next) | (bytes) << 8)

/* The extension header @p next at @p offset, as PARSE_EXTENSION() of what follows
 * and its length; 0: it is none, or the packet's last; less: -PARSE_CUT. A global
 * function, so that the loop around it does not multiply the ways in here. */
__noinline int parse_extension(struct HOOK_CONTEXT *context, struct faas_packet *packet,
			       __u32 offset, __u8 next)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	struct parse_extension *extension = data + (offset & (PARSE_HEADERS_BYTES_MAX - 1));
	struct parse_fragment *fragment = (void *)extension;

	if (!packet)
		return 0;
	switch (next) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case PARSE_IPPROTO_MOBILITY:
	case PARSE_IPPROTO_HIP:
	case PARSE_IPPROTO_SHIM6:
		if ((void *)(extension + 1) > data_end)
			return -PARSE_CUT;
		return PARSE_EXTENSION(extension->next, (extension->length + 1) * 8);
	case IPPROTO_AH:
		if ((void *)(extension + 1) > data_end)
			return -PARSE_CUT;
		return PARSE_EXTENSION(extension->next, (extension->length + 2) * 4);
	case IPPROTO_FRAGMENT:
		if ((void *)(fragment + 1) > data_end)
			return -PARSE_CUT;
		if (bpf_ntohs(fragment->offset) & ~7)
			packet->flags |= FAAS_EVENT_FRAGMENT;
		else if (bpf_ntohs(fragment->offset) & 1)
			packet->flags |= FAAS_EVENT_FIRST_FRAGMENT;
		return PARSE_EXTENSION(fragment->next, sizeof(*fragment));
	default:
		return 0;
	}
}

static __always_inline int parse_ipv6(struct parse *parse, __u32 l3_offset,
				      struct faas_packet *packet)
{
	struct ipv6hdr *ip = parse->data + l3_offset;
	__u32 offset = l3_offset + sizeof(*ip), left;
	__u8 next;
	int i;

	if ((void *)(ip + 1) > parse->data_end)
		return PARSE_CUT;
	if (ip->version != 6)
		return PARSE_MALFORMED;
	packet->ip_version = 6;
	left = bpf_ntohs(ip->payload_len);
	next = ip->nexthdr;
	for (i = 0; i < PARSE_EXTENSIONS_MAX; i++) {
		__u32 bytes;
		int extension;

		/* Behind the header of a later fragment is its part. */
		if (packet->flags & FAAS_EVENT_FRAGMENT)
			break;
		extension = parse_extension(parse->context, packet, offset, next);
		if (!extension)
			break;
		if (extension < 0)
			return PARSE_CUT;
		next = extension;
		bytes = (__u32)extension >> 8;
		offset += bytes;
		if (bytes > left || offset >= PARSE_HEADERS_BYTES_MAX)
			return PARSE_MALFORMED;
		left -= bytes;
	}
	if (i == PARSE_EXTENSIONS_MAX)
		return PARSE_MALFORMED; /* more than anybody sends */
	packet->ip_protocol = next;
	return parse_l4(parse, offset, left, packet);
}

/*
 * The frame that nearly all are: no tag, IPv4 without options, no fragment, UDP,
 * lengths that agree. Offsets are constants then, which saves half of the root
 * program's time. False: parse_frame() has to look at it.
 */
static __always_inline int parse_plain(void *data, void *data_end, struct faas_packet *packet)
{
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__u32 l4_bytes, udp_bytes;

	/* Version and header length are one byte; the flag "don't fragment" may
	 * be set, nothing else. */
	if (unlikely((void *)(udp + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP) ||
		     *(__u8 *)ip != 0x45 || ip->protocol != IPPROTO_UDP ||
		     (ip->frag_off & bpf_htons(PARSE_IPV4_MORE | PARSE_IPV4_OFFSET_MASK))))
		return 0;
	l4_bytes = bpf_ntohs(ip->tot_len) - sizeof(*ip);
	udp_bytes = bpf_ntohs(udp->len);
	if (unlikely(udp_bytes < sizeof(*udp) || udp_bytes > l4_bytes || l4_bytes > 65535 ||
		     udp_bytes > (__u32)(data_end - (void *)udp)))
		return 0;
	packet->l3_offset = sizeof(*ethernet);
	packet->l4_offset = sizeof(*ethernet) + sizeof(*ip);
	packet->payload_offset = sizeof(*ethernet) + sizeof(*ip) + sizeof(*udp);
	packet->payload_bytes = udp_bytes - sizeof(*udp);
	packet->source_port = bpf_ntohs(udp->source);
	packet->destination_port = bpf_ntohs(udp->dest);
	packet->ip_version = 4;
	packet->ip_protocol = IPPROTO_UDP;
	packet->ethertype = ETH_P_IP;
	return 1;
}

/*
 * The frames that most others are: no tag, IPv4 without options or IPv6 without
 * extension headers, no fragment, TCP or UDP, lengths that agree, all of it in the
 * linear part. Says nothing else of them than parse_frame(), but without a call.
 * False: parse_frame() has to look at it.
 */
static __always_inline int parse_usual(void *data, void *data_end, struct faas_packet *packet)
{
	struct ethhdr *ethernet = data;
	struct iphdr *ip4 = (void *)(ethernet + 1);
	struct ipv6hdr *ip6 = (void *)(ethernet + 1);
	__u32 l4_offset, l4_bytes, header_bytes, payload_bytes;
	struct tcphdr *tcp;
	struct udphdr *udp;

	if ((void *)(ip4 + 1) > data_end)
		return 0;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		if (*(__u8 *)ip4 != 0x45 ||
		    (ip4->frag_off & bpf_htons(PARSE_IPV4_MORE | PARSE_IPV4_OFFSET_MASK)))
			return 0;
		packet->ip_version = 4;
		packet->ip_protocol = ip4->protocol;
		packet->ethertype = ETH_P_IP;
		l4_offset = sizeof(*ethernet) + sizeof(*ip4);
		l4_bytes = bpf_ntohs(ip4->tot_len) - sizeof(*ip4);
	} else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
		if ((void *)(ip6 + 1) > data_end || ip6->version != 6)
			return 0;
		packet->ip_version = 6;
		packet->ip_protocol = ip6->nexthdr;
		packet->ethertype = ETH_P_IPV6;
		l4_offset = sizeof(*ethernet) + sizeof(*ip6);
		l4_bytes = bpf_ntohs(ip6->payload_len);
	} else {
		return 0;
	}
	/* Of a length below its header's the difference is greater than any frame. */
	if (l4_bytes > (__u32)(data_end - data) - l4_offset)
		return 0;
	tcp = data + l4_offset;
	udp = data + l4_offset;
	if (packet->ip_protocol == IPPROTO_TCP) {
		if ((void *)(tcp + 1) > data_end)
			return 0;
		header_bytes = tcp->doff * 4;
		if (header_bytes < sizeof(*tcp) || header_bytes > l4_bytes)
			return 0;
		payload_bytes = l4_bytes - header_bytes;
	} else if (packet->ip_protocol == IPPROTO_UDP) {
		if ((void *)(udp + 1) > data_end)
			return 0;
		header_bytes = sizeof(*udp);
		payload_bytes = bpf_ntohs(udp->len) - header_bytes;
		if (payload_bytes > 65535 || payload_bytes + header_bytes > l4_bytes)
			return 0;
	} else {
		return 0;
	}
	packet->l3_offset = sizeof(*ethernet);
	packet->l4_offset = l4_offset;
	packet->payload_offset = l4_offset + header_bytes;
	packet->payload_bytes = payload_bytes;
	packet->source_port = bpf_ntohs(udp->source);
	packet->destination_port = bpf_ntohs(udp->dest);
	return 1;
}

static __always_inline int parse_frame(struct parse *parse, struct faas_packet *packet)
{
	struct ethhdr *ethernet = parse->data;
	__u32 offset = sizeof(*ethernet);
	__be16 type;

	if ((void *)(ethernet + 1) > parse->data_end)
		return PARSE_CUT;
	type = ethernet->h_proto;
	hook_tag(parse->context, packet);
#pragma unroll
	for (int i = 0; i < PARSE_VLAN_TAGS_MAX; i++) {
		struct parse_vlan_tag *tag = parse->data + offset;

		if ((type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD)) ||
		    packet->vlan_tags == PARSE_VLAN_TAGS_MAX)
			break;
		if ((void *)(tag + 1) > parse->data_end)
			return PARSE_CUT;
		if (!packet->vlan_tags)
			packet->vlan = bpf_ntohs(tag->control) & PARSE_VLAN_ID_MASK;
		packet->vlan_tags++;
		type = tag->type;
		offset += sizeof(*tag);
	}
	packet->l3_offset = offset;
	packet->ethertype = bpf_ntohs(type);
	if (likely(type == bpf_htons(ETH_P_IP)))
		return parse_ipv4(parse, offset, packet);
	if (type == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(parse, offset, packet);
	packet->l4_offset = offset;
	parse_payload(parse, offset, PARSE_PAYLOAD_BYTES_MAX, packet);
	packet->flags = 0; /* nothing announced how much there is */
	return PARSE_NOT_IP;
}

/* Any frame. A global function: the kernel verifies it once, and what follows from
 * its result once; the product of both would exceed what Linux 6.1 looks at. */
__noinline int parse_any(struct HOOK_CONTEXT *context, struct faas_packet *packet)
{
	void *data = (void *)(long)context->data, *data_end = (void *)(long)context->data_end;
	struct parse parse = {context, data, data_end, hook_bytes(context)};
	enum parse_result result;

	if (!packet)
		return PARSE_MALFORMED;
	result = parse_frame(&parse, packet);
	if (result == PARSE_CUT && parse.frame_bytes > (__u32)(data_end - data))
		return PARSE_NONLINEAR;
	return result;
}

#endif
