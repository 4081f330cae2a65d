// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "user_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "generation.h"
#include "host.h"
#include "state_key.h"
#include "state_value.h"
#include "suggest.h"

#define NAMES_MAX 256

/* What is loaded, for who mistyped it. */
static int complain_workflow(const struct host *host, const char *name, struct diags *diags)
{
	const char *names[NAMES_MAX];
	size_t count = 0;
	char advice[512];

	for (uint32_t i = 1; host->registry && i < FAAS_SLOTS_MAX && count < NAMES_MAX; i++)
		if (host->registry[i].state != FAAS_REGISTRY_FREE)
			names[count++] = host->registry[i].name;
	suggest_advice(name, names, count, "loaded are", advice, sizeof(advice));
	return diag_fail(diags, DIAG_NOT_FOUND, advice[0] ? advice : NULL,
			 "workflow %s is not loaded", name);
}

static int complain_function(const struct bundle *bundle, const char *name, struct diags *diags)
{
	const char *names[FAAS_USER_FUNCTIONS_MAX];
	size_t count = 0;
	char advice[512];

	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		if (strcmp(bundle->kernel[i].instance, name))
			continue;
		snprintf(advice, sizeof(advice), "`ebpf-faas state %s %s` shows its maps",
			 bundle->name, name);
		return diag_fail(diags, DIAG_NOT_FOUND, advice, "%s is a kernel function", name);
	}
	for (uint32_t i = 0; i < bundle->user_count; i++) {
		if (!strcmp(bundle->user[i].instance, name))
			return diag_fail(diags, DIAG_NOT_FOUND, NULL,
					 "%s (%s) keeps no state in workflow %s", name,
					 bundle->user[i].function, bundle->name);
		if (bundle->user[i].has_state)
			names[count++] = bundle->user[i].instance;
	}
	suggest_advice(name, names, count, "those with state are", advice, sizeof(advice));
	return diag_fail(diags, DIAG_NOT_FOUND,
			 advice[0] ? advice : "it has no function with state",
			 "workflow %s has no user function %s", bundle->name, name);
}

/* The generation whose files these are: that of the runtime's page. */
static int read_generation(int directory, uint32_t *ret)
{
	int fd = openat(directory, "runtime.page", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct runtime_page page;
	ssize_t bytes;

	if (fd < 0)
		return -errno;
	bytes = pread(fd, &page, sizeof(page), 0);
	close(fd);
	if (bytes != (ssize_t)sizeof(page) || page.magic != RUNTIME_PAGE_MAGIC ||
	    page.version != PAGES_VERSION)
		return -EINVAL;
	*ret = page.generation;
	return 0;
}

static int find_function(struct user_state *state, const char *name, struct diags *diags)
{
	const struct bundle *bundle = state->bundle;

	for (uint32_t i = 0; i < bundle->user_count; i++) {
		if (strcmp(bundle->user[i].instance, name) || !bundle->user[i].has_state)
			continue;
		state->function = &bundle->user[i];
		state->number = i;
		return 0;
	}
	return complain_function(bundle, name, diags);
}

static int open_view(struct user_state *state, int directory, struct diags *diags)
{
	const struct state_header *header = &state->view.header;
	int error = stateview_open(directory, state->number, &state->view);

	if (!error && (header->value_bytes != state_value_bytes(state->function) ||
		       header->value_version != state->function->state_version))
		error = -ESTALE;
	if (!error)
		return 0;
	return diag_fail(diags, error == -EACCES || error == -EPERM ? DIAG_PLATFORM : DIAG_FAILED,
			 error == -EACCES || error == -EPERM ? "run as root"
			 : error == -ESTALE || error == -ENODATA || error == -ENOENT
				 ? "its worker is being started or replaced: try again"
				 : NULL,
			 "the state of %s cannot be read: %s", state->function->instance,
			 error == -ESTALE    ? "it is that of another version"
			 : error == -ENODATA ? "it is not there yet"
			 : error == -EINVAL  ? "it is no table of states"
					     : strerror(-error));
}

/* What is loaded has user functions: open the state of one. */
static int open_found(const char *workflow, const char *function, struct user_state *state,
		      struct diags *diags)
{
	char path[FAAS_PATH_BYTES];
	int directory, error;

	snprintf(path, sizeof(path), "%s/%s", FAAS_RUN_WORKFLOWS, workflow);
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = directory < 0 ? -errno : read_generation(directory, &state->generation);
	if (error == -ENOENT)
		diag_fail(diags, DIAG_NOT_FOUND, "`ebpf-faas state WORKFLOW` shows what it has",
			  "workflow %s has nothing outside the kernel", workflow);
	else if (error)
		diag_fail(diags, error == -EACCES ? DIAG_PLATFORM : DIAG_FAILED,
			  error == -EACCES ? "run as root" : NULL, "%s: %s", path,
			  strerror(-error));
	if (!error)
		error = generation_bundle(workflow, state->generation, state->bundle, diags);
	if (!error)
		error = find_function(state, function, diags);
	if (!error)
		error = open_view(state, directory, diags);
	if (directory >= 0)
		close(directory);
	return error ? -1 : 0;
}

int user_state_open(const char *workflow, const char *function, struct user_state *ret,
		    struct diags *diags)
{
	struct user_state state = {.bundle = calloc(1, sizeof(*state.bundle))};
	struct host host;
	int error;

	if (!state.bundle)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (host_open(&host, HOST_READ, diags)) {
		free(state.bundle);
		return -1;
	}
	if (!host_find(&host, workflow))
		error = complain_workflow(&host, workflow, diags);
	else
		error = open_found(workflow, function, &state, diags);
	host_close(&host);
	if (error)
		user_state_close(&state);
	else
		*ret = state;
	return error;
}

void user_state_close(struct user_state *state)
{
	stateview_close(&state->view);
	free(state->bundle);
	*state = (struct user_state){0};
}

int user_state_each(const struct user_state *state,
		    int (*visit)(void *context, const struct stateview_entry *entry), void *context,
		    struct diags *diags)
{
	struct stateview_entry entry;

	for (uint64_t i = 0; i < state->view.header.capacity; i++) {
		int there = stateview_read_wait(&state->view, i, &entry);

		if (there < 0)
			return diag_fail(diags, DIAG_FAILED,
					 "`ebpf-faas status` shows how its worker is",
					 "the state of %s does not hold still: its worker is being "
					 "replaced again and again, or stands",
					 state->function->instance);
		if (there && visit(context, &entry))
			return -1;
	}
	return 0;
}

json_t *user_state_entry(const struct user_state *state, const struct stateview_entry *entry,
			 uint64_t now_ns)
{
	const struct bundle_function *function = state->function;
	char key[STATE_KEY_CHARS];
	uint64_t deadline = 0;
	json_t *object;

	state_key_print(function, entry->key, entry->key_bytes, key);
	object = json_pack("{s:s, s:o}", "key", key, "value",
			   state_value_print(function, entry->value));
	if (function->has_timer)
		memcpy(&deadline, entry->value + FAAS_ALIGN8(function->state_bytes),
		       sizeof(deadline));
	if (object && deadline)
		json_object_set_new(
			object, "timer_ns",
			json_integer(deadline > now_ns ? (json_int_t)(deadline - now_ns) : 0));
	return object;
}

void user_state_overview(const struct bundle *bundle, bool json, FILE *out)
{
	const char *before = "";
	char path[FAAS_PATH_BYTES];
	int directory;

	snprintf(path, sizeof(path), "%s/%s", FAAS_RUN_WORKFLOWS, bundle->name);
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (json)
		fprintf(out, ", \"user_functions\": [");
	for (uint32_t i = 0; i < bundle->user_count; i++) {
		const struct bundle_function *function = &bundle->user[i];
		struct stateview view;
		char keys[24] = "";

		if (!function->has_state)
			continue;
		/* Without a worker yet there is nothing to count. */
		if (!stateview_open(directory, i, &view)) {
			snprintf(keys, sizeof(keys), "%llu",
				 (unsigned long long)stateview_count(&view));
			stateview_close(&view);
		}
		if (json)
			fprintf(out,
				"%s\n{\"name\": \"%s\", \"function\": \"%s\", \"keys\": %s, "
				"\"keys_max\": %u, \"bytes\": %u, \"version\": %u}",
				before, function->instance, function->function,
				keys[0] ? keys : "null", function->state_keys,
				function->state_bytes, function->state_version);
		else
			fprintf(out,
				"%s (%s)\n  state of %s of %u keys, %u bytes each: `ebpf-faas "
				"state "
				"list %s %s`\n",
				function->instance, function->function, keys[0] ? keys : "?",
				function->state_keys, function->state_bytes, bundle->name,
				function->instance);
		before = ",";
	}
	if (json)
		fprintf(out, "]");
	if (directory >= 0)
		close(directory);
}
