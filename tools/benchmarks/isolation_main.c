// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench isolation: events a second of a worker in its sandbox, against one without
 *
 * 64-byte packets to a counting user function.
 * Both are of one build but for the sandbox, and have the same user id; the peer has no
 * seccomp filter, no Landlock, no limits, and is in no control group. Sides take turns,
 * each begins every other round; medians of the rounds.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "bench.h"
#include "kit.h"
#include "tier.h"

#define FLOOD_FRAMES 8000000u
/* Slow enough that the worker waits again and again: that is by system calls. */
#define PACED_FRAMES 400000u
#define PACED_RATE 200000
#define BATCH_FRAMES 64
#define WORKER TEST_BUILD "/libexec/ebpf-faas-worker"
#define PEER_PORT (TIER_PORT + 1)

struct side {
	struct tier_workflow workflow;
	struct frame frame;
	struct bench_series rate, flood_cpu_ns, paced_cpu_ns;
};

struct isolation {
	struct tier_network network;
	struct side ours, peer;
};

static uint64_t processed(const void *workflow)
{
	return tier_counters(workflow).processed;
}

/* Whether the status of a workflow says that it is limited by @p what. */
static bool is_limited(const struct side *side, const char *what)
{
	return !kit_shell(TEST_BUILD "/ebpf-faas status %s | grep -q 'limited by.*%s'",
			  side->workflow.name, what);
}

/* Workers are made of a template, which is of the program as it was; without it the runtime
 * starts another one. */
static void end_template(void)
{
	if (kit_shell("for process in /proc/[0-9]*; do "
		      "[ \"$(readlink $process/exe)\" = " WORKER " ] && "
		      "tr '\\0' ' ' <$process/cmdline | grep -q ' template ' && "
		      "kill -KILL ${process#/proc/} && exit 0; done; exit 1"))
		bench_die("the template of the workers is not there");
}

/* The runtime starts what it finds at the worker's place: here, for once, another one.
 * Seen from nowhere else: in a mount namespace that ends with us. */
static void load_unconfined(struct side *side)
{
	const char *const sets[] = {"triggers.flood.packet.match.destination_port=5006", NULL};

	_Static_assert(PEER_PORT == 5006, "as above");
	if (mount(TEST_BUILD "/bench/unconfined-worker", WORKER, NULL, MS_BIND, NULL))
		bench_die("mounting the other worker: %s", strerror(errno));
	end_template();
	tier_load("handoff", "bench-unconfined", sets, &side->workflow);
	if (umount2(WORKER, MNT_DETACH))
		bench_die("unmounting the other worker: %s", strerror(errno));
	/* Of version 2, else of version 1; where there are none it is in none. */
	(void)kit_shell("for group in /sys/fs/cgroup /sys/fs/cgroup/memory /sys/fs/cgroup/cpu; do "
			"[ ! -e $group/cgroup.procs ] || echo %d >$group/cgroup.procs; done",
			(int)side->workflow.worker);
}

static void prepare(struct isolation *isolation)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		bench_die("a mount namespace: %s", strerror(errno));
	tier_make_network();
	tier_load("handoff", "bench-confined", NULL, &isolation->ours.workflow);
	load_unconfined(&isolation->peer);
	if (!is_limited(&isolation->ours, "seccomp") || is_limited(&isolation->peer, "seccomp"))
		bench_die("the workers are not what they should be");
	tier_make_generator(&isolation->network);
	tier_frame(false, TIER_PORT, &isolation->ours.frame);
	tier_frame(false, PEER_PORT, &isolation->peer.frame);
}

/* Returns events a second; the worker's time on its CPU for each goes to @p cpu_ns. */
static double run(const struct isolation *isolation, const struct side *side, uint32_t frames,
		  struct bench_series *cpu_ns)
{
	const struct tier_workflow *workflow = &side->workflow;
	uint64_t count = processed(workflow), cpu = kit_cpu_ns(workflow->worker);
	uint64_t start = bench_now_ns(), end;

	tier_send(&isolation->network, false, &side->frame, frames, BATCH_FRAMES);
	end = tier_settle(processed, workflow);
	count = processed(workflow) - count;
	if (!count)
		bench_die("no event reached the worker of %s", workflow->name);
	bench_add(cpu_ns, (double)(kit_cpu_ns(workflow->worker) - cpu) / (double)count);
	return (double)count * 1e9 / (double)(end - start);
}

static void measure(struct isolation *isolation, bool ours_first)
{
	static const struct tier_pace paced = {.gap_ns = 1000000000 / PACED_RATE};

	for (unsigned int i = 0; i < 2; i++) {
		struct side *side = (i == 0) == ours_first ? &isolation->ours : &isolation->peer;

		bench_add(&side->rate, run(isolation, side, FLOOD_FRAMES, &side->flood_cpu_ns));
		tier_set_pace(&isolation->network, &paced);
		(void)run(isolation, side, PACED_FRAMES, &side->paced_cpu_ns);
		tier_set_pace(&isolation->network, &(struct tier_pace){0});
	}
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("isolation", argc, argv);
	static struct isolation isolation;
	bool met;

	prepare(&isolation);
	for (unsigned int i = 0; i < bench.rounds; i++)
		measure(&isolation, i % 2 == 0);
	met = bench_figure(&bench, "delivered", "worker in its sandbox, 64 B payload, flood",
			   &isolation.ours.rate, "the same worker without a sandbox",
			   &isolation.peer.rate, "events/s", BENCH_AT_LEAST, 0.97);
	bench_figure(&bench, "worker_cpu", "CPU time of the worker for each event, flood",
		     &isolation.ours.flood_cpu_ns, "without a sandbox",
		     &isolation.peer.flood_cpu_ns, "ns", BENCH_INFORMATION, 0);
	bench_figure(&bench, "worker_cpu_paced",
		     "CPU time of the worker for each event, at 200 k/s: it waits in between",
		     &isolation.ours.paced_cpu_ns, "without a sandbox",
		     &isolation.peer.paced_cpu_ns, "ns", BENCH_INFORMATION, 0);
	return met ? 0 : 1;
}
