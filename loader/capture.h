/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets from a capture file (pcap or pcapng) or from the command line.
 *
 * Files are read by libpcap, which is opened when it is first needed: the command
 * starts without it, and a gateway that never reads captures need not have it.
 */
#ifndef FAAS_LOADER_CAPTURE_H
#define FAAS_LOADER_CAPTURE_H

#include <stdint.h>

#include "diag.h"

#define CAPTURE_HEX_BYTES_MAX 65535

struct capture;

struct capture_packet {
	const uint8_t *data; /* borrowed until the next call */
	uint32_t bytes;	     /* captured */
	uint32_t wire_bytes; /* that the packet had */
	uint64_t time_ns;    /* since 1970; 0 for one from the command line */
};

/* Returns-owned. Refuses files whose packets do not begin with an Ethernet header. */
int capture_open(const char *path, struct capture **ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* One packet, as hexadecimal digits; blanks, colons and a leading 0x are left out. */
int capture_hex(const char *text, struct capture **ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* 1 with a packet, 0 at the end, -1 with a diagnostic for a file that is broken. */
int capture_next(struct capture *capture, struct capture_packet *ret, struct diags *diags)
	__attribute__((warn_unused_result));

void capture_close(struct capture *capture);

#endif
