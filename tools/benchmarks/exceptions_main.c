// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench exceptions: one packet of a hundred needs a user function; the peer gets all packets by
 * recvmmsg
 *
 * Sides take turns, under the same generator; medians of the rounds.
 */
#include "bench.h"
#include "daemon.h"
#include "kit.h"
#include "tier.h"

#define FLOOD_FRAMES 8000000u
#define BATCH_FRAMES 64

struct exceptions {
	struct tier_network network;
	struct tier_workflow workflow;
	struct frame ours, peer;
	struct daemon_page *daemon;
};

/* For tier_settle, which has one argument. */
static uint64_t matched(const void *context)
{
	const struct exceptions *exceptions = context;

	return tier_matched(&exceptions->network, &exceptions->workflow);
}

/* Returns packets a second; *ret_cpu_ns: CPU time of the worker for each packet,
 * *ret_missing: events that were neither processed nor counted as lost. */
static double flood_ours(const struct exceptions *exceptions, double *ret_cpu_ns,
			 double *ret_missing)
{
	const struct tier_workflow *workflow = &exceptions->workflow;
	struct faas_meters meters = tier_meters(workflow);
	uint64_t before = matched(exceptions), cpu = kit_cpu_ns(workflow->worker);
	uint64_t taken = tier_counters(workflow).processed;
	uint64_t start = bench_now_ns(), end, count;

	tier_send(&exceptions->network, false, &exceptions->ours, FLOOD_FRAMES, BATCH_FRAMES);
	end = tier_settle(matched, exceptions);
	count = matched(exceptions) - before;
	if (!count)
		bench_die("no packet reached the workflow");
	*ret_cpu_ns = (double)(kit_cpu_ns(workflow->worker) - cpu) / (double)count;
	*ret_missing = (double)(tier_meters(workflow).emitted - meters.emitted) -
		       (double)(tier_counters(workflow).processed - taken);
	return (double)count * 1e9 / (double)(end - start);
}

static double flood_peer(const struct exceptions *exceptions, double *ret_cpu_ns)
{
	struct daemon_page *daemon = exceptions->daemon;
	uint64_t before = daemon_received(daemon), cpu = atomic_load(&daemon->cpu_ns);
	uint64_t start = bench_now_ns(), end, count;

	tier_send(&exceptions->network, true, &exceptions->peer, FLOOD_FRAMES, BATCH_FRAMES);
	end = tier_settle(daemon_received, daemon);
	count = daemon_received(daemon) - before;
	if (!count)
		bench_die("no datagram reached the daemon");
	*ret_cpu_ns = (double)(atomic_load(&daemon->cpu_ns) - cpu) / (double)count;
	return (double)count * 1e9 / (double)(end - start);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("exceptions", argc, argv);
	struct bench_series ours = {0}, peer = {0}, ours_cpu = {0}, peer_cpu = {0}, missing = {0};
	static struct exceptions exceptions;
	bool met;

	tier_make_network();
	tier_load("exceptions", "bench-exceptions", NULL, &exceptions.workflow);
	exceptions.daemon = daemon_start(DAEMON_RECVMMSG, TIER_PORT);
	tier_make_generator(&exceptions.network);
	tier_frame(false, TIER_PORT, &exceptions.ours);
	tier_frame(true, TIER_PORT, &exceptions.peer);
	for (unsigned int i = 0; i < bench.rounds; i++) {
		double cpu, lost;

		bench_add(&ours, flood_ours(&exceptions, &cpu, &lost));
		bench_add(&ours_cpu, cpu);
		bench_add(&missing, lost);
		bench_add(&peer, flood_peer(&exceptions, &cpu));
		bench_add(&peer_cpu, cpu);
	}
	met = bench_figure(&bench, "packets",
			   "1 % of the packets to a user function, the others "
			   "decided in the kernel",
			   &ours,
			   "all of them to a UDP daemon, recvmmsg 64 messages a call, 32 MB buffer",
			   &peer, "packets/s", BENCH_AT_LEAST, 6.5);
	met &= bench_figure(&bench, "cpu", "CPU time of the worker for each packet", &ours_cpu,
			    "CPU time of the daemon for each packet", &peer_cpu, "ns",
			    BENCH_AT_MOST, 1.0 / 30);
	met &= bench_limit(&bench, "unaccounted", "events that were emitted and not processed",
			   &missing, NULL, NULL, "events", BENCH_EXACTLY, 0);
	return met ? 0 : 1;
}
