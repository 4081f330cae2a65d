// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets that were seen in the wild, broken ones among them, through the root
 * program: each passes and is counted once, in the class that an independent
 * reader (tests/lib/reading.c) puts it in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "pcap.h"
#include "reading.h"
#include "root_harness.h"

#define FRAME_BYTES_MIN 14   /* that BPF_PROG_TEST_RUN takes */
#define FRAME_BYTES_MAX 3000 /* and in one page, beside the kernel's own */

static const struct {
	const char *name;
	uint64_t packets; /* as capinfos counts them */
} captures[] = {
	{"6in4tunnel", 127},
	{"IEC104", 15},
	{"coap_mqtt", 8516},
	{"dns_fragmented", 66},
	{"ip_fragmented_garbage", 9077},
	{"malformed_dns", 6},
	{"modbus", 102},
	{"netflowv9", 10},
};

/* Ports that a trigger watches, either direction, UDP and TCP. */
static const uint16_t watched[] = {53, 502, 1883, 2055, 2404, 5683, 17500};

static bool is_watched(uint16_t port)
{
	for (unsigned int i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		if (watched[i] == port)
			return true;
	return false;
}

static enum root_count expected_count(const struct reading *reading)
{
	switch (reading->class) {
	case READING_PORTS:
		return is_watched(reading->source_port) || is_watched(reading->destination_port)
			       ? ROOT_MATCHED
			       : ROOT_UNMATCHED;
	case READING_FRAGMENT:
		return ROOT_FRAGMENT;
	case READING_NOT_IP:
		return ROOT_NOT_IP;
	case READING_OTHER:
		return ROOT_OTHER_PROTOCOL;
	default:
		return ROOT_MALFORMED;
	}
}

static void check_frame(struct root *root, const char *capture, uint64_t number,
			const uint8_t *data, uint32_t bytes)
{
	enum root_count count, expected;
	struct reading reading;

	frame_read(data, bytes, &reading);
	expected = expected_count(&reading);
	count = root_count(root, data, bytes, NULL);
	if (count != expected)
		fail_msg("%s, packet %llu, %u bytes: counted as %s, expected %s", capture,
			 (unsigned long long)number, bytes, root_count_names[count],
			 root_count_names[expected]);
}

/* @p cuts: also every beginning of each packet. */
static uint64_t check_capture(struct root *root, const char *name, bool cuts)
{
	struct pcap_packet packet;
	struct pcap pcap;
	uint64_t packets;
	char path[512];
	int more;

	snprintf(path, sizeof(path), TEST_SOURCE "/tests/data/captures/%s.pcap", name);
	assert_int_equal(pcap_open(path, &pcap), 0);
	assert_int_equal(pcap.link_type, PCAP_LINK_ETHERNET);
	while ((more = pcap_next(&pcap, &packet)) > 0) {
		assert_in_range(packet.bytes, FRAME_BYTES_MIN, FRAME_BYTES_MAX);
		check_frame(root, name, pcap.packets, packet.data, packet.bytes);
		for (uint32_t bytes = root->frame_bytes_min;
		     cuts && bytes < packet.bytes && bytes < 200; bytes++)
			check_frame(root, name, pcap.packets, packet.data, bytes);
	}
	assert_int_equal(more, 0);
	packets = pcap.packets;
	pcap_close(&pcap);
	return packets;
}

static int setup(void **state, enum root_hook hook)
{
	static struct root root;

	root_open(&root, hook);
	for (unsigned int i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
		const struct faas_port_entry entry = {{1, 1}, {2, 2}, {3, 3}, {4, 4}};

		root_set_port(&root, watched[i], &entry);
	}
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

static void test_captures(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(captures) / sizeof(captures[0]); i++) {
		uint64_t packets = check_capture(*state, captures[i].name, false);

		if (packets != captures[i].packets)
			fail_msg("%s: %llu packets", captures[i].name, (unsigned long long)packets);
	}
}

static void test_captures_cut(void **state)
{
	check_capture(*state, "malformed_dns", true);
	check_capture(*state, "dns_fragmented", true);
	check_capture(*state, "6in4tunnel", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captures),
		cmocka_unit_test(test_captures_cut),
	};

	return cmocka_run_group_tests_name("captures, XDP", tests, setup_xdp, teardown) +
	       cmocka_run_group_tests_name("captures, TC", tests, setup_tc, teardown);
}
