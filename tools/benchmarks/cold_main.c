// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench cold: from the first packet to an idle workflow to its output
 *
 * A packet from one network namespace to another: XDP, the ring, a worker that is started
 * for it with its sandbox and its state, its record, the courier, a datagram back. The peer
 * is a process that is made and does nothing at all. Then the same with a worker that starts a
 * program in Python, and a Python that does nothing at all. Sides take turns.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "idle.h"
#include "kit.h"
#include "tier.h"

#define NAME "bench-cold"
#define PROGRAM_NAME "bench-cold-python"
#define STARTS 100	  /* a round */
#define PROGRAM_STARTS 20 /* of those in Python */
#define ANSWER_PORT 6000
#define ANSWER_SECONDS 10

struct cold {
	const struct runtime_page *page;
	int socket;
	struct sockaddr_in gateway;
	double ours_ms[STARTS], peer_ms[STARTS];
};

static void open_socket(struct cold *cold)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(ANSWER_PORT)};
	struct timeval patience = {.tv_sec = ANSWER_SECONDS};

	cold->gateway = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(TIER_PORT)};
	inet_pton(AF_INET, "10.77.0.2", &cold->gateway.sin_addr);
	inet_pton(AF_INET, "10.77.0.1", &here.sin_addr);
	cold->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (cold->socket < 0 ||
	    setsockopt(cold->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    bind(cold->socket, (struct sockaddr *)&here, sizeof(here)))
		bench_die("a socket for the answers: %s", strerror(errno));
}

/* From a packet to its answer, in ms. */
static double ask(const struct cold *cold)
{
	char answer[2048], packet[TIER_PAYLOAD_BYTES] = {0};
	uint64_t begin_ns = bench_now_ns();

	if (sendto(cold->socket, packet, sizeof(packet), 0, (const struct sockaddr *)&cold->gateway,
		   sizeof(cold->gateway)) < 0)
		bench_die("sending: %s", strerror(errno));
	if (recv(cold->socket, answer, sizeof(answer), 0) <= 0)
		bench_die("no answer: %s", strerror(errno));
	return (double)(bench_now_ns() - begin_ns) / 1e6;
}

static char *const empty[] = {(char *)TEST_BUILD "/bench/empty", NULL};
static char *const empty_python[] = {(char *)"/usr/bin/python3", (char *)"-c", (char *)"pass",
				     NULL};

static double start(char *const *arguments)
{
	uint64_t begin_ns = bench_now_ns();
	pid_t pid = fork();
	int status;

	if (!pid) {
		execv(arguments[0], arguments);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		bench_die("starting %s failed", arguments[0]);
	return (double)(bench_now_ns() - begin_ns) / 1e6;
}

static void unload(void)
{
	(void)kit_shell("for name in " NAME " " PROGRAM_NAME "; do " TEST_BUILD
			"/ebpf-faas unload --now --purge $name >/dev/null 2>&1; done");
}

static void load(const char *name, const char *yaml)
{
	if (kit_shell(TEST_BUILD "/ebpf-faas load --netns " TIER_GATEWAY " --funcs " TEST_SOURCE
				 "/tools/benchmarks/funcs --set workflow=%s " TEST_SOURCE
				 "/tools/benchmarks/%s.yaml >/dev/null",
		      name, yaml))
		bench_die("loading tools/benchmarks/%s.yaml failed", yaml);
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void measure(struct cold *cold, unsigned int starts, char *const *peer)
{
	for (unsigned int i = 0; i < starts; i++) {
		uint32_t before;

		idle_wait(cold->page);
		before = cold->page->incarnation;
		cold->ours_ms[i] = ask(cold);
		if (cold->page->incarnation == before)
			bench_die("the worker was not started for the packet");
		cold->peer_ms[i] = start(peer);
		kit_look_for_signal();
	}
	qsort(cold->ours_ms, starts, sizeof(double), compare);
	qsort(cold->peer_ms, starts, sizeof(double), compare);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("cold", argc, argv);
	struct bench_series ours[3] = {0}, peer[3] = {0}, warm[2] = {0};
	static struct cold cold, program;
	bool met;

	tier_make_network();
	kit_clean_with(unload);
	load(NAME, "idle");
	load(PROGRAM_NAME, "cold_program");
	cold.page = idle_page(NAME);
	program.page = idle_page(PROGRAM_NAME);
	kit_enter_netns(TIER_SENDER);
	open_socket(&cold);
	program.socket = cold.socket;
	program.gateway = cold.gateway;
	program.gateway.sin_port = htons(TIER_PORT + 1);
	(void)ask(&cold); /* neighbours are known then */
	(void)ask(&program);
	for (unsigned int i = 0; i < bench.rounds; i++) {
		measure(&cold, STARTS, empty);
		bench_add(&ours[0], cold.ours_ms[STARTS / 2]);
		bench_add(&peer[0], cold.peer_ms[STARTS / 2]);
		bench_add(&ours[1], cold.ours_ms[STARTS - 2]);
		bench_add(&peer[1], cold.peer_ms[STARTS - 2]);
		idle_wait_for_worker(cold.page);
		bench_add(&warm[0], ask(&cold));
		measure(&program, PROGRAM_STARTS, empty_python);
		bench_add(&ours[2], program.ours_ms[PROGRAM_STARTS / 2]);
		bench_add(&peer[2], program.peer_ms[PROGRAM_STARTS / 2]);
		bench_add(&warm[1], ask(&program));
	}
	met = bench_limit(&bench, "p50",
			  "first packet to an idle workflow to its output: half of them", &ours[0],
			  "fork, exec and end of an empty static program", &peer[0], "ms",
			  BENCH_AT_MOST, 2);
	bench_beside(&bench, "a packet to the same workflow with a worker", &warm[0]);
	met &= bench_limit(&bench, "p99", "99 of 100", &ours[1], "the empty program", &peer[1],
			   "ms", BENCH_AT_MOST, 10);
	met &= bench_limit(&bench, "python_p50",
			   "first packet to an idle workflow of a program in Python: half of them",
			   &ours[2], "fork, exec and end of /usr/bin/python3 -c pass", &peer[2],
			   "ms", BENCH_INFORMATION, 0);
	bench_beside(&bench, "a packet to the same workflow with a program", &warm[1]);
	return met ? 0 : 1;
}
