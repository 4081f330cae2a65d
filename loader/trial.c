// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fault.h"
#include "generation.h"
#include "guard.h"
#include "history.h"
#include "settle.h"
#include "workflow_value.h"

#define CONFIRM_NS_MIN CLOCK_NS_PER_S
#define CONFIRM_NS_MAX (24ull * 3600 * CLOCK_NS_PER_S)
/* The guard acts when the time is over; another command only without it. */
#define GUARD_NS (3 * CLOCK_NS_PER_S)

int trial_terms(const char *confirm, const struct bundle_health *health, struct trial *ret,
		struct diags *diags)
{
	struct value value = {0};

	*ret = (struct trial){.to_guard = -1, .from_guard = -1};
	if (health)
		ret->health = *health;
	if (!confirm)
		return 0;
	if (value_parse(PARAM_DURATION, confirm, &value) ||
	    (uint64_t)value.integer < CONFIRM_NS_MIN || (uint64_t)value.integer > CONFIRM_NS_MAX)
		return diag_fail(diags, DIAG_USAGE, "write a duration of 1s to 24h, such as 60s",
				 "--confirm %s", confirm);
	ret->confirm_ns = (uint64_t)value.integer;
	return 0;
}

int trial_begin(struct trial *trial, const char *workflow, struct diags *diags)
{
	int down[2] = {-1, -1}, up[2] = {-1, -1};
	int error = 0;

	if (!trial_wanted(trial))
		return 0;
	/* The way by which the operator came may be what this cuts. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
		error = -errno;
	fflush(NULL);
	trial->guard = error ? -1 : fork();
	if (!error && trial->guard < 0)
		error = -errno;
	if (!trial->guard) {
		close(down[1]);
		close(up[0]);
		guard_run(workflow, trial, down[0], up[1]); /* does not return */
	}
	if (down[0] >= 0)
		close(down[0]);
	if (up[1] >= 0)
		close(up[1]);
	trial->to_guard = down[1];
	trial->from_guard = up[0];
	if (error) {
		trial->guard = 0;
		return diag_fail(diags, DIAG_FAILED, NULL, "starting the guard of the trial: %s",
				 strerror(-error));
	}
	return 0;
}

void trial_mark(const struct trial *trial, struct faas_registry_entry *entry)
{
	uint64_t health_ns = trial->health.given ? trial->health.for_ns : 0;
	uint64_t longest = trial->confirm_ns > health_ns ? trial->confirm_ns : health_ns;

	if (!trial_wanted(trial))
		return;
	entry->deadline_ns = clock_ns(CLOCK_BOOTTIME) + longest;
	__atomic_fetch_or(&entry->flags, FAAS_REGISTRY_TRIAL, __ATOMIC_RELEASE);
}

/* The guard's verdict: "" passed, else why it went back. -1: it did not say. */
static int hear(const struct trial *trial, char *ret, size_t bytes)
{
	size_t used = 0;
	ssize_t got = 0;

	while (used < bytes - 1) {
		got = read(trial->from_guard, ret + used, bytes - 1 - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
		if (ret[used - 1] == '\n')
			break;
	}
	if (!used || ret[used - 1] != '\n')
		return -1;
	ret[used - 1] = '\0';
	return 0;
}

int trial_wait(struct trial *trial, const char *workflow, bool changed, struct diags *diags)
{
	const char go = changed ? GUARD_GO : GUARD_END;
	char reason[512];
	int error = 0;

	if (!trial->guard)
		return 0;
	(void)!write(trial->to_guard, &go, 1);
	if (!changed) {
		while (waitpid(trial->guard, NULL, 0) < 0 && errno == EINTR)
			continue;
	} else if (trial->health.given) {
		if (hear(trial, reason, sizeof(reason)))
			error = diag_fail(diags, DIAG_FAILED,
					  "the next command that changes anything sends it back "
					  "when its time is over; `ebpf-faas confirm` keeps it",
					  "the guard of workflow %s died before it judged",
					  workflow);
		else if (reason[0])
			error = diag_fail(diags, DIAG_FAILED, "`ebpf-faas history` has it as well",
					  "workflow %s went back: %s", workflow, reason);
	}
	close(trial->to_guard);
	close(trial->from_guard);
	trial->guard = 0;
	return error;
}

int trial_pass(const struct host *host, uint32_t slot, const char *event, struct diags *diags)
{
	struct faas_registry_entry *entry = &host->registry[slot];

	__atomic_store_n(&entry->state, FAAS_REGISTRY_UPDATING, __ATOMIC_RELEASE);
	fault_point("confirm.begun");
	__atomic_fetch_and(&entry->flags, ~(uint32_t)FAAS_REGISTRY_TRIAL, __ATOMIC_RELEASE);
	fault_point("confirm.passed");
	if (settle(host, slot, diags))
		return -1;
	history_add(entry->name, event, entry->generation, "", NULL);
	return 0;
}

int trial_go_back(struct host *host, uint32_t slot, const char *reason, struct diags *diags)
{
	struct faas_registry_entry *entry = &host->registry[slot];
	uint32_t from = entry->generation;
	uint32_t before = generation_pinned_before(entry->name, from);

	/* None before it, and not even itself: the pins cannot be read, which says
	 * nothing about what there is. */
	if (!before && generation_pinned_before(entry->name, from + 1) != from)
		return diag_fail(
			diags, DIAG_FAILED, "the next command that changes anything tries again",
			"the versions of workflow %s in bpffs cannot be read", entry->name);
	if (!before) {
		if (host_remove_workflow(host, slot, entry->name))
			return diag_fail(diags, DIAG_FAILED,
					 "the next command that changes anything goes on with it",
					 "workflow %s could not be taken out", entry->name);
		return 0;
	}
	history_add(entry->name, "goes back", from, "", reason);
	if (settle_to(host, slot, before, diags))
		return -1;
	history_add(entry->name, "runs again", before, "", NULL);
	return 0;
}

bool trial_overdue(const struct faas_registry_entry *entry)
{
	return entry->state == FAAS_REGISTRY_LOADED && entry->flags & FAAS_REGISTRY_TRIAL &&
	       clock_ns(CLOCK_BOOTTIME) > entry->deadline_ns + GUARD_NS;
}
