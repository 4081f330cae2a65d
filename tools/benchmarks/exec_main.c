// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench exec: events to a program in Python, against the same in a UDP daemon of Python
 *
 * Queries for a name of 40 characters flood either side from the other core, to the function
 * dns_tunnel of the library, which keeps two numbers for each client and tells of every 20th
 * such name, in the interpreter of the distribution. Ours are worker and program together on the
 * core that the daemon has. Sides take turns; medians of the rounds.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "kit.h"
#include "tier.h"

#define FLOOD_FRAMES 1000000u
#define BATCH_FRAMES 64
#define PAGE_BYTES 4096
#define START_NS 10000000000ull

/* What exec_daemon.py writes. */
struct daemon_count {
	_Atomic uint64_t received, ready;
};

struct exec {
	struct tier_network network;
	struct tier_workflow workflow;
	struct frame ours, peer;
	pid_t program, daemon;
	struct daemon_count *count;
};

static uint64_t processed(const void *workflow)
{
	return tier_counters(workflow).processed;
}

static uint64_t received(const void *count)
{
	return atomic_load(&((const struct daemon_count *)count)->received);
}

/* The only process of the user that the workflow's programs have. */
static pid_t find_program(uint32_t slot)
{
	DIR *list = opendir("/proc");
	const struct dirent *entry;
	pid_t found = 0;

	while (list && !found && (entry = readdir(list))) {
		char path[280];
		struct stat status;

		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		if (strtol(entry->d_name, NULL, 10) > 0 && !stat(path, &status) &&
		    status.st_uid == FAAS_PROGRAM_UID_BASE + slot)
			found = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	if (list)
		closedir(list);
	if (!found)
		bench_die("the workflow has no program");
	return found;
}

static void pin(pid_t pid)
{
	cpu_set_t core;

	CPU_ZERO(&core);
	CPU_SET(TIER_CONSUMER_CORE, &core);
	if (sched_setaffinity(pid, sizeof(core), &core))
		bench_die("pinning: %s", strerror(errno));
}

static void run_daemon(const char *page)
{
	char port[8], output[300];
	char *arguments[] = {(char *)"/usr/bin/python3",
			     (char *)TEST_SOURCE "/tools/benchmarks/exec_daemon.py",
			     port,
			     (char *)page,
			     output,
			     (char *)TEST_SOURCE "/funcs/dns_tunnel/dns_tunnel.py",
			     (char *)"bits=3.5",
			     (char *)"names=20",
			     NULL};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	tier_disown();
	bench_pin(TIER_CONSUMER_CORE);
	tier_enter_gateway();
	snprintf(port, sizeof(port), "%d", TIER_PORT);
	snprintf(output, sizeof(output), "%s/exec_daemon.jsonl", bench_directory());
	execv(arguments[0], arguments);
	_exit(127);
}

static void start_daemon(struct exec *exec)
{
	char path[256];
	uint64_t end = bench_now_ns() + START_NS;
	int fd;

	snprintf(path, sizeof(path), "%s/exec_daemon.page", bench_directory());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, PAGE_BYTES))
		bench_die("%s: %s", path, strerror(errno));
	exec->count = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (exec->count == MAP_FAILED)
		bench_die("%s: %s", path, strerror(errno));
	exec->daemon = fork();
	if (exec->daemon < 0)
		bench_die("fork: %s", strerror(errno));
	if (!exec->daemon)
		run_daemon(path);
	tier_own_process(exec->daemon);
	while (!atomic_load(&exec->count->ready))
		if (bench_now_ns() > end)
			bench_die("the daemon did not start");
}

/* A query for a name that is long and has no pattern. */
static void make_query(bool peer, struct frame *ret)
{
	static const uint8_t query[] = "\0\1\1\0\0\1\0\0\0\0\0\0"
				       "\x20k7d0x2qzv9m4h8s1w6b3n5c0f7g2j4lp"
				       "\x07"
				       "example\0\0\1\0";

	tier_frame_with(peer, TIER_PORT, query, sizeof(query), ret);
}

static void prepare(struct exec *exec)
{
	tier_make_network();
	tier_load("exec", "bench-exec", NULL, &exec->workflow);
	exec->program = find_program(exec->workflow.slot);
	pin(exec->program);
	start_daemon(exec);
	tier_make_generator(&exec->network);
	make_query(false, &exec->ours);
	make_query(true, &exec->peer);
}

/* One flood at one side. Returns what was done a second; the CPU time of whoever did it goes
 * to @p ret_cpu_us, for each. */
static double flood(const struct exec *exec, bool peer, double *ret_cpu_us)
{
	uint64_t (*count)(const void *) = peer ? received : processed;
	const void *context = peer ? (const void *)exec->count : &exec->workflow;
	const pid_t pids[] = {peer ? exec->daemon : exec->workflow.worker,
			      peer ? 0 : exec->program};
	uint64_t before = count(context), cpu = 0, start, end, done;

	for (int i = 0; i < 2; i++)
		cpu -= pids[i] ? kit_cpu_ns(pids[i]) : 0;
	start = bench_now_ns();
	tier_send(&exec->network, peer, peer ? &exec->peer : &exec->ours, FLOOD_FRAMES,
		  BATCH_FRAMES);
	end = tier_settle(count, context);
	for (int i = 0; i < 2; i++)
		cpu += pids[i] ? kit_cpu_ns(pids[i]) : 0;
	done = count(context) - before;
	if (!done)
		bench_die("nothing reached %s", peer ? "the daemon" : "the program");
	*ret_cpu_us = (double)cpu / 1e3 / (double)done;
	return (double)done * 1e9 / (double)(end - start);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("exec", argc, argv);
	struct bench_series ours = {0}, peer = {0}, ours_cpu = {0}, peer_cpu = {0};
	static struct exec exec;
	bool met;

	prepare(&exec);
	for (unsigned int i = 0; i < bench.rounds; i++) {
		double cpu;

		bench_add(&ours, flood(&exec, false, &cpu));
		bench_add(&ours_cpu, cpu);
		bench_add(&peer, flood(&exec, true, &cpu));
		bench_add(&peer_cpu, cpu);
	}
	met = bench_figure(&bench, "delivered",
			   "ring, worker, keyed state, log, and dns_tunnel in Python", &ours,
			   "the same function in a UDP daemon of Python, recvfrom_into, 32 MB "
			   "buffer",
			   &peer, "events/s", BENCH_INFORMATION, 0);
	met &= bench_figure(&bench, "cpu", "CPU time of worker and program for each event",
			    &ours_cpu, "CPU time of the daemon for each datagram", &peer_cpu, "us",
			    BENCH_INFORMATION, 0);
	return met ? 0 : 1;
}
