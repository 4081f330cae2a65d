/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The peer of the user tier's benchmarks: a UDP daemon written by hand, with the
 * settings that are best for it, on the consumer's core in the gateway.
 */
#ifndef FAAS_BENCH_DAEMON_H
#define FAAS_BENCH_DAEMON_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "delays.h"

#define DAEMON_MESSAGES 64
#define DAEMON_BUFFER_BYTES (32 << 20)

enum daemon_way {
	DAEMON_RECVMMSG, /* blocks in recvmmsg: fewest calls under load */
	DAEMON_EPOLL,	 /* epoll_wait, then recvmmsg until there is no more */
};

/* What the daemon has counted, shared with it. */
struct daemon_page {
	_Atomic uint64_t received;
	_Atomic uint64_t cpu_ns;
	_Atomic int ready;
	pid_t pid;
	/* DAEMON_EPOLL: since the time stamp in the payload. Only to be touched
	 * while nothing arrives. */
	struct delays delays;
};

/* Start it; it ends with the program. Returns what it counts. */
struct daemon_page *daemon_start(enum daemon_way way, uint16_t port);

/* For tier_settle: datagrams received. @p page is a struct daemon_page. */
uint64_t daemon_received(const void *page);

#endif
