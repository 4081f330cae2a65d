// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench dispatch: what finding the workflow costs, with 1 to 10,000 workflows on one
 * interface, each a program of its own with meters of its own, built and loaded as
 * users' are. Nanoseconds of CPU time a run, by BPF_PROG_TEST_RUN; sides interleaved, in
 * each round the best of several tries, medians of the rounds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
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
#define TRIES 5		 /* of a round, of which the best counts */
#define PORT_FIRST 20000 /* as in dispatch.bpf.c */
#define DESTINATION "10.20.0.1"
#define NETWORK "10.20.0.0"
#define NETWORK_BITS 16

static const unsigned int workflows[] = {1, 10, 100, 1000, 10000};
static const unsigned int prefixes[] = {1, 1000, 100000};
#define SIZES (sizeof(workflows) / sizeof(workflows[0]))
#define PREFIX_SIZES (sizeof(prefixes) / sizeof(prefixes[0]))
#define WORKFLOWS_MAX 10000

/* A root program with its tables. */
struct root {
	struct bpf_object *object;
	int program, ports, slots;
};

struct dispatch {
	struct bpf_object *peers[PREFIX_SIZES]; /* each with tables of its own */
	struct bpf_object *host;
	struct root ports[SIZES];
	struct root programs; /* as many as there are workflows, of two instructions each */
	struct root prefixes[PREFIX_SIZES];
	struct frame first, last[SIZES];
};

/* Which of the peers has what behind its array of programs. */
enum { PEER_DROP, PEER_COUNT };

struct results {
	struct bench_series bare, choosing, by_hand[PREFIX_SIZES], by_prefix[PREFIX_SIZES];
	struct bench_series first[SIZES], last[SIZES], random[SIZES], random_program;
	struct bench_series random_array, random_by_hand;
};

static void put(int map, const void *key, const void *value)
{
	if (bpf_map_update_elem(map, key, value, BPF_ANY))
		bench_die("filling a map: %s", strerror(errno));
}

/* Load an object that shares the description of the packet with the others. */
static void load_sharing(struct dispatch *dispatch, struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, FAAS_PIN_PACKET);

	if (!map || bpf_map__reuse_fd(map, kit_map_fd(dispatch->host, FAAS_PIN_PACKET)) ||
	    counters_size(object) || bpf_object__load(object))
		bench_die("loading: %s", strerror(errno));
}

static void open_root(struct dispatch *dispatch, struct root *ret)
{
	ret->object = kit_open_object(TEST_BUILD "/libexec/root.bpf.o");
	load_sharing(dispatch, ret->object);
	ret->program = kit_program_fd(ret->object, "root");
	ret->ports = kit_map_fd(ret->object, FAAS_PIN_PORTS);
	ret->slots = kit_map_fd(ret->object, FAAS_PIN_SLOTS);
}

/* Build the workflow as a user does. */
static void build(char *directory, size_t bytes)
{
	snprintf(directory, bytes, "%s/dispatch-XXXXXX", bench_directory());
	if (!mkdtemp(directory))
		bench_die("%s: %s", directory, strerror(errno));
	if (kit_shell("%s/ebpf-faas build --json --funcs %s/tools/benchmarks/funcs --output "
		      "%s/bundle %s/tools/benchmarks/dispatch.yaml >%s/log",
		      TEST_BUILD, TEST_SOURCE, directory, TEST_SOURCE, directory))
		bench_die("building tools/benchmarks/dispatch.yaml failed: see %s/log", directory);
}

static void clean(const char *directory)
{
	if (kit_shell("rm -rf %s", directory))
		fprintf(stderr, "bench: %s is left\n", directory);
}

/* One more workflow, in the same slot of all roots that have so many. The slots
 * keep the program, and the program its maps. */
static void add_workflow(struct dispatch *dispatch, const char *path, uint32_t slot)
{
	struct faas_port_entry entry = {
		.udp_destination = {(uint16_t)slot, (uint16_t)bundle_trigger_id("packets")}};
	uint32_t port = PORT_FIRST + slot - 1;
	struct bpf_object *object = kit_open_object(path);
	int program;

	load_sharing(dispatch, object);
	program = kit_program_fd(object, "bench_dispatch");
	for (size_t i = 0; i < SIZES; i++) {
		if (slot > workflows[i])
			continue;
		put(dispatch->ports[i].slots, &slot, &program);
		put(dispatch->ports[i].ports, &port, &entry);
	}
	for (size_t i = 0; slot == 1 && i < PREFIX_SIZES; i++)
		put(dispatch->prefixes[i].slots, &slot, &program);
	bpf_object__close(object);
}

/* The least that a slot can hold, for what dispatch alone costs; and the same behind
 * a bare array of programs, for what the kernel alone costs. */
static void add_program(struct dispatch *dispatch, uint32_t slot)
{
	const struct bpf_insn drop[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_DROP},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_XDP,
		    .prog_flags = BPF_F_XDP_HAS_FRAGS);
	struct faas_port_entry entry = {.udp_destination = {(uint16_t)slot, 1}};
	const struct root *root = &dispatch->programs;
	uint32_t port = PORT_FIRST + slot - 1;
	int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "drop", "Dual BSD/GPL", drop, 2, &options);

	if (program < 0)
		bench_die("loading: %s", strerror(errno));
	put(root->slots, &slot, &program);
	put(root->ports, &port, &entry);
	put(kit_map_fd(dispatch->peers[PEER_DROP], "by_port_programs"), &port, &program);
	close(program);
}

/* The workflow by hand: a program of its own for the port, with a counter of its own. */
static void add_by_hand(struct dispatch *dispatch, uint32_t slot)
{
	struct bpf_object *object = kit_load_object(TEST_BUILD "/bench/dispatch_port.bpf.o");
	int program = kit_program_fd(object, "for_port");
	uint32_t port = PORT_FIRST + slot - 1;

	put(kit_map_fd(dispatch->peers[PEER_COUNT], "by_port_programs"), &port, &program);
	bpf_object__close(object);
}

static uint32_t next_random(void)
{
	static uint32_t state = 2463534242;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* The same network into the root's table and into the one looked up by hand. The
 * root's keys hold IPv6 addresses as well, those by hand IPv4 only. */
static void add_prefix(struct root *root, struct bpf_object *peer, uint32_t network, uint32_t bits,
		       uint16_t slot)
{
	struct faas_trigger_ref ref = {slot, (uint16_t)bundle_trigger_id("packets")};
	struct faas_prefix_key key = {.bits = 96 + bits, .address = {[10] = 0xff, [11] = 0xff}};
	uint32_t by_hand[2] = {bits}, value = slot;

	network &= ~0u << (32 - bits);
	by_hand[1] = htonl(network);
	memcpy(key.address + 12, &by_hand[1], sizeof(by_hand[1]));
	put(kit_map_fd(root->object, FAAS_PIN_DESTINATIONS), &key, &ref);
	put(kit_map_fd(peer, "prefixes"), by_hand, &value);
}

/* Networks of all lengths from /8 to /28, and that of the packet. */
static void fill_prefixes(struct dispatch *dispatch, size_t i)
{
	const uint32_t stage = FAAS_STAGE_DESTINATION, zero = 0;
	struct root *root = &dispatch->prefixes[i];

	put(kit_map_fd(root->object, FAAS_PIN_STAGES), &zero, &stage);
	for (unsigned int n = 1; n < prefixes[i]; n++) {
		uint32_t network = next_random(), bits = 8 + next_random() % 21;

		add_prefix(root, dispatch->peers[i], network, bits, 1);
	}
	add_prefix(root, dispatch->peers[i], ntohl(inet_addr(NETWORK)), NETWORK_BITS, 1);
}

static void load(struct dispatch *dispatch)
{
	char directory[64], path[128];
	uint32_t bare_index = 1;
	int bare;

	dispatch->host = kit_load_object(TEST_BUILD "/libexec/host.bpf.o");
	for (size_t i = 0; i < SIZES; i++)
		open_root(dispatch, &dispatch->ports[i]);
	for (size_t i = 0; i < PREFIX_SIZES; i++) {
		open_root(dispatch, &dispatch->prefixes[i]);
		dispatch->peers[i] = kit_load_object(TEST_BUILD "/bench/dispatch.bpf.o");
		fill_prefixes(dispatch, i);
	}
	bare = kit_program_fd(dispatch->peers[0], "bare");
	put(kit_map_fd(dispatch->peers[0], "next"), &bare_index, &bare);
	build(directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/bundle/kernel.bpf.o", directory);
	open_root(dispatch, &dispatch->programs);
	for (uint32_t slot = 1; slot <= WORKFLOWS_MAX; slot++)
		add_program(dispatch, slot);
	for (uint32_t slot = 1; slot <= WORKFLOWS_MAX; slot++)
		add_by_hand(dispatch, slot);
	for (uint32_t slot = 1; slot <= WORKFLOWS_MAX; slot++)
		add_workflow(dispatch, path, slot);
	clean(directory);
}

static void make_frame(uint16_t port, struct frame *ret)
{
	frame_build(&(struct frame_spec){.destination = DESTINATION,
					 .destination_port = port,
					 .payload_bytes = 18},
		    ret);
}

static double try_run(int program, struct frame *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data,
		    .data_size_in = frame->bytes, .repeat = REPEAT);
	uint64_t start = kit_thread_cpu_ns(), end;

	if (bpf_prog_test_run_opts(program, &options))
		bench_die("BPF_PROG_TEST_RUN: %s", strerror(errno));
	end = kit_thread_cpu_ns();
	if (options.retval != XDP_DROP)
		bench_die("a program answered %u, not XDP_DROP", options.retval);
	return (double)(end - start) / REPEAT;
}

/* The best of several tries: what the machine does beside it leaves other lines in the
 * caches that all programs here live on. */
static double run(int program, struct frame *frame)
{
	double best = try_run(program, frame);

	for (unsigned int try = 1; try < TRIES; try++) {
		double time_ns = try_run(program, frame);

		if (time_ns < best)
			best = time_ns;
	}
	return best;
}

/* @p program, with a port of @p count for each packet. */
static double run_random(struct dispatch *dispatch, int program, unsigned int count)
{
	struct bpf_object *peer = dispatch->peers[0];
	uint32_t zero = 0;

	put(kit_map_fd(peer, "next"), &zero, &program);
	put(kit_map_fd(peer, "port_count"), &zero, &count);
	return run(kit_program_fd(peer, "choose_for_root"), &dispatch->first);
}

static void measure(struct dispatch *dispatch, struct results *results)
{
	struct bpf_object *peer = dispatch->peers[0];

	bench_add(&results->bare, run(kit_program_fd(peer, "bare"), &dispatch->first));
	bench_add(&results->choosing,
		  run(kit_program_fd(peer, "choose_for_bare"), &dispatch->first));
	for (size_t i = 0; i < SIZES; i++) {
		bench_add(&results->first[i], run(dispatch->ports[i].program, &dispatch->first));
		bench_add(&results->last[i], run(dispatch->ports[i].program, &dispatch->last[i]));
		bench_add(&results->random[i],
			  run_random(dispatch, dispatch->ports[i].program, workflows[i]));
	}
	bench_add(&results->random_program,
		  run_random(dispatch, dispatch->programs.program, WORKFLOWS_MAX));
	bench_add(&results->random_array,
		  run_random(dispatch, kit_program_fd(dispatch->peers[PEER_DROP], "by_port"),
			     WORKFLOWS_MAX));
	bench_add(&results->random_by_hand,
		  run_random(dispatch, kit_program_fd(dispatch->peers[PEER_COUNT], "by_port"),
			     WORKFLOWS_MAX));
	for (size_t i = 0; i < PREFIX_SIZES; i++) {
		bench_add(&results->by_prefix[i],
			  run(dispatch->prefixes[i].program, &dispatch->first));
		bench_add(&results->by_hand[i],
			  run(kit_program_fd(dispatch->peers[i], "by_hand"), &dispatch->first));
	}
}

/* Round by round: @p plus + @p more - @p less. */
static struct bench_series combine(const struct bench_series *plus, const struct bench_series *more,
				   const struct bench_series *less)
{
	struct bench_series sum = {0};

	for (unsigned int i = 0; i < plus->count; i++)
		bench_add(&sum, plus->values[i] + more->values[i] - less->values[i]);
	return sum;
}

static bool report_same(const struct bench *bench, const struct results *results)
{
	const size_t most = SIZES - 1;
	char figure[64], ours[128];
	bool met = true;

	for (size_t i = 1; i <= most; i++) {
		snprintf(figure, sizeof(figure), "same_packet_%u", workflows[i]);
		snprintf(ours, sizeof(ours), "%u workflows, packets for the one loaded first",
			 workflows[i]);
		met &= bench_figure(bench, figure, ours, &results->first[i], "1 workflow",
				    &results->first[0], "ns", BENCH_AT_MOST, 1.05);
	}
	snprintf(ours, sizeof(ours), "%u workflows, packets for the one loaded last",
		 workflows[most]);
	bench_figure(bench, "same_packet_last", ours, &results->last[most], "1 workflow",
		     &results->first[0], "ns", BENCH_INFORMATION, 0);
	return met;
}

/* What choosing the port costs is taken from what has to choose. */
static struct bench_series without_choosing(const struct results *results,
					    const struct bench_series *random)
{
	return combine(random, &results->bare, &results->choosing);
}

static bool report_random(const struct bench *bench, const struct results *results)
{
	struct bench_series programs = without_choosing(results, &results->random_program);
	struct bench_series array = without_choosing(results, &results->random_array);
	struct bench_series by_hand = without_choosing(results, &results->random_by_hand);
	struct bench_series ours;
	bool met = true;

	for (size_t i = 0; i < SIZES; i++) {
		char figure[64], text[128];

		ours = without_choosing(results, &results->random[i]);
		snprintf(figure, sizeof(figure), "random_workflow_%u", workflows[i]);
		snprintf(text, sizeof(text),
			 "a random one of %u workflows each packet, without what choosing costs",
			 workflows[i]);
		met &= bench_figure(bench, figure, text, &ours, "bare XDP_DROP", &results->bare,
				    "ns", BENCH_AT_MOST, 4.5);
	}
	bench_figure(bench, "random_by_hand_10000", "a random one of 10000 workflows", &ours,
		     "a random one of 10000 programs by hand, each with a per-CPU counter",
		     &by_hand, "ns", BENCH_INFORMATION, 0);
	bench_figure(bench, "random_program_10000",
		     "a random one of 10000 programs that only drop, without what choosing costs",
		     &programs, "bare XDP_DROP", &results->bare, "ns", BENCH_INFORMATION, 0);
	bench_figure(bench, "random_array_10000",
		     "the same behind nothing but an array of programs by port", &array,
		     "bare XDP_DROP", &results->bare, "ns", BENCH_INFORMATION, 0);
	return met;
}

static bool report_prefix(const struct bench *bench, const struct results *results)
{
	bool met = true;

	for (size_t i = 0; i < PREFIX_SIZES; i++) {
		struct bench_series peer =
			combine(&results->first[0], &results->by_hand[i], &results->bare);
		char figure[64], text[128];

		snprintf(figure, sizeof(figure), "prefix_trigger_%u", prefixes[i]);
		snprintf(text, sizeof(text), "a trigger by prefix, one of %u prefixes",
			 prefixes[i]);
		met &= bench_figure(bench, figure, text, &results->by_prefix[i],
				    "a trigger by port, and one LPM lookup by hand", &peer, "ns",
				    BENCH_AT_MOST, 1.2);
	}
	return met;
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("dispatch", argc, argv);
	static struct dispatch dispatch;
	static struct results results;
	bool met;

	kit_quiet_libbpf();
	bench_pin(1);
	load(&dispatch);
	make_frame(PORT_FIRST, &dispatch.first);
	for (size_t i = 0; i < SIZES; i++)
		make_frame((uint16_t)(PORT_FIRST + workflows[i] - 1), &dispatch.last[i]);
	for (unsigned int i = 0; i < bench.rounds; i++)
		measure(&dispatch, &results);
	met = report_same(&bench, &results);
	met &= report_random(&bench, &results);
	met &= report_prefix(&bench, &results);
	for (size_t i = 0; i < SIZES; i++)
		bpf_object__close(dispatch.ports[i].object);
	bpf_object__close(dispatch.programs.object);
	for (size_t i = 0; i < PREFIX_SIZES; i++) {
		bpf_object__close(dispatch.prefixes[i].object);
		bpf_object__close(dispatch.peers[i]);
	}
	bpf_object__close(dispatch.host);
	return met ? 0 : 1;
}
