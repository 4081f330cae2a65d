/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a frame is, read by code that shares nothing with the BPF parser: the
 * second opinion that end-to-end tests compare the ledger with.
 */
#ifndef FAAS_TESTS_LIB_READING_H
#define FAAS_TESTS_LIB_READING_H

#include <stddef.h>
#include <stdint.h>

enum reading_class {
	READING_PORTS,	  /* UDP or TCP with a whole header: has ports */
	READING_FRAGMENT, /* IP, not the first fragment */
	READING_OTHER,	  /* IP, another protocol; ICMP with a whole header */
	READING_NOT_IP,
	READING_MALFORMED, /* headers cut short or contradicting themselves */
	READING_CLASSES,
};

#define READING_NO_ICMP (-1)

struct reading {
	enum reading_class class;
	unsigned int vlan_tags;
	uint16_t vlan;	      /* id in the outermost tag */
	uint16_t ethertype;   /* behind the tags */
	unsigned int version; /* of IP; 0: none */
	uint8_t source[16];   /* IPv4 as ::ffff:a.b.c.d */
	uint8_t destination[16];
	int icmp_type; /* or READING_NO_ICMP */
	uint8_t protocol;
	uint16_t source_port;
	uint16_t destination_port;
};

extern const char *const reading_class_names[READING_CLASSES];

void frame_read(const uint8_t *frame, size_t bytes, struct reading *ret);

#endif
