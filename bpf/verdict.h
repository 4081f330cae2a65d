/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What becomes of a packet, at each hook: the answers that the kernel wants, and
 * turning a packet round for a reply.
 */
#ifndef FAAS_BPF_VERDICT_H
#define FAAS_BPF_VERDICT_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/pkt_cls.h>

#include <ebpf_faas/kernel.h>

/* Types of message, RFC 792 and RFC 4443. The kernel's headers for them include
 * more than there is for this target. */
#define VERDICT_ICMP_ECHO_REQUEST 8
#define VERDICT_ICMP_ECHO_REPLY 0
#define VERDICT_ICMPV6_ECHO_REQUEST 128
#define VERDICT_ICMPV6_ECHO_REPLY 129

/* At the TC hooks, what a workflow lets pass goes on to the filters behind it. */
#define VERDICT_PASS(hook) ((hook) == FAAS_HOOK_XDP ? XDP_PASS : TC_ACT_UNSPEC)
#define VERDICT_DROP(hook) ((hook) == FAAS_HOOK_XDP ? XDP_DROP : TC_ACT_SHOT)

/* Back out where it came from, turned round before. */
faas_inline int verdict_reply(void *context, const __u64 hook)
{
	if (hook == FAAS_HOOK_XDP)
		return XDP_TX;
	/* What is on its way out goes back up the stack. */
	return (int)bpf_redirect(((struct __sk_buff *)context)->ifindex,
				 hook == FAAS_HOOK_TC_EGRESS ? BPF_F_INGRESS : 0);
}

/* Two runs of 32-bit words change places. */
faas_inline void verdict_swap(__u32 *a, __u32 *b, const int words)
{
#pragma unroll
	for (int i = 0; i < words; i++) {
		__u32 word = a[i];

		a[i] = b[i];
		b[i] = word;
	}
}

/* An echo request becomes its reply: the type changes, and the checksum with it
 * (RFC 1624). Sums do not depend on the order of bytes. */
faas_inline void verdict_turn_echo(void *l4, __u8 from, __u8 to)
{
	__u16 *words = l4, before = words[0];
	__u8 *type = l4;
	__u32 sum;

	if (*type != from)
		return;
	*type = to;
	sum = (__u16)~words[1] + (__u16)~before + words[0];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	words[1] = (__u16)~sum;
}

/*
 * Turn the packet round: addresses of Ethernet and IP, and ports, change places;
 * checksums are sums, so they stay right. Echo requests of ICMP and ICMPv6 become
 * replies. 0, or -1 with nothing changed: the headers are not where the root
 * program saw them, or the packet is for many, and its source would not be one.
 */
faas_inline int verdict_turn(const struct faas_call *call)
{
	struct ethhdr *ethernet = call->data;
	void *l3 = call->data + (call->l3_offset & (FAAS_HEADERS_BYTES_MAX - 1));
	void *l4 = call->data + (call->l4_offset & (FAAS_HEADERS_BYTES_MAX - 1));
	int has_l4 = !(call->flags & FAAS_EVENT_FRAGMENT) &&
		     (call->ip_protocol == IPPROTO_UDP || call->ip_protocol == IPPROTO_TCP ||
		      call->ip_protocol == IPPROTO_ICMP || call->ip_protocol == IPPROTO_ICMPV6);
	__u8 mac[ETH_ALEN];

	if ((void *)(ethernet + 1) > call->data_end || ethernet->h_dest[0] & 1)
		return -1;
	if (has_l4 && l4 + 4 > call->data_end)
		return -1;
	if (call->ip_version == 6) {
		if (l3 + 40 > call->data_end)
			return -1;
		verdict_swap(l3 + 8, l3 + 24, 4);
	} else if (call->ip_version) {
		if (l3 + 20 > call->data_end)
			return -1;
		verdict_swap(l3 + 12, l3 + 16, 1);
	}
	__builtin_memcpy(mac, ethernet->h_dest, ETH_ALEN);
	__builtin_memcpy(ethernet->h_dest, ethernet->h_source, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, mac, ETH_ALEN);
	/* Compared again, as the verifier does not keep what it saw above. */
	if (!has_l4 || l4 + 4 > call->data_end)
		return 0;
	if (call->ip_protocol == IPPROTO_ICMP) {
		verdict_turn_echo(l4, VERDICT_ICMP_ECHO_REQUEST, VERDICT_ICMP_ECHO_REPLY);
	} else if (call->ip_protocol == IPPROTO_ICMPV6) {
		verdict_turn_echo(l4, VERDICT_ICMPV6_ECHO_REQUEST, VERDICT_ICMPV6_ECHO_REPLY);
	} else {
		__u16 *ports = l4, port = ports[0];

		ports[0] = ports[1];
		ports[1] = port;
	}
	return 0;
}

#endif
