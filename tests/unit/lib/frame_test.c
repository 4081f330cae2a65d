// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tests/lib/frame: against bytes worked out elsewhere, and its own checksums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "frame.h"

/* The IPv4 header of many a textbook, whose checksum is b861. */
static void test_known_checksum(void **state)
{
	const uint8_t header[] = {0x45, 0, 0,	 0x73, 0, 0, 0x40, 0,	 0x40, 0x11,
				  0,	0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,    0xc7};

	(void)state;
	assert_int_equal(frame_checksum(frame_sum(0, header, sizeof(header))), 0xb861);
	assert_int_equal(frame_checksum(frame_sum(0, "\xff", 1)), 0x00ff); /* odd length */
}

static void test_known_frame(void **state)
{
	static const uint8_t expected[] = {
		2,    0,    0,	  0,	0,    2,    2,	  0,   0,    0,	   0,
		1,    0x81, 0x00, 0x00, 0x07, 0x08, 0x00, /* VLAN 7 */
		0x45, 0,    0,	  0x1e, 0x12, 0x34, 0,	  0,   0x40, 0x11, 0x54,
		0x6c, 10,   20,	  0,	7,    10,   20,	  0,   1,    0x9c, 0x40,
		0x13, 0x8d, 0,	  0x0a, 0xd3, 0x73, 'h',  'i', 0xee, 0xee};
	struct frame frame;

	(void)state;
	frame_build(&(struct frame_spec){.vlans = {{0x8100, 7}},
					 FRAME_PAYLOAD("hi"),
					 .padding_bytes = 2},
		    &frame);
	assert_int_equal(frame.bytes, sizeof(expected));
	assert_memory_equal(frame.data, expected, sizeof(expected));
	assert_int_equal(frame.l3_offset, 18);
	assert_int_equal(frame.l4_offset, 38);
	assert_int_equal(frame.payload_offset, 46);
	assert_int_equal(frame.payload_bytes, 2);
}

/* A receiver's check: everything under the checksum, it included, sums to 0. */
static void test_checksums(void **state)
{
	static const uint8_t protocols[2] = {IPPROTO_UDP, IPPROTO_TCP};
	struct frame frame;

	(void)state;
	for (uint32_t variant = 0; variant < 64; variant++) {
		const struct frame_spec spec = {
			.ip_version = variant & 1 ? 6 : 4,
			.protocol = protocols[variant >> 1 & 1],
			.payload = "temperature 21.50",
			.payload_bytes = 2 + (variant >> 2),
			.ipv4_option_bytes = variant & 4 ? 8 : 0,
			.extensions = {variant & 8 ? FRAME_EXTENSION_HOP_BY_HOP : 0}};
		uint32_t l4_bytes, sum;

		frame_build(&spec, &frame);
		l4_bytes = frame.bytes - frame.l4_offset;
		sum = spec.protocol + l4_bytes;
		if (spec.ip_version == 4) {
			assert_int_equal(
				frame_checksum(frame_sum(0, frame.data + 14, frame.l4_offset - 14)),
				0);
			sum = frame_sum(sum, frame.data + 26, 8);
		} else {
			sum = frame_sum(sum, frame.data + 22, 32);
		}
		assert_int_equal(
			frame_checksum(frame_sum(sum, frame.data + frame.l4_offset, l4_bytes)), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_checksum),
		cmocka_unit_test(test_known_frame),
		cmocka_unit_test(test_checksums),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
