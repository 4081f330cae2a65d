// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "tier.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <jansson.h>
#include <linux/bpf.h>

#include "bench.h"
#include "counters.h"
#include "kit.h"

#define SETTLE_NS 300000000ull
#define COMMAND_BYTES 2048

/* What there is to clean up. */
static bool made_network;
static char loaded[TIER_WORKFLOWS_MAX][FAAS_NAME_BYTES];
static unsigned int loaded_count;
static pid_t owned;

static void clean(void)
{
	if (owned > 0) {
		kill(owned, SIGKILL);
		waitpid(owned, NULL, 0);
	}
	for (unsigned int i = 0; i < loaded_count; i++)
		kit_shell("%s/ebpf-faas unload --now --purge %s >/dev/null 2>&1", TEST_BUILD,
			  loaded[i]);
	if (made_network)
		kit_shell("ip netns del " TIER_SENDER "; ip netns del " TIER_GATEWAY);
}

void tier_own_process(pid_t pid)
{
	owned = pid;
}

void tier_disown(void)
{
	owned = 0;
	loaded_count = 0;
	made_network = false;
}

static void make_pair(const char *sender, const char *gateway, int net)
{
	int status = kit_shell(
		"set -e; ip link add %s netns " TIER_SENDER " address 02:00:00:00:00:01 type veth "
		"peer name %s netns " TIER_GATEWAY " address 02:00:00:00:00:02; "
		"ip -n " TIER_SENDER " addr add 10.77.%d.1/24 dev %s; "
		"ip -n " TIER_GATEWAY " addr add 10.77.%d.2/24 dev %s; "
		"ip -n " TIER_SENDER " link set %s up; ip -n " TIER_GATEWAY " link set %s up; "
		"ip netns exec " TIER_GATEWAY " ethtool -K %s gro on >/dev/null",
		sender, gateway, net, sender, net, gateway, sender, gateway, gateway);

	if (status)
		bench_die("making a veth pair failed");
}

void tier_enter_gateway(void)
{
	kit_enter_netns(TIER_GATEWAY);
}

void tier_make_network(void)
{
	kit_clean_with(clean);
	if (kit_shell("ip netns add " TIER_SENDER) || kit_shell("ip netns add " TIER_GATEWAY))
		bench_die("making network namespaces failed");
	made_network = true;
	make_pair("ef_b0", "ef_b1", 0);
	make_pair("ef_p0", "ef_p1", 1);
}

/* Process id of the worker, and the workflow's slot. */
static pid_t worker_pid(const char *name, uint32_t *ret_slot)
{
	char command[COMMAND_BYTES];
	json_t *status;
	FILE *pipe;
	pid_t pid;

	snprintf(command, sizeof(command), TEST_BUILD "/ebpf-faas status --json %s", name);
	pipe = popen(command, "re");
	status = pipe ? json_loadf(pipe, 0, NULL) : NULL;
	pid = (pid_t)json_integer_value(json_object_get(json_object_get(status, "worker"), "pid"));
	*ret_slot = (uint32_t)json_integer_value(json_object_get(status, "slot"));
	json_decref(status);
	if (pipe)
		pclose(pipe);
	return pid;
}

static void find_worker(struct tier_workflow *workflow)
{
	cpu_set_t core;
	char path[128];
	int fd;

	CPU_ZERO(&core);
	CPU_SET(TIER_CONSUMER_CORE, &core);
	if (sched_setaffinity(workflow->worker, sizeof(core), &core))
		bench_die("pinning the worker: %s", strerror(errno));
	snprintf(path, sizeof(path), FAAS_RUN_WORKFLOWS "/%s/worker.page", workflow->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	workflow->page = mmap(NULL, WORKER_PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (workflow->page == MAP_FAILED)
		bench_die("%s: %s", path, strerror(errno));
	close(fd);
}

void tier_load(const char *yaml, const char *name, const char *const sets[],
	       struct tier_workflow *ret)
{
	char options[COMMAND_BYTES / 2] = "";
	char path[128];
	size_t used = 0;

	for (size_t i = 0; sets && sets[i] && used < sizeof(options); i++)
		used += (size_t)snprintf(options + used, sizeof(options) - used, " --set '%s'",
					 sets[i]);
	*ret = (struct tier_workflow){.meters = -1};
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	if (loaded_count == TIER_WORKFLOWS_MAX)
		bench_die("too many workflows");
	snprintf(loaded[loaded_count++], FAAS_NAME_BYTES, "%s", name);
	if (kit_shell("%s/ebpf-faas load --netns " TIER_GATEWAY
		      " --funcs %s/tools/benchmarks/funcs "
		      "--set workers.instances.min=1 --set workflow=%s%s "
		      "%s/tools/benchmarks/%s.yaml >/dev/null",
		      TEST_BUILD, TEST_SOURCE, name, options, TEST_SOURCE, yaml))
		bench_die("loading tools/benchmarks/%s.yaml failed", yaml);
	ret->worker = worker_pid(name, &ret->slot);
	if (ret->worker > 0)
		find_worker(ret);
	snprintf(path, sizeof(path), FAAS_PIN_WORKFLOWS "/%s/" FAAS_PIN_METERS, name);
	ret->meters = bpf_obj_get(path);
	if (ret->meters < 0)
		bench_die("%s: %s", path, strerror(errno));
}

void tier_unload(struct tier_workflow *workflow)
{
	unsigned int i = 0;

	while (i < loaded_count && strcmp(loaded[i], workflow->name))
		i++;
	if (i == loaded_count || kit_shell("%s/ebpf-faas unload --now --purge %s >/dev/null 2>&1",
					   TEST_BUILD, workflow->name))
		bench_die("unloading %s failed", workflow->name);
	memmove(loaded[i], loaded[i + 1], (loaded_count - i - 1) * sizeof(loaded[0]));
	loaded_count--;
	if (workflow->page)
		munmap((void *)workflow->page, WORKER_PAGE_BYTES);
	close(workflow->meters);
	*workflow = (struct tier_workflow){.meters = -1};
}

void tier_make_generator(struct tier_network *ret)
{
	struct bpf_object *object = kit_load_object(TEST_BUILD "/bench/generate.bpf.o");

	ret->generator = kit_program_fd(object, "generate");
	ret->generator_data = bpf_object__find_map_fd_by_name(object, ".bss");
	if (ret->generator_data < 0)
		bench_die("the generator has no variables");
	ret->slot_counters = bpf_obj_get(FAAS_PIN_ROOT "/" FAAS_PIN_SLOT_COUNTERS);
	if (ret->slot_counters < 0)
		bench_die("the root's counters: %s", strerror(errno));
	kit_enter_netns(TIER_SENDER);
	ret->ours_ifindex = if_nametoindex("ef_b0");
	ret->peer_ifindex = if_nametoindex("ef_p0");
	bench_pin(TIER_GENERATOR_CORE);
}

void tier_frame(bool peer, uint16_t port, struct frame *ret)
{
	static const uint8_t payload[TIER_PAYLOAD_BYTES];

	tier_frame_with(peer, port, payload, sizeof(payload), ret);
}

void tier_frame_with(bool peer, uint16_t port, const void *payload, uint32_t bytes,
		     struct frame *ret)
{
	static const uint8_t from[6] = {2, 0, 0, 0, 0, 1}, to[6] = {2, 0, 0, 0, 0, 2};

	frame_build(&(struct frame_spec){.source_mac = from,
					 .destination_mac = to,
					 .source = peer ? "10.77.1.1" : "10.77.0.1",
					 .destination = peer ? "10.77.1.2" : "10.77.0.2",
					 .destination_port = port,
					 .payload = payload,
					 .payload_bytes = bytes},
		    ret);
}

void tier_send(const struct tier_network *network, bool peer, const struct frame *frame,
	       uint32_t count, uint32_t batch)
{
	kit_send_live(network->generator, peer ? network->peer_ifindex : network->ours_ifindex,
		      frame, count, batch);
}

void tier_set_pace(const struct tier_network *network, const struct tier_pace *pace)
{
	struct {
		struct tier_pace pace;
		uint64_t due_ns, sent;
	} values = {.pace = *pace};
	uint32_t zero = 0;

	if (bpf_map_update_elem(network->generator_data, &zero, &values, BPF_ANY))
		bench_die("pacing the generator: %s", strerror(errno));
}

uint64_t tier_matched(const struct tier_network *network, const struct tier_workflow *workflow)
{
	struct faas_slot_counters counters;
	int error = counters_slot(network->slot_counters, workflow->slot, &counters);

	if (error)
		bench_die("reading slot counters: %s", strerror(-error));
	return counters.matched;
}

struct faas_meters tier_meters(const struct tier_workflow *workflow)
{
	struct faas_meters sum;
	int error = counters_meters(workflow->meters, &sum, sizeof(sum));

	if (error)
		bench_die("reading meters: %s", strerror(-error));
	return sum;
}

struct page_counters tier_counters(const struct tier_workflow *workflow)
{
	struct page_counters counters;

	if (worker_page_read(workflow->page, &counters))
		bench_die("the worker's page does not hold still");
	return counters;
}

uint64_t tier_settle(uint64_t (*count)(const void *), const void *context)
{
	uint64_t last = count(context), moved = bench_now_ns();

	while (bench_now_ns() - moved < SETTLE_NS) {
		uint64_t now = count(context);

		if (now != last) {
			last = now;
			moved = bench_now_ns();
		}
	}
	return moved;
}
