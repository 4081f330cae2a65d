// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Frames for tests: see frame.h. */
#include "frame.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define IPV4_MORE_FRAGMENTS 0x2000
#define AUTHENTICATION_HEADER IPPROTO_AH

static void die(const char *what, const char *detail)
{
	fprintf(stderr, "frame: %s: %s\n", what, detail);
	abort();
}

void frame_put16(void *at, uint16_t value)
{
	uint8_t *bytes = at;

	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

void frame_put32(void *at, uint32_t value)
{
	frame_put16(at, (uint16_t)(value >> 16));
	frame_put16((uint8_t *)at + 2, (uint16_t)value);
}

uint16_t frame_get16(const void *at)
{
	const uint8_t *bytes = at;

	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

uint32_t frame_get32(const void *at)
{
	return (uint32_t)frame_get16(at) << 16 | frame_get16((const uint8_t *)at + 2);
}

uint32_t frame_sum(uint32_t sum, const void *data, uint32_t bytes)
{
	const uint8_t *at = data;

	for (; bytes > 1; bytes -= 2, at += 2)
		sum += frame_get16(at);
	if (bytes)
		sum += (uint32_t)at[0] << 8;
	return sum;
}

uint16_t frame_checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void frame_address(const char *text, uint8_t ret[16])
{
	if (inet_pton(AF_INET6, text, ret) == 1)
		return;
	memset(ret, 0, 16);
	ret[10] = 0xff;
	ret[11] = 0xff;
	if (inet_pton(AF_INET, text, ret + 12) != 1)
		die("not an address", text);
}

/* @p wrong if it is set, else @p right. */
static uint32_t value_or(uint32_t wrong, uint32_t right)
{
	if (wrong == FRAME_WRONG_ZERO)
		return 0;
	return wrong ? wrong : right;
}

/* Room for @p bytes more at the end of the frame. */
static uint8_t *append(struct frame *frame, uint32_t bytes)
{
	uint8_t *at = frame->data + frame->bytes;

	if (bytes > FRAME_BYTES_MAX - frame->bytes)
		die("too long", "more than FRAME_BYTES_MAX");
	memset(at, 0, bytes);
	frame->bytes += bytes;
	return at;
}

static void put_ethernet(const struct frame_spec *spec, struct frame *frame)
{
	static const uint8_t source[6] = {2, 0, 0, 0, 0, 1}, destination[6] = {2, 0, 0, 0, 0, 2};
	uint16_t ethertype = spec->ip_version == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
	uint8_t *at = append(frame, 12);

	memcpy(at, spec->destination_mac ? spec->destination_mac : destination, 6);
	memcpy(at + 6, spec->source_mac ? spec->source_mac : source, 6);
	for (unsigned int i = 0; i < FRAME_VLANS_MAX; i++) {
		const struct frame_vlan *vlan = &spec->vlans[i];

		if (!vlan->ethertype && !vlan->tag)
			break;
		at = append(frame, 4);
		frame_put16(at, vlan->ethertype ? vlan->ethertype : ETHERTYPE_VLAN);
		frame_put16(at + 2, vlan->tag == FRAME_VLAN_ZERO ? 0 : vlan->tag);
	}
	frame_put16(append(frame, 2), spec->ethertype ? spec->ethertype : ethertype);
}

static uint8_t protocol_of(const struct frame_spec *spec)
{
	return spec->protocol ? spec->protocol : IPPROTO_UDP;
}

static uint32_t l4_header_bytes(const struct frame_spec *spec)
{
	if (spec->fragment_offset)
		return 0;
	switch (protocol_of(spec)) {
	case IPPROTO_UDP:
		return 8;
	case IPPROTO_TCP:
		return 20u + spec->tcp_option_bytes;
	default:
		return 0;
	}
}

static uint8_t extension_number(uint8_t extension)
{
	return extension == FRAME_EXTENSION_HOP_BY_HOP ? IPPROTO_HOPOPTS : extension;
}

static uint32_t extension_bytes(const struct frame_spec *spec, uint8_t extension)
{
	if (extension == IPPROTO_FRAGMENT)
		return 8;
	return 8u + 8u * spec->extension_units;
}

static void put_ipv4(const struct frame_spec *spec, struct frame *frame)
{
	uint32_t header_bytes = 20u + spec->ipv4_option_bytes;
	uint32_t bytes = header_bytes + l4_header_bytes(spec) + spec->payload_bytes;
	uint8_t *at = append(frame, header_bytes), address[16];

	if (spec->ipv4_option_bytes % 4 || spec->ipv4_option_bytes > 40)
		die("IPv4 options", "up to 40 bytes, a multiple of 4");
	at[0] = (uint8_t)(value_or(spec->version_nibble, 4) << 4 |
			  value_or(spec->ihl, header_bytes / 4));
	frame_put16(at + 2, (uint16_t)value_or(spec->ip_bytes, bytes));
	frame_put16(at + 4, 0x1234);
	frame_put16(at + 6, (uint16_t)(spec->fragment_offset |
				       (spec->more_fragments ? IPV4_MORE_FRAGMENTS : 0)));
	at[8] = spec->ttl ? spec->ttl : 64;
	at[9] = (uint8_t)value_or(spec->next_header, protocol_of(spec));
	frame_address(spec->source ? spec->source : "10.20.0.7", address);
	memcpy(at + 12, address + 12, 4);
	frame_address(spec->destination ? spec->destination : "10.20.0.1", address);
	memcpy(at + 16, address + 12, 4);
	memset(at + 20, 1, spec->ipv4_option_bytes); /* no operation (RFC 791) */
	frame_put16(at + 10, frame_checksum(frame_sum(0, at, header_bytes)));
}

/* One extension header. @p next is the number of what follows it. */
static void put_extension(const struct frame_spec *spec, struct frame *frame, uint8_t extension,
			  uint8_t next, uint32_t wrong_bytes)
{
	uint32_t bytes = extension_bytes(spec, extension);
	uint8_t *at = append(frame, bytes);

	at[0] = next;
	switch (extension) {
	case IPPROTO_FRAGMENT: /* RFC 8200, 4.5; the second byte is reserved */
		frame_put16(at + 2, (uint16_t)(spec->fragment_offset << 3 |
					       (spec->more_fragments ? 1 : 0)));
		frame_put32(at + 4, 0x12345678);
		break;
	case AUTHENTICATION_HEADER: /* RFC 4302, 2.2: in words, minus 2 */
		at[1] = (uint8_t)value_or(wrong_bytes, bytes / 4 - 2);
		break;
	default: /* in units of 8 bytes, the first not counted; PadN fills it (RFC 8200, 4.2) */
		at[1] = (uint8_t)value_or(wrong_bytes, bytes / 8 - 1);
		at[2] = 1;
		at[3] = (uint8_t)(bytes - 4);
		break;
	}
}

static void put_ipv6(const struct frame_spec *spec, struct frame *frame)
{
	uint32_t bytes = l4_header_bytes(spec) + spec->payload_bytes, count = 0;
	uint8_t *at = append(frame, 40);

	while (count < FRAME_EXTENSIONS_MAX && spec->extensions[count])
		bytes += extension_bytes(spec, spec->extensions[count++]);
	at[0] = (uint8_t)(value_or(spec->version_nibble, 6) << 4);
	frame_put16(at + 4, (uint16_t)value_or(spec->ip_bytes, bytes));
	at[6] = (uint8_t)(count ? extension_number(spec->extensions[0])
				: value_or(spec->next_header, protocol_of(spec)));
	at[7] = spec->ttl ? spec->ttl : 64;
	frame_address(spec->source ? spec->source : "fd00::7", at + 8);
	frame_address(spec->destination ? spec->destination : "fd00::1", at + 24);
	for (uint32_t i = 0; i < count; i++)
		put_extension(spec, frame, spec->extensions[i],
			      (uint8_t)(i + 1 < count
						? extension_number(spec->extensions[i + 1])
						: value_or(spec->next_header, protocol_of(spec))),
			      i ? 0 : spec->extension_bytes);
}

/* Sum of the pseudo header (RFC 768, RFC 9293, RFC 8200 8.1). */
static uint32_t pseudo_sum(const struct frame_spec *spec, const struct frame *frame, uint32_t bytes)
{
	const uint8_t *l3 = frame->data + frame->l3_offset;
	uint32_t sum = protocol_of(spec) + bytes;

	return spec->ip_version == 6 ? frame_sum(sum, l3 + 8, 32) : frame_sum(sum, l3 + 12, 8);
}

static void put_l4_header(const struct frame_spec *spec, struct frame *frame)
{
	uint32_t header_bytes = l4_header_bytes(spec);
	uint8_t *at = append(frame, header_bytes);

	if (!header_bytes)
		return;
	frame_put16(at, spec->source_port ? spec->source_port : 40000);
	frame_put16(at + 2, spec->destination_port ? spec->destination_port : 5005);
	if (protocol_of(spec) == IPPROTO_UDP) {
		frame_put16(at + 4, (uint16_t)value_or(spec->udp_bytes,
						       header_bytes + spec->payload_bytes));
		return;
	}
	if (spec->tcp_option_bytes % 4 || spec->tcp_option_bytes > 40)
		die("TCP options", "up to 40 bytes, a multiple of 4");
	frame_put32(at + 4, 1);
	frame_put32(at + 8, 1);
	at[12] = (uint8_t)(value_or(spec->tcp_offset, header_bytes / 4) << 4);
	at[13] = 0x18; /* PSH, ACK */
	frame_put16(at + 14, 0xffff);
	memset(at + 20, 1, spec->tcp_option_bytes);
}

/* A fragment's checksum covers the whole datagram, which is not here: it stays 0. */
static void put_l4_checksum(const struct frame_spec *spec, struct frame *frame)
{
	uint32_t bytes = l4_header_bytes(spec) + spec->payload_bytes;
	uint8_t *l4 = frame->data + frame->l4_offset;
	uint16_t checksum;

	if (!l4_header_bytes(spec) || spec->more_fragments)
		return;
	checksum = frame_checksum(frame_sum(pseudo_sum(spec, frame, bytes), l4, bytes));
	if (protocol_of(spec) == IPPROTO_UDP)
		frame_put16(l4 + 6, checksum ? checksum : 0xffff);
	else
		frame_put16(l4 + 16, checksum);
}

void frame_build(const struct frame_spec *spec, struct frame *ret)
{
	uint8_t *payload;

	ret->bytes = 0;
	put_ethernet(spec, ret);
	ret->l3_offset = ret->bytes;
	if (spec->ip_version == 6)
		put_ipv6(spec, ret);
	else if (!spec->ip_version || spec->ip_version == 4)
		put_ipv4(spec, ret);
	else
		die("IP version", "4 or 6");
	ret->l4_offset = ret->bytes;
	put_l4_header(spec, ret);
	ret->payload_offset = ret->bytes;
	ret->payload_bytes = spec->payload_bytes;
	payload = append(ret, spec->payload_bytes);
	if (spec->payload)
		memcpy(payload, spec->payload, spec->payload_bytes);
	put_l4_checksum(spec, ret);
	memset(append(ret, spec->padding_bytes), 0xee, spec->padding_bytes);
	if (spec->frame_bytes && spec->frame_bytes < ret->bytes)
		ret->bytes = spec->frame_bytes;
}
