// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench load: how long the command takes to load a bundle, to build one from source, and
 * to load one workflow more when hundreds are loaded.
 *
 * Times are those of the whole command, from fork to end, as a person waits for it. The
 * workflows of the last part are copies of one bundle under other names and ports.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <jansson.h>
#include <linux/if_link.h>

#include "bench.h"
#include "kit.h"

#define NETNS "ef_bload"
#define NAME "bench-load-many-%04u"
#define WORKFLOWS 1000
#define COMPARED 50 /* of the first and of the last ones */
#define PORT 5005

static char scratch[64];
static bool made_namespace;
static unsigned int loaded; /* workflows, by number from 0 on */

/* Run the command without a shell; its time in ms. */
static double run(char *const arguments[])
{
	uint64_t begin = bench_now_ns();
	pid_t pid = fork();
	int status = 1;

	if (!pid) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (null >= 0)
			dup2(null, STDOUT_FILENO);
		execv(arguments[0], arguments);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		bench_die("%s %s failed", arguments[0], arguments[1]);
	return (double)(bench_now_ns() - begin) / 1e6;
}

static double load(const char *bundle)
{
	char *arguments[] = {(char *)TEST_BUILD "/ebpf-faas",
			     (char *)"load",
			     (char *)"--netns",
			     (char *)NETNS,
			     (char *)bundle,
			     NULL};

	return run(arguments);
}

static double unload(unsigned int number)
{
	char name[64];
	char *arguments[] = {(char *)TEST_BUILD "/ebpf-faas", (char *)"unload", (char *)"--now",
			     name, NULL};

	snprintf(name, sizeof(name), NAME, number);
	return run(arguments);
}

static void clean(void)
{
	while (loaded)
		unload(--loaded);
	if (made_namespace)
		kit_shell("ip netns del " NETNS);
	if (scratch[0])
		kit_shell("rm -rf %s", scratch);
}

static double build(const char *bundle)
{
	char *arguments[] = {(char *)TEST_BUILD "/ebpf-faas",
			     (char *)"build",
			     (char *)"--funcs",
			     (char *)TEST_SOURCE "/tools/benchmarks/funcs",
			     (char *)"--output",
			     (char *)bundle,
			     (char *)TEST_SOURCE "/tools/benchmarks/load.yaml",
			     NULL};

	kit_shell("rm -rf %s", bundle);
	return run(arguments);
}

/* Give the bundle in @p directory another name and port. */
static void rename_bundle(const char *directory, unsigned int number)
{
	char path[128], name[64];
	json_t *manifest, *match;

	snprintf(path, sizeof(path), "%s/manifest.json", directory);
	snprintf(name, sizeof(name), NAME, number);
	manifest = json_load_file(path, 0, NULL);
	match = json_object_get(json_array_get(json_object_get(manifest, "triggers"), 0), "match");
	if (!match || json_object_set_new(manifest, "workflow", json_string(name)) ||
	    json_object_set_new(match, "destination_ports",
				json_pack("[[i, i]]", PORT + (int)number, PORT + (int)number)) ||
	    json_dump_file(manifest, path, 0))
		bench_die("%s is not as expected", path);
	json_decref(manifest);
}

/* What the kernel takes to attach a program that only drops to an interface that has none: as
 * long as its packets take to have seen the change. In ms. */
static double attach_bare(int program)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), link;
	uint64_t begin, end;

	kit_enter_netns(NETNS);
	begin = bench_now_ns();
	link = bpf_link_create(program, (int)if_nametoindex("ef_l0"), BPF_XDP, &options);
	end = bench_now_ns();
	if (link < 0 || setns(own, CLONE_NEWNET))
		bench_die("attaching a bare program: %s", strerror(errno));
	close(link);
	close(own);
	return (double)(end - begin) / 1e6;
}

static void load_many(const char *bundle, struct bench_series *first, struct bench_series *last)
{
	while (loaded < WORKFLOWS) {
		double time;

		kit_look_for_signal();
		rename_bundle(bundle, loaded);
		time = load(bundle);
		if (loaded < COMPARED)
			bench_add(first, time);
		if (loaded >= WORKFLOWS - COMPARED)
			bench_add(last, time);
		loaded++;
	}
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("load", argc, argv);
	struct bench_series builds = {0}, loads = {0}, firsts = {0}, first = {0}, last = {0};
	struct bench_series bare = {0};
	struct bpf_object *programs;
	char bundle[96];
	bool met;

	kit_clean_with(clean);
	snprintf(scratch, sizeof(scratch), "%s/load-%d", bench_directory(), (int)getpid());
	snprintf(bundle, sizeof(bundle), "%s/bundle", scratch);
	if (kit_shell("mkdir %s && ip netns add " NETNS, scratch))
		bench_die("making a network namespace failed");
	made_namespace = true;
	if (kit_shell("ip -n " NETNS " link add ef_l0 type veth peer name ef_l1 && ip -n " NETNS
		      " link set ef_l0 up && ip -n " NETNS " link set ef_l1 up"))
		bench_die("making a veth pair failed");
	programs = kit_load_object(TEST_BUILD "/bench/veth.bpf.o");
	for (unsigned int i = 0; i < bench.rounds; i++) {
		kit_look_for_signal();
		bench_add(&builds, build(bundle));
		bench_add(&bare, attach_bare(kit_program_fd(programs, "bare_drop")));
		bench_add(&firsts, load(bundle));
		rename_bundle(bundle, 1);
		bench_add(&loads, load(bundle));
		unload(1);
		unload(0);
	}
	load_many(bundle, &first, &last);
	met = bench_limit(&bench, "bundle", "a bundle of 8 functions, beside another workflow",
			  &loads, NULL, NULL, "ms", BENCH_AT_MOST, 20);
	met &= bench_limit(&bench, "bundle_first",
			   "the first of a host and an interface: with maps and root program",
			   &firsts, "of which the kernel takes to attach, as for a bare program",
			   &bare, "ms", BENCH_AT_MOST, 20);
	met &= bench_limit(&bench, "build", "8 functions from source to a verified bundle", &builds,
			   NULL, NULL, "ms", BENCH_AT_MOST, 600);
	met &= bench_figure(&bench, "many", "one more, with 950 to 999 loaded", &last,
			    "one more, with 0 to 49 loaded", &first, "ms", BENCH_AT_MOST, 2);
	return met ? 0 : 1;
}
