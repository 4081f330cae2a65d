// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench handoff: 64-byte packets from the kernel to a counting user function,
 * against a UDP daemon that counts with recvmmsg, under the same generator. Beside
 * them a bare loop: what the machine takes for it at least.
 *
 * Sides take turns; medians of the rounds.
 */
#include <stdio.h>
#include <string.h>

#include "bare.h"
#include "bench.h"
#include "daemon.h"
#include "kit.h"
#include "tier.h"

/* A run takes tens of milliseconds to begin: long enough that they do not count. */
#define FLOOD_FRAMES 8000000u
#define PACED_FRAMES 6000000u
#define BARE_FRAMES 3000000u
#define BATCH_FRAMES 64

static const char *const bare_texts[] = {
	[BARE_READ] = "a bare loop that reads the ring",
	[BARE_STATE] = "the same, and it changes a state",
	[BARE_LOG] = "the same, and it appends to a log nobody reads",
	[BARE_CHECKSUM] = "the same, with checksums",
};

struct handoff {
	struct tier_network network;
	struct tier_workflow workflow;
	struct frame ours, peer;
	struct daemon_page *daemon;
	struct bare_page *bare;
};

static uint64_t processed(const void *workflow)
{
	return tier_counters(workflow).processed;
}

static void prepare(struct handoff *handoff)
{
	tier_make_network();
	tier_load("handoff", "bench-handoff", NULL, &handoff->workflow);
	handoff->daemon = daemon_start(DAEMON_RECVMMSG, TIER_PORT);
	handoff->bare = bare_start(BARE_HANDOFF);
	tier_make_generator(&handoff->network);
	tier_frame(false, TIER_PORT, &handoff->ours);
	tier_frame(true, TIER_PORT, &handoff->peer);
}

/* One flood at one side. Returns what was delivered a second; the CPU time the
 * consumer took for each goes to @p ret_cpu_ns. */
static double flood_ours(const struct handoff *handoff, double *ret_cpu_ns)
{
	const struct tier_workflow *workflow = &handoff->workflow;
	uint64_t before = processed(workflow), cpu = kit_cpu_ns(workflow->worker);
	uint64_t start = bench_now_ns(), end, count;

	tier_send(&handoff->network, false, &handoff->ours, FLOOD_FRAMES, BATCH_FRAMES);
	end = tier_settle(processed, workflow);
	count = processed(workflow) - before;
	if (!count)
		bench_die("no event reached the worker");
	*ret_cpu_ns = (double)(kit_cpu_ns(workflow->worker) - cpu) / (double)count;
	return (double)count * 1e9 / (double)(end - start);
}

static double flood_peer(const struct handoff *handoff, double *ret_cpu_ns)
{
	struct daemon_page *daemon = handoff->daemon;
	uint64_t before = daemon_received(daemon), cpu = atomic_load(&daemon->cpu_ns);
	uint64_t start = bench_now_ns(), end, count;

	tier_send(&handoff->network, true, &handoff->peer, FLOOD_FRAMES, BATCH_FRAMES);
	end = tier_settle(daemon_received, daemon);
	count = daemon_received(daemon) - before;
	if (!count)
		bench_die("no datagram reached the daemon");
	*ret_cpu_ns = (double)(atomic_load(&daemon->cpu_ns) - cpu) / (double)count;
	return (double)count * 1e9 / (double)(end - start);
}

/* What became of the packets of one run. */
struct account {
	uint64_t matched, lost, processed;
};

static struct account take_account(const struct handoff *handoff)
{
	struct faas_meters meters = tier_meters(&handoff->workflow);

	return (struct account){tier_matched(&handoff->network, &handoff->workflow),
				meters.lost_ring_full + meters.lost_no_route + meters.lost_error,
				processed(&handoff->workflow)};
}

/* Packets that are neither processed nor counted as lost since @p before. */
static double missing(const struct handoff *handoff, const struct account *before)
{
	struct account after = take_account(handoff);
	int64_t taken = (int64_t)(after.matched - before->matched);

	return (double)(taken - (int64_t)(after.processed - before->processed) -
			(int64_t)(after.lost - before->lost));
}

/* One run at @p rate a second. Returns the events lost; the rate at which
 * packets really arrived goes to @p ret_rate. */
static double paced_ours(const struct handoff *handoff, double rate, double *ret_rate)
{
	struct account before = take_account(handoff), after;
	uint64_t start, end;

	tier_set_pace(&handoff->network, &(struct tier_pace){.gap_ns = (uint64_t)(1e9 / rate)});
	start = bench_now_ns();
	tier_send(&handoff->network, false, &handoff->ours, PACED_FRAMES, BATCH_FRAMES);
	end = bench_now_ns();
	(void)tier_settle(processed, &handoff->workflow);
	tier_set_pace(&handoff->network, &(struct tier_pace){0});
	after = take_account(handoff);
	*ret_rate = (double)(after.matched - before.matched) * 1e9 / (double)(end - start);
	return (double)(after.lost - before.lost);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("handoff", argc, argv);
	struct bench_series ours = {0}, peer = {0}, ours_cpu = {0}, peer_cpu = {0};
	struct bench_series bare[BARE_CHECKSUM + 1] = {0};
	struct bench_series lost = {0}, unaccounted = {0}, offered = {0};
	static struct handoff handoff;
	char offered_text[128];
	bool met;

	prepare(&handoff);
	for (unsigned int i = 0; i < bench.rounds; i++) {
		struct account before = take_account(&handoff);
		double cpu;

		bench_add(&ours, flood_ours(&handoff, &cpu));
		bench_add(&ours_cpu, cpu);
		bench_add(&unaccounted, missing(&handoff, &before));
		bench_add(&peer, flood_peer(&handoff, &cpu));
		bench_add(&peer_cpu, cpu);
		for (enum bare_work work = BARE_READ; work <= BARE_CHECKSUM; work++)
			bench_add(&bare[work],
				  bare_flood(handoff.bare, work, &handoff.network, &handoff.peer,
					     BARE_FRAMES, BATCH_FRAMES));
	}
	for (unsigned int i = 0; i < bench.rounds; i++) {
		double rate;

		bench_add(&lost, paced_ours(&handoff, 4 * bench_median(&peer), &rate));
		bench_add(&offered, rate);
	}
	met = bench_figure(&bench, "delivered", "ring, worker, keyed state, log; 64 B payload",
			   &ours, "UDP daemon, recvmmsg 64 messages a call, 32 MB buffer", &peer,
			   "events/s", BENCH_AT_LEAST, 5.0);
	snprintf(offered_text, sizeof(offered_text),
		 "events lost when %.2f M/s arrive, %.1f times what the daemon delivers",
		 bench_median(&offered) / 1e6, bench_median(&offered) / bench_median(&peer));
	met &= bench_limit(&bench, "lost_below_overload", offered_text, &lost, NULL, NULL, "events",
			   BENCH_EXACTLY, 0);
	met &= bench_limit(&bench, "unaccounted_above_overload",
			   "frames of a flood that are neither processed nor counted as lost",
			   &unaccounted, NULL, NULL, "events", BENCH_EXACTLY, 0);
	met &= bench_limit(&bench, "consumer_cpu",
			   "CPU time of the worker for each event, drained in batches", &ours_cpu,
			   "CPU time of the daemon for each datagram", &peer_cpu, "ns",
			   BENCH_AT_MOST, 60);
	for (enum bare_work work = BARE_READ; work <= BARE_CHECKSUM; work++)
		bench_beside(&bench, bare_texts[work], &bare[work]);
	return met ? 0 : 1;
}
