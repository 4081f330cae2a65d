// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * State in memory: the whole way of an event through a worker, from the ring to the
 * committed record, while the courier delivers what is emitted to a file in memory
 * and the log goes around through its segments. What is measured is the worker's
 * time on the CPU; it waits for the courier often, and that takes none. The peer is a
 * bare loop: what the machine takes for it at least.
 */
#include "commit_memory.h"

#include <stdlib.h>
#include <unistd.h>

#include "bare.h"
#include "kit.h"
#include "tier.h"

#define FRAMES 3000000u
#define BATCH_FRAMES 64
#define BARE_TEXT "a bare loop of the same, whose log nobody reads"
#define SINK "/dev/shm/ef_bench_commit.jsonl"

static uint64_t processed(const void *workflow)
{
	return tier_counters(workflow).processed;
}

/* ns of the worker's CPU for each event of one flood; @p ret_courier_ns: of the courier's. */
static double flood(const struct tier_network *network, const struct tier_workflow *workflow,
		    const struct frame *frame, uint64_t keys)
{
	uint64_t before, cpu;

	tier_set_pace(network, &(struct tier_pace){.keys = keys});
	before = processed(workflow);
	cpu = kit_cpu_ns(workflow->worker);
	tier_send(network, false, frame, FRAMES, BATCH_FRAMES);
	(void)tier_settle(processed, workflow);
	cpu = kit_cpu_ns(workflow->worker) - cpu;
	return (double)cpu / (double)(processed(workflow) - before);
}

static void remove_sink(void)
{
	(void)unlink(SINK);
	(void)unlink(SINK ".1");
}

bool commit_memory(const struct bench *bench)
{
	struct bench_series few = {0}, many = {0}, bare_few = {0}, bare_many = {0};
	struct bare_page *bare;
	struct tier_workflow workflow;
	struct tier_network network;
	struct frame frame, peer;
	bool met;

	atexit(remove_sink);
	tier_make_network();
	tier_load("commit", "bench-commit", NULL, &workflow);
	bare = bare_start(BARE_COMMIT);
	tier_make_generator(&network);
	tier_frame(false, TIER_PORT, &frame);
	tier_frame(true, TIER_PORT, &peer);
	/* All keys are there before it counts. */
	(void)flood(&network, &workflow, &frame, 1000000);
	(void)bare_flood(bare, BARE_CHECKSUM, &network, &peer, FRAMES, BATCH_FRAMES);
	for (unsigned int i = 0; i < bench->rounds; i++) {
		bench_add(&few, flood(&network, &workflow, &frame, 1000));
		bench_add(&bare_few,
			  bare_flood(bare, BARE_CHECKSUM, &network, &peer, FRAMES, BATCH_FRAMES));
		bench_add(&many, flood(&network, &workflow, &frame, 1000000));
		bench_add(&bare_many,
			  bare_flood(bare, BARE_CHECKSUM, &network, &peer, FRAMES, BATCH_FRAMES));
	}
	met = bench_limit(bench, "memory_1000",
			  "worker CPU for an event that changes 64 B of state and emits 64 B; "
			  "1,000 keys; courier and segments at work",
			  &few, BARE_TEXT, &bare_few, "ns", BENCH_AT_MOST, 120);
	met &= bench_limit(bench, "memory_1000000", "the same with 1,000,000 keys", &many,
			   BARE_TEXT, &bare_many, "ns", BENCH_AT_MOST, 300);
	return met;
}
