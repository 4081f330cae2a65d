// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench veth: packets a second through one veth: a workflow of eight functions
 * that drops against a bare XDP_DROP, and echo against a bare XDP_TX.
 *
 * The generator sends frames by BPF_PROG_TEST_RUN in live-frame mode from core 0.
 * On one core, as a veth works by itself, the receiving program runs there as well,
 * between the generator's batches; its rate is by the CPU time of both together. On
 * two, the receiving interface has a NAPI thread of its own on core 1, which is the
 * bound: it is offered more than it takes, the driver's queue drops the rest, and
 * its rate is by the thread's CPU time. That shows the cost of a packet without the
 * sender's share. A program that reads the headers and drops stands beside.
 *
 * All sides are the same interface: its link is updated from the root program to a
 * bare one and back. The driver counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <ebpf_faas/pins.h>

#include "bench.h"
#include "frame.h"
#include "kit.h"

#define NETNS_SENDER "ef_vsend"
#define NETNS_GATEWAY "ef_vgate"
#define PORT_DROP 5005
#define PORT_ECHO 5006
#define PORT_SENDER 5007
#define PAYLOAD_BYTES 64
/* A run takes tens of milliseconds to begin: long enough that they do not count. */
#define FRAMES 5000000u
#define BATCH_FRAMES 64
#define GENERATOR_CORE 0
#define RECEIVER_CORE 1
#define STATISTICS_MAX 256

struct veth {
	struct bpf_object *object;
	int generator, root, bare_drop, reading_drop, bare_tx; /* programs */
	int link;					       /* of the root program, pinned */
	unsigned int ifindex;				       /* that frames are sent out of */
	int gateway_socket, sender_socket;		       /* for ethtool, in each namespace */
	pid_t receiver; /* NAPI thread of ef_v1; 0: it has none */
	struct frame drop, echo;
};

static bool made_namespaces;

static void clean(void)
{
	if (!made_namespaces)
		return;
	kit_shell("%s/ebpf-faas unload --now bench-drop >/dev/null 2>&1", TEST_BUILD);
	kit_shell("%s/ebpf-faas unload --now bench-echo >/dev/null 2>&1", TEST_BUILD);
	kit_shell("ip netns del " NETNS_SENDER "; ip netns del " NETNS_GATEWAY);
}

static void set_threaded(bool threaded)
{
	if (kit_shell("ip netns exec " NETNS_GATEWAY
		      " sh -c 'echo %d >/sys/class/net/ef_v1/threaded'",
		      threaded))
		bench_die("ef_v1 has no choice of NAPI threads");
}

/* A NAPI thread for the interface, on a core of its own. Such threads are called
 * napi/INTERFACE-ID. */
static pid_t thread_receiver(void)
{
	FILE *pipe;
	cpu_set_t core;
	int pid = 0;

	set_threaded(true);
	pipe = popen("pgrep '^napi/ef_v1-'", "r");
	if (!pipe || fscanf(pipe, "%d", &pid) != 1)
		bench_die("ef_v1 has no NAPI thread");
	pclose(pipe);
	CPU_ZERO(&core);
	CPU_SET(RECEIVER_CORE, &core);
	if (sched_setaffinity(pid, sizeof(core), &core))
		bench_die("the NAPI thread cannot be put on core %d: %s", RECEIVER_CORE,
			  strerror(errno));
	return pid;
}

static void load(const char *workflow)
{
	if (kit_shell("%s/ebpf-faas load --netns " NETNS_GATEWAY
		      " --funcs %s/tools/benchmarks/funcs "
		      "%s/tools/benchmarks/veth_%s.yaml >/dev/null",
		      TEST_BUILD, TEST_SOURCE, TEST_SOURCE, workflow))
		bench_die("loading tools/benchmarks/veth_%s.yaml failed", workflow);
}

/* What is pinned of the root program of ef_v1, in the namespace we are in. */
static int open_pin(const char *name)
{
	char path[256];
	struct stat netns;
	int fd;

	if (stat("/proc/self/ns/net", &netns))
		bench_die("/proc/self/ns/net: %s", strerror(errno));
	snprintf(path, sizeof(path), FAAS_PIN_ROOT "/%llu/%u/xdp/%s",
		 (unsigned long long)netns.st_ino, if_nametoindex("ef_v1"), name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		bench_die("%s: %s", path, strerror(errno));
	return fd;
}

static void make_frame(uint16_t port, struct frame *ret)
{
	static const uint8_t from[6] = {2, 0, 0, 0, 0, 1}, to[6] = {2, 0, 0, 0, 0, 2};
	static const uint8_t payload[PAYLOAD_BYTES];

	frame_build(&(struct frame_spec){.source_mac = from,
					 .destination_mac = to,
					 .source = "10.77.0.1",
					 .destination = "10.77.0.2",
					 /* A frame goes out as it came back the time before, ports
					  * exchanged: the workflow answers both. */
					 .source_port = PORT_SENDER,
					 .destination_port = port,
					 .payload = payload,
					 .payload_bytes = PAYLOAD_BYTES},
		    ret);
}

static void prepare(struct veth *veth)
{
	struct bpf_object *generator;

	if (kit_shell("ip netns add " NETNS_SENDER) || kit_shell("ip netns add " NETNS_GATEWAY))
		bench_die("making network namespaces failed");
	made_namespaces = true;
	if (kit_shell("set -e; ip link add ef_v0 netns " NETNS_SENDER " address 02:00:00:00:00:01 "
		      "numrxqueues 1 numtxqueues 1 type veth peer name ef_v1 netns " NETNS_GATEWAY
		      " address 02:00:00:00:00:02 numrxqueues 1 numtxqueues 1; "
		      "ip -n " NETNS_SENDER " link set ef_v0 up; ip -n " NETNS_GATEWAY
		      " link set ef_v1 up"))
		bench_die("making a veth pair failed");
	load("drop");
	load("echo");
	veth->object = kit_load_object(TEST_BUILD "/bench/veth.bpf.o");
	veth->bare_drop = kit_program_fd(veth->object, "bare_drop");
	veth->reading_drop = kit_program_fd(veth->object, "reading_drop");
	veth->bare_tx = kit_program_fd(veth->object, "bare_tx");
	generator = kit_load_object(TEST_BUILD "/bench/generate.bpf.o");
	veth->generator = kit_program_fd(generator, "generate");
	kit_enter_netns(NETNS_GATEWAY);
	veth->root = open_pin(FAAS_PIN_ROOT_PROGRAM);
	veth->link = open_pin(FAAS_PIN_LINK);
	veth->gateway_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	kit_enter_netns(NETNS_SENDER);
	veth->sender_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	veth->ifindex = if_nametoindex("ef_v0");
	/* Replies end here; with a program there the driver queues them as it does the
	 * questions. */
	if (bpf_xdp_attach((int)veth->ifindex, veth->bare_drop, XDP_FLAGS_DRV_MODE, NULL))
		bench_die("the end of the replies' way: %s", strerror(errno));
	make_frame(PORT_DROP, &veth->drop);
	make_frame(PORT_ECHO, &veth->echo);
	bench_pin(GENERATOR_CORE);
}

/* One of the driver's counters (ethtool -S). */
static uint64_t statistic(int socket, const char *interface, const char *name)
{
	struct {
		struct ethtool_gstrings head;
		char names[STATISTICS_MAX][ETH_GSTRING_LEN];
	} strings = {.head = {.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS}};
	struct {
		struct ethtool_stats head;
		uint64_t values[STATISTICS_MAX];
	} values = {.head = {.cmd = ETHTOOL_GSTATS}};
	struct {
		struct ethtool_sset_info head;
		uint32_t count;
	} set = {.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_STATS}};
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	request.ifr_data = (char *)&set;
	if (ioctl(socket, SIOCETHTOOL, &request) || set.count > STATISTICS_MAX)
		bench_die("counters of %s: %s", interface, strerror(errno));
	strings.head.len = values.head.n_stats = set.count;
	request.ifr_data = (char *)&strings;
	if (ioctl(socket, SIOCETHTOOL, &request))
		bench_die("counters of %s: %s", interface, strerror(errno));
	request.ifr_data = (char *)&values;
	if (ioctl(socket, SIOCETHTOOL, &request))
		bench_die("counters of %s: %s", interface, strerror(errno));
	for (uint32_t i = 0; i < set.count; i++)
		if (!strcmp(strings.names[i], name))
			return values.values[i];
	bench_die("%s has no counter %s", interface, name);
}

/* Time that the packets took so far: of the receiver's thread, or where it has none,
 * of this one, in which the receiving side runs as well. */
static uint64_t cpu_ns(const struct veth *veth)
{
	return veth->receiver ? kit_cpu_ns(veth->receiver) : kit_thread_cpu_ns();
}

/* One flood against a program on the receiving interface. Returns packets that it
 * took, or with @p replies that came back, for each second of CPU time. */
static double flood(const struct veth *veth, int receiver, const struct frame *frame, bool replies)
{
	uint64_t taken, again, cpu;

	if (bpf_link_update(veth->link, receiver, NULL))
		bench_die("putting a program on ef_v1: %s", strerror(errno));
	taken = statistic(veth->gateway_socket, "ef_v1", "rx_queue_0_xdp_packets");
	again = statistic(veth->sender_socket, "ef_v0", "rx_queue_0_xdp_packets");
	cpu = cpu_ns(veth);
	kit_send_live(veth->generator, veth->ifindex, frame, FRAMES, BATCH_FRAMES);
	cpu = cpu_ns(veth) - cpu;
	taken = statistic(veth->gateway_socket, "ef_v1", "rx_queue_0_xdp_packets") - taken;
	again = statistic(veth->sender_socket, "ef_v0", "rx_queue_0_xdp_packets") - again;
	if (!taken || !cpu || (replies && !again))
		bench_die("no packet was taken or none came back");
	return (double)(replies ? again : taken) * 1e9 / (double)cpu;
}

/* Where the two ends of the veth run. */
struct cores {
	const char *drop, *echo; /* figures */
	const char *words;
	enum bench_goal kind;
};

static const struct cores one_core = {"drop", "echo", "sender and receiver on one core",
				      BENCH_AT_LEAST};
static const struct cores two_cores = {"drop_two_cores", "echo_two_cores",
				       "the receiving core alone", BENCH_INFORMATION};

/* All sides, in turns, and their figures. */
static bool measure(const struct bench *bench, const struct veth *veth, const struct cores *cores)
{
	struct bench_series drop = {0}, bare_drop = {0}, reading = {0}, echo = {0}, bare_tx = {0};
	char text[128];
	bool met;

	for (unsigned int i = 0; i < bench->rounds; i++) {
		bench_add(&drop, flood(veth, veth->root, &veth->drop, false));
		bench_add(&bare_drop, flood(veth, veth->bare_drop, &veth->drop, false));
		bench_add(&reading, flood(veth, veth->reading_drop, &veth->drop, false));
		bench_add(&echo, flood(veth, veth->root, &veth->echo, true));
		bench_add(&bare_tx, flood(veth, veth->bare_tx, &veth->echo, true));
	}
	snprintf(text, sizeof(text), "root program and a workflow of 8 functions that drops; %s",
		 cores->words);
	met = bench_figure(bench, cores->drop, text, &drop, "bare XDP_DROP", &bare_drop,
			   "packets/s", cores->kind, 0.90);
	bench_beside(bench, "XDP_DROP after reading the headers", &reading);
	snprintf(text, sizeof(text), "root program and echo, replies that came back; %s",
		 cores->words);
	return met & bench_figure(bench, cores->echo, text, &echo, "bare XDP_TX", &bare_tx,
				  "packets/s", cores->kind, 0.90);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("veth", argc, argv);
	struct veth veth = {0};
	bool met;

	kit_quiet_libbpf();
	kit_clean_with(clean);
	prepare(&veth);
	met = measure(&bench, &veth, &one_core);
	veth.receiver = thread_receiver();
	met &= measure(&bench, &veth, &two_cores);
	return met ? 0 : 1;
}
