/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What bare.bpf.c hands over: as many bytes as a workflow's event with a source address as
 * its key and 64 bytes of payload. */
#ifndef FAAS_BENCH_BARE_RECORD_H
#define FAAS_BENCH_BARE_RECORD_H

#include <linux/types.h>

#include <ebpf_faas/event.h>

/* As `queue: 65536` has it. */
#define BARE_RING_BYTES (65536 * FAAS_QUEUE_EVENT_BYTES)
#define BARE_REST_WORDS 11

struct bare_record {
	__u64 time_ns;
	__u64 rest[BARE_REST_WORDS];
	__u64 key[2];
	__u64 payload[8];
};

_Static_assert(sizeof(struct bare_record) == FAAS_EVENT_BYTES(16, 0, 64), "as an event");

#endif
