// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "generation.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "fault.h"
#include "files.h"
#include "host.h"
#include "remember.h"

/* Of a workflow, below the directory that its name gives. */
#define GENERATIONS "generations"
#define NEW_LINK "link"
#define NEW_STORE "new" /* a bundle that is being stored; commands that change take turns */

void generation_pins(const char *name, uint32_t generation, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/%s/%u", FAAS_PIN_GENERATIONS, name, generation);
}

void generation_directory(const char *name, uint32_t generation, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/%s/" GENERATIONS "/%u", FAAS_STATE_WORKFLOWS, name, generation);
}

/* The record is written and read like one of a workflow of this name. */
static void record_name(const char *name, uint32_t generation, char *ret, size_t bytes)
{
	snprintf(ret, bytes, "%s/" GENERATIONS "/%u", name, generation);
}

static int copy_one(const char *from, const char *to, const char *name)
{
	char source[FAAS_PATH_BYTES], target[FAAS_PATH_BYTES];

	snprintf(source, sizeof(source), "%s/%s", from, name);
	snprintf(target, sizeof(target), "%s/%s", to, name);
	return files_copy(source, target);
}

/* Copy the files of @p bundle from one directory into one that is empty. On disk then. */
static int copy_bundle(const struct bundle *bundle, const char *from, const char *to)
{
	char inner[FAAS_PATH_BYTES];
	int error = 0;

	for (uint32_t i = 0; !error && i < bundle->file_count; i++) {
		const char *file = bundle->files[i].path;
		const char *slash = strrchr(file, '/');

		snprintf(inner, sizeof(inner), "%s/%.*s", to, slash ? (int)(slash - file) : 0,
			 file);
		error = host_make_directory(inner);
		if (!error)
			error = copy_one(from, to, file);
		if (!error && slash)
			error = files_sync_directory(inner);
	}
	if (!error)
		error = copy_one(from, to, BUNDLE_MANIFEST);
	return error ? error : files_sync_directory(to);
}

/* Of the first of a workflow, the directories above are new, too. */
static int sync_above(const char *name)
{
	char path[FAAS_PATH_BYTES];
	int error;

	snprintf(path, sizeof(path), "%s/%s", FAAS_STATE_WORKFLOWS, name);
	error = files_sync_directory(path);
	if (!error)
		error = files_sync_directory(FAAS_STATE_WORKFLOWS);
	return error ? error : files_sync_directory(FAAS_STATE_WORKFLOWS "/..");
}

int generation_store(const struct bundle *bundle, const char *from, uint32_t generation,
		     const struct record *record, struct diags *diags)
{
	char all[FAAS_PATH_BYTES], spare[FAAS_PATH_BYTES], path[FAAS_PATH_BYTES];
	bool first;
	int error;

	/* It has its number when all of it is on disk: under a number is a whole bundle. */
	snprintf(all, sizeof(all), "%s/%s/" GENERATIONS, FAAS_STATE_WORKFLOWS, bundle->name);
	snprintf(spare, sizeof(spare), "%s/" NEW_STORE, all);
	generation_directory(bundle->name, generation, path, sizeof(path));
	first = access(all, F_OK) != 0;
	host_remove_tree(spare);
	error = host_make_directory(spare);
	if (!error)
		error = copy_bundle(bundle, from, spare);
	fault_point("load.copied");
	host_remove_tree(path);
	if (!error && rename(spare, path))
		error = -errno;
	if (!error)
		error = files_sync_directory(all);
	if (!error && first)
		error = sync_above(bundle->name);
	if (error)
		return diag_fail(diags, DIAG_FAILED, "is the disk full or read-only?", "%s: %s",
				 path, strerror(-error));
	return generation_store_record(bundle->name, generation, record, diags);
}

int generation_store_record(const char *name, uint32_t generation, const struct record *record,
			    struct diags *diags)
{
	char path[FAAS_PATH_BYTES];

	record_name(name, generation, path, sizeof(path));
	return record_write(path, record, diags);
}

static int open_stored(const char *path, const char *name, struct bundle *ret, struct diags *diags)
{
	int error = bundle_open(path, ret, diags);

	if (error && !access(path, F_OK))
		diag_fail(diags, DIAG_FAILED,
			  "what runs in the kernel goes on; make the bundle again with `ebpf-faas "
			  "build`, then `ebpf-faas unload` the workflow and `ebpf-faas load` the "
			  "bundle",
			  "what is stored of workflow %s in %s is damaged", name, path);
	return error;
}

int generation_bundle(const char *name, uint32_t generation, struct bundle *ret,
		      struct diags *diags)
{
	char path[FAAS_PATH_BYTES];

	generation_directory(name, generation, path, sizeof(path));
	return open_stored(path, name, ret, diags);
}

int generation_running_bundle(const char *name, struct bundle *ret, struct diags *diags)
{
	char path[FAAS_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s/bundle", FAAS_STATE_WORKFLOWS, name);
	return open_stored(path, name, ret, diags);
}

int generation_record(const char *name, uint32_t generation, struct record *ret)
{
	char path[FAAS_PATH_BYTES];

	record_name(name, generation, path, sizeof(path));
	return record_read(path, ret);
}

/* Make @p place a link to @p target. @p spare is a name beside it, on the same file
 * system, which renaming puts in its place: there is no moment without a link. */
static int lead_link(const char *place, const char *spare, const char *target)
{
	char there[FAAS_PATH_BYTES];
	ssize_t bytes = readlink(place, there, sizeof(there) - 1);

	if (bytes >= 0) {
		there[bytes] = '\0';
		if (!strcmp(there, target))
			return 0;
	}
	unlink(spare);
	if (symlink(target, spare) || rename(spare, place))
		return -errno;
	return 0;
}

int generation_publish(const char *name, uint32_t generation, struct diags *diags)
{
	char place[FAAS_PATH_BYTES], spare[FAAS_PATH_BYTES], target[FAAS_PATH_BYTES];
	int error;

	snprintf(place, sizeof(place), "%s/%s", FAAS_PIN_WORKFLOWS, name);
	snprintf(spare, sizeof(spare), "%s/%s/" NEW_LINK, FAAS_PIN_GENERATIONS, name);
	snprintf(target, sizeof(target), "../generations/%s/%u", name, generation);
	error = lead_link(place, spare, target);
	if (!error) {
		snprintf(place, sizeof(place), "%s/%s/bundle", FAAS_STATE_WORKFLOWS, name);
		snprintf(spare, sizeof(spare), "%s/%s/" GENERATIONS "/" NEW_LINK,
			 FAAS_STATE_WORKFLOWS, name);
		snprintf(target, sizeof(target), GENERATIONS "/%u", generation);
		error = lead_link(place, spare, target);
	}
	if (!error) {
		snprintf(place, sizeof(place), "%s/%s", FAAS_STATE_WORKFLOWS, name);
		error = files_sync_directory(place);
	}
	if (!error) {
		snprintf(place, sizeof(place), "%s/%s/interfaces.json", FAAS_RUN_WORKFLOWS, name);
		snprintf(spare, sizeof(spare), "%s/%s/" GENERATIONS "/" NEW_LINK,
			 FAAS_RUN_WORKFLOWS, name);
		snprintf(target, sizeof(target), GENERATIONS "/%u/interfaces.json", generation);
		error = lead_link(place, spare, target);
	}
	if (error)
		return diag_fail(diags, DIAG_FAILED, "is the disk full or read-only?", "%s: %s",
				 place, strerror(-error));
	return 0;
}

/* Call @p each with every number that names an entry of a directory. */
static void each_number(const char *path, void (*each)(uint32_t number, void *context),
			void *context)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char *end;
		unsigned long number = strtoul(entry->d_name, &end, 10);

		if (number && number <= UINT32_MAX && !*end)
			each((uint32_t)number, context);
	}
	if (directory)
		closedir(directory);
}

struct before {
	uint32_t limit, found;
};

static void take_before(uint32_t number, void *context)
{
	struct before *before = context;

	if (number < before->limit && number > before->found)
		before->found = number;
}

uint32_t generation_pinned_before(const char *name, uint32_t generation)
{
	struct before before = {generation, 0};
	char path[FAAS_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", FAAS_PIN_GENERATIONS, name);
	each_number(path, take_before, &before);
	return before.found;
}

uint32_t generation_stored_before(const char *name, uint32_t generation)
{
	struct before before = {generation, 0};
	char path[FAAS_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s/" GENERATIONS, FAAS_STATE_WORKFLOWS, name);
	each_number(path, take_before, &before);
	return before.found;
}

struct prune {
	const char *directory;
	uint32_t generation, from;
};

static void prune_one(uint32_t number, void *context)
{
	const struct prune *prune = context;
	char path[FAAS_PATH_BYTES];

	if (number == prune->generation || (number < prune->generation && number >= prune->from))
		return;
	snprintf(path, sizeof(path), "%s/%u", prune->directory, number);
	host_remove_tree(path);
}

void generation_prune(const char *name, uint32_t generation, uint32_t pins_from,
		      uint32_t bundles_from)
{
	char path[FAAS_PATH_BYTES];
	struct prune prune = {path, generation, pins_from};

	snprintf(path, sizeof(path), "%s/%s", FAAS_PIN_GENERATIONS, name);
	each_number(path, prune_one, &prune);
	snprintf(path, sizeof(path), "%s/%s/" GENERATIONS, FAAS_RUN_WORKFLOWS, name);
	each_number(path, prune_one, &prune);
	prune.from = bundles_from;
	snprintf(path, sizeof(path), "%s/%s/" GENERATIONS, FAAS_STATE_WORKFLOWS, name);
	each_number(path, prune_one, &prune);
	snprintf(path, sizeof(path), "%s/%s/" GENERATIONS "/" NEW_STORE, FAAS_STATE_WORKFLOWS,
		 name);
	host_remove_tree(path);
}

void generation_remove_running(const char *name)
{
	char path[FAAS_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", FAAS_PIN_WORKFLOWS, name);
	host_remove_tree(path);
	snprintf(path, sizeof(path), "%s/%s", FAAS_PIN_GENERATIONS, name);
	host_remove_tree(path);
	snprintf(path, sizeof(path), "%s/%s", FAAS_RUN_WORKFLOWS, name);
	host_remove_tree(path);
}

void generation_remove_all(const char *name)
{
	char path[FAAS_PATH_BYTES];

	generation_remove_running(name);
	remember_forget(name);
	snprintf(path, sizeof(path), "%s/%s/bundle", FAAS_STATE_WORKFLOWS, name);
	host_remove_tree(path);
	snprintf(path, sizeof(path), "%s/%s/" GENERATIONS, FAAS_STATE_WORKFLOWS, name);
	host_remove_tree(path);
	snprintf(path, sizeof(path), "%s/%s", FAAS_STATE_WORKFLOWS, name);
	(void)!files_sync_directory(path); /* it goes itself, if it is empty */
}
