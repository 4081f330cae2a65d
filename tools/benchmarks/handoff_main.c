// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench handoff: 64-byte packets from the kernel to a counting user function,
 * against a UDP daemon that counts with recvmmsg, under the same generator.
 *
 * Two veth pairs, so that neither side's programs are in the other's way. The
 * generator sends frames by BPF_PROG_TEST_RUN in live-frame mode from core 0,
 * where XDP and the network stack then run as well; worker and daemon have
 * core 1. Sides take turns; medians of the rounds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <jansson.h>
#include <linux/bpf.h>

#include <ebpf_faas/pins.h>

#include "bench.h"
#include "frame.h"
#include "pages.h"

#define NETNS_SENDER "ef_bsend"
#define NETNS_GATEWAY "ef_bgate"
#define PORT 5005
#define PAYLOAD_BYTES 64
/* A run takes tens of milliseconds to begin: long enough that they do not count. */
#define FLOOD_FRAMES 8000000u
#define PACED_FRAMES 6000000u
#define BATCH_FRAMES 64
#define MESSAGES 64
#define SOCKET_BUFFER_BYTES (32 << 20)
#define SETTLE_NS 300000000ull
#define GENERATOR_CORE 0
#define CONSUMER_CORE 1

/* What the daemon has counted, shared with it. */
struct daemon_page {
	_Atomic uint64_t received;
	_Atomic uint64_t cpu_ns;
	_Atomic int ready;
};

struct handoff {
	int generator; /* program */
	struct bpf_object *generator_object;
	unsigned int ours_ifindex, peer_ifindex;
	struct frame ours, peer;
	int meters;
	int slot_counters;
	uint32_t slot;
	int generator_data; /* the generator's variables: gap_ns, due_ns */
	const struct worker_page *page;
	pid_t worker;
	pid_t daemon;
	struct daemon_page *daemon_page;
};

static bool made_namespaces;
static struct handoff *cleaning;

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	return system(command);
}

static void clean(void)
{
	if (cleaning && cleaning->daemon > 0) {
		kill(cleaning->daemon, SIGKILL);
		waitpid(cleaning->daemon, NULL, 0);
	}
	if (made_namespaces) {
		shell("%s/ebpf-faas unload --now bench-handoff >/dev/null 2>&1", TEST_BUILD);
		shell("ip netns del " NETNS_SENDER "; ip netns del " NETNS_GATEWAY);
	}
}

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

static void make_pair(const char *sender, const char *gateway, int net)
{
	int status = shell(
		"set -e; ip link add %s netns " NETNS_SENDER " address 02:00:00:00:00:01 type veth "
		"peer name %s netns " NETNS_GATEWAY " address 02:00:00:00:00:02; "
		"ip -n " NETNS_SENDER " addr add 10.77.%d.1/24 dev %s; "
		"ip -n " NETNS_GATEWAY " addr add 10.77.%d.2/24 dev %s; "
		"ip -n " NETNS_SENDER " link set %s up; ip -n " NETNS_GATEWAY " link set %s up; "
		"ip netns exec " NETNS_GATEWAY " ethtool -K %s gro on >/dev/null",
		sender, gateway, net, sender, net, gateway, sender, gateway, gateway);

	if (status)
		bench_die("making a veth pair failed");
}

static void enter(const char *netns)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		bench_die("%s: %s", path, strerror(errno));
	close(fd);
}

/* The peer: recvmmsg with its best settings, on its own core. */
static void run_daemon(struct daemon_page *page)
{
	static uint8_t buffers[MESSAGES][2048];
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	struct mmsghdr messages[MESSAGES] = {0};
	struct iovec vectors[MESSAGES];
	int fd, bytes = SOCKET_BUFFER_BYTES;
	struct timespec cpu;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(CONSUMER_CORE);
	enter(NETNS_GATEWAY);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		bench_die("the daemon's socket: %s", strerror(errno));
	for (int i = 0; i < MESSAGES; i++) {
		vectors[i] = (struct iovec){buffers[i], sizeof(buffers[i])};
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	atomic_store(&page->ready, 1);
	for (;;) {
		int got = recvmmsg(fd, messages, MESSAGES, MSG_WAITFORONE, NULL);

		if (got <= 0)
			_exit(1);
		atomic_store_explicit(&page->received,
				      atomic_load_explicit(&page->received, memory_order_relaxed) +
					      (uint64_t)got,
				      memory_order_release);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
		atomic_store_explicit(&page->cpu_ns,
				      (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec,
				      memory_order_relaxed);
	}
}

static void start_daemon(struct handoff *handoff)
{
	handoff->daemon_page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (handoff->daemon_page == MAP_FAILED)
		bench_die("mmap: %s", strerror(errno));
	handoff->daemon = fork();
	if (handoff->daemon < 0)
		bench_die("fork: %s", strerror(errno));
	if (!handoff->daemon) {
		cleaning = NULL;
		made_namespaces = false;
		run_daemon(handoff->daemon_page);
	}
	for (uint64_t end = bench_now_ns() + 5000000000ull;
	     !atomic_load(&handoff->daemon_page->ready);)
		if (bench_now_ns() > end)
			bench_die("the daemon did not start");
}

/* Process id of the worker, and the workflow's slot. */
static pid_t worker_pid(uint32_t *ret_slot)
{
	FILE *pipe = popen(TEST_BUILD "/ebpf-faas status --json bench-handoff", "r");
	json_t *status = pipe ? json_loadf(pipe, 0, NULL) : NULL;
	pid_t pid = (pid_t)json_integer_value(
		json_object_get(json_object_get(status, "worker"), "pid"));

	*ret_slot = (uint32_t)json_integer_value(json_object_get(status, "slot"));
	json_decref(status);
	if (pipe)
		pclose(pipe);
	return pid;
}

static void load(struct handoff *handoff)
{
	cpu_set_t core;
	int fd;

	if (shell("%s/ebpf-faas load --netns " NETNS_GATEWAY " --funcs %s/tools/benchmarks/funcs "
		  "%s/tools/benchmarks/handoff.yaml >/dev/null",
		  TEST_BUILD, TEST_SOURCE, TEST_SOURCE))
		bench_die("loading tools/benchmarks/handoff.yaml failed");
	handoff->worker = worker_pid(&handoff->slot);
	CPU_ZERO(&core);
	CPU_SET(CONSUMER_CORE, &core);
	if (handoff->worker <= 0 || sched_setaffinity(handoff->worker, sizeof(core), &core))
		bench_die("pinning the worker: %s", strerror(errno));
	fd = open(FAAS_RUN_WORKFLOWS "/bench-handoff/worker.page", O_RDONLY | O_CLOEXEC);
	handoff->page = mmap(NULL, WORKER_PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (handoff->page == MAP_FAILED)
		bench_die("the worker's page: %s", strerror(errno));
	close(fd);
	handoff->meters = bpf_obj_get(FAAS_PIN_WORKFLOWS "/bench-handoff/" FAAS_PIN_METERS);
	handoff->slot_counters = bpf_obj_get(FAAS_PIN_ROOT "/" FAAS_PIN_SLOT_COUNTERS);
	if (handoff->meters < 0 || handoff->slot_counters < 0)
		bench_die("the workflow's counters: %s", strerror(errno));
}

static void make_frame(int net, struct frame *ret)
{
	static const uint8_t from[6] = {2, 0, 0, 0, 0, 1}, to[6] = {2, 0, 0, 0, 0, 2};
	static const uint8_t payload[PAYLOAD_BYTES];
	char source[32], destination[32];

	snprintf(source, sizeof(source), "10.77.%d.1", net);
	snprintf(destination, sizeof(destination), "10.77.%d.2", net);
	frame_build(&(struct frame_spec){.source_mac = from,
					 .destination_mac = to,
					 .source = source,
					 .destination = destination,
					 .destination_port = PORT,
					 .payload = payload,
					 .payload_bytes = PAYLOAD_BYTES},
		    ret);
}

static void prepare(struct handoff *handoff)
{
	if (shell("ip netns add " NETNS_SENDER) || shell("ip netns add " NETNS_GATEWAY))
		bench_die("making network namespaces failed");
	made_namespaces = true;
	make_pair("ef_b0", "ef_b1", 0);
	make_pair("ef_p0", "ef_p1", 1);
	load(handoff);
	start_daemon(handoff);
	handoff->generator_object = bpf_object__open_file(TEST_BUILD "/bench/generate.bpf.o", NULL);
	if (!handoff->generator_object || bpf_object__load(handoff->generator_object))
		bench_die("the generator: %s", strerror(errno));
	handoff->generator = bpf_program__fd(
		bpf_object__find_program_by_name(handoff->generator_object, "generate"));
	handoff->generator_data =
		bpf_object__find_map_fd_by_name(handoff->generator_object, ".bss");
	if (handoff->generator_data < 0)
		bench_die("the generator has no variables");
	enter(NETNS_SENDER);
	handoff->ours_ifindex = if_nametoindex("ef_b0");
	handoff->peer_ifindex = if_nametoindex("ef_p0");
	make_frame(0, &handoff->ours);
	make_frame(1, &handoff->peer);
	bench_pin(GENERATOR_CORE);
}

static void send_frames(const struct handoff *handoff, unsigned int ifindex,
			const struct frame *frame, uint32_t count)
{
	struct xdp_md context = {.data_end = frame->bytes, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data,
		    .data_size_in = frame->bytes, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (int)count,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH_FRAMES);

	if (bpf_prog_test_run_opts(handoff->generator, &options) || interrupted)
		bench_die("live frames: %s", interrupted ? "interrupted" : strerror(errno));
}

static void set_pace(const struct handoff *handoff, uint64_t gap_ns)
{
	uint64_t values[2] = {gap_ns, 0};
	uint32_t zero = 0;

	if (bpf_map_update_elem(handoff->generator_data, &zero, values, BPF_ANY))
		bench_die("pacing the generator: %s", strerror(errno));
}

/* Packets that arrived for the workflow. What the generator offered beyond them
 * was dropped by the veth driver, whose queue holds 256 frames. */
static uint64_t matched(const struct handoff *handoff)
{
	int cpus = libbpf_num_possible_cpus();
	struct faas_slot_counters *each = calloc((size_t)cpus, sizeof(*each));
	uint64_t sum = 0;

	if (!each || bpf_map_lookup_elem(handoff->slot_counters, &handoff->slot, each))
		bench_die("reading slot counters: %s", strerror(errno));
	for (int cpu = 0; cpu < cpus; cpu++)
		sum += each[cpu].matched;
	free(each);
	return sum;
}

static struct faas_meters read_meters(const struct handoff *handoff)
{
	int cpus = libbpf_num_possible_cpus();
	size_t words = sizeof(struct faas_meters) / 8;
	struct faas_meters sum = {0};
	uint64_t *each = calloc((size_t)cpus * words, sizeof(*each));
	uint32_t zero = 0;

	if (!each || bpf_map_lookup_elem(handoff->meters, &zero, each))
		bench_die("reading meters: %s", strerror(errno));
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < words; i++)
			((uint64_t *)&sum)[i] += each[(size_t)cpu * words + i];
	free(each);
	return sum;
}

static uint64_t processed(const struct handoff *handoff)
{
	struct page_counters counters;

	if (worker_page_read(handoff->page, &counters))
		bench_die("the worker's page does not hold still");
	return counters.processed;
}

static uint64_t received(const struct handoff *handoff)
{
	return atomic_load_explicit(&handoff->daemon_page->received, memory_order_acquire);
}

/* Wait until @p count has not moved for a while. Returns when it last moved. */
static uint64_t settle(const struct handoff *handoff, uint64_t (*count)(const struct handoff *))
{
	uint64_t last = count(handoff), moved = bench_now_ns();

	while (bench_now_ns() - moved < SETTLE_NS) {
		uint64_t now = count(handoff);

		if (now != last) {
			last = now;
			moved = bench_now_ns();
		}
	}
	return moved;
}

/* Time on the CPU, by the scheduler. */
static uint64_t worker_cpu_ns(const struct handoff *handoff)
{
	unsigned long long run_ns = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", handoff->worker);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &run_ns) != 1)
		bench_die("%s: the worker is gone", path);
	fclose(file);
	return run_ns;
}

/* One flood at one side. Returns what was delivered a second; the CPU time the
 * consumer took for each goes to @p ret_cpu_ns. */
static double flood_ours(const struct handoff *handoff, double *ret_cpu_ns)
{
	uint64_t before = processed(handoff), cpu = worker_cpu_ns(handoff), start = bench_now_ns();
	uint64_t end, count;

	send_frames(handoff, handoff->ours_ifindex, &handoff->ours, FLOOD_FRAMES);
	end = settle(handoff, processed);
	count = processed(handoff) - before;
	if (!count)
		bench_die("no event reached the worker");
	*ret_cpu_ns = (double)(worker_cpu_ns(handoff) - cpu) / (double)count;
	return (double)count * 1e9 / (double)(end - start);
}

static double flood_peer(const struct handoff *handoff, double *ret_cpu_ns)
{
	uint64_t before = received(handoff), cpu = atomic_load(&handoff->daemon_page->cpu_ns);
	uint64_t start = bench_now_ns(), end, count;

	send_frames(handoff, handoff->peer_ifindex, &handoff->peer, FLOOD_FRAMES);
	end = settle(handoff, received);
	count = received(handoff) - before;
	if (!count)
		bench_die("no datagram reached the daemon");
	*ret_cpu_ns = (double)(atomic_load(&handoff->daemon_page->cpu_ns) - cpu) / (double)count;
	return (double)count * 1e9 / (double)(end - start);
}

/* What became of the packets of one run. */
struct account {
	uint64_t matched, emitted, lost, processed;
};

static struct account take_account(const struct handoff *handoff)
{
	struct faas_meters meters = read_meters(handoff);

	return (struct account){matched(handoff), meters.emitted,
				meters.lost_ring_full + meters.lost_no_route + meters.lost_error,
				processed(handoff)};
}

/* Packets that are neither processed nor counted as lost since @p before. */
static double missing(const struct handoff *handoff, const struct account *before)
{
	struct account after = take_account(handoff);
	int64_t taken = (int64_t)(after.matched - before->matched);

	return (double)(taken - (int64_t)(after.processed - before->processed) -
			(int64_t)(after.lost - before->lost));
}

/* One run at @p rate a second. Returns the events lost; the rate at which
 * packets really arrived goes to @p ret_rate. */
static double paced_ours(const struct handoff *handoff, double rate, double *ret_rate)
{
	struct account before = take_account(handoff), after;
	uint64_t start, end;

	set_pace(handoff, (uint64_t)(1e9 / rate));
	start = bench_now_ns();
	send_frames(handoff, handoff->ours_ifindex, &handoff->ours, PACED_FRAMES);
	end = bench_now_ns();
	settle(handoff, processed);
	set_pace(handoff, 0);
	after = take_account(handoff);
	*ret_rate = (double)(after.matched - before.matched) * 1e9 / (double)(end - start);
	return (double)(after.lost - before.lost);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("handoff", argc, argv);
	struct bench_series ours = {0}, peer = {0}, ours_cpu = {0}, peer_cpu = {0};
	struct bench_series lost = {0}, unaccounted = {0}, none = {0}, offered = {0};
	struct handoff handoff = {0};
	char offered_text[128];
	bool met;

	cleaning = &handoff;
	atexit(clean);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	prepare(&handoff);
	for (unsigned int i = 0; i < bench.rounds; i++) {
		struct account before = take_account(&handoff);
		double cpu;

		bench_add(&ours, flood_ours(&handoff, &cpu));
		bench_add(&ours_cpu, cpu);
		bench_add(&unaccounted, missing(&handoff, &before));
		bench_add(&peer, flood_peer(&handoff, &cpu));
		bench_add(&peer_cpu, cpu);
		bench_add(&none, 0);
	}
	for (unsigned int i = 0; i < bench.rounds; i++) {
		double rate;

		bench_add(&lost, paced_ours(&handoff, 4 * bench_median(&peer), &rate));
		bench_add(&offered, rate);
	}
	met = bench_figure(&bench, "delivered", "ring, worker, keyed state, log; 64 B payload",
			   &ours, "UDP daemon, recvmmsg 64 messages a call, 32 MB buffer", &peer,
			   "events/s", BENCH_AT_LEAST, 4.0);
	snprintf(offered_text, sizeof(offered_text),
		 "events lost when %.2f M/s arrive, %.1f times what the daemon delivers",
		 bench_median(&offered) / 1e6, bench_median(&offered) / bench_median(&peer));
	met &= bench_figure(&bench, "lost_below_overload", offered_text, &lost, "none", &none,
			    "events", BENCH_EXACTLY, 0);
	met &= bench_figure(&bench, "unaccounted_above_overload",
			    "frames of a flood that are neither processed nor counted as lost",
			    &unaccounted, "none", &none, "events", BENCH_EXACTLY, 0);
	bench_figure(&bench, "consumer_cpu", "CPU time of the worker for each event", &ours_cpu,
		     "CPU time of the daemon for each datagram", &peer_cpu, "ns", BENCH_AT_MOST,
		     0.25);
	return met ? 0 : 1;
}
