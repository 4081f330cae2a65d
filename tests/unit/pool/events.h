/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What events.bpf.c and the worker's tests share. */
#ifndef FAAS_TESTS_POOL_EVENTS_H
#define FAAS_TESTS_POOL_EVENTS_H

#include <linux/types.h>

#include <ebpf_faas/event.h>

struct events_config {
	/* By the test. */
	__u64 keys; /* event n has key n modulo this; 0: each its own */
	__u64 discard_every;
	__u64 spoil_every; /* each so many does not check out */
	__u64 gap_max_ns;  /* before each event a time below this passes */
	__u16 entry;
	__u16 reserved[3];
	/* By the program. */
	__u64 made; /* submitted and discarded: the number of the next */
	__u64 submitted;
	__u64 discarded;
	__u64 lost;
	__u64 woken;
	__u64 fence;
};

struct events_record {
	struct faas_event event;
	__u64 addresses[4];
	__u64 key[2]; /* zero, number of the key */
	__u64 field;  /* number of the event */
	__u64 payload[3];
};

#endif
