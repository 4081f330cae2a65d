/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads capture files of the classic pcap format (pcap-savefile(5)), either
 * byte order, times in micro- or nanoseconds.
 *
 *   pcap_open -> pcap_next ... -> pcap_close
 */
#ifndef FAAS_TEST_PCAP_H
#define FAAS_TEST_PCAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PCAP_PACKET_BYTES_MAX 262144 /* what libpcap itself allows */
#define PCAP_LINK_ETHERNET 1

struct pcap {
	FILE *stream; /* owned */
	bool swapped, nanoseconds;
	uint32_t link_type;
	uint64_t packets; /* read so far */
	uint8_t *data;	  /* owned */
};

struct pcap_packet {
	const uint8_t *data; /* borrowed until the next call */
	uint32_t bytes;	     /* captured */
	uint32_t wire_bytes; /* that the packet had */
	uint64_t time_ns;    /* since 1970 */
};

/* 0, or -errno: -EBADMSG when it is not such a file. Nothing to close then. */
int pcap_open(const char *path, struct pcap *ret) __attribute__((warn_unused_result));

/* 1 with a packet, 0 at the end, -EBADMSG for a file that is cut or broken, -EIO. */
int pcap_next(struct pcap *pcap, struct pcap_packet *ret) __attribute__((warn_unused_result));

void pcap_close(struct pcap *pcap);

#endif
