// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas restore: what was loaded before a reboot and is not loaded now. One that
 * cannot come up is told of, and keeps none of the others from it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "attach.h"
#include "bundle_names.h"
#include "clock.h"
#include "command.h"
#include "generation.h"
#include "host.h"
#include "load.h"
#include "netns.h"
#include "output.h"
#include "remember.h"
#include "workflow_value.h"

#define LOOK_EVERY_MS 200
#define WAIT_DEFAULT_NS (10 * CLOCK_NS_PER_S)
#define WAIT_MAX_NS (24ull * 3600 * CLOCK_NS_PER_S)

enum outcome {
	RESTORE_WAITS, /* for an interface, or a network namespace */
	RESTORE_DONE,
	RESTORE_FAILED,
};

/* One workflow, while it is being restored. */
struct restore {
	struct bundle *bundle;
	struct record *record;
	struct remembered stored;
	char directory[FAAS_PATH_BYTES];
	char name[FAAS_NAME_BYTES];
	struct diags *diags;
};

static int only_remembered(const struct dirent *entry)
{
	return bundle_name_valid(entry->d_name) && remembered_exists(entry->d_name);
}

/* Names, in their order. Returns-owned: the list and each of them. */
static int list_all(struct dirent ***ret)
{
	int count = scandir(FAAS_STATE_WORKFLOWS, ret, only_remembered, alphasort);

	return count < 0 && errno == ENOENT ? 0 : count;
}

static int read_stored(struct restore *restore)
{
	struct diags *diags = restore->diags;
	int error = -ENOENT;

	if (bundle_name_valid(restore->name)) /* it becomes part of a path */
		error = remembered_read(restore->name, &restore->stored);
	if (error)
		return diag_fail(diags, error == -ENOENT ? DIAG_NOT_FOUND : DIAG_FAILED,
				 "load it again",
				 error == -ENOENT ? "it was not loaded, or was unloaded"
						  : "what was written down of it is damaged");
	if (!restore->stored.named)
		return diag_fail(diags, DIAG_FAILED,
				 "load it with --netns in a namespace of `ip netns`",
				 "it was loaded in a network namespace without a name");
	generation_directory(restore->name, restore->stored.generation, restore->directory,
			     sizeof(restore->directory));
	return generation_bundle(restore->name, restore->stored.generation, restore->bundle, diags);
}

/* Whether its interfaces are there; says which is not. */
static bool has_interfaces(struct restore *restore)
{
	const char *path = restore->stored.netns_path;
	struct netns netns;
	int error = netns_enter_path(&netns, path);

	if (error) {
		diag_fail(restore->diags, DIAG_NOT_FOUND, NULL, "network namespace %s: %s", path,
			  strerror(-error));
		return false;
	}
	memset(restore->record, 0, sizeof(*restore->record));
	error = attach_resolve(restore->bundle, &netns, restore->record, restore->diags);
	netns_leave(&netns);
	return !error;
}

/* @p last: nothing is waited for any more. */
static enum outcome restore_one(struct restore *restore, bool last)
{
	enum outcome outcome = RESTORE_FAILED;

	memset(restore->diags, 0, sizeof(*restore->diags));
	if (!read_stored(restore)) {
		if (!has_interfaces(restore))
			outcome = last ? RESTORE_FAILED : RESTORE_WAITS;
		else if (!load_stored(&restore->stored, restore->bundle, restore->directory,
				      restore->diags))
			outcome = RESTORE_DONE;
	}
	remembered_free(&restore->stored);
	return outcome;
}

/* One that is being changed is looked at again when that is done, or was repaired. */
static int is_loaded(const char *name, bool *ret, struct diags *diags)
{
	static const enum host_access tries[] = {HOST_READ, HOST_CHANGE};
	bool settled = false;
	struct host host;
	int error = 0;

	for (int i = 0; !error && !settled && i < 2; i++) {
		uint32_t slot;

		error = host_open(&host, tries[i], diags);
		slot = error ? 0 : host_find(&host, name);
		*ret = slot != 0;
		settled = !slot || host.registry[slot].state == FAAS_REGISTRY_LOADED;
		host_close(&host);
	}
	return error;
}

static void tell_failure(const struct restore *restore, struct diags *diags)
{
	const struct diag *first = &restore->diags->list[0];

	if (restore->diags->count)
		diag_add(diags, first->class, NULL, 0, 0, first->advice,
			 "workflow %s is not restored: %s", restore->name, first->cause);
	else
		diag_fail(diags, DIAG_FAILED, NULL, "workflow %s is not restored", restore->name);
}

/* Those of @p names that are not NULL; who is done with becomes NULL. How many wait. */
static size_t restore_round(struct restore *restore, const char **names, size_t count, bool last,
			    json_t *list, struct diags *diags)
{
	size_t waiting = 0;

	for (size_t i = 0; i < count; i++) {
		enum outcome outcome;
		bool loaded = false;

		if (!names[i])
			continue;
		snprintf(restore->name, sizeof(restore->name), "%s", names[i]);
		if (is_loaded(names[i], &loaded, diags))
			return 0;
		outcome = loaded ? RESTORE_DONE : restore_one(restore, last);
		if (outcome == RESTORE_WAITS) {
			waiting++;
			continue;
		}
		if (outcome == RESTORE_DONE)
			json_array_append_new(list, json_pack("{s:s, s:b}", "workflow",
							      restore->name, "was_loaded", loaded));
		else
			tell_failure(restore, diags);
		names[i] = NULL;
	}
	return waiting;
}

static void print(const struct options *options, json_t *list, bool failed)
{
	json_t *item;
	size_t i;

	if (options->json) {
		if (!failed)
			output_json(json_pack("{s:O}", "restored", list));
		return;
	}
	json_array_foreach (list, i, item)
		printf(json_is_true(json_object_get(item, "was_loaded")) ? "%s is loaded\n"
									 : "restored %s\n",
		       json_string_value(json_object_get(item, "workflow")));
	if (!json_array_size(list) && !failed)
		printf("nothing to restore\n");
}

static int restore_names(const struct options *options, const char **names, size_t count,
			 uint64_t wait_ns, struct diags *diags)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * (long)CLOCK_NS_PER_MS};
	uint64_t deadline = clock_monotonic_ns() + wait_ns;
	struct restore restore = {.bundle = calloc(1, sizeof(*restore.bundle)),
				  .record = calloc(1, sizeof(*restore.record)),
				  .diags = calloc(1, sizeof(*restore.diags))};
	json_t *list = json_array();
	bool last = false;

	if (!restore.bundle || !restore.record || !restore.diags || !list) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	for (;;) {
		last = clock_monotonic_ns() >= deadline;
		if (!restore_round(&restore, names, count, last, list, diags) || last)
			break;
		nanosleep(&pause, NULL);
	}
	print(options, list, diags->count > 0);
cleanup:
	json_decref(list);
	free(restore.diags);
	free(restore.record);
	free(restore.bundle);
	return diags->count ? DIAG_FAILED : 0;
}

int verb_restore(const struct options *options, struct diags *diags)
{
	struct value wait = {.integer = (int64_t)WAIT_DEFAULT_NS};
	struct dirent **entries = NULL;
	const char **names;
	int count = 0, status = DIAG_FAILED;

	if (options->wait && (value_parse(PARAM_DURATION, options->wait, &wait) ||
			      wait.integer < 0 || (uint64_t)wait.integer > WAIT_MAX_NS)) {
		diag_fail(diags, DIAG_USAGE, "write a duration of 0s to 24h, such as 30s",
			  "--wait %s", options->wait);
		return DIAG_FAILED;
	}
	if (!options->argument_count)
		count = list_all(&entries);
	if (count < 0) {
		diag_fail(diags, DIAG_FAILED, "run as root", "%s: %s", FAAS_STATE_WORKFLOWS,
			  strerror(errno));
		return DIAG_FAILED;
	}
	names = calloc((size_t)count + 1, sizeof(*names));
	if (names) {
		for (int i = 0; i < count; i++)
			names[i] = entries[i]->d_name;
		if (options->argument_count)
			names[0] = options->arguments[0];
		status = restore_names(options, names, options->argument_count ? 1 : (size_t)count,
				       (uint64_t)wait.integer, diags);
	} else {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	free((void *)names);
	return status;
}
