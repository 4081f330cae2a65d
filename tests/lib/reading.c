// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "reading.h"

const char *const reading_class_names[READING_CLASSES] = {"ports", "fragments", "other", "not_ip",
							  "malformed"};

/* Bytes that are left to read. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

static bool skip(struct cursor *cursor, size_t bytes)
{
	if (cursor->left < bytes)
		return false;
	cursor->at += bytes;
	cursor->left -= bytes;
	return true;
}

static unsigned int u16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static enum reading_class read_ports(const struct cursor *l4, struct reading *ret)
{
	if (ret->protocol == IPPROTO_UDP) {
		if (l4->left < 8)
			return READING_MALFORMED;
	} else if (ret->protocol == IPPROTO_TCP) {
		if (l4->left < 20 || l4->at[12] >> 4 < 5)
			return READING_MALFORMED;
	} else if (ret->protocol == (ret->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		if (l4->left < 4) /* type, code, checksum */
			return READING_MALFORMED;
		ret->icmp_type = l4->at[0];
		return READING_OTHER;
	} else {
		return READING_OTHER;
	}
	ret->source_port = (uint16_t)u16(l4->at);
	ret->destination_port = (uint16_t)u16(l4->at + 2);
	return READING_PORTS;
}

static void read_ipv4_address(const uint8_t *at, uint8_t ret[16])
{
	memset(ret, 0, 10);
	memset(ret + 10, 0xff, 2);
	memcpy(ret + 12, at, 4);
}

static enum reading_class read_ipv4(struct cursor *ip, struct reading *ret)
{
	unsigned int header_bytes, total_bytes, fragment;

	if (ip->left < 20 || ip->at[0] >> 4 != 4)
		return READING_MALFORMED;
	header_bytes = (ip->at[0] & 15u) * 4;
	total_bytes = u16(ip->at + 2);
	fragment = u16(ip->at + 6);
	if (header_bytes < 20 || total_bytes < header_bytes || ip->left < header_bytes)
		return READING_MALFORMED;
	ret->version = 4;
	read_ipv4_address(ip->at + 12, ret->source);
	read_ipv4_address(ip->at + 16, ret->destination);
	ret->protocol = ip->at[9];
	if (fragment & 0x1fff)
		return READING_FRAGMENT;
	skip(ip, header_bytes);
	return read_ports(ip, ret);
}

static enum reading_class read_ipv6(struct cursor *ip, struct reading *ret)
{
	unsigned int next;
	size_t announced; /* behind the fixed header, that extension headers are part of */

	if (ip->left < 40 || ip->at[0] >> 4 != 6)
		return READING_MALFORMED;
	announced = u16(ip->at + 4);
	next = ip->at[6];
	ret->version = 6;
	memcpy(ret->source, ip->at + 8, 16);
	memcpy(ret->destination, ip->at + 24, 16);
	skip(ip, 40);

	for (;;) { /* extension headers, RFC 8200 section 4; each takes bytes, so this ends */
		size_t bytes;

		switch (next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
		case 135: /* mobility, RFC 6275 */
		case 139: /* host identity protocol, RFC 7401 */
		case 140: /* shim6, RFC 5533 */
			if (ip->left < 8)
				return READING_MALFORMED;
			bytes = ((size_t)ip->at[1] + 1) * 8;
			break;
		case IPPROTO_AH:
			if (ip->left < 8)
				return READING_MALFORMED;
			bytes = ((size_t)ip->at[1] + 2) * 4;
			break;
		case IPPROTO_FRAGMENT:
			if (ip->left < 8)
				return READING_MALFORMED;
			if (announced < 8)
				return READING_MALFORMED;
			if (u16(ip->at + 2) & 0xfff8) {
				ret->protocol = ip->at[0];
				return READING_FRAGMENT;
			}
			bytes = 8;
			break;
		default:
			ret->protocol = (uint8_t)next;
			return read_ports(ip, ret);
		}
		next = ip->at[0];
		if (bytes > announced || !skip(ip, bytes))
			return READING_MALFORMED;
		announced -= bytes;
	}
}

void frame_read(const uint8_t *frame, size_t bytes, struct reading *ret)
{
	struct cursor cursor = {frame, bytes};
	unsigned int ethertype;

	*ret = (struct reading){.class = READING_MALFORMED, .icmp_type = READING_NO_ICMP};
	if (!skip(&cursor, 14))
		return;
	ethertype = u16(cursor.at - 2);
	while ((ethertype == 0x8100 || ethertype == 0x88a8) && ret->vlan_tags < 2) {
		if (!skip(&cursor, 4))
			return;
		if (!ret->vlan_tags)
			ret->vlan = u16(cursor.at - 4) & 0x0fff;
		ethertype = u16(cursor.at - 2);
		ret->vlan_tags++;
	}
	ret->ethertype = (uint16_t)ethertype;
	if (ethertype == 0x0800)
		ret->class = read_ipv4(&cursor, ret);
	else if (ethertype == 0x86dd)
		ret->class = read_ipv6(&cursor, ret);
	else
		ret->class = READING_NOT_IP;
}
