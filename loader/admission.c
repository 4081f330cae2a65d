// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "admission.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include <ebpf_faas/pins.h>

#include "bundle_compare.h"
#include "bundle_size.h"
#include "counters.h"
#include "kernel_object.h"
#include "pages.h"
#include "phrase.h"
#include "takeover.h"

#define CGROUPS "/sys/fs/cgroup"
#define MIB (1024.0 * 1024.0)
#define CGROUP_LIMIT_MAX (1ull << 62) /* cgroup v1 writes no limit as one near 2^63 */

/* ---- what a workflow takes ---- */

/* What the kernel adds to an entry of a hash map, and to a bucket. */
#define HASH_ENTRY_HEAD 48
#define HASH_BUCKET_BYTES 16
#define TRIE_NODE_HEAD 48

static uint64_t pad(uint64_t bytes)
{
	return (bytes + 7) / 8 * 8;
}

static uint64_t buckets(uint64_t entries)
{
	uint64_t count = 1;

	while (count < entries)
		count *= 2;
	return count;
}

/* The kinds of map that kernel functions may have, and those of the driver. */
static uint64_t map_bytes(const struct bpf_map *map)
{
	uint64_t entries = bpf_map__max_entries(map), cpus = counters_cpus();
	uint64_t key = pad(bpf_map__key_size(map)), value = pad(bpf_map__value_size(map));

	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_RINGBUF:
		return 0; /* counted as the ring, with the size that it will have */
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return entries * (8 + value * cpus);
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
		return entries * (HASH_ENTRY_HEAD + key + value) +
		       buckets(entries) * HASH_BUCKET_BYTES;
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return entries * (HASH_ENTRY_HEAD + key + 8 + value * cpus) +
		       buckets(entries) * HASH_BUCKET_BYTES;
	case BPF_MAP_TYPE_LPM_TRIE:
		/* A node in between for each entry but one, at worst. */
		return entries * 2 * (TRIE_NODE_HEAD + key + value);
	case BPF_MAP_TYPE_BLOOM_FILTER:
		return buckets(entries * 7) / 4; /* five hashes: 7 bits an entry, and double */
	default:
		return entries * (value ? value : 8);
	}
}

void admission_count(const struct bundle *bundle, struct bpf_object *object, bool disk_made,
		     struct admission_need *ret)
{
	struct bpf_map *map;

	memset(ret, 0, sizeof(*ret));
	bpf_object__for_each_map(map, object) ret->maps += map_bytes(map);
	if (!bundle_needs_runtime(bundle))
		return;
	ret->ring = bundle_ring_bytes(bundle->queue_events);
	for (uint32_t i = 0; i < bundle->user_count; i++)
		ret->tables += state_file_bytes(bundle, i);
	ret->log = log_file_bytes(FAAS_LOG_SEGMENTS, FAAS_LOG_SEGMENT_BYTES) + WORKER_PAGE_BYTES +
		   COURIER_PAGE_BYTES + RUNTIME_PAGE_BYTES;
	ret->worker = ADMISSION_WORKER_BYTES;
	if (!disk_made)
		ret->disk = bundle_disk_bytes(bundle);
}

/* ---- what a machine has ---- */

/* The number behind "NAME:" of /proc/meminfo, in bytes; 0: it is not there. */
static uint64_t meminfo(const char *name)
{
	FILE *stream = fopen("/proc/meminfo", "re");
	uint64_t kib, found = 0;
	char line[128], label[64];

	while (stream && !found && fgets(line, sizeof(line), stream))
		if (sscanf(line, "%63[^:]: %" SCNu64, label, &kib) == 2 && !strcmp(label, name))
			found = kib * 1024;
	if (stream)
		fclose(stream);
	return found;
}

/* The number in a file of a cgroup; unlimited: there is none, or it says "max". */
static uint64_t cgroup_number(const char *cgroup, const char *name)
{
	char path[FAAS_PATH_BYTES];
	uint64_t number = ADMISSION_UNLIMITED;
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s", cgroup, name);
	stream = fopen(path, "re");
	if (stream && fscanf(stream, "%" SCNu64, &number) != 1)
		number = ADMISSION_UNLIMITED;
	if (stream)
		fclose(stream);
	return number;
}

/* What is left below the limits of a cgroup and of all above it. */
static uint64_t cgroup_left(const char *mount, const char *cgroup, const char *limit,
			    const char *used)
{
	uint64_t left = ADMISSION_UNLIMITED;
	char path[FAAS_PATH_BYTES];
	size_t root = strlen(mount);

	if (snprintf(path, sizeof(path), "%s%s", mount, cgroup) >= (int)sizeof(path))
		return left;
	for (;;) {
		uint64_t most = cgroup_number(path, limit), now = cgroup_number(path, used);
		char *slash;

		if (most < CGROUP_LIMIT_MAX && now != ADMISSION_UNLIMITED &&
		    (most > now ? most - now : 0) < left)
			left = most > now ? most - now : 0;
		slash = strrchr(path, '/');
		if (!slash || slash < path + root)
			return left;
		*slash = '\0';
	}
}

/* Of the process that loads: the kernel charges maps to it, and a runtime that it starts
 * is in the same cgroup. */
static uint64_t own_cgroup_left(void)
{
	FILE *stream = fopen("/proc/self/cgroup", "re");
	uint64_t left = ADMISSION_UNLIMITED, here;
	char line[FAAS_PATH_BYTES];

	while (stream && fgets(line, sizeof(line), stream)) {
		char *controllers = strchr(line, ':');
		char *cgroup = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!cgroup)
			continue;
		*cgroup++ = '\0';
		cgroup[strcspn(cgroup, "\n")] = '\0';
		here = ADMISSION_UNLIMITED;
		if (!strcmp(controllers, ":"))
			here = cgroup_left(CGROUPS, cgroup, "memory.max", "memory.current");
		else if (!strcmp(controllers, ":memory"))
			here = cgroup_left(CGROUPS "/memory", cgroup, "memory.limit_in_bytes",
					   "memory.usage_in_bytes");
		if (here < left)
			left = here;
	}
	if (stream)
		fclose(stream);
	return left;
}

/* Of the file system that @p path is in, or will be. */
static void file_system(const char *path, uint64_t *ret_total, uint64_t *ret_left)
{
	struct statvfs status;
	char nearest[FAAS_PATH_BYTES];
	char *slash;

	*ret_total = *ret_left = ADMISSION_UNLIMITED;
	snprintf(nearest, sizeof(nearest), "%s", path);
	while (statvfs(nearest, &status)) {
		slash = strrchr(nearest, '/');
		if (!slash || slash == nearest)
			return;
		*slash = '\0';
	}
	if (!status.f_blocks)
		return; /* without a limit of its own */
	*ret_total = (uint64_t)status.f_blocks * status.f_frsize;
	*ret_left = (uint64_t)status.f_bavail * status.f_frsize;
}

void admission_look(struct admission_host *ret)
{
	uint64_t ignored;

	ret->memory_total = meminfo("MemTotal");
	ret->memory_left = meminfo("MemAvailable");
	if (!ret->memory_total)
		ret->memory_left = ADMISSION_UNLIMITED;
	ret->cgroup_left = own_cgroup_left();
	file_system(FAAS_RUN_WORKFLOWS, &ignored, &ret->run_left);
	file_system(FAAS_STATE_DURABLE, &ret->disk_total, &ret->disk_left);
}

/* ---- whether it fits ---- */

/* One line; whether it suffices. */
static bool compare(const char *what, uint64_t need, uint64_t left, uint64_t reserve,
		    const char *parts, char *text, size_t bytes)
{
	bool fits = left == ADMISSION_UNLIMITED || need + reserve <= left;

	if (!need)
		return true;
	phrase_add(text, bytes, "%s%s: %.1f MiB needed", text[0] ? "\n" : "", what,
		   (double)need / MIB);
	phrase_add(text, bytes, "%s", parts);
	if (left == ADMISSION_UNLIMITED)
		phrase_add(text, bytes, "; no limit");
	else if (reserve)
		phrase_add(text, bytes, "; %.1f MiB left, of which %.1f MiB stay free",
			   (double)left / MIB, (double)reserve / MIB);
	else
		phrase_add(text, bytes, "; %.1f MiB left", (double)left / MIB);
	phrase_add(text, bytes, fits ? ": fits" : ": DOES NOT FIT");
	return fits;
}

bool admission_fits(const struct admission_need *need, const struct admission_host *host,
		    char *text, size_t bytes)
{
	uint64_t files = need->tables + need->log;
	uint64_t memory = need->ring + need->maps + files + need->worker;
	char parts[256] = "";
	bool fits;

	text[0] = '\0';
	snprintf(parts, sizeof(parts),
		 " (queue %.1f, maps of kernel functions %.1f, states %.1f, log %.1f, worker %.1f)",
		 (double)need->ring / MIB, (double)need->maps / MIB, (double)need->tables / MIB,
		 (double)need->log / MIB, (double)need->worker / MIB);
	fits = compare("memory", memory, host->memory_left,
		       host->memory_total / ADMISSION_MEMORY_RESERVE, parts, text, bytes);
	if (host->cgroup_left != ADMISSION_UNLIMITED)
		fits &= compare("memory below the limit of the cgroup", memory, host->cgroup_left,
				0, "", text, bytes);
	snprintf(parts, sizeof(parts), " (states %.1f, log %.1f)", (double)need->tables / MIB,
		 (double)need->log / MIB);
	fits &= compare(FAAS_RUN_WORKFLOWS, files, host->run_left, 0, parts, text, bytes);
	fits &= compare(FAAS_STATE_DURABLE, need->disk, host->disk_left,
			host->disk_total == ADMISSION_UNLIMITED
				? 0
				: host->disk_total / ADMISSION_DISK_RESERVE,
			" (durable log, two snapshots)", text, bytes);
	return fits;
}

static bool is_on_disk(const struct bundle *bundle)
{
	char path[FAAS_PATH_BYTES];
	struct stat status;

	snprintf(path, sizeof(path), "%s/%s/log", FAAS_STATE_DURABLE, bundle->name);
	return !stat(path, &status);
}

/* Whether what is in the report fits, with the arithmetic. */
static int judge(const struct bundle *bundle, const char *what, bool overcommit,
		 struct admission_report *report, struct diags *diags)
{
	char lines[ADMISSION_TEXT_BYTES];
	struct admission_host host;

	admission_look(&host);
	if (admission_fits(&report->need, &host, report->text, sizeof(report->text)))
		return 0;
	diag_lines(report->text, lines, sizeof(lines));
	if (!overcommit)
		return diag_fail(diags, DIAG_FAILED,
				 "lower `queue`, `keys` of functions with state or the size of "
				 "`storage`, unload others, or go on with --overcommit",
				 "%s %s does not fit on this machine:%s", what, bundle->name,
				 lines);
	fprintf(stderr, "ebpf-faas: warning: %s %s does not fit on this machine:%s\n", what,
		bundle->name, lines);
	return 0;
}

int admission_check(const struct bundle *bundle, const char *directory, bool overcommit,
		    struct admission_report *ret, struct diags *diags)
{
	struct admission_report report;
	struct bpf_object *object;
	int error;

	if (kernel_object_open(bundle, directory, &object, diags))
		return -1;
	admission_count(bundle, object, is_on_disk(bundle), &report.need);
	bpf_object__close(object);
	error = judge(bundle, "workflow", overcommit, &report, diags);
	if (ret)
		*ret = report;
	return error;
}

/* Of the tables, those that are kept where they are. */
static uint64_t kept_tables(const struct bundle *from, const struct bundle *to)
{
	uint64_t bytes = 0;
	char ignored[256];

	for (uint32_t i = 0; i < to->user_count; i++) {
		uint32_t before = bundle_user_of(from, to->user[i].instance);

		if (before != BUNDLE_NO_FUNCTION &&
		    bundle_state_fate(&from->user[before], &to->user[i], ignored,
				      sizeof(ignored)) == STATE_KEPT)
			bytes += state_file_bytes(to, i);
	}
	return bytes;
}

int admission_check_update(const struct bundle *bundle, const char *directory, bool overcommit,
			   struct takeover *takeover, struct diags *diags)
{
	struct admission_report report;
	struct bpf_object *object;
	struct bpf_map *map;
	int error;

	if (kernel_object_open(bundle, directory, &object, diags))
		return -1;
	admission_count(bundle, object, is_on_disk(bundle), &report.need);
	error = takeover_look(takeover, bundle, object, diags);
	if (!error) {
		bpf_object__for_each_map(
			map, object) if (takeover_keeps(takeover, bundle, bpf_map__name(map)))
			report.need.maps -= map_bytes(map);
	}
	bpf_object__close(object);
	if (error)
		return -1;
	if (bundle_needs_runtime(takeover->from)) {
		report.need.log = report.need.worker = 0;
		report.need.tables -= kept_tables(takeover->from, bundle);
	}
	return judge(bundle, "beside the version that runs, the new one of", overcommit, &report,
		     diags);
}
