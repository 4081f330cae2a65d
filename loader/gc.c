// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas gc: what killed commands left and nobody owns. The registry says what is
 * owned; a command that was killed half way is repaired before this looks. What lies
 * in FAAS_STATE_DIRECTORY is left alone: it outlives a reboot on purpose. A runtime that
 * was killed is started again.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "attach.h"
#include "build.h"
#include "bundle_names.h"
#include "command.h"
#include "control_client.h"
#include "generation.h"
#include "host.h"
#include "output.h"

/* A scratch directory may belong to a process that cannot be seen from here. */
#define SCRATCH_AGE_S 600

struct gc {
	const struct host *host;
	bool remove;
	json_t *found;
};

/* Of a workflow: is it loaded? */
typedef void visit(struct gc *gc, const char *directory, const char *name);

static void each_entry(struct gc *gc, const char *path, visit *each)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			each(gc, path, entry->d_name);
	if (directory)
		closedir(directory);
}

static void take(struct gc *gc, const char *path)
{
	json_array_append_new(gc->found, json_string(path));
	if (gc->remove)
		host_remove_tree(path);
}

static void visit_workflow(struct gc *gc, const char *directory, const char *name)
{
	char path[FAAS_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (!bundle_name_valid(name) || !host_find(gc->host, name))
		take(gc, path);
}

/* A generation stays if it runs, or if one on trial may go back to it. */
static void visit_generation(struct gc *gc, const char *directory, const char *number)
{
	const char *name = strrchr(directory, '/') + 1;
	uint32_t slot = host_find(gc->host, name);
	const struct faas_registry_entry *entry = &gc->host->registry[slot];
	unsigned long generation = strtoul(number, NULL, 10);
	char path[FAAS_PATH_BYTES];

	if (generation == entry->generation ||
	    (entry->flags & FAAS_REGISTRY_TRIAL &&
	     generation == generation_pinned_before(name, entry->generation)))
		return;
	snprintf(path, sizeof(path), "%s/%s", directory, number);
	take(gc, path);
}

static void visit_generations(struct gc *gc, const char *directory, const char *name)
{
	char path[FAAS_PATH_BYTES];

	if (!bundle_name_valid(name) || !host_find(gc->host, name)) {
		visit_workflow(gc, directory, name);
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	each_entry(gc, path, visit_generation);
}

static void visit_scratch(struct gc *gc, const char *directory, const char *name)
{
	char path[FAAS_PATH_BYTES], *end;
	struct stat info;
	long pid;

	if (strncmp(name, BUILD_SCRATCH_NAME, strlen(BUILD_SCRATCH_NAME)))
		return;
	pid = strtol(name + strlen(BUILD_SCRATCH_NAME), &end, 10);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (*end == '-' && pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH &&
	    !lstat(path, &info) && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
	    time(NULL) - info.st_mtime > SCRATCH_AGE_S)
		take(gc, path);
}

static void note(const char *directory, void *context)
{
	struct gc *gc = context;

	json_array_append_new(gc->found, json_string(directory));
}

/* Nothing is loaded: nothing of ours is needed. Closing the host removes it. */
static void note_all(struct gc *gc)
{
	if (!access(FAAS_PIN_ROOT, F_OK))
		note(FAAS_PIN_ROOT, gc);
}

static void collect(struct gc *gc)
{
	if (gc->host->registry) {
		each_entry(gc, FAAS_PIN_WORKFLOWS, visit_workflow);
		each_entry(gc, FAAS_PIN_GENERATIONS, visit_generations);
		attach_sweep(gc->remove, note, gc);
	} else {
		note_all(gc);
	}
	each_entry(gc, FAAS_RUN_WORKFLOWS, visit_workflow);
	each_entry(gc, BUILD_SCRATCH_DIRECTORY, visit_scratch);
}

/* Whether a loaded workflow has files of a worker, and there is no runtime for it. What
 * only runs in the kernel has a directory there as well, but no page of a runtime. */
static bool runtime_is_missed(const struct host *host)
{
	char path[FAAS_PATH_BYTES];

	for (uint32_t slot = 1; host->registry && slot < FAAS_SLOTS_MAX; slot++) {
		const struct faas_registry_entry *entry = &host->registry[slot];

		if (entry->state != FAAS_REGISTRY_LOADED)
			continue;
		snprintf(path, sizeof(path), "%s/%.*s/runtime.page", FAAS_RUN_WORKFLOWS,
			 (int)sizeof(entry->name), entry->name);
		if (!access(path, F_OK))
			return !control_runtime_stays();
	}
	return false;
}

static void print_found(const struct gc *gc, bool starts)
{
	json_t *path;
	size_t i;

	json_array_foreach (gc->found, i, path)
		printf("%s %s\n", gc->remove ? "removed" : "would remove", json_string_value(path));
	if (!json_array_size(gc->found))
		printf("nothing to remove\n");
	if (starts)
		printf("%s the runtime, which was gone\n", gc->remove ? "started" : "would start");
}

int verb_gc(const struct options *options, struct diags *diags)
{
	struct gc gc = {.remove = !options->dry_run, .found = json_array()};
	struct host host;
	bool starts;
	int err = 0;

	if (host_open(&host, options->dry_run ? HOST_READ : HOST_CHANGE, diags)) {
		host_close(&host);
		json_decref(gc.found);
		return DIAG_FAILED;
	}
	gc.host = &host;
	collect(&gc);
	starts = runtime_is_missed(&host);
	if (starts && gc.remove)
		err = control_start_runtime(diags);
	host_close(&host);
	if (!err && options->json)
		output_json(json_pack("{s:b, s:O, s:b}", "dry_run", options->dry_run, "removed",
				      gc.found, "runtime_started", starts));
	else if (!err)
		print_found(&gc, starts);
	json_decref(gc.found);
	return err ? DIAG_FAILED : 0;
}
