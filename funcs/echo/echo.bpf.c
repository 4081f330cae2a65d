// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * echo: may this packet be answered by itself? See README.md.
 *
 * Whoever answers unasked can be made to answer somebody else, or another that
 * answers as well, for ever. So all that is not plainly one station asking
 * another is refused. Addresses: RFC 1122 3.2.1.3, RFC 4291 2.7; ports: RFC 862,
 * 864, 865, 867.
 */
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Tells packets that may be answered by their echo from those that must not");
FAAS_PARAM(u32, max_payload, 1472, 0, 9000, "Longest payload that is answered, in bytes");
FAAS_OUTPUT(reply, "May be answered");
FAAS_OUTPUT(refused, "Must not be");

enum port {
	PORT_NONE = 0,
	PORT_ECHO = 7,
	PORT_DAYTIME = 13,
	PORT_QUOTE = 17,
	PORT_CHARGEN = 19,
	PORT_TIME = 37,
};

/* The first bytes of IPv4 addresses (host byte order) that are no single
 * station's: this network, this machine, and multicast to broadcast. */
faas_inline int is_station4(__u32 address)
{
	__u32 first = address >> 24;

	return first != 0 && first != 127 && first < 224;
}

faas_inline int is_station6(const union faas_address *address)
{
	if (address->bytes[0] == 0xff)
		return 0;
	/* :: and ::1, and IPv4 addresses that come as IPv6 on the wire. */
	return address->halves[0] != 0;
}

faas_inline int is_station(const struct faas_call *call, const union faas_address *address)
{
	return call->ip_version == 6 ? is_station6(address)
				     : is_station4(bpf_ntohl(address->words[3]));
}

/* One station's frame to another, by Ethernet. */
faas_inline int macs_fit(const struct faas_call *call)
{
	const struct ethhdr *ethernet = call->data;
	__u16 any = 0;

	if ((void *)(ethernet + 1) > call->data_end)
		return 0;
#pragma unroll
	for (int i = 0; i < ETH_ALEN; i++)
		any |= ethernet->h_source[i];
	return any && !((ethernet->h_dest[0] | ethernet->h_source[0]) & 1);
}

faas_inline int addresses_fit(const struct faas_call *call)
{
	union faas_address source, destination;

	faas_source_address(call, &source);
	faas_destination_address(call, &destination);
	if (source.halves[0] == destination.halves[0] && source.halves[1] == destination.halves[1])
		return 0;
	return is_station(call, &source) && is_station(call, &destination);
}

/* A sender at one of these answers whatever comes; one at our own port may be an
 * echo as we are. */
faas_inline int ports_fit(const struct faas_call *call)
{
	switch (call->source_port) {
	case PORT_NONE:
	case PORT_ECHO:
	case PORT_DAYTIME:
	case PORT_QUOTE:
	case PORT_CHARGEN:
	case PORT_TIME:
		return 0;
	}
	return call->source_port != call->destination_port;
}

FAAS_EVENT(call)
{
	__u32 ip_bytes = call->ip_version == 6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	if (!call->ip_version || call->ip_protocol != IPPROTO_UDP || call->flags)
		return faas_output(refused);
	/* Options and extension headers may hold a route, which would not lead back. */
	if (call->l4_offset - call->l3_offset != ip_bytes)
		return faas_output(refused);
	if (call->payload_bytes > faas_param(max_payload))
		return faas_output(refused);
	if (!ports_fit(call) || !macs_fit(call) || !addresses_fit(call))
		return faas_output(refused);
	return faas_output(reply);
}
