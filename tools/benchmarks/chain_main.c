// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench chain: what a packet costs in a fused workflow of 1 to 32 functions, against
 * the same written by hand in one program, beside the other ways to put functions
 * together; and through the root program with trigger lookup and meters, against a
 * bare XDP_DROP. Nanoseconds of CPU time a run, by BPF_PROG_TEST_RUN; sides
 * interleaved, in each round the best of several tries, medians of the rounds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <ebpf_faas/pins.h>

#include "bench.h"
#include "bundle.h"
#include "counters.h"
#include "frame.h"
#include "kit.h"

#define REPEAT 200000
#define TRIES 5 /* of a round, of which the best counts */
#define PORT 5005
#define CHECKS_MAX 32

/* Sizes of chain, and the goal for ours against by hand. */
static const struct {
	unsigned int checks;
	double goal;
} sizes[] = {{1, 1.05}, {2, 1.05}, {4, 1.05}, {8, 1.05}, {16, 1.10}, {32, 1.10}};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))
#define MIDDLE 3 /* the chain of 8 */

enum side { SIDE_FUSED, SIDE_HAND, SIDE_TAIL, SIDE_LINKED, SIDE_DYNAMIC, SIDES };

struct chain {
	struct bpf_object *peers, *root;
	struct bpf_object *fused[SIZES], *linked[SIZES];
	struct bench_series series[SIZES][SIDES];
	uint8_t frame[256];
	uint32_t frame_bytes;
	char directory[64];
};

/* ---- the workflows, built as a user does ---- */

/* So many checks in a row; what passes all is dropped, as the peers do it. */
static void write_workflow(const char *path, unsigned int checks)
{
	FILE *out = fopen(path, "we");

	if (!out)
		bench_die("%s: %s", path, strerror(errno));
	fprintf(out, "workflow: bench-chain\nversion: \"1\"\ntriggers:\n  flood:\n    packet:\n"
		     "      interfaces: [lo]\n"
		     "      match: {protocol: udp, destination_port: 5005}\n"
		     "    mode: copy\n    to: c0\nfunctions:\n");
	for (unsigned int i = 0; i < checks; i++) {
		fprintf(out, "  c%u: {kernel: bench_check, params: {offset: %u, limit: %u}, ", i,
			4 * i, 1000 + i);
		if (i + 1 < checks)
			fprintf(out, "outputs: {on: c%u}}\n", i + 1);
		else
			fprintf(out, "outputs: {on: drop}}\n");
	}
	if (fclose(out))
		bench_die("%s: %s", path, strerror(errno));
}

static struct bpf_object *build(const struct chain *chain, const char *linker, unsigned int checks)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/chain-%u.yaml", chain->directory, checks);
	write_workflow(path, checks);
	if (kit_shell("%s/ebpf-faas build --linker %s --funcs %s/tools/benchmarks/funcs --output "
		      "%s/%s-%u %s >>%s/log",
		      TEST_BUILD, linker, TEST_SOURCE, chain->directory, linker, checks, path,
		      chain->directory))
		bench_die("building %s failed: see %s/log", path, chain->directory);
	snprintf(path, sizeof(path), "%s/%s-%u/kernel.bpf.o", chain->directory, linker, checks);
	return kit_open_object(path);
}

static void build_all(struct chain *chain)
{
	snprintf(chain->directory, sizeof(chain->directory), "%s/chain-XXXXXX", bench_directory());
	if (!mkdtemp(chain->directory))
		bench_die("%s: %s", chain->directory, strerror(errno));
	for (unsigned int i = 0; i < SIZES; i++) {
		chain->fused[i] = build(chain, "llvm", sizes[i].checks);
		chain->linked[i] = build(chain, "bpf", sizes[i].checks);
	}
}

static void clean(const struct chain *chain)
{
	if (kit_shell("rm -rf %s", chain->directory))
		fprintf(stderr, "bench: %s is left\n", chain->directory);
}

/* ---- loading ---- */

static void load_workflow(const struct chain *chain, struct bpf_object *object)
{
	if (bpf_map__reuse_fd(bpf_object__find_map_by_name(object, FAAS_PIN_PACKET),
			      kit_map_fd(chain->root, FAAS_PIN_PACKET)) ||
	    counters_size(object) || bpf_object__load(object))
		bench_die("loading a workflow: %s", strerror(errno));
}

static void load(struct chain *chain)
{
	struct faas_port_entry entry = {
		.udp_destination = {.slot = 1, .trigger = bundle_trigger_id("flood")}};
	uint32_t port = PORT, slot = 1;
	int program;

	chain->peers = kit_open_object(TEST_BUILD "/bench/chain.bpf.o");
	chain->root = kit_open_object(TEST_BUILD "/libexec/root.bpf.o");
	if (bpf_object__load(chain->peers) || counters_size(chain->root) ||
	    bpf_object__load(chain->root))
		bench_die("loading the peers: %s", strerror(errno));
	for (unsigned int i = 0; i < SIZES; i++) {
		load_workflow(chain, chain->fused[i]);
		load_workflow(chain, chain->linked[i]);
	}
	program = kit_program_fd(chain->fused[MIDDLE], "bench_chain");
	if (bpf_map_update_elem(kit_map_fd(chain->root, FAAS_PIN_SLOTS), &slot, &program,
				BPF_ANY) ||
	    bpf_map_update_elem(kit_map_fd(chain->root, FAAS_PIN_PORTS), &port, &entry, BPF_ANY))
		bench_die("filling the tables: %s", strerror(errno));
}

/* A chain of programs: so many checks, then what drops. */
static void chain_tails(const struct chain *chain, const char *map, const char *prefix,
			unsigned int checks)
{
	int table = kit_map_fd(chain->peers, map);

	for (uint32_t i = 0; i <= checks; i++) {
		char name[32];
		int program;

		snprintf(name, sizeof(name), "%s_%u", prefix, i);
		program = kit_program_fd(chain->peers, i < checks ? name : "bare");
		if (bpf_map_update_elem(table, &i, &program, BPF_ANY))
			bench_die("chaining programs: %s", strerror(errno));
	}
}

/* ---- measuring ---- */

/* Words that are all within their limits. */
static void make_frame(struct chain *chain)
{
	const uint8_t payload[4 * CHECKS_MAX] = {0};
	struct frame frame;

	frame_build(&(struct frame_spec){.destination_port = PORT,
					 .payload = payload,
					 .payload_bytes = sizeof(payload)},
		    &frame);
	memcpy(chain->frame, frame.data, frame.bytes);
	chain->frame_bytes = frame.bytes;
}

static double run(const struct chain *chain, int program)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = (void *)chain->frame,
		    .data_size_in = chain->frame_bytes, .repeat = REPEAT);

	uint64_t start = kit_thread_cpu_ns(), end;

	if (bpf_prog_test_run_opts(program, &options))
		bench_die("BPF_PROG_TEST_RUN: %s", strerror(errno));
	end = kit_thread_cpu_ns();
	if (options.retval != XDP_DROP)
		bench_die("a program answered %u, not XDP_DROP", options.retval);
	/* The kernel's own figure is cut to whole nanoseconds. */
	return (double)(end - start) / REPEAT;
}

/* One round of several programs: taken in turns, and the best of each, so that what
 * the machine does beside it and its changes of speed count for none of them. */
static void run_in_turns(const struct chain *chain, const int *programs,
			 struct bench_series *const *series, unsigned int count)
{
	double best[SIDES] = {0};

	for (unsigned int try = 0; try < TRIES; try++)
		for (unsigned int i = 0; i < count; i++) {
			double time_ns = run(chain, programs[i]);

			if (!try || time_ns < best[i])
				best[i] = time_ns;
		}
	for (unsigned int i = 0; i < count; i++)
		bench_add(series[i], best[i]);
}

/* All ways, for one size. */
static void measure(struct chain *chain, unsigned int size)
{
	struct bench_series *series[SIDES];
	int programs[SIDES];
	char hand[32];

	snprintf(hand, sizeof(hand), "hand_%u", sizes[size].checks);
	chain_tails(chain, "tails", "tail", sizes[size].checks);
	chain_tails(chain, "dynamic_tails", "dynamic", sizes[size].checks);
	programs[SIDE_FUSED] = kit_program_fd(chain->fused[size], "bench_chain");
	programs[SIDE_HAND] = kit_program_fd(chain->peers, hand);
	programs[SIDE_TAIL] = kit_program_fd(chain->peers, "tail_0");
	programs[SIDE_LINKED] = kit_program_fd(chain->linked[size], "bench_chain");
	programs[SIDE_DYNAMIC] = kit_program_fd(chain->peers, "dynamic_0");
	for (unsigned int i = 0; i < SIDES; i++)
		series[i] = &chain->series[size][i];
	run_in_turns(chain, programs, series, SIDES);
}

static bool report(const struct bench *bench, const struct chain *chain, unsigned int size)
{
	static const struct {
		enum side side;
		const char *name, *text;
	} others[] = {
		{SIDE_TAIL, "tail", "a program for each, tail calls by constant index"},
		{SIDE_LINKED, "linked",
		 "the workflow built with --linker bpf: called, not inlined"},
		{SIDE_DYNAMIC, "dynamic", "a program for each, tail calls by an index not known"},
	};
	const struct bench_series *series = chain->series[size];
	char figure[64], text[64];
	bool met;

	snprintf(figure, sizeof(figure), "fused_%u", sizes[size].checks);
	snprintf(text, sizeof(text), "%u fused functions, metered", sizes[size].checks);
	met = bench_figure(bench, figure, text, &series[SIDE_FUSED],
			   "the same by hand in one program, counting as the workflow does",
			   &series[SIDE_HAND], "ns", BENCH_AT_MOST, sizes[size].goal);
	for (unsigned int i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		snprintf(figure, sizeof(figure), "%s_%u", others[i].name, sizes[size].checks);
		met &= bench_figure(bench, figure, text, &series[SIDE_FUSED], others[i].text,
				    &series[others[i].side], "ns", BENCH_AT_MOST,
				    sizes[size].checks == 1 ? 1.10 : 1.0);
	}
	return met;
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("chain", argc, argv);
	struct bench_series bare = {0}, uncounted = {0}, root = {0};
	struct bench_series *const other_series[] = {&bare, &uncounted, &root};
	struct chain *chain = calloc(1, sizeof(*chain));
	bool met = true;
	int others[3];

	if (!chain)
		bench_die("out of memory");
	kit_quiet_libbpf();
	bench_pin(1);
	build_all(chain);
	load(chain);
	make_frame(chain);
	clean(chain);
	/* Once through the root, so that the packet's description is there for
	 * the runs that begin at the workflow. */
	run(chain, kit_program_fd(chain->root, "root"));
	others[0] = kit_program_fd(chain->peers, "bare");
	others[1] = kit_program_fd(chain->peers, "hand_uncounted_8");
	others[2] = kit_program_fd(chain->root, "root");
	for (unsigned int i = 0; i < bench.rounds; i++) {
		for (unsigned int size = 0; size < SIZES; size++)
			measure(chain, size);
		run_in_turns(chain, others, other_series, 3);
	}
	for (unsigned int size = 0; size < SIZES; size++)
		met &= report(&bench, chain, size);
	bench_figure(&bench, "fused_8_uncounted", "8 fused functions, metered",
		     &chain->series[MIDDLE][SIDE_FUSED], "the same 8 by hand, counting nothing",
		     &uncounted, "ns", BENCH_AT_MOST, 1.40);
	met &= bench_figure(
		&bench, "through_root_8",
		"root: parse, trigger lookup, tail call, 8 fused functions, meters, time sampled",
		&root, "bare XDP_DROP", &bare, "ns", BENCH_AT_MOST, 2.0);
	for (unsigned int size = 0; size < SIZES; size++) {
		bpf_object__close(chain->fused[size]);
		bpf_object__close(chain->linked[size]);
	}
	bpf_object__close(chain->root);
	bpf_object__close(chain->peers);
	free(chain);
	return met ? 0 : 1;
}
