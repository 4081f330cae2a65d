/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What maps hold by what packets have in common: the kernel tier looks it up, and
 * verdicts of the user tier are written there. */
#ifndef EBPF_FAAS_KEYED_H
#define EBPF_FAAS_KEYED_H

#include <linux/types.h>

/* What is not chosen stays zero, and so does what the packet does not have:
 * addresses without IP, ports but for UDP and TCP and in later fragments. */
struct faas_key {
	__u8 source_address[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u8 destination_address[16];
	__u16 source_port; /* host byte order */
	__u16 destination_port;
	__u16 vlan; /* id of the outermost tag */
	__u8 protocol;
	__u8 byte; /* of the payload */
};

/* A verdict of a user function about a key. */
struct faas_verdict_entry {
	__u64 value;	  /* what the two functions agreed upon */
	__u64 expires_ns; /* CLOCK_MONOTONIC: from then on it does not count */
	__u64 version;	  /* of the record that it came by: later ones win */
};

#endif
