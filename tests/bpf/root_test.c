// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The root program's parser. Every frame passes, as no slot holds a program
 * here, and is counted once; one that matches is described rightly to the
 * workflow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <netinet/in.h>

#include <ebpf_faas/event.h>

#include "frame.h"
#include "function_harness.h"
#include "root_harness.h"

#define PORT 5005 /* that frame_build sends to */
#define FIRST FAAS_EVENT_FIRST_FRAGMENT
#define CUT FAAS_EVENT_TRUNCATED
#define AS_BUILT (-1)

struct row {
	const char *name;
	struct frame_spec spec;
	enum root_count count;
	uint8_t flags;	   /* of the description */
	int payload_bytes; /* of the description; AS_BUILT: what the spec says */
};

#define MATCH ROOT_MATCHED, 0, AS_BUILT
#define HOP FRAME_EXTENSION_HOP_BY_HOP

static const struct row rows[] = {
	{"IPv4 UDP", {.payload_bytes = 8}, MATCH},
	{"IPv4 UDP, no payload", {.payload_bytes = 0}, MATCH},
	{"IPv4 UDP, 1472 bytes", {.payload_bytes = 1472}, MATCH},
	{"Ethernet padding is no payload", {.payload_bytes = 3, .padding_bytes = 15}, MATCH},
	{"IPv4 with 4 bytes of options", {.payload_bytes = 8, .ipv4_option_bytes = 4}, MATCH},
	{"IPv4 with 40 bytes of options", {.payload_bytes = 8, .ipv4_option_bytes = 40}, MATCH},
	{"IPv4 TCP", {.protocol = IPPROTO_TCP, .payload_bytes = 8}, MATCH},
	{"IPv4 TCP with options",
	 {.protocol = IPPROTO_TCP, .tcp_option_bytes = 40, .payload_bytes = 8},
	 MATCH},
	{"IPv6 UDP", {.ip_version = 6, .payload_bytes = 8}, MATCH},
	{"IPv6 TCP",
	 {.ip_version = 6, .protocol = IPPROTO_TCP, .tcp_option_bytes = 12, .payload_bytes = 8},
	 MATCH},
	{"another port", {.destination_port = 5006}, ROOT_UNMATCHED, 0, 0},

	{"802.1Q", {.vlans = {{0x8100, 7}}, .payload_bytes = 8}, MATCH},
	{"802.1Q, priority bits are no id",
	 {.vlans = {{0x8100, 0xf007}}, .payload_bytes = 8},
	 MATCH},
	{"802.1Q, id 0", {.vlans = {{0x8100, FRAME_VLAN_ZERO}}, .payload_bytes = 8}, MATCH},
	{"802.1ad", {.vlans = {{0x88a8, 4094}}, .payload_bytes = 8}, MATCH},
	{"802.1ad and 802.1Q", {.vlans = {{0x88a8, 100}, {0x8100, 7}}, .payload_bytes = 8}, MATCH},
	{"802.1Q twice, IPv6",
	 {.ip_version = 6, .vlans = {{0x8100, 100}, {0x8100, 7}}, .payload_bytes = 8},
	 MATCH},
	{"two tags, all headers long",
	 {.vlans = {{0x88a8, 1}, {0x8100, 2}},
	  .ipv4_option_bytes = 40,
	  .protocol = IPPROTO_TCP,
	  .tcp_option_bytes = 40,
	  .payload_bytes = 8},
	 MATCH},
	{"three tags", {.vlans = {{0x88a8, 1}, {0x8100, 2}, {0x8100, 3}}}, ROOT_NOT_IP, 0, 0},

	{"hop-by-hop options", {.ip_version = 6, .extensions = {HOP}, .payload_bytes = 8}, MATCH},
	{"routing header",
	 {.ip_version = 6, .extensions = {IPPROTO_ROUTING}, .payload_bytes = 8},
	 MATCH},
	{"destination options",
	 {.ip_version = 6, .extensions = {IPPROTO_DSTOPTS}, .payload_bytes = 8},
	 MATCH},
	{"authentication header",
	 {.ip_version = 6, .extensions = {IPPROTO_AH}, .payload_bytes = 8},
	 MATCH},
	{"authentication header, longer",
	 {.ip_version = 6, .extensions = {IPPROTO_AH}, .extension_units = 2, .payload_bytes = 8},
	 MATCH},
	{"mobility header", {.ip_version = 6, .extensions = {135}, .payload_bytes = 8}, MATCH},
	{"host identity header", {.ip_version = 6, .extensions = {139}, .payload_bytes = 8}, MATCH},
	{"shim6 header", {.ip_version = 6, .extensions = {140}, .payload_bytes = 8}, MATCH},
	{"a long extension header",
	 {.ip_version = 6,
	  .extensions = {IPPROTO_DSTOPTS},
	  .extension_units = 31,
	  .payload_bytes = 8},
	 MATCH},
	{"each of them in turn",
	 {.ip_version = 6,
	  .extensions = {HOP, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_AH, 135, 139, 140},
	  .payload_bytes = 8},
	 MATCH},
	{"more of them than anybody sends",
	 {.ip_version = 6,
	  .extensions = {60, 60, 60, 60, 60, 60, 60, 60, 60, 60},
	  .payload_bytes = 8},
	 ROOT_MALFORMED,
	 0,
	 0},
	{"headers longer than are read",
	 {.ip_version = 6, .extensions = {60, 60, 60}, .extension_units = 60, .payload_bytes = 8},
	 ROOT_MALFORMED,
	 0,
	 0},
	{"encrypted (ESP)",
	 {.ip_version = 6, .extensions = {HOP}, .protocol = IPPROTO_ESP, .payload_bytes = 24},
	 ROOT_OTHER_PROTOCOL,
	 0,
	 0},
	{"no next header",
	 {.ip_version = 6, .protocol = IPPROTO_NONE, .payload_bytes = 8},
	 ROOT_OTHER_PROTOCOL,
	 0,
	 0},

	{"IPv4, first fragment",
	 {.more_fragments = true, .udp_bytes = 3000, .payload_bytes = 1472},
	 ROOT_MATCHED,
	 FIRST,
	 AS_BUILT},
	{"IPv4, later fragment",
	 {.fragment_offset = 185, .more_fragments = true, .payload_bytes = 1480},
	 ROOT_FRAGMENT,
	 0,
	 0},
	{"IPv4, last fragment", {.fragment_offset = 370, .payload_bytes = 40}, ROOT_FRAGMENT, 0, 0},
	{"IPv4, last fragment of ICMP",
	 {.protocol = IPPROTO_ICMP, .fragment_offset = 370, .payload_bytes = 40},
	 ROOT_FRAGMENT,
	 0,
	 0},
	{"IPv4, fragment at the largest offset",
	 {.fragment_offset = 0x1fff, .payload_bytes = 8},
	 ROOT_FRAGMENT,
	 0,
	 0},
	{"IPv4, fragment at an offset of one high bit",
	 {.fragment_offset = 0x1000, .payload_bytes = 8},
	 ROOT_FRAGMENT,
	 0,
	 0},
	{"IPv4 TCP, first fragment",
	 {.protocol = IPPROTO_TCP, .more_fragments = true, .payload_bytes = 8},
	 ROOT_MATCHED,
	 FIRST,
	 AS_BUILT},
	{"IPv6, first fragment",
	 {.ip_version = 6,
	  .extensions = {IPPROTO_FRAGMENT},
	  .more_fragments = true,
	  .udp_bytes = 3000,
	  .payload_bytes = 1448},
	 ROOT_MATCHED,
	 FIRST,
	 AS_BUILT},
	{"IPv6, first fragment behind options",
	 {.ip_version = 6,
	  .extensions = {HOP, IPPROTO_FRAGMENT},
	  .more_fragments = true,
	  .payload_bytes = 8},
	 ROOT_MATCHED,
	 FIRST,
	 AS_BUILT},
	{"IPv6, first fragment, options behind",
	 {.ip_version = 6,
	  .extensions = {IPPROTO_FRAGMENT, IPPROTO_DSTOPTS},
	  .more_fragments = true,
	  .payload_bytes = 8},
	 ROOT_MATCHED,
	 FIRST,
	 AS_BUILT},
	{"IPv6, later fragment",
	 {.ip_version = 6,
	  .extensions = {IPPROTO_FRAGMENT},
	  .fragment_offset = 181,
	  .more_fragments = true,
	  .payload_bytes = 1448},
	 ROOT_FRAGMENT,
	 0,
	 0},
	{"IPv6, last fragment",
	 {.ip_version = 6,
	  .extensions = {HOP, IPPROTO_FRAGMENT},
	  .fragment_offset = 1,
	  .payload_bytes = 8},
	 ROOT_FRAGMENT,
	 0,
	 0},
	{"IPv6, atomic fragment (RFC 6946)",
	 {.ip_version = 6, .extensions = {IPPROTO_FRAGMENT}, .payload_bytes = 8},
	 MATCH},

	{"IHL 4", {.ihl = 4, .payload_bytes = 8}, ROOT_MALFORMED, 0, 0},
	{"IHL 0", {.ihl = FRAME_WRONG_ZERO, .payload_bytes = 8}, ROOT_MALFORMED, 0, 0},
	{"IHL beyond the total length", {.ihl = 15, .payload_bytes = 8}, ROOT_MALFORMED, 0, 0},
	{"version 6 in IPv4", {.version_nibble = 6, .payload_bytes = 8}, ROOT_MALFORMED, 0, 0},
	{"version 4 in IPv6",
	 {.ip_version = 6, .version_nibble = 4, .payload_bytes = 8},
	 ROOT_MALFORMED,
	 0,
	 0},
	{"version 0",
	 {.version_nibble = FRAME_WRONG_ZERO, .payload_bytes = 8},
	 ROOT_MALFORMED,
	 0,
	 0},
	{"IPv4 total length below its header",
	 {.ip_bytes = 19, .payload_bytes = 8},
	 ROOT_MALFORMED,
	 0,
	 0},
	{"IPv4 total length 0",
	 {.ip_bytes = FRAME_WRONG_ZERO, .payload_bytes = 8},
	 ROOT_MALFORMED,
	 0,
	 0},
	{"IPv4 total length within the payload",
	 {.ip_bytes = 31, .payload_bytes = 8},
	 ROOT_MATCHED,
	 CUT,
	 3},
	{"IPv4 total length within the UDP header",
	 {.ip_bytes = 24, .payload_bytes = 8},
	 ROOT_MATCHED,
	 CUT,
	 0},
	{"IPv4 total length beyond the frame, UDP length right",
	 {.ip_bytes = 1000, .payload_bytes = 8},
	 MATCH},
	{"IPv4 total length beyond the frame, TCP",
	 {.protocol = IPPROTO_TCP, .ip_bytes = 1000, .payload_bytes = 8},
	 ROOT_MATCHED,
	 CUT,
	 8},
	{"UDP length 0", {.udp_bytes = FRAME_WRONG_ZERO, .payload_bytes = 8}, ROOT_MATCHED, CUT, 0},
	{"UDP length 7", {.udp_bytes = 7, .payload_bytes = 8}, ROOT_MATCHED, CUT, 0},
	{"UDP length 8: no payload, whatever follows",
	 {.udp_bytes = 8, .payload_bytes = 8},
	 ROOT_MATCHED,
	 0,
	 0},
	{"UDP length within the payload",
	 {.udp_bytes = 11, .payload_bytes = 8},
	 ROOT_MATCHED,
	 0,
	 3},
	{"UDP length beyond the packet",
	 {.udp_bytes = 17, .payload_bytes = 8, .padding_bytes = 9},
	 ROOT_MATCHED,
	 CUT,
	 8},
	{"UDP length 65535", {.udp_bytes = 65535, .payload_bytes = 8}, ROOT_MATCHED, CUT, 8},
	{"TCP offset 4",
	 {.protocol = IPPROTO_TCP, .tcp_offset = 4, .payload_bytes = 8},
	 ROOT_MALFORMED,
	 0,
	 0},
	{"TCP offset 0",
	 {.protocol = IPPROTO_TCP, .tcp_offset = FRAME_WRONG_ZERO, .payload_bytes = 8},
	 ROOT_MALFORMED,
	 0,
	 0},
	{"IPv6 payload length 0",
	 {.ip_version = 6, .ip_bytes = FRAME_WRONG_ZERO, .payload_bytes = 8},
	 ROOT_MATCHED,
	 CUT,
	 0},
	{"IPv6 payload length within the payload",
	 {.ip_version = 6, .ip_bytes = 11, .payload_bytes = 8},
	 ROOT_MATCHED,
	 CUT,
	 3},
	{"IPv6 extension header beyond the packet",
	 {.ip_version = 6, .extensions = {HOP}, .extension_bytes = 3, .payload_bytes = 8},
	 ROOT_MALFORMED,
	 0,
	 0},
	{"IPv6 extension header beyond the packet, within the frame",
	 {.ip_version = 6,
	  .extensions = {HOP},
	  .extension_bytes = 3,
	  .payload_bytes = 8,
	  .padding_bytes = 40},
	 ROOT_MALFORMED,
	 0,
	 0},
	{"IPv6 extension header beyond the frame",
	 {.ip_version = 6,
	  .extensions = {IPPROTO_DSTOPTS},
	  .extension_bytes = 255,
	  .payload_bytes = 8},
	 ROOT_MALFORMED,
	 0,
	 0},
	{"IPv6 extension header beyond the frame, long payload length",
	 {.ip_version = 6,
	  .extensions = {IPPROTO_DSTOPTS},
	  .extension_bytes = 20,
	  .ip_bytes = 60000,
	  .payload_bytes = 8},
	 ROOT_MALFORMED,
	 0,
	 0},

	{"ICMP", {.protocol = IPPROTO_ICMP, .payload_bytes = 8}, ROOT_OTHER_PROTOCOL, 0, 0},
	{"GRE", {.protocol = IPPROTO_GRE, .payload_bytes = 8}, ROOT_OTHER_PROTOCOL, 0, 0},
	{"SCTP", {.protocol = IPPROTO_SCTP, .payload_bytes = 12}, ROOT_OTHER_PROTOCOL, 0, 0},
	{"IPv6 in IPv4",
	 {.protocol = IPPROTO_IPV6, .payload_bytes = 40},
	 ROOT_OTHER_PROTOCOL,
	 0,
	 0},
	{"ICMPv6",
	 {.ip_version = 6, .protocol = IPPROTO_ICMPV6, .payload_bytes = 8},
	 ROOT_OTHER_PROTOCOL,
	 0,
	 0},
	{"an IPv6 extension number in IPv4",
	 {.next_header = IPPROTO_DSTOPTS, .payload_bytes = 8},
	 ROOT_OTHER_PROTOCOL,
	 0,
	 0},
	{"ARP", {.ethertype = 0x0806, .payload_bytes = 8}, ROOT_NOT_IP, 0, 0},
	{"ARP in a VLAN",
	 {.ethertype = 0x0806, .vlans = {{0, 7}}, .payload_bytes = 8},
	 ROOT_NOT_IP,
	 0,
	 0},
	{"802.3 length", {.ethertype = 46, .payload_bytes = 18}, ROOT_NOT_IP, 0, 0},
	{"an unknown EtherType", {.ethertype = 0xffff, .payload_bytes = 8}, ROOT_NOT_IP, 0, 0},
};

static int setup(void **state, enum root_hook hook)
{
	static struct root root;
	const struct faas_port_entry entry = {.udp_destination = {1, 3}, .tcp_destination = {2, 4}};

	root_open(&root, hook);
	root_set_port(&root, PORT, &entry);
	*state = &root;
	return 0;
}

static int setup_xdp(void **state)
{
	return setup(state, ROOT_XDP);
}

static int setup_tc(void **state)
{
	return setup(state, ROOT_TC);
}

static int teardown(void **state)
{
	root_close(*state);
	return 0;
}

static struct faas_packet describe(const struct row *row, const struct frame *frame)
{
	struct faas_packet packet = harness_describe(&row->spec, frame, row->flags);

	while (packet.vlan_tags < FRAME_VLANS_MAX && (row->spec.vlans[packet.vlan_tags].ethertype ||
						      row->spec.vlans[packet.vlan_tags].tag))
		packet.vlan_tags++;
	packet.trigger = packet.ip_protocol == IPPROTO_UDP ? 3 : 4;
	if (row->payload_bytes != AS_BUILT)
		packet.payload_bytes = (uint16_t)row->payload_bytes;
	return packet;
}

static void check_row(struct root *root, const struct row *row, const struct frame *frame)
{
	struct faas_packet packet = {0}, expected = describe(row, frame);
	enum root_count count = root_count(root, frame->data, frame->bytes, &packet);

	if (count != row->count)
		fail_msg("%s (%u bytes): counted as %s, expected %s", row->name, frame->bytes,
			 root_count_names[count], root_count_names[row->count]);
	packet.trigger &= ~FAAS_PACKET_SAMPLED; /* on some packets: tests/bpf/dispatch_test.c */
	if (count == ROOT_MATCHED && memcmp(&packet, &expected, sizeof(packet)))
		fail_msg(
			"%s (%u bytes): l3 %u l4 %u payload %u+%u flags %x vlan %u/%u ports %u %u, "
			"expected %u %u %u+%u %x %u/%u %u %u",
			row->name, frame->bytes, packet.l3_offset, packet.l4_offset,
			packet.payload_offset, packet.payload_bytes, packet.flags, packet.vlan,
			packet.vlan_tags, packet.source_port, packet.destination_port,
			expected.l3_offset, expected.l4_offset, expected.payload_offset,
			expected.payload_bytes, expected.flags, expected.vlan, expected.vlan_tags,
			expected.source_port, expected.destination_port);
}

static void test_tables(void **state)
{
	static struct frame frame;

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		frame_build(&rows[i].spec, &frame);
		check_row(*state, &rows[i], &frame);
	}
}

/* A TCP header that announces more options than the frame holds: the ports are
 * there, a payload is not. */
static void test_tcp_offset_beyond_the_frame(void **state)
{
	const struct frame_spec spec = {
		.protocol = IPPROTO_TCP, .tcp_offset = 15, .payload_bytes = 8};
	struct faas_packet packet;
	struct frame frame;

	frame_build(&spec, &frame);
	assert_int_equal(root_count(*state, frame.data, frame.bytes, &packet), ROOT_MATCHED);
	assert_int_equal(packet.payload_offset, frame.l4_offset + 60);
	assert_int_equal(packet.payload_bytes, 0);
	assert_int_equal(packet.flags, CUT);
}

/* Frames that end at any byte: malformed until the ports' header is whole, then
 * a packet with what is left of its payload. */
static void test_cut_anywhere(void **state)
{
	static const struct row shapes[] = {
		{"IPv4 UDP", {.payload_bytes = 24}, MATCH},
		{"IPv4 with options, TCP with options",
		 {.ipv4_option_bytes = 12,
		  .protocol = IPPROTO_TCP,
		  .tcp_option_bytes = 12,
		  .payload_bytes = 24},
		 MATCH},
		{"two tags", {.vlans = {{0x88a8, 1}, {0x8100, 2}}, .payload_bytes = 24}, MATCH},
		{"IPv6 UDP", {.ip_version = 6, .payload_bytes = 24}, MATCH},
		{"IPv6, every extension header",
		 {.ip_version = 6,
		  .vlans = {{0x8100, 2}},
		  .extensions = {HOP, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_AH, 135, 139, 140},
		  .payload_bytes = 24},
		 MATCH},
		{"IPv6, first fragment, TCP",
		 {.ip_version = 6,
		  .extensions = {IPPROTO_FRAGMENT},
		  .more_fragments = true,
		  .protocol = IPPROTO_TCP,
		  .payload_bytes = 24},
		 ROOT_MATCHED,
		 FIRST,
		 AS_BUILT},
	};
	static struct frame whole, cut;

	for (unsigned int i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		uint32_t ports_bytes = shapes[i].spec.protocol == IPPROTO_TCP ? 20 : 8;

		frame_build(&shapes[i].spec, &whole);
		for (uint32_t bytes = ((struct root *)*state)->frame_bytes_min;
		     bytes <= whole.bytes; bytes++) {
			struct row row = shapes[i];

			cut = whole;
			cut.bytes = bytes;
			if (bytes < whole.l4_offset + ports_bytes)
				row.count = ROOT_MALFORMED;
			else if (bytes < whole.bytes)
				row.flags |= CUT;
			check_row(*state, &row, &cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_tcp_offset_beyond_the_frame),
		cmocka_unit_test(test_cut_anywhere),
	};

	return cmocka_run_group_tests_name("root, XDP", tests, setup_xdp, teardown) +
	       cmocka_run_group_tests_name("root, TC", tests, setup_tc, teardown);
}
