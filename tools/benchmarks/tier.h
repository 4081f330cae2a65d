/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What benchmarks of the user tier share: two veth pairs from a sender's network
 * namespace to a gateway's, one for us and one for the peer, so that neither
 * side's programs are in the other's way; workflows with their worker on a core of
 * its own; and a generator that sends frames by BPF_PROG_TEST_RUN in live-frame
 * mode from the other core, where XDP and the network stack then run as well.
 *
 * Everything ends the program on failure, and cleans up when it ends.
 */
#ifndef FAAS_BENCH_TIER_H
#define FAAS_BENCH_TIER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <ebpf_faas/pins.h>

#include "frame.h"
#include "pages.h"

#define TIER_PORT 5005
/* Network namespaces. */
#define TIER_SENDER "ef_bsend"
#define TIER_GATEWAY "ef_bgate"
#define TIER_PAYLOAD_BYTES 64
#define TIER_GENERATOR_CORE 0
#define TIER_CONSUMER_CORE 1
#define TIER_WORKFLOWS_MAX 4

/* A workflow that is loaded. */
struct tier_workflow {
	char name[FAAS_NAME_BYTES];
	uint32_t slot;
	pid_t worker;
	const struct worker_page *page; /* NULL: it has no worker */
	int meters;
};

struct tier_network {
	unsigned int ours_ifindex, peer_ifindex; /* of the sender's ends */
	int generator;				 /* program */
	int generator_data;			 /* its variables */
	int slot_counters;
};

/* What the generator does with each frame: see generate.bpf.c. */
struct tier_pace {
	uint64_t gap_ns; /* 0: as fast as it goes */
	uint64_t stamp;	 /* 1: the time goes into the first 8 bytes of the payload */
	uint64_t keys;	 /* source addresses take turns; 0: the frame's own */
	uint64_t beside; /* so many follow each frame, to the port above, without gap and stamp */
	uint64_t port;	 /* of the frame itself, where some are beside it */
};

/* Namespaces and veth pairs: the gateway's ends are ef_b1 (ours) and ef_p1. To be
 * called once, before any workflow is loaded. */
void tier_make_network(void);

/* Load tools/benchmarks/NAME.yaml, with a worker that stays, with `--set` for each of @p sets (ends
 * with NULL; NULL: none) as workflow @p name, and pin its worker to the consumer's core. */
void tier_load(const char *yaml, const char *name, const char *const sets[],
	       struct tier_workflow *ret);

/* What one may have from tier_load() again after it. */
void tier_unload(struct tier_workflow *workflow);

/* Load the generator, and go to the sender: last of all. */
void tier_make_generator(struct tier_network *ret);

/* Go to the gateway's network namespace, in a process that does not come back. */
void tier_enter_gateway(void);

/* Kill and reap @p pid when the program ends. */
void tier_own_process(pid_t pid);
/* In a child that was forked: leave everything to the parent. */
void tier_disown(void);

/* A UDP frame with zeros as payload. */
void tier_frame(bool peer, uint16_t port, struct frame *ret);
/* The same with a payload. */
void tier_frame_with(bool peer, uint16_t port, const void *payload, uint32_t bytes,
		     struct frame *ret);

void tier_send(const struct tier_network *network, bool peer, const struct frame *frame,
	       uint32_t count, uint32_t batch);
void tier_set_pace(const struct tier_network *network, const struct tier_pace *pace);

/* Packets that arrived for the workflow. What the generator offered beyond them
 * was dropped by the veth driver, whose queue holds 256 frames. */
uint64_t tier_matched(const struct tier_network *network, const struct tier_workflow *workflow);
struct faas_meters tier_meters(const struct tier_workflow *workflow);
struct page_counters tier_counters(const struct tier_workflow *workflow);

/* Wait until @p count has not moved for a while. Returns when it last moved. */
uint64_t tier_settle(uint64_t (*count)(const void *), const void *context);

#endif
