// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench cold: from the first packet to an idle workflow to its output
 *
 * A packet from one network namespace to another: XDP, the ring, a worker that is started
 * for it with its sandbox and its state, its record, the courier, a datagram back. The peer
 * is a process that is made and does nothing at all. Sides take turns.
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
#define STARTS 100 /* a round */
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

static double start_empty(void)
{
	char *arguments[] = {(char *)"empty", NULL};
	uint64_t begin_ns = bench_now_ns();
	pid_t pid = fork();
	int status;

	if (!pid) {
		execv(TEST_BUILD "/bench/empty", arguments);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		bench_die("starting an empty program failed");
	return (double)(bench_now_ns() - begin_ns) / 1e6;
}

static void unload(void)
{
	(void)kit_shell(TEST_BUILD "/ebpf-faas unload --now --purge " NAME " >/dev/null 2>&1");
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void measure(struct cold *cold)
{
	for (unsigned int i = 0; i < STARTS; i++) {
		uint32_t before;

		idle_wait(cold->page);
		before = cold->page->incarnation;
		cold->ours_ms[i] = ask(cold);
		if (cold->page->incarnation != before + 1)
			bench_die("the worker was not started for the packet");
		cold->peer_ms[i] = start_empty();
		kit_look_for_signal();
	}
	qsort(cold->ours_ms, STARTS, sizeof(double), compare);
	qsort(cold->peer_ms, STARTS, sizeof(double), compare);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("cold", argc, argv);
	struct bench_series ours[2] = {0}, peer[2] = {0}, warm = {0};
	static struct cold cold;
	bool met;

	tier_make_network();
	kit_clean_with(unload);
	if (kit_shell(TEST_BUILD "/ebpf-faas load --netns " TIER_GATEWAY " --funcs " TEST_SOURCE
				 "/tools/benchmarks/funcs --set workflow=" NAME " " TEST_SOURCE
				 "/tools/benchmarks/idle.yaml >/dev/null"))
		bench_die("loading tools/benchmarks/idle.yaml failed");
	cold.page = idle_page(NAME);
	kit_enter_netns(TIER_SENDER);
	open_socket(&cold);
	(void)ask(&cold); /* neighbours are known then */
	for (unsigned int i = 0; i < bench.rounds; i++) {
		measure(&cold);
		bench_add(&ours[0], cold.ours_ms[STARTS / 2]);
		bench_add(&peer[0], cold.peer_ms[STARTS / 2]);
		bench_add(&ours[1], cold.ours_ms[STARTS - 2]);
		bench_add(&peer[1], cold.peer_ms[STARTS - 2]);
		/* The worker is there now. */
		bench_add(&warm, ask(&cold));
	}
	met = bench_limit(&bench, "p50",
			  "first packet to an idle workflow to its output: half of them", &ours[0],
			  "fork, exec and end of an empty static program", &peer[0], "ms",
			  BENCH_AT_MOST, 2);
	bench_beside(&bench, "a packet to the same workflow with a worker", &warm);
	met &= bench_limit(&bench, "p99", "99 of 100", &ours[1], "the empty program", &peer[1],
			   "ms", BENCH_AT_MOST, 10);
	return met ? 0 : 1;
}
