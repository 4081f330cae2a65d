// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <netinet/in.h>
#include <string.h>

#include "inject_sets.h"

#define ROUTING IPPROTO_ROUTING
#define DESTINATION IPPROTO_DSTOPTS
#define HOP_BY_HOP FRAME_EXTENSION_HOP_BY_HOP

/* Ports are put in when the frame is built. */
static const struct frame_spec udp4[] = {
	{FRAME_PAYLOAD("a reading over IPv4")},
	{.payload_bytes = 0},
	{.payload_bytes = 1},
	{.payload_bytes = 1472},
	{.payload_bytes = 4, .padding_bytes = 14},
};

static const struct frame_spec udp6[] = {
	{.ip_version = 6, FRAME_PAYLOAD("a reading over IPv6")},
	{.ip_version = 6, .payload_bytes = 0},
	{.ip_version = 6, .payload_bytes = 1452},
};

static const struct frame_spec vlan[] = {
	{.vlans = {{0x8100, 7}}, FRAME_PAYLOAD("tagged")},
	{.vlans = {{0x8100, FRAME_VLAN_ZERO}}, FRAME_PAYLOAD("priority tag")},
	{.vlans = {{0x88a8, 100}}, FRAME_PAYLOAD("service tag")},
	{.vlans = {{0x8100, 7}}, .ip_version = 6, FRAME_PAYLOAD("tagged IPv6")},
};

static const struct frame_spec qinq[] = {
	{.vlans = {{0x88a8, 100}, {0x8100, 7}}, FRAME_PAYLOAD("two tags")},
	{.vlans = {{0x8100, 100}, {0x8100, 7}}, FRAME_PAYLOAD("two customer tags")},
	{.vlans = {{0x88a8, 100}, {0x8100, 7}}, .ip_version = 6, FRAME_PAYLOAD("two tags, IPv6")},
};

/* More tags than are read: not IP for us. */
static const struct frame_spec vlan3[] = {
	{.vlans = {{0x88a8, 1}, {0x8100, 2}, {0x8100, 3}}, FRAME_PAYLOAD("three tags")},
};

static const struct frame_spec options[] = {
	{.ipv4_option_bytes = 4, FRAME_PAYLOAD("one option word")},
	{.ipv4_option_bytes = 40, FRAME_PAYLOAD("all option words")},
	{.ip_version = 6, .extensions = {HOP_BY_HOP}, FRAME_PAYLOAD("hop by hop")},
	{.ip_version = 6, .extensions = {ROUTING}, FRAME_PAYLOAD("routing")},
	{.ip_version = 6, .extensions = {DESTINATION}, FRAME_PAYLOAD("destination options")},
	{.ip_version = 6, .extensions = {IPPROTO_AH}, FRAME_PAYLOAD("authentication")},
	{.ip_version = 6,
	 .extensions = {HOP_BY_HOP, DESTINATION, ROUTING, DESTINATION},
	 .extension_units = 2,
	 FRAME_PAYLOAD("a chain")},
};

static const struct frame_spec fragments[] = {
	{.more_fragments = true, .payload_bytes = 1480 - 8},
	{.fragment_offset = 185, .more_fragments = true, .payload_bytes = 1480},
	{.fragment_offset = 370, .payload_bytes = 100},
	{.ip_version = 6,
	 .extensions = {IPPROTO_FRAGMENT},
	 .more_fragments = true,
	 .payload_bytes = 800},
	{.ip_version = 6,
	 .extensions = {IPPROTO_FRAGMENT},
	 .fragment_offset = 101,
	 .payload_bytes = 80},
	/* A later fragment whose payload looks like a header with the port. */
	{.fragment_offset = 1,
	 FRAME_BYTES(0x13, 0x8d, 0x13, 0x8d, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)},
};

static const struct frame_spec malformed[] = {
	{.ihl = 4, FRAME_PAYLOAD("header length below the least")},
	{.ihl = FRAME_WRONG_ZERO, FRAME_PAYLOAD("header length 0")},
	{.version_nibble = 6, FRAME_PAYLOAD("IPv6 in an IPv4 frame")},
	{.ip_bytes = 19, FRAME_PAYLOAD("total length below the header's")},
	{.protocol = IPPROTO_TCP, .tcp_offset = 4, FRAME_PAYLOAD("TCP offset below the least")},
	{.ip_version = 6, .version_nibble = 4, FRAME_PAYLOAD("IPv4 in an IPv6 frame")},
	{.frame_bytes = 14, FRAME_PAYLOAD("cut behind Ethernet")},
	{.frame_bytes = 33, FRAME_PAYLOAD("cut in the IPv4 header")},
	{.frame_bytes = 41, FRAME_PAYLOAD("cut in the UDP header")},
	{.ip_version = 6, .frame_bytes = 53, FRAME_PAYLOAD("cut in the IPv6 header")},
	{.ip_version = 6, .frame_bytes = 61, FRAME_PAYLOAD("cut in the UDP header")},
	{.vlans = {{0x8100, 7}}, .frame_bytes = 16, FRAME_PAYLOAD("cut in the tag")},
	{.ip_version = 6,
	 .extensions = {HOP_BY_HOP},
	 .extension_bytes = 255,
	 FRAME_PAYLOAD("too long")},
};

/* Announce more than they hold; the headers are whole, so they have ports. */
static const struct frame_spec truncated[] = {
	{.frame_bytes = 42, FRAME_PAYLOAD("nothing behind the UDP header")},
	{.frame_bytes = 60, FRAME_PAYLOAD("half of a payload that is longer than that")},
	{.udp_bytes = 1400, FRAME_PAYLOAD("UDP length too long")},
	{.ip_version = 6, .frame_bytes = 70, FRAME_PAYLOAD("half of an IPv6 payload")},
};

static const struct frame_spec other[] = {
	{.protocol = IPPROTO_ICMP, .payload_bytes = 8},
	{.ip_version = 6, .protocol = IPPROTO_ICMPV6, .payload_bytes = 8},
	{.ethertype = 0x88cc, FRAME_PAYLOAD("LLDP")},
	{.protocol = IPPROTO_TCP, FRAME_PAYLOAD("TCP on the same port")},
};

static const struct {
	const char *name;
	const struct frame_spec *specs;
	unsigned int count;
} sets[] = {
#define SET(name)                                                                                  \
	{                                                                                          \
#name, name, sizeof(name) / sizeof(name[0])                                        \
	}
	SET(udp4),    SET(udp6),      SET(vlan),      SET(qinq),      SET(vlan3),
	SET(options), SET(fragments), SET(malformed), SET(truncated), SET(other),
#undef SET
};

int inject_set_frame(const char *set, unsigned int n, uint16_t port, struct frame *ret)
{
	struct frame_spec spec;

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		if (strcmp(sets[i].name, set))
			continue;
		if (n >= sets[i].count)
			return 0;
		spec = sets[i].specs[n];
		spec.destination_port = port;
		frame_build(&spec, ret);
		return 1;
	}
	return -1;
}

void inject_sets_print(FILE *stream)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		fprintf(stream, " %s", sets[i].name);
	fputc('\n', stream);
}
