// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How packets are described to a workflow that takes everything: those without
 * ports, those in several buffers, those with a VLAN tag beside the frame.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <ebpf_faas/event.h>

#include "frame.h"
#include "root_harness.h"

#define CUT FAAS_EVENT_TRUNCATED
#define PART FAAS_EVENT_FRAGMENT
#define HOP FRAME_EXTENSION_HOP_BY_HOP
#define TO_THE_END (-1)
#define TRIGGER 77

static const struct tables everything = {.classes = {{FAAS_CLASS_ANY, {1, TRIGGER}}}};

/* Offsets are those that the frame's builder tells, but what is not IP begins
 * behind the Ethernet header. */
struct row {
	const char *name;
	struct frame_spec spec;
	uint8_t ip_version, ip_protocol, flags;
	int payload_bytes; /* TO_THE_END: what is left of the frame */
	uint16_t vlan, ethertype;
	uint8_t vlan_tags;
};

static const struct row rows[] = {
	{"ICMP", {.protocol = IPPROTO_ICMP, .payload_bytes = 9}, 4, 1, 0, 9, 0, 0x0800, 0},
	{"ICMP with Ethernet padding",
	 {.protocol = IPPROTO_ICMP, .payload_bytes = 9, .padding_bytes = 17},
	 4,
	 1,
	 0,
	 9,
	 0,
	 0x0800,
	 0},
	{"ICMP that announces more",
	 {.protocol = IPPROTO_ICMP, .payload_bytes = 9, .ip_bytes = 1000},
	 4,
	 1,
	 CUT,
	 9,
	 0,
	 0x0800,
	 0},
	{"ICMP that announces less than its header",
	 {.protocol = IPPROTO_ICMP, .payload_bytes = 9, .ip_bytes = 22},
	 4,
	 1,
	 0,
	 2,
	 0,
	 0x0800,
	 0},
	{"GRE behind options, tagged",
	 {.protocol = IPPROTO_GRE,
	  .vlans = {{0, 9}},
	  .ipv4_option_bytes = 40,
	  .payload_bytes = 100},
	 4,
	 47,
	 0,
	 100,
	 9,
	 0x0800,
	 1},
	{"nothing behind the IP header",
	 {.protocol = IPPROTO_GRE, .payload_bytes = 0, .padding_bytes = 26},
	 4,
	 47,
	 0,
	 0,
	 0,
	 0x0800,
	 0},
	{"ICMPv6 behind options",
	 {.ip_version = 6, .protocol = IPPROTO_ICMPV6, .extensions = {HOP}, .payload_bytes = 24},
	 6,
	 58,
	 0,
	 24,
	 0,
	 0x86dd,
	 0},
	{"SCTP over IPv6, two tags",
	 {.ip_version = 6,
	  .protocol = IPPROTO_SCTP,
	  .vlans = {{0x88a8, 3}, {0, 4}},
	  .payload_bytes = 12},
	 6,
	 132,
	 0,
	 12,
	 3,
	 0x86dd,
	 2},
	{"later fragment",
	 {.fragment_offset = 185, .more_fragments = true, .payload_bytes = 1480},
	 4,
	 17,
	 PART,
	 1480,
	 0,
	 0x0800,
	 0},
	{"last fragment of TCP, cut",
	 {.protocol = IPPROTO_TCP, .fragment_offset = 1, .payload_bytes = 99, .frame_bytes = 100},
	 4,
	 6,
	 PART | CUT,
	 TO_THE_END,
	 0,
	 0x0800,
	 0},
	{"later fragment of IPv6",
	 {.ip_version = 6,
	  .extensions = {HOP, IPPROTO_FRAGMENT},
	  .fragment_offset = 9,
	  .payload_bytes = 70},
	 6,
	 17,
	 PART,
	 70,
	 0,
	 0x86dd,
	 0},
	{"ARP", {.ethertype = 0x0806, .payload_bytes = 28}, 0, 0, 0, TO_THE_END, 0, 0x0806, 0},
	{"LLDP in a VLAN",
	 {.ethertype = 0x88cc, .vlans = {{0, 4095}}, .payload_bytes = 50},
	 0,
	 0,
	 0,
	 TO_THE_END,
	 4095,
	 0x88cc,
	 1},
	{"a third tag is no header",
	 {.vlans = {{0x88a8, 1}, {0, 2}, {0, 3}}, .payload_bytes = 50},
	 0,
	 0,
	 0,
	 TO_THE_END,
	 1,
	 0x8100,
	 2},
};

static struct faas_packet expected_of(const struct row *row, const struct frame *frame)
{
	uint32_t l3 = 14 + 4u * row->vlan_tags;
	uint32_t payload = row->ip_version ? frame->payload_offset : l3;

	return (struct faas_packet){
		.trigger = TRIGGER,
		.l3_offset = (uint16_t)l3,
		.l4_offset = (uint16_t)payload,
		.payload_offset = (uint16_t)payload,
		.payload_bytes =
			(uint16_t)(row->payload_bytes == TO_THE_END ? frame->bytes - payload
								    : (uint32_t)row->payload_bytes),
		.vlan = row->vlan,
		.ip_version = row->ip_version,
		.ip_protocol = row->ip_protocol,
		.flags = row->flags,
		.vlan_tags = row->vlan_tags,
		.ethertype = row->ethertype,
	};
}

static void check(const char *name, struct faas_packet packet, const struct faas_packet *expected)
{
	packet.trigger &= (uint16_t)~FAAS_PACKET_SAMPLED;
	if (memcmp(&packet, expected, sizeof(packet)))
		fail_msg("%s: trigger %u l3 %u l4 %u payload %u+%u flags %x IPv%u protocol %u "
			 "vlan %u/%u type %x ports %u %u, expected %u %u %u %u+%u %x %u %u %u/%u "
			 "%x %u %u",
			 name, packet.trigger, packet.l3_offset, packet.l4_offset,
			 packet.payload_offset, packet.payload_bytes, packet.flags,
			 packet.ip_version, packet.ip_protocol, packet.vlan, packet.vlan_tags,
			 packet.ethertype, packet.source_port, packet.destination_port,
			 expected->trigger, expected->l3_offset, expected->l4_offset,
			 expected->payload_offset, expected->payload_bytes, expected->flags,
			 expected->ip_version, expected->ip_protocol, expected->vlan,
			 expected->vlan_tags, expected->ethertype, expected->source_port,
			 expected->destination_port);
}

static void test_without_ports(void **state)
{
	static struct frame frame;

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct faas_packet packet = {0}, expected;

		frame_build(&rows[i].spec, &frame);
		expected = expected_of(&rows[i], &frame);
		if (root_count(*state, frame.data, frame.bytes, &packet) != ROOT_MATCHED)
			fail_msg("%s was not taken", rows[i].name);
		check(rows[i].name, packet, &expected);
	}
}

/* ---- several buffers -------------------------------------------------------- */

struct split {
	const char *name;
	struct frame_spec spec;
	uint32_t linear_bytes; /* 0: as the kernel likes it */
	bool linear_headers;
};

static const struct split splits[] = {
	{"UDP of 8 KiB", {.payload_bytes = 8192}, 0, true},
	{"TCP of 8 KiB", {.protocol = IPPROTO_TCP, .payload_bytes = 8192}, 0, true},
	{"IPv6 of 8 KiB, tagged",
	 {.ip_version = 6, .vlans = {{0, 5}}, .payload_bytes = 8192},
	 0,
	 true},
	{"the first buffer ends behind the UDP header", {.payload_bytes = 1000}, 42, true},
	{"in the payload", {.payload_bytes = 1000}, 500, true},
	{"in the UDP header", {.payload_bytes = 1000}, 41, false},
	{"in the IP header", {.payload_bytes = 1000}, 20, false},
	{"behind the Ethernet header", {.ip_version = 6, .payload_bytes = 1000}, 14, false},
	{"in an extension header",
	 {.ip_version = 6, .extensions = {HOP, IPPROTO_DSTOPTS}, .payload_bytes = 1000},
	 63,
	 false},
};

static struct faas_packet expected_split(const struct frame_spec *spec, const struct frame *frame)
{
	uint16_t vlan = spec->vlans[0].tag;

	return (struct faas_packet){
		.trigger = TRIGGER,
		.l3_offset = (uint16_t)frame->l3_offset,
		.l4_offset = (uint16_t)frame->l4_offset,
		.payload_offset = (uint16_t)frame->payload_offset,
		.payload_bytes = (uint16_t)frame->payload_bytes,
		.source_port = 40000,
		.destination_port = 5005,
		.vlan = vlan,
		.ip_version = spec->ip_version == 6 ? 6 : 4,
		.ip_protocol = spec->protocol == IPPROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP,
		.vlan_tags = vlan != 0,
		.ethertype = spec->ip_version == 6 ? 0x86dd : 0x0800,
	};
}

/* Headers in the first buffer: taken, and the payload in all buffers counts. Else
 * XDP counts the packet, TC pulls them there. */
static void test_several_buffers(void **state)
{
	struct root *root = *state;
	static struct frame frame;
	unsigned int made = 0;

	for (unsigned int i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
		const struct split *row = &splits[i];
		bool taken = row->linear_headers || root->hook == ROOT_TC;
		struct faas_slot_counters before = root_slot_counters(root, 1), after;
		struct faas_packet packet = {0}, expected;
		enum root_count count;

		frame_build(&row->spec, &frame);
		expected = expected_split(&row->spec, &frame);
		if (!root_count_split(root, frame.data, frame.bytes, row->linear_bytes, &count,
				      &packet)) {
			print_message("not made by this kernel: %s\n", row->name);
			continue;
		}
		made++;
		if (count != (taken ? ROOT_MATCHED : ROOT_NONLINEAR))
			fail_msg("%s: counted as %s", row->name, root_count_names[count]);
		if (!taken)
			continue;
		check(row->name, packet, &expected);
		after = root_slot_counters(root, 1);
		assert_int_equal(after.matched_bytes, before.matched_bytes + frame.bytes);
	}
	/* Linux 6.1 makes only packets of several pages, and for XDP only; for TC,
	 * test_headers_are_pulled() has them from a socket. */
	if (root->hook == ROOT_XDP)
		assert_in_range(made, 3, sizeof(splits) / sizeof(splits[0]));
}

/* ---- a tag beside the frame -------------------------------------------------- */

struct beside {
	const char *name;
	struct frame_spec spec;
	uint8_t vlan_tags; /* all */
	uint16_t ethertype;
};

static const struct beside besides[] = {
	{"the only tag", {.payload_bytes = 20}, 1, 0x0800},
	{"IPv6", {.ip_version = 6, .payload_bytes = 20}, 1, 0x86dd},
	{"one in the frame", {.vlans = {{0, 9}}, .payload_bytes = 20}, 2, 0x0800},
	{"two in the frame", {.vlans = {{0x88a8, 8}, {0, 9}}, .payload_bytes = 40}, 2, 0x8100},
	{"ARP", {.ethertype = 0x0806, .payload_bytes = 40}, 1, 0x0806},
};

static struct bpf_object *open_push_tag(int root_fd, int *ret_program)
{
	struct bpf_object *object =
		bpf_object__open_file(TEST_BUILD "/tests/bpf/push_tag.bpf.o", NULL);
	uint32_t zero = 0;

	assert_non_null(object);
	assert_int_equal(bpf_object__load(object), 0);
	assert_int_equal(bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, "next"), &zero,
					     &root_fd, BPF_ANY),
			 0);
	*ret_program = bpf_program__fd(bpf_object__find_program_by_name(object, "push_tag"));
	return object;
}

static void test_tag_beside_the_frame(void **state)
{
	struct root *root = *state, pushing = *root;
	struct bpf_object *object = open_push_tag(root->program_fd, &pushing.program_fd);
	static struct frame frame;

	for (unsigned int i = 0; i < sizeof(besides) / sizeof(besides[0]); i++) {
		const struct beside *row = &besides[i];
		struct faas_packet packet = {0};

		frame_build(&row->spec, &frame);
		if (root_count(&pushing, frame.data, frame.bytes, &packet) != ROOT_MATCHED)
			fail_msg("%s was not taken", row->name);
		if (packet.vlan != 7 || packet.vlan_tags != row->vlan_tags ||
		    packet.ethertype != row->ethertype ||
		    packet.l3_offset != 14 + 4 * (row->vlan_tags - 1))
			fail_msg("%s: vlan %u, %u tags, type %x, l3 %u", row->name, packet.vlan,
				 packet.vlan_tags, packet.ethertype, packet.l3_offset);
	}
	bpf_object__close(object);
}

/* ---- headers beyond the linear part, at TC ------------------------------------ */

#define LOOPBACK 1 /* its index in every namespace */
#define BIG_BYTES 6000

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

/* Send a frame of which the kernel puts @p linear_bytes into the linear part. */
static void send_split(const struct frame *frame, uint16_t linear_bytes)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = LOOPBACK};
	struct virtio_net_hdr header = {.hdr_len = linear_bytes};
	struct iovec parts[] = {{&header, sizeof(header)}, {(void *)frame->data, frame->bytes}};
	struct msghdr message = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	assert_int_equal(sendmsg(fd, &message, 0), sizeof(header) + frame->bytes);
	close(fd);
}

/* Goes into a network namespace of its own and stays there. */
static void test_headers_are_pulled(void **state)
{
	static const struct split rows_pulled[] = {
		{"behind the Ethernet header", {.payload_bytes = BIG_BYTES}, 14, false},
		{"in the IP header", {.payload_bytes = BIG_BYTES}, 20, false},
		{"in the TCP header",
		 {.protocol = IPPROTO_TCP, .payload_bytes = BIG_BYTES},
		 40,
		 false},
		{"in an extension header",
		 {.ip_version = 6, .extensions = {HOP}, .payload_bytes = BIG_BYTES},
		 56,
		 false},
	};
	struct root *root = *state;
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = LOOPBACK, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = root->program_fd);
	static struct frame frame;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	loopback_up();
	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &filter), 0);
	for (unsigned int i = 0; i < sizeof(rows_pulled) / sizeof(rows_pulled[0]); i++) {
		const struct split *row = &rows_pulled[i];
		struct faas_slot_counters before = root_slot_counters(root, 1), after;
		struct faas_packet packet, expected;

		frame_build(&row->spec, &frame);
		expected = expected_split(&row->spec, &frame);
		send_split(&frame, (uint16_t)row->linear_bytes);
		after = root_slot_counters(root, 1);
		if (after.matched != before.matched + 1)
			fail_msg("%s was not taken", row->name);
		assert_int_equal(after.matched_bytes, before.matched_bytes + frame.bytes);
		packet = root_packet(root);
		check(row->name, packet, &expected);
	}
}

static int setup(void **state, enum root_hook hook)
{
	static struct root root;

	root_open(&root, hook);
	root_set_tables(&root, &everything);
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

int main(void)
{
	const struct CMUnitTest xdp[] = {
		cmocka_unit_test(test_without_ports),
		cmocka_unit_test(test_several_buffers),
	};
	const struct CMUnitTest tc[] = {
		cmocka_unit_test(test_without_ports),
		cmocka_unit_test(test_several_buffers),
		cmocka_unit_test(test_tag_beside_the_frame),
		cmocka_unit_test(test_headers_are_pulled),
	};

	return cmocka_run_group_tests_name("packet, XDP", xdp, setup_xdp, teardown) +
	       cmocka_run_group_tests_name("packet, TC", tc, setup_tc, teardown);
}
