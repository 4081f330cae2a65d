/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Builds Ethernet frames for tests, right ones and wrong ones. A frame is
 * described by what is special about it; everything left at zero is as a
 * well-behaved sender would have it, checksums included:
 *
 *	struct frame frame;
 *
 *	frame_build(&(struct frame_spec){.destination_port = 5005, FRAME_PAYLOAD("21.5")}, &frame);
 *
 * The wrong values (ihl, ip_bytes, udp_bytes ...) go in last and checksums
 * are made over them, so that one mistake is the only one in the frame.
 */
#ifndef FAAS_TEST_FRAME_H
#define FAAS_TEST_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#define FRAME_BYTES_MAX 9216
#define FRAME_VLANS_MAX 3
#define FRAME_EXTENSIONS_MAX 12
#define FRAME_WRONG_ZERO UINT32_MAX /* for the wrong values below: really 0 */

/* A string without its NUL as payload; bytes as payload. */
#define FRAME_PAYLOAD(text) .payload = (text), .payload_bytes = sizeof(text) - 1
#define FRAME_BYTES(...)                                                                           \
	.payload = (const uint8_t[]){__VA_ARGS__},                                                 \
	.payload_bytes = sizeof((const uint8_t[]){__VA_ARGS__})

struct frame_vlan {
	uint16_t ethertype; /* 0x8100 (also for 0), 0x88a8 */
	uint16_t tag; /* priority, DEI and id; a tag of all zeros is written as FRAME_VLAN_ZERO */
};
#define FRAME_VLAN_ZERO 0xffff

struct frame_spec {
	const uint8_t *source_mac, *destination_mac; /* 02:..:01, 02:..:02 */
	struct frame_vlan
		vlans[FRAME_VLANS_MAX];	  /* up to the first all-zero one, outermost first */
	uint16_t ethertype;		  /* behind the tags, when not that of the IP version */
	uint8_t ip_version;		  /* 4 (also for 0), 6 */
	const char *source, *destination; /* text; 10.20.0.7 to 10.20.0.1, fd00::7 to fd00::1 */
	uint8_t ttl;			  /* 64 */
	uint8_t protocol;		  /* UDP (also for 0), TCP, or any other: payload only */
	uint16_t source_port;		  /* 40000 */
	uint16_t destination_port;	  /* 5005 */
	const void *payload;		  /* zeros for NULL; borrowed during the call */
	uint32_t payload_bytes;
	uint32_t padding_bytes; /* behind the packet, as Ethernet pads short frames: 0xee */

	uint8_t ipv4_option_bytes; /* multiple of 4, up to 40: no-operation options */
	uint8_t extensions[FRAME_EXTENSIONS_MAX]; /* IPv6, up to the first 0: see FRAME_EXTENSION_*
						   */
	uint8_t extension_units;		  /* further 8 bytes in each extension header */
	uint8_t tcp_option_bytes;		  /* multiple of 4, up to 40 */

	/* A fragment; for IPv6 put IPPROTO_FRAGMENT among the extensions. A later
	 * fragment has no L4 header: its payload follows the IP header. */
	uint16_t fragment_offset; /* in units of 8 bytes */
	bool more_fragments;

	/* Wrong values, 0: the right one. */
	uint32_t ihl;		  /* IPv4 header length in words */
	uint32_t version_nibble;  /* version in the IP header */
	uint32_t ip_bytes;	  /* IPv4 total length, IPv6 payload length */
	uint32_t udp_bytes;	  /* UDP length */
	uint32_t tcp_offset;	  /* TCP data offset in words */
	uint32_t extension_bytes; /* length field of the first extension header, as it stands there
				   */
	uint32_t next_header;	  /* the last next-header field */
	uint32_t frame_bytes;	  /* cut the frame to this */
};

/* Hop-by-hop options are protocol 0, which ends the list: this stands for them. */
#define FRAME_EXTENSION_HOP_BY_HOP 0xfe

struct frame {
	uint32_t bytes;
	/* Where things begin; the end of the headers for what is not there. */
	uint32_t l3_offset;
	uint32_t l4_offset;
	uint32_t payload_offset;
	uint32_t payload_bytes; /* before frame_spec.frame_bytes cut it */
	uint8_t data[FRAME_BYTES_MAX];
};

/* Build a frame. A spec that cannot be built is a mistake in the test: it ends
 * the program with a message. */
void frame_build(const struct frame_spec *spec, struct frame *ret);

/* Internet checksum (RFC 1071) of some bytes, on top of @p sum, not yet
 * complemented. Reads in network order. */
uint32_t frame_sum(uint32_t sum, const void *data, uint32_t bytes);
uint16_t frame_checksum(uint32_t sum);

/* The 16 bytes that the project uses for an address: IPv4 as ::ffff:a.b.c.d. */
void frame_address(const char *text, uint8_t ret[16]);

/* Put an integer in network order anywhere. */
void frame_put16(void *at, uint16_t value);
void frame_put32(void *at, uint32_t value);
uint16_t frame_get16(const void *at);
uint32_t frame_get32(const void *at);

#endif
