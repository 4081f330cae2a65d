// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench idle: what 1, 10, 100 and 1,000 loaded workflows cost that have nothing to do
 *
 * Copies of one bundle under other names and ports: two small functions, a queue of the
 * default size. User memory is what their files in tmpfs take, the memory files that the
 * runtime holds of them, and what the courier has more for each. What it has without any of
 * them, which nine more workflows tell, counts with the runtime's memory, as do holder,
 * template and spare: there is one of each, whatever is loaded. Kernel memory is what their BPF
 * maps and programs say of themselves; the system has more of them, such as for control groups.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include <jansson.h>

#include "bench.h"
#include "idle.h"
#include "kit.h"
#include "tier.h"

#define NAME "bench-idle-many-%04u"
#define PORT 20000
#define WATCH_S 10
#define LAST_LOOK_S 2

static const unsigned int sizes[] = {1, 10, 100, 1000};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static char scratch[64];
static unsigned int loaded;

struct reading {
	double user_kb, courier_kb, bpf_kb, runtime_kb, switches;
};

static void clean(void)
{
	while (loaded)
		kit_shell(TEST_BUILD "/ebpf-faas unload --now " NAME " >/dev/null 2>&1", --loaded);
	if (scratch[0])
		kit_shell("rm -rf %s", scratch);
}

/* The number behind "NAME:" in a file of /proc; dies without it. */
static double number(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[256];
	size_t bytes = strlen(name);

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, bytes) && line[bytes] == ':') {
			fclose(file);
			return strtod(line + bytes + 1, NULL);
		}
	bench_die("%s has no %s", path, name);
}

static pid_t find(const char *program)
{
	char command[128];
	FILE *pipe;
	int pid = 0;

	/* Names are cut there. */
	snprintf(command, sizeof(command), "pgrep -xo '%.15s'", program);
	pipe = popen(command, "re");
	if (!pipe || fscanf(pipe, "%d", &pid) != 1)
		bench_die("no process %s", program);
	pclose(pipe);
	return pid;
}

static double own_kb(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	return number(path, "Pss_Anon");
}

static double switches_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return number(path, "voluntary_ctxt_switches") + number(path, "nonvoluntary_ctxt_switches");
}

/* Call @p each with the path of every file below a directory, and add up. */
static double sum(const char *directory, double (*each)(const char *path, int type))
{
	DIR *list = opendir(directory);
	struct dirent *entry;
	double total = 0;

	while (list && (entry = readdir(list))) {
		char path[512];

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		total += each(path, entry->d_type);
	}
	if (list)
		closedir(list);
	return total;
}

static double file_kb(const char *path, int type)
{
	struct stat status;

	if (type == DT_DIR)
		return sum(path, file_kb);
	return type == DT_REG && !stat(path, &status) ? (double)status.st_blocks / 2 : 0;
}

/* A descriptor of another process. */
static double memory_file_kb(const char *path, int type)
{
	char target[256];
	ssize_t bytes = readlink(path, target, sizeof(target) - 1);
	struct stat status;

	(void)type;
	if (bytes < 0 || strncmp(target, "/memfd:", 7) != 0 || stat(path, &status))
		return 0;
	return (double)status.st_blocks / 2;
}

static double pin_kb(const char *path, int type)
{
	char info[64];
	double bytes;
	int fd;

	if (type == DT_DIR)
		return sum(path, pin_kb);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0; /* a link to a directory */
	snprintf(info, sizeof(info), "/proc/self/fdinfo/%d", fd);
	bytes = number(info, "memlock");
	close(fd);
	return bytes / 1024;
}

/* Of those that the runtime has beside it whatever is loaded. */
static double helpers_kb(void)
{
	static const char *const programs[] = {"ebpf-faas-holder", "ebpf-faas-template",
					       "ebpf-faas-spare"};
	double kb = 0;

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		kb += own_kb(find(programs[i]));
	return kb;
}

static struct reading look(void)
{
	pid_t runtime = find("ebpf-faas-runtime"), courier = find("ebpf-faas-courier");
	struct reading reading = {.runtime_kb = own_kb(runtime) + helpers_kb()};
	double before;
	char path[64];

	/* Whoever looked after the last worker looks once more. */
	sleep(LAST_LOOK_S);
	before = switches_of(runtime) + switches_of(courier);
	sleep(WATCH_S);
	reading.switches = switches_of(runtime) + switches_of(courier) - before;
	snprintf(path, sizeof(path), "/proc/%d/fd", runtime);
	reading.user_kb = sum(FAAS_RUN_WORKFLOWS, file_kb) + sum(path, memory_file_kb);
	reading.courier_kb = own_kb(courier);
	reading.bpf_kb = sum(FAAS_PIN_GENERATIONS, pin_kb);
	return reading;
}

static void rename_bundle(const char *directory, unsigned int index)
{
	char path[128], name[64];
	json_t *manifest, *match;

	snprintf(path, sizeof(path), "%s/manifest.json", directory);
	snprintf(name, sizeof(name), NAME, index);
	manifest = json_load_file(path, 0, NULL);
	match = json_object_get(json_array_get(json_object_get(manifest, "triggers"), 0), "match");
	if (!match || json_object_set_new(manifest, "workflow", json_string(name)) ||
	    json_object_set_new(match, "destination_ports",
				json_pack("[[i, i]]", PORT + (int)index, PORT + (int)index)) ||
	    json_dump_file(manifest, path, 0))
		bench_die("%s is not as expected", path);
	json_decref(manifest);
}

static void load_up_to(const char *bundle, unsigned int count)
{
	char name[64];

	while (loaded < count) {
		kit_look_for_signal();
		rename_bundle(bundle, loaded);
		if (kit_shell(TEST_BUILD "/ebpf-faas load --netns " TIER_GATEWAY " %s >/dev/null",
			      bundle))
			bench_die("loading workflow %u failed", loaded);
		loaded++;
	}
	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), NAME, i);
		idle_wait(idle_page(name));
	}
}

/* What the courier has whatever is loaded. */
static double courier_base_kb(const struct reading readings[SIZES])
{
	double each = (readings[1].courier_kb - readings[0].courier_kb) / (sizes[1] - sizes[0]);

	return readings[0].courier_kb - each * sizes[0];
}

static bool print(const struct bench *bench, unsigned int count, const struct reading *now,
		  double courier_kb)
{
	struct bench_series user = {0}, kernel = {0}, wakeups = {0}, runtime = {0};
	char figure[64], text[128];
	bool met;

	bench_add(&user, (now->user_kb + now->courier_kb - courier_kb) / count);
	bench_add(&kernel, now->bpf_kb / count);
	bench_add(&wakeups, now->switches / WATCH_S / count);
	bench_add(&runtime, now->runtime_kb + courier_kb);
	snprintf(figure, sizeof(figure), "user_%u", count);
	snprintf(text, sizeof(text), "user memory of each of %u idle workflows", count);
	met = bench_limit(bench, figure, text, &user, NULL, NULL, "KB", BENCH_AT_MOST, 32);
	snprintf(figure, sizeof(figure), "kernel_%u", count);
	snprintf(text, sizeof(text), "kernel memory of each, by maps and programs");
	met &= bench_limit(bench, figure, text, &kernel, NULL, NULL, "KB", BENCH_AT_MOST, 128);
	snprintf(figure, sizeof(figure), "wakeups_%u", count);
	snprintf(text, sizeof(text), "wakeups a second of runtime and courier, for each");
	met &= bench_limit(bench, figure, text, &wakeups, NULL, NULL, "/s", BENCH_AT_MOST, 0);
	snprintf(figure, sizeof(figure), "runtime_%u", count);
	snprintf(text, sizeof(text),
		 "memory of the runtime and those beside it (%.0f KB the courier), with %u",
		 courier_kb, count);
	met &= bench_limit(bench, figure, text, &runtime, NULL, NULL, "KB", BENCH_AT_MOST,
			   8192 + 2.0 * count);
	return met;
}

int main(int argc, char **argv)
{
	struct bench bench = bench_options("idle", argc, argv);
	struct reading readings[SIZES];
	char bundle[96];
	bool met = true;

	tier_make_network();
	kit_clean_with(clean);
	snprintf(scratch, sizeof(scratch), "%s/idle-%d", bench_directory(), (int)getpid());
	snprintf(bundle, sizeof(bundle), "%s/bundle", scratch);
	if (kit_shell("mkdir %s && " TEST_BUILD "/ebpf-faas build --funcs " TEST_SOURCE
		      "/tools/benchmarks/funcs --output %s " TEST_SOURCE
		      "/tools/benchmarks/idle.yaml >/dev/null",
		      scratch, bundle))
		bench_die("building tools/benchmarks/idle.yaml failed");
	for (size_t i = 0; i < SIZES; i++) {
		load_up_to(bundle, sizes[i]);
		readings[i] = look();
	}
	for (size_t i = 0; i < SIZES; i++)
		met &= print(&bench, sizes[i], &readings[i], courier_base_kb(readings));
	return met ? 0 : 1;
}
