// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "user_tier.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include <ebpf_faas/pins.h>

#include "bundle_compare.h"
#include "clock.h"
#include "control_client.h"
#include "fault.h"
#include "generation.h"
#include "host.h"
#include "kernel_object.h"
#include "pages.h"
#include "phrase.h"
#include "ringview.h"
#include "undelivered.h"

#define LOOK_EVERY_MS 20
/* How long a command waits for events that another version has left. */
#define REST_MS 30000

static bool is_reset(const struct takeover *takeover, const char *instance)
{
	for (unsigned int i = 0; i < takeover->reset_count; i++)
		if (!strcmp(takeover->resets[i], instance))
			return true;
	return false;
}

static int check_state(const struct bundle_function *from, const struct bundle_function *to,
		       const struct takeover *takeover, struct diags *diags)
{
	char difference[256], advice[256];
	enum bundle_state_fate fate = bundle_state_fate(from, to, difference, sizeof(difference));

	if (fate != STATE_NOT_KEPT || is_reset(takeover, to->instance))
		return 0;
	/* A program has nothing that takes states over. */
	if (strcmp(from->function, to->function) || !from->has_state || !to->has_state ||
	    to->exec.argument_count)
		snprintf(advice, sizeof(advice), "--reset-state %s lets it begin anew",
			 to->instance);
	else
		snprintf(advice, sizeof(advice),
			 "%s and FAAS_MIGRATE with faas_on_migrate let %s take it over; "
			 "--reset-state %s lets it begin anew",
			 bundle_state_converted(from, to) ? "FAAS_STATE says the version,"
							  : "a higher version in FAAS_STATE",
			 to->function, to->instance);
	return diag_fail(diags, DIAG_FAILED, advice,
			 "the state of %s (%s) cannot be kept: %s (there: generation %u, here: "
			 "the new version)",
			 to->instance, to->function, difference, takeover->generation);
}

/* Durable state was meant to stay: it goes only if somebody says so. */
static int check_gone(const struct bundle_function *was, const struct bundle *to,
		      const struct takeover *takeover, struct diags *diags)
{
	char advice[256];

	if (was->state_mode != STATE_DURABLE || is_reset(takeover, was->instance) ||
	    bundle_user_of(to, was->instance) != BUNDLE_NO_FUNCTION)
		return 0;
	snprintf(advice, sizeof(advice),
		 "`ebpf-faas state export %s %s >%s.jsonl` keeps it; --reset-state %s lets it go",
		 to->name, was->instance, was->instance, was->instance);
	return diag_fail(diags, DIAG_FAILED, advice,
			 "the durable state of %s would be removed: the new version has no "
			 "function of that name",
			 was->instance);
}

bool user_tier_replaces(const struct bundle *from, const struct bundle *to,
			const struct takeover *takeover)
{
	char ignored[256];

	if (!bundle_same_user_tier(from, to, ignored, sizeof(ignored)))
		return true;
	for (uint32_t i = 0; i < to->user_count; i++)
		if (is_reset(takeover, to->user[i].instance) ||
		    bundle_state_fate(&from->user[i], &to->user[i], ignored, sizeof(ignored)) !=
			    STATE_KEPT)
			return true;
	return false;
}

/* How the states of before get into a version that cannot take them over: by hand. */
static void describe_way(const struct bundle *from, const struct bundle *to, char *text,
			 size_t bytes)
{
	const char *unload = bundle_is_durable(from) ? "unload --purge" : "unload";
	const char *last = NULL;
	uint32_t count = 0;

	for (uint32_t i = 0; i < from->user_count; i++) {
		uint32_t here = bundle_user_of(to, from->user[i].instance);

		if (!from->user[i].has_state || here == BUNDLE_NO_FUNCTION ||
		    !to->user[here].has_state)
			continue;
		last = from->user[i].instance;
		phrase_add(text, bytes, "%s%s", count++ ? ", " : "for each FUNCTION of ", last);
	}
	if (count == 1)
		text[0] = '\0';
	if (count != 1)
		last = "FUNCTION";
	if (count)
		phrase_add(text, bytes, "%s`ebpf-faas state export %s %s >%s.jsonl`; then ",
			   count > 1 ? ": " : "", to->name, last, last);
	phrase_add(text, bytes, "`ebpf-faas %s %s`%s, load the new version", unload, to->name,
		   bundle_is_durable(from) ? ", which deletes dead letters too" : "");
	if (count)
		phrase_add(text, bytes, ", `ebpf-faas state import %s %s %s.jsonl`", to->name, last,
			   last);
}

int user_tier_check(const struct bundle *from, const struct bundle *to,
		    const struct takeover *takeover, bool trial, struct diags *diags)
{
	char difference[256], advice[DIAG_TEXT_BYTES] = "";
	int error = 0;

	describe_way(from, to, advice, sizeof(advice));
	if (bundle_needs_runtime(from) && !bundle_needs_runtime(to))
		return diag_fail(diags, DIAG_FAILED, advice,
				 "workflow %s would have no functions or sinks outside the kernel "
				 "any more",
				 to->name);
	if (!bundle_needs_runtime(from) && bundle_needs_runtime(to) && kernel_check_rings(diags))
		return -1;
	if (bundle_needs_runtime(from) &&
	    !bundle_same_log(from, to, difference, sizeof(difference)))
		return diag_fail(diags, DIAG_FAILED, advice,
				 "the log of workflow %s cannot go on: %s", to->name, difference);
	if (trial && !bundle_same_user_tier(from, to, difference, sizeof(difference)))
		return diag_fail(
			diags, DIAG_FAILED,
			"update without --confirm and without `health` in the workflow",
			"outputs of a version of %s on trial that has other user functions "
			"or sinks would not be known to the one before: %s",
			to->name, difference);
	for (uint32_t i = 0; i < from->user_count; i++)
		if (check_gone(&from->user[i], to, takeover, diags))
			error = -1;
	for (uint32_t i = 0; i < to->user_count; i++) {
		uint32_t before = bundle_user_of(from, to->user[i].instance);

		if (before != BUNDLE_NO_FUNCTION &&
		    check_state(&from->user[before], &to->user[i], takeover, diags))
			error = -1;
	}
	return error;
}

int user_tier_write_resets(const struct bundle *to, uint32_t generation, const char *const *resets,
			   unsigned int count, struct diags *diags)
{
	char path[FAAS_PATH_BYTES];
	FILE *file;
	int error;

	if (!count || !bundle_needs_runtime(to))
		return 0;
	snprintf(path, sizeof(path), "%s/%s/generations/%u/resets", FAAS_RUN_WORKFLOWS, to->name,
		 generation);
	file = fopen(path, "we");
	error = file ? 0 : -errno;
	for (unsigned int i = 0; file && i < count; i++)
		fprintf(file, "%s\n", resets[i]);
	if (file && fclose(file))
		error = -errno;
	if (error)
		return diag_fail(diags, DIAG_FAILED, "is /run full?", "%s: %s", path,
				 strerror(-error));
	return 0;
}

bool user_tier_has_files(const char *name)
{
	char path[FAAS_PATH_BYTES];
	uint64_t magic = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/runtime.page", FAAS_RUN_WORKFLOWS, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (pread(fd, &magic, sizeof(magic), offsetof(struct runtime_page, magic)) !=
	    (ssize_t)sizeof(magic))
		magic = 0;
	close(fd);
	return magic == RUNTIME_PAGE_MAGIC;
}

/* Let the generation that runs come to its end. */
static int stop_other(const char *name, const struct bundle *bundle, uint32_t running,
		      uint32_t generation, struct diags *diags)
{
	struct control_stopped stopped = {0};
	struct bundle *other;
	int error = 0;

	if (control_stop_keep(name, FAAS_DRAIN_MS, &stopped, diags))
		return -1;
	fault_point("user_tier.stopped");
	if (running >= generation)
		return 0;
	if (!stopped.drained)
		return diag_fail(diags, DIAG_FAILED, "`ebpf-faas status` shows what holds it up",
				 "the worker of generation %u of %s did not empty its ring within "
				 "%d s",
				 running, name, FAAS_DRAIN_MS / 1000);
	if (!stopped.undelivered_bytes)
		return 0;
	/* What is not delivered yet is written as the new version says. */
	other = calloc(1, sizeof(*other));
	if (!other)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (generation_bundle(name, running, other, diags)) {
		free(other);
		return -1;
	}
	if (!bundle_same_records(other, bundle))
		error = undelivered_fail(other, diags);
	free(other);
	return error;
}

/* The generation that did not stay and has left something in its ring. 0: none. */
static uint32_t find_rest(const char *name, uint32_t generation)
{
	uint32_t last = generation_pinned_before(name, UINT32_MAX);
	uint64_t left = 0;

	return last > generation && !user_tier_left(name, last, &left) && left ? last : 0;
}

/* Until its worker is at its own ring. */
static int wait_for_rest(const char *name, uint32_t generation, struct diags *diags)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * (long)CLOCK_NS_PER_MS};
	uint64_t deadline = clock_monotonic_ns() + REST_MS * CLOCK_NS_PER_MS, left = 0;
	uint32_t rest;

	for (;;) {
		if (control_rest(name, &rest, diags))
			return -1;
		if (!rest)
			return 0;
		if (clock_monotonic_ns() > deadline)
			break;
		nanosleep(&pause, NULL);
	}
	(void)!user_tier_left(name, rest, &left);
	return diag_fail(diags, DIAG_FAILED,
			 "`ebpf-faas status` shows what holds it up; the next command that changes "
			 "something finishes it",
			 "generation %u of %s runs again, and has still to process %llu events of "
			 "generation %u",
			 generation, name, (unsigned long long)left, rest);
}

int user_tier_follow(const char *name, const struct bundle *bundle, uint32_t slot,
		     uint32_t generation, const char *netns_path, struct diags *diags)
{
	struct control_start start = {.workflow = name,
				      .generation = generation,
				      .slot = slot,
				      .netns = netns_path,
				      .keep = user_tier_has_files(name)};
	uint32_t running, rest = 0;

	if (!bundle_needs_runtime(bundle))
		return 0;
	if (control_start_runtime(diags) || control_generation(name, &running, diags))
		return -1;
	start.rest = find_rest(name, generation);
	if (running == generation && start.rest && control_rest(name, &rest, diags))
		return -1;
	if (running != generation || rest != start.rest) {
		if (running && stop_other(name, bundle, running, generation, diags))
			return -1;
		if (control_start(&start, diags))
			return -1;
	}
	return wait_for_rest(name, generation, diags);
}

int user_tier_begin(const char *name, const struct bundle *bundle, uint32_t slot,
		    uint32_t generation, const char *netns_path, struct diags *diags)
{
	if (!bundle_needs_runtime(bundle) || user_tier_has_files(name))
		return 0;
	return user_tier_follow(name, bundle, slot, generation, netns_path, diags);
}

int user_tier_finish(const char *name, uint32_t slot, uint32_t generation, const char *netns_path,
		     struct diags *diags)
{
	const struct control_start start = {.workflow = name,
					    .generation = generation,
					    .slot = slot,
					    .netns = netns_path,
					    .keep = true};
	struct control_stopped stopped;
	uint32_t running;
	uint64_t left = 0;

	if (user_tier_left(name, generation, &left) || !left)
		return 0;
	if (control_generation(name, &running, diags))
		return -1;
	if (running && running != generation && control_stop_keep(name, 0, &stopped, diags))
		return -1;
	if (running != generation && control_start(&start, diags))
		return -1;
	return control_stop_keep(name, FAAS_DRAIN_MS, &stopped, diags);
}

int user_tier_settle(const char *name, const struct bundle *bundle, uint32_t generation,
		     struct diags *diags)
{
	if (!bundle_needs_runtime(bundle))
		return 0;
	return control_settle(name, generation, diags);
}

/* Add what is in one ring of a generation that is pinned at @p directory. 0 or -errno. */
static int count_ring(const char *directory, const char *pin, uint64_t *count)
{
	char path[FAAS_PATH_BYTES];
	struct ringview ring;
	uint64_t events = 0;
	int fd, error;

	snprintf(path, sizeof(path), "%s/%s", directory, pin);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	error = ringview_open(fd, &ring);
	close(fd);
	if (error)
		return error;
	error = ringview_count(&ring, __atomic_load_n(ring.consumer, __ATOMIC_ACQUIRE), &events);
	ringview_close(&ring);
	*count += events;
	return error;
}

int user_tier_left(const char *name, uint32_t generation, uint64_t *ret)
{
	char directory[FAAS_PATH_BYTES - 32];
	int error;

	generation_pins(name, generation, directory, sizeof(directory));
	*ret = 0;
	error = count_ring(directory, FAAS_PIN_RING0, ret);
	return error ? error : count_ring(directory, FAAS_PIN_RING_NEXT, ret);
}
