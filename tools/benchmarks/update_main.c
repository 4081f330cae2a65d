// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench update: changing the version of a workflow under full load: how long the switch
 * takes, and packets that were lost or met two versions.
 *
 * The generator runs the root program of an interface on core 1 with as many packets as it
 * takes, by BPF_PROG_TEST_RUN. From core 0 the slot is overwritten as the loader does it,
 * with the programs of two versions that are both in the kernel, and the command updates
 * the workflow as a whole. Each version stamps a packet in one function and checks the
 * stamp in the next. The peer is bpf_link_update() of a program on an interface.
 */
#include <errno.h>
#include <glob.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <ebpf_faas/pins.h>

#include "bench.h"
#include "frame.h"
#include "kit.h"

#define NETNS "ef_bupdate"
#define WORKFLOW "bench-update"
#define PORT 5005
#define SWITCHES 1000
/* The root program has jumps of its own to the first slots, which an overwrite patches on
 * all processors. Workflows in them make that the one measured is behind them. */
#define PATCHED_SLOTS 4
#define PATCHED_SLOT 1
#define SWITCH_GAP_NS 100000
#define LINK_UPDATES 50
#define COMMANDS 4 /* each round */
#define BATCH 100000
#define COMMAND_CORE 0
#define GENERATOR_CORE 1

struct generator {
	_Atomic uint64_t sent;
	_Atomic int stop;
};

struct update {
	char bundles[2][64];
	struct frame frame;
	int root, slots, link;
	uint32_t slot;
	struct bpf_object *peers;
	int peer_programs[2];
	struct generator *generator;
	pid_t generator_pid;
};

static bool made_namespace;
static struct update *cleaning;

static void clean(void)
{
	if (cleaning && cleaning->generator_pid > 0) {
		kill(cleaning->generator_pid, SIGKILL);
		waitpid(cleaning->generator_pid, NULL, 0);
	}
	if (cleaning && cleaning->link >= 0)
		close(cleaning->link);
	if (made_namespace) {
		kit_shell(TEST_BUILD "/ebpf-faas unload --now " WORKFLOW " >/dev/null 2>&1");
		for (int i = 1; i <= PATCHED_SLOTS; i++)
			kit_shell(TEST_BUILD
				  "/ebpf-faas unload --now bench-filler-%d >/dev/null 2>&1",
				  i);
		kit_shell("ip netns del " NETNS);
	}
	for (int i = 0; cleaning && i < 2; i++)
		if (cleaning->bundles[i][0])
			kit_shell("rm -rf %s", cleaning->bundles[i]);
}

static void build(struct update *update)
{
	for (int i = 0; i < 2; i++) {
		snprintf(update->bundles[i], sizeof(update->bundles[i]), "%s/update-%d-%d",
			 bench_directory(), (int)getpid(), i);
		if (kit_shell(TEST_BUILD
			      "/ebpf-faas build --output %s --funcs " TEST_SOURCE
			      "/tools/benchmarks/funcs --set functions.stamp.params.version=%d "
			      "--set functions.stamped.params.version=%d " TEST_SOURCE
			      "/tools/benchmarks/update.yaml >/dev/null",
			      update->bundles[i], i + 1, i + 1))
			bench_die("building tools/benchmarks/update.yaml failed");
	}
}

/* Small workflows of other ports, in the first slots. */
static void load_fillers(void)
{
	for (int i = 1; i <= PATCHED_SLOTS; i++)
		if (kit_shell(TEST_BUILD
			      "/ebpf-faas load --netns " NETNS " --funcs " TEST_SOURCE
			      "/tools/benchmarks/funcs --set workflow=bench-filler-%d "
			      "--set triggers.flood.packet.match.destination_port=%d " TEST_SOURCE
			      "/tools/benchmarks/update.yaml >/dev/null",
			      i, PORT + i))
			bench_die("loading tools/benchmarks/update.yaml failed");
}

static int open_root(void)
{
	glob_t found;
	int fd;

	if (glob(FAAS_PIN_ROOT "/[0-9]*/[0-9]*/xdp/" FAAS_PIN_ROOT_PROGRAM, 0, NULL, &found) ||
	    found.gl_pathc != 1)
		bench_die("not one root program is pinned: unload other workflows");
	fd = bpf_obj_get(found.gl_pathv[0]);
	globfree(&found);
	if (fd < 0)
		bench_die("the root program: %s", strerror(errno));
	return fd;
}

/* The slot of the only workflow. */
static uint32_t find_slot(void)
{
	int registry = bpf_obj_get(FAAS_PIN_ROOT "/" FAAS_PIN_REGISTRY);
	struct faas_registry_entry entry;

	for (uint32_t slot = 1; registry >= 0 && slot < FAAS_SLOTS_MAX; slot++)
		if (!bpf_map_lookup_elem(registry, &slot, &entry) &&
		    entry.state == FAAS_REGISTRY_LOADED && !strcmp(entry.name, WORKFLOW)) {
			close(registry);
			return slot;
		}
	bench_die("the workflow is not in the registry");
}

/* A link of the other interface of the pair, for the peer. */
static void attach_peer(struct update *update)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = 0);
	static const char *const names[] = {"bare_drop", "bare_tx"};
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (own < 0)
		bench_die("/proc/self/ns/net: %s", strerror(errno));
	update->peers = kit_load_object(TEST_BUILD "/bench/veth.bpf.o");
	for (int i = 0; i < 2; i++)
		update->peer_programs[i] = kit_program_fd(update->peers, names[i]);
	kit_enter_netns(NETNS);
	update->link = bpf_link_create(update->peer_programs[0], (int)if_nametoindex("ef_u1"),
				       BPF_XDP, &options);
	if (update->link < 0 || setns(own, CLONE_NEWNET))
		bench_die("attaching the peer: %s", strerror(errno));
	close(own);
}

static void prepare(struct update *update)
{
	static const uint8_t from[6] = {2, 0, 0, 0, 0, 1}, to[6] = {2, 0, 0, 0, 0, 2};
	static const uint8_t payload[64];

	if (kit_shell("ip netns add " NETNS))
		bench_die("making a network namespace failed");
	made_namespace = true;
	if (kit_shell("ip -n " NETNS " link add ef_u0 type veth peer name ef_u1 && ip -n " NETNS
		      " link set ef_u0 up && ip -n " NETNS " link set ef_u1 up"))
		bench_die("making a veth pair failed");
	build(update);
	load_fillers();
	if (kit_shell(TEST_BUILD "/ebpf-faas load --netns " NETNS " %s >/dev/null",
		      update->bundles[0]))
		bench_die("loading failed");
	update->root = open_root();
	update->slots = bpf_obj_get(FAAS_PIN_ROOT "/" FAAS_PIN_SLOTS);
	update->slot = find_slot();
	if (update->slot <= PATCHED_SLOTS)
		bench_die("the workflow is in slot %u", update->slot);
	attach_peer(update);
	frame_build(&(struct frame_spec){.source_mac = from,
					 .destination_mac = to,
					 .source = "10.77.0.1",
					 .destination = "10.77.0.2",
					 .destination_port = PORT,
					 .payload = payload,
					 .payload_bytes = sizeof(payload)},
		    &update->frame);
	update->generator =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (update->generator == MAP_FAILED)
		bench_die("mmap: %s", strerror(errno));
}

static void generate(struct update *update)
{
	uint8_t out[FRAME_BYTES_MAX];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(GENERATOR_CORE);
	while (!atomic_load(&update->generator->stop)) {
		LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = update->frame.data,
			    .data_size_in = (uint32_t)update->frame.bytes, .data_out = out,
			    .data_size_out = sizeof(out), .repeat = BATCH);

		if (bpf_prog_test_run_opts(update->root, &run))
			_exit(1);
		atomic_fetch_add(&update->generator->sent, BATCH);
	}
	_exit(0);
}

static void start_generator(struct update *update)
{
	atomic_store(&update->generator->stop, 0);
	atomic_store(&update->generator->sent, 0);
	update->generator_pid = fork();
	if (update->generator_pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (!update->generator_pid) {
		cleaning = NULL;
		made_namespace = false;
		generate(update);
	}
	while (!atomic_load(&update->generator->sent))
		sched_yield();
}

static uint64_t stop_generator(struct update *update)
{
	int status = 1;

	atomic_store(&update->generator->stop, 1);
	waitpid(update->generator_pid, &status, 0);
	update->generator_pid = 0;
	if (status)
		bench_die("the generator failed");
	return atomic_load(&update->generator->sent);
}

/* What the loader does at the moment of the switch. */
static void put(const struct update *update, uint32_t slot, const char *workflow,
		const char *generation)
{
	char path[FAAS_PATH_BYTES];
	int program;

	snprintf(path, sizeof(path), "%s/%s/%s/%s", FAAS_PIN_GENERATIONS, workflow, generation,
		 FAAS_PIN_PROGRAM);
	program = bpf_obj_get(path);
	if (program < 0 || bpf_map_update_elem(update->slots, &slot, &program, BPF_ANY))
		bench_die("%s: %s", path, strerror(errno));
	close(program);
}

static int ascending(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return first < second ? -1 : first > second;
}

static double median_of(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), ascending);
	return values[count / 2];
}

/* Numbers of the two generations that are pinned while one is on trial. */
static void pinned(char ret[2][16])
{
	glob_t found;

	if (glob(FAAS_PIN_GENERATIONS "/" WORKFLOW "/[0-9]*", 0, NULL, &found) ||
	    found.gl_pathc != 2)
		bench_die("not two generations are pinned");
	for (int i = 0; i < 2; i++)
		snprintf(ret[i], 16, "%s", strrchr(found.gl_pathv[i], '/') + 1);
	globfree(&found);
}

static void switch_often(struct update *update, uint32_t slot, struct bench_series *series)
{
	const struct timespec gap = {0, SWITCH_GAP_NS};
	static double times[SWITCHES];
	char generations[2][16];

	pinned(generations);
	for (size_t i = 0; i < SWITCHES; i++) {
		uint64_t begin = bench_now_ns();

		put(update, slot, WORKFLOW, generations[i & 1]);
		times[i] = (double)(bench_now_ns() - begin) / 1000;
		nanosleep(&gap, NULL);
	}
	bench_add(series, median_of(times, SWITCHES));
}

static void replace_links(struct update *update, struct bench_series *series)
{
	double times[LINK_UPDATES];

	for (size_t i = 0; i < LINK_UPDATES; i++) {
		uint64_t begin = bench_now_ns();

		if (bpf_link_update(update->link, update->peer_programs[(i + 1) & 1], NULL))
			bench_die("bpf_link_update: %s", strerror(errno));
		times[i] = (double)(bench_now_ns() - begin) / 1000;
	}
	bench_add(series, median_of(times, LINK_UPDATES));
}

/* Whole updates, as a person does them. */
static void run_commands(struct update *update, struct bench_series *series)
{
	double times[COMMANDS];

	for (size_t i = 0; i < COMMANDS; i++) {
		uint64_t begin = bench_now_ns();

		if (kit_shell(TEST_BUILD "/ebpf-faas update %s >/dev/null", update->bundles[i & 1]))
			bench_die("update failed");
		times[i] = (double)(bench_now_ns() - begin) / 1e6;
	}
	bench_add(series, median_of(times, COMMANDS));
}

/* matched, dropped and passed, as `status` says. */
static void read_ledger(uint64_t ret[3])
{
	FILE *pipe =
		popen(TEST_BUILD "/ebpf-faas status --json " WORKFLOW
				 " | jq -r '.ledger | \"\\(.matched) \\(.dropped) \\(.passed)\"'",
		      "r");
	unsigned long long values[3];

	if (!pipe || fscanf(pipe, "%llu %llu %llu", &values[0], &values[1], &values[2]) != 3)
		bench_die("reading the ledger failed");
	pclose(pipe);
	for (int i = 0; i < 3; i++)
		ret[i] = values[i];
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("update", argc, argv);
	struct bench_series switches = {0}, links = {0}, commands = {0};
	struct bench_series lost = {0}, mixed = {0}, patched = {0};
	struct update update = {.link = -1};
	uint64_t before[3], after[3], sent = 0;
	char text[128];
	bool met;

	kit_quiet_libbpf();
	cleaning = &update;
	kit_clean_with(clean);
	bench_pin(COMMAND_CORE);
	prepare(&update);
	for (unsigned int i = 0; i < bench.rounds; i++) {
		kit_look_for_signal();
		read_ledger(before);
		start_generator(&update);
		if (kit_shell(TEST_BUILD "/ebpf-faas update --confirm 600s %s >/dev/null",
			      update.bundles[1]))
			bench_die("update failed");
		switch_often(&update, update.slot, &switches);
		switch_often(&update, PATCHED_SLOT, &patched);
		put(&update, PATCHED_SLOT, "bench-filler-1", "1");
		if (kit_shell(TEST_BUILD "/ebpf-faas confirm " WORKFLOW " >/dev/null"))
			bench_die("confirm failed");
		replace_links(&update, &links);
		run_commands(&update, &commands);
		sent = stop_generator(&update);
		read_ledger(after);
		bench_add(&lost,
			  (double)sent - (double)(after[1] + after[2] - before[1] - before[2]));
		bench_add(&mixed, (double)(after[2] - before[2]));
	}
	snprintf(text, sizeof(text), "%d switches and %d updates a round, %.1f M packets", SWITCHES,
		 COMMANDS + 2, (double)sent / 1e6);
	met = bench_limit(&bench, "lost", text, &lost, NULL, NULL, "packets", BENCH_EXACTLY, 0);
	met &= bench_limit(&bench, "mixed", text, &mixed, NULL, NULL, "packets", BENCH_EXACTLY, 0);
	met &= bench_limit(&bench, "switch", "one program in the slot for another", &switches, NULL,
			   NULL, "us", BENCH_AT_MOST, 60);
	met &= bench_limit(&bench, "switch_patched",
			   "the same in one of the first slots, to which jumps are patched",
			   &patched, NULL, NULL, "us", BENCH_AT_MOST, 60);
	bench_figure(&bench, "switch_link", "one program in the slot for another", &switches,
		     "bpf_link_update() of an interface", &links, "us", BENCH_INFORMATION, 0);
	bench_limit(&bench, "command", "ebpf-faas update BUNDLE, until it returns", &commands, NULL,
		    NULL, "ms", BENCH_INFORMATION, 0);
	return met ? 0 : 1;
}
