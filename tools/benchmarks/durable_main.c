// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench durable: UDP messages of 240 bytes onto the disk, by a function whose state is
 * durable, against rsyslog that syncs its file, under the same flood
 *
 * Ours counts what is acknowledged: a record with the whole payload is on the disk. The
 * peer's count is its file, from which nothing is subtracted for what is not synced yet.
 * Time ends when the last message is counted. Sides take turns, on one file system;
 * medians of the rounds. Our worker has a core of its own; rsyslog may use all.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "rsyslog.h"
#include "tier.h"

#define STATE_DIRECTORY "/var/lib/ebpf-faas/state"
#define MESSAGE_BYTES 240
#define FLOOD_FRAMES 4000000u
#define BATCH_FRAMES 64
/* Below overload: this part of what a flood delivers, for two seconds. */
#define PACED_PART 0.5
#define PACED_SECONDS 2
/* What is under way when a flood ends takes no longer to come to rest. */
#define REST_NS 1500000000ull

struct durability {
	struct tier_network network;
	struct tier_workflow workflow;
	struct frame ours, peer;
};

/* Messages of one run. */
struct run {
	double rate;	    /* counted a second */
	double sent;	    /* by the generator */
	double missing;	    /* sent, and not counted */
	double unaccounted; /* arrived, and neither counted nor counted as lost */
};

/* The page's counters are those of the last record that is on the disk. */
static uint64_t acknowledged(const void *workflow)
{
	return tier_counters(workflow).processed;
}

static uint64_t lost(const struct tier_workflow *workflow)
{
	struct faas_meters meters = tier_meters(workflow);

	return meters.lost_ring_full + meters.lost_no_route + meters.lost_error;
}

/* As tier_settle, with the patience that a disk needs. */
static uint64_t settle(uint64_t (*count)(const void *), const void *context)
{
	uint64_t last = count(context), moved = bench_now_ns();

	while (bench_now_ns() - moved < REST_NS) {
		uint64_t now = count(context);

		if (now != last) {
			last = now;
			moved = bench_now_ns();
		}
		usleep(1000);
	}
	return moved;
}

static struct run run_ours(const struct durability *durability, uint32_t frames)
{
	const struct tier_workflow *workflow = &durability->workflow;
	uint64_t counted = acknowledged(workflow), gone = lost(workflow);
	uint64_t arrived = tier_matched(&durability->network, workflow);
	uint64_t start = bench_now_ns(), end;

	tier_send(&durability->network, false, &durability->ours, frames, BATCH_FRAMES);
	end = settle(acknowledged, workflow);
	counted = acknowledged(workflow) - counted;
	gone = lost(workflow) - gone;
	arrived = tier_matched(&durability->network, workflow) - arrived;
	if (!counted)
		bench_die("nothing was acknowledged");
	return (struct run){
		.rate = (double)counted * 1e9 / (double)(end - start),
		.sent = frames,
		.missing = (double)frames - (double)counted,
		.unaccounted = (double)arrived - (double)counted - (double)gone,
	};
}

static struct run run_peer(const struct durability *durability, uint32_t frames)
{
	uint64_t start, end, counted;

	rsyslog_empty();
	start = bench_now_ns();
	tier_send(&durability->network, true, &durability->peer, frames, BATCH_FRAMES);
	end = settle(rsyslog_written, NULL);
	counted = rsyslog_written(NULL);
	if (!counted)
		bench_die("rsyslog wrote nothing");
	return (struct run){
		.rate = (double)counted * 1e9 / (double)(end - start),
		.sent = frames,
		.missing = (double)frames - (double)counted,
	};
}

/* A first message, until it is in the file. */
static void wait_for_peer(const struct durability *durability)
{
	for (unsigned int i = 0; i < 50 && !rsyslog_written(NULL); i++) {
		tier_send(&durability->network, true, &durability->peer, 1, 1);
		usleep(100000);
	}
	if (!rsyslog_written(NULL))
		bench_die("rsyslog does not write what it is sent");
	(void)settle(rsyslog_written, NULL);
}

static void prepare(struct durability *durability)
{
	/* As syslog has it: facility and severity, then text. */
	uint8_t message[MESSAGE_BYTES] = {'<', '1', '3', '>'};

	memset(message + 4, 'm', sizeof(message) - 4);
	tier_make_network();
	tier_load("durable", "bench-durable", NULL, &durability->workflow);
	rsyslog_start(STATE_DIRECTORY, TIER_PORT, MESSAGE_BYTES + 1);
	tier_make_generator(&durability->network);
	tier_frame_with(false, TIER_PORT, message, sizeof(message), &durability->ours);
	tier_frame_with(true, TIER_PORT, message, sizeof(message), &durability->peer);
	wait_for_peer(durability);
}

static bool below_overload(const struct bench *bench, const struct durability *durability,
			   double rate)
{
	struct bench_series ours = {0}, peer = {0};
	uint32_t frames = (uint32_t)(rate * PACED_SECONDS);
	char text[160];

	tier_set_pace(&durability->network, &(struct tier_pace){.gap_ns = (uint64_t)(1e9 / rate)});
	for (unsigned int i = 0; i < bench->rounds; i++) {
		bench_add(&ours, run_ours(durability, frames).missing);
		bench_add(&peer, run_peer(durability, frames).missing);
	}
	tier_set_pace(&durability->network, &(struct tier_pace){0});
	(void)snprintf(text, sizeof(text),
		       "sent and not acknowledged, %u messages a round at %.0f k/s", frames,
		       rate / 1e3);
	return bench_limit(bench, "lost_below_overload", text, &ours,
			   "rsyslog: sent and not in its file, at the same rate", &peer, "messages",
			   BENCH_EXACTLY, 0);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("durable", argc, argv);
	struct bench_series ours = {0}, peer = {0}, unaccounted = {0}, missing = {0},
			    peer_missing = {0};
	static struct durability durability;
	char text[96];
	bool met;

	prepare(&durability);
	for (unsigned int i = 0; i < bench.rounds; i++) {
		struct run run = run_ours(&durability, FLOOD_FRAMES);

		bench_add(&ours, run.rate);
		bench_add(&missing, run.missing);
		bench_add(&unaccounted, run.unaccounted);
		run = run_peer(&durability, FLOOD_FRAMES);
		bench_add(&peer, run.rate);
		bench_add(&peer_missing, run.missing);
	}
	met = bench_figure(&bench, "acknowledged",
			   "240 B in the durable state of the sender, queue of 262144 events, "
			   "256 MiB log",
			   &ours, RSYSLOG_SETTINGS, &peer, "messages/s", BENCH_AT_LEAST, 5);
	(void)snprintf(text, sizeof(text), "not acknowledged of %u sent in a flood", FLOOD_FRAMES);
	(void)bench_limit(&bench, "not_written", text, &missing,
			  "rsyslog: not in its file, of as many", &peer_missing, "messages",
			  BENCH_INFORMATION, 0);
	met &= bench_limit(&bench, "unaccounted",
			   "arrived in a flood, neither acknowledged nor counted as lost",
			   &unaccounted, NULL, NULL, "messages", BENCH_EXACTLY, 0);
	met &= below_overload(&bench, &durability, PACED_PART * bench_median(&ours));
	return met ? 0 : 1;
}
