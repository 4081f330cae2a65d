// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* redirect: which of up to four ways does a flow go? See README.md. */
#include <linux/if_ether.h>

#include <ebpf_faas/key.h>

FAAS_KERNEL_FUNCTION("Spreads flows over up to four ways");
FAAS_PARAM(u32, ways, 2, 1, 4, "How many ways there are");
FAAS_PARAM_CHOICE(by, flow, "Packets with the same of these go the same way", flow, source,
		  destination);
FAAS_OUTPUT(way1, "The first way");
FAAS_OUTPUT(way2, "The second, if there are so many");
FAAS_OUTPUT(way3, "The third, if there are so many");
FAAS_OUTPUT(way4, "The fourth, if there are so many");
FAAS_OUTPUT(unfit, "Not for one station behind another interface: no IP, multicast or broadcast, "
		   "addresses of this link, or its hops are used up");

static __u64 seed;

faas_inline int is_unicast4(__u32 address)
{
	__u32 first = address >> 24;

	return first != 0 && first != 127 && first < 224 && address >> 16 != 0xa9fe;
}

/* Not ::/64, where ::, ::1 and IPv4 in IPv6 are, link-local or multicast. */
faas_inline int is_unicast6(const union faas_address *address)
{
	return address->bytes[0] != 0xff && address->halves[0] &&
	       !(address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80);
}

faas_inline int is_unicast(const struct faas_call *call, const union faas_address *address)
{
	return call->ip_version == 6 ? is_unicast6(address)
				     : is_unicast4(bpf_ntohl(address->words[3]));
}

/* Whether it may go on: to one station, and with a hop left. */
faas_inline int may_go(const struct faas_call *call)
{
	const void *l3 = call->data + (call->l3_offset & (FAAS_HEADERS_BYTES_MAX - 1));
	const struct ethhdr *ethernet = call->data;
	__u8 hops;

	if (!call->ip_version || (void *)(ethernet + 1) > call->data_end || l3 + 9 > call->data_end)
		return 0;
	hops = call->ip_version == 6 ? *(const __u8 *)(l3 + 7) : *(const __u8 *)(l3 + 8);
	return hops > 1 && !(ethernet->h_dest[0] & 1);
}

/* Ports of fragments do not count: only the first has them. */
faas_inline __u64 ports_of(const struct faas_call *call)
{
	if (call->flags & (FAAS_EVENT_FIRST_FRAGMENT | FAAS_EVENT_FRAGMENT))
		return 0;
	return (__u64)call->source_port << 16 | call->destination_port;
}

FAAS_EVENT(call)
{
	union faas_address source, destination;
	__u64 hash = faas_seed(&seed);

	if (!may_go(call))
		return faas_output(unfit);
	faas_source_address(call, &source);
	faas_destination_address(call, &destination);
	if (!is_unicast(call, &source) || !is_unicast(call, &destination))
		return faas_output(unfit);
	if (faas_param(by) != by_destination)
		hash = faas_hash_mix(faas_hash_mix(hash, source.halves[0]), source.halves[1]);
	if (faas_param(by) != by_source)
		hash = faas_hash_mix(faas_hash_mix(hash, destination.halves[0]),
				     destination.halves[1]);
	if (faas_param(by) == by_flow)
		hash = faas_hash_mix(hash, ports_of(call) << 8 | call->ip_protocol);
	switch ((hash >> 32) * faas_param(ways) >> 32) {
	case 1:
		return faas_output(way2);
	case 2:
		return faas_output(way3);
	case 3:
		return faas_output(way4);
	}
	return faas_output(way1);
}
