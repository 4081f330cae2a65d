// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench chain: what a packet costs in a fused workflow of eight functions,
 * against the same eight written by hand, and through the root program with
 * trigger lookup and meters, against a bare XDP_DROP. Nanoseconds a run, as
 * BPF_PROG_TEST_RUN measures them; sides interleaved, medians of the rounds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <ebpf_faas/pins.h>

#include "bench.h"
#include "bundle.h"
#include "frame.h"

#define REPEAT 2000000
#define PORT 5005

struct chain {
	struct bpf_object *peers;
	struct bpf_object *root;
	struct bpf_object *fused;
	uint8_t frame[256];
	uint32_t frame_bytes;
	char directory[64];
};

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static int program_fd(struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		bench_die("no program %s", name);
	return bpf_program__fd(program);
}

static int map_fd(struct bpf_object *object, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	if (fd < 0)
		bench_die("no map %s", name);
	return fd;
}

static struct bpf_object *open_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (!object)
		bench_die("%s: %s", path, strerror(errno));
	return object;
}

/* Build the workflow as a user does. */
static void build(struct chain *chain)
{
	char command[1024];
	int status;

	snprintf(chain->directory, sizeof(chain->directory), "/tmp/ebpf-faas-bench-XXXXXX");
	if (!mkdtemp(chain->directory))
		bench_die("%s: %s", chain->directory, strerror(errno));
	snprintf(command, sizeof(command),
		 "%s/ebpf-faas build --json --funcs %s/tools/benchmarks/funcs --output %s/bundle "
		 "%s/tools/benchmarks/chain.yaml >%s/log",
		 TEST_BUILD, TEST_SOURCE, chain->directory, TEST_SOURCE, chain->directory);
	status = system(command);
	if (status)
		bench_die("building tools/benchmarks/chain.yaml failed: see %s/log",
			  chain->directory);
}

static void clean(const struct chain *chain)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf %s", chain->directory);
	if (system(command))
		fprintf(stderr, "bench: %s is left\n", chain->directory);
}

static void load(struct chain *chain)
{
	struct faas_port_entry entry = {
		.udp_destination = {.slot = 1, .trigger = bundle_trigger_id("flood")}};
	char path[512];
	uint32_t port = PORT, slot = 1;
	int program;

	chain->peers = open_object(TEST_BUILD "/bench/chain.bpf.o");
	chain->root = open_object(TEST_BUILD "/libexec/root.bpf.o");
	snprintf(path, sizeof(path), "%s/bundle/kernel.bpf.o", chain->directory);
	chain->fused = open_object(path);
	if (bpf_object__load(chain->peers) || bpf_object__load(chain->root))
		bench_die("loading the peers: %s", strerror(errno));
	if (bpf_map__reuse_fd(bpf_object__find_map_by_name(chain->fused, FAAS_PIN_PACKET),
			      map_fd(chain->root, FAAS_PIN_PACKET)) ||
	    bpf_object__load(chain->fused))
		bench_die("loading the workflow: %s", strerror(errno));
	program = program_fd(chain->fused, "bench_chain");
	if (bpf_map_update_elem(map_fd(chain->root, FAAS_PIN_SLOTS), &slot, &program, BPF_ANY) ||
	    bpf_map_update_elem(map_fd(chain->root, FAAS_PIN_PORTS), &port, &entry, BPF_ANY))
		bench_die("filling the tables: %s", strerror(errno));
}

/* Eight words, all within their limits. */
static void make_frame(struct chain *chain)
{
	const uint8_t payload[64] = {0};
	struct frame frame;

	frame_build(&(struct frame_spec){.destination_port = PORT,
					 .payload = payload,
					 .payload_bytes = sizeof(payload)},
		    &frame);
	memcpy(chain->frame, frame.data, frame.bytes);
	chain->frame_bytes = frame.bytes;
}

/* Time of this thread on its CPU: what runs beside it does not count. */
static uint64_t cpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double run(const struct chain *chain, int program)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = (void *)chain->frame,
		    .data_size_in = chain->frame_bytes, .repeat = REPEAT);

	uint64_t start = cpu_now_ns(), end;

	if (bpf_prog_test_run_opts(program, &options))
		bench_die("BPF_PROG_TEST_RUN: %s", strerror(errno));
	end = cpu_now_ns();
	if (options.retval != XDP_DROP)
		bench_die("a program answered %u, not XDP_DROP", options.retval);
	/* The kernel's own figure is cut to whole nanoseconds. */
	return (double)(end - start) / REPEAT;
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("chain", argc, argv);
	struct bench_series bare = {0}, hand = {0}, counting = {0}, fused = {0}, root = {0};
	struct chain chain = {0};
	bool met;

	libbpf_set_print(quiet);
	bench_pin(1);
	build(&chain);
	load(&chain);
	make_frame(&chain);
	clean(&chain);
	/* Once through the root, so that the packet's description is there for
	 * the runs that begin at the workflow. */
	run(&chain, program_fd(chain.root, "root"));
	for (unsigned int i = 0; i < bench.rounds; i++) {
		bench_add(&bare, run(&chain, program_fd(chain.peers, "bare")));
		bench_add(&hand, run(&chain, program_fd(chain.peers, "hand")));
		bench_add(&counting, run(&chain, program_fd(chain.peers, "hand_counting")));
		bench_add(&fused, run(&chain, program_fd(chain.fused, "bench_chain")));
		bench_add(&root, run(&chain, program_fd(chain.root, "root")));
	}
	met = bench_figure(&bench, "fused_8", "8 fused functions, metered", &fused,
			   "the same 8 by hand in one program, counting as the workflow does",
			   &counting, "ns", BENCH_AT_MOST, 1.10);
	bench_figure(&bench, "fused_8_uncounted", "8 fused functions, metered", &fused,
		     "the same 8 by hand, counting nothing", &hand, "ns", BENCH_AT_MOST, 1.40);
	met &= bench_figure(
		&bench, "through_root_8",
		"root: parse, trigger lookup, tail call, 8 fused functions, meters, time sampled",
		&root, "bare XDP_DROP", &bare, "ns", BENCH_AT_MOST, 2.0);
	bpf_object__close(chain.fused);
	bpf_object__close(chain.root);
	bpf_object__close(chain.peers);
	return met ? 0 : 1;
}
