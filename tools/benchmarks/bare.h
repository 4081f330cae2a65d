/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an event costs on this machine at least: in the worker's place a loop of a few
 * lines that takes records of the same size out of a BPF ring, looks the key's state up,
 * changes it, and appends a record with both and a checksum to a log in memory. It believes
 * what it reads, calls nobody, counts nothing, and nobody could go on where it is killed.
 *
 * It looks at the ring as often as a worker of class `throughput` does.
 */
#ifndef FAAS_BENCH_BARE_H
#define FAAS_BENCH_BARE_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame.h"
#include "tier.h"

/* How much of it is done. */
enum bare_work {
	BARE_READ,     /* each word of the record */
	BARE_STATE,    /* its key's state is changed */
	BARE_LOG,      /* and a record is appended */
	BARE_CHECKSUM, /* with a checksum */
};

/* Of which workflow the sizes are. */
enum bare_event {
	BARE_HANDOFF, /* 16 bytes of state, no output */
	BARE_COMMIT,  /* 64 bytes of state, 64 of output behind the event's head */
};

/* Shared with the process that does it. */
struct bare_page {
	_Atomic uint64_t count; /* of records taken */
	_Atomic int work;	/* enum bare_work */
	_Atomic bool wanted;	/* packets are to come to it */
	_Atomic bool at_work;	/* they do */
	sem_t begin;
	pid_t pid;
};

/* Start it, at rest, on the consumer's core; it ends with the program. */
struct bare_page *bare_start(enum bare_event event);

/* A flood of the peer's interface to it; returns its time on the CPU for each record. */
double bare_flood(struct bare_page *page, enum bare_work work, const struct tier_network *network,
		  const struct frame *frame, uint32_t frames, uint32_t batch);

#endif
