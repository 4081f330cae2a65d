// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "generation.h"
#include "health.h"
#include "ledger.h"

#define LOOK_EVERY_MS 100
/* How long a command that was killed may leave the workflow half changed before the
 * guard has it repaired. */
#define HALF_CHANGED_NS (2 * CLOCK_NS_PER_S)

struct guard {
	const char *workflow;
	const struct trial *terms;
	int to_command;
	struct host host; /* to look only */
	uint32_t slot;
	uint32_t generation;
	uint64_t deadline_ns; /* of the trial: no other has the same */
	uint64_t begun_ns;    /* CLOCK_BOOTTIME */
	bool judged;	      /* health was good, or is not asked for */
	struct bundle *bundle;
	struct ledger *before, *now;
};

/* Tell the command that waits for it what came of health: "" is good. */
static void tell(struct guard *guard, const char *verdict)
{
	if (!guard->judged)
		dprintf(guard->to_command, "%s\n", verdict);
	guard->judged = true;
}

static void __attribute__((noreturn)) end(struct guard *guard, const char *verdict)
{
	tell(guard, verdict);
	_exit(0);
}

/* Apart from the terminal and the session of who gave the command. */
static void detach(int from_command, int to_command)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (chdir("/"))
		_exit(1);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	/* Whatever else the command had open, a lock of its caller too. */
	for (int fd = 3; fd < 1024; fd++)
		if (fd != from_command && fd != to_command)
			close(fd);
}

/* One that a killed command left half changed: opening the host repairs it. */
static void have_repaired(struct guard *guard)
{
	struct diags *diags = calloc(1, sizeof(*diags));
	struct host host;

	(void)guard;
	if (diags && !host_open(&host, HOST_CHANGE, diags))
		host_close(&host);
	free(diags);
}

/* The trial, as the command left it. Ends the process if there is none. */
static void find_trial(struct guard *guard)
{
	const struct timespec pause = {0, LOOK_EVERY_MS * 1000000L};
	struct diags *diags = calloc(1, sizeof(*diags));
	uint64_t since = clock_ns(CLOCK_BOOTTIME);
	bool repaired = false;

	if (!diags)
		_exit(1);
	for (;;) {
		const struct faas_registry_entry *entry;

		if (host_open(&guard->host, HOST_READ, diags))
			_exit(1);
		guard->slot = host_find(&guard->host, guard->workflow);
		if (!guard->slot)
			end(guard, "it was unloaded");
		entry = &guard->host.registry[guard->slot];
		if (entry->state == FAAS_REGISTRY_LOADED) {
			if (!(entry->flags & FAAS_REGISTRY_TRIAL))
				_exit(0); /* the change was taken back by its command */
			guard->generation = entry->generation;
			guard->deadline_ns = entry->deadline_ns;
			free(diags);
			return;
		}
		host_close(&guard->host);
		if (!repaired && clock_ns(CLOCK_BOOTTIME) - since > HALF_CHANGED_NS) {
			have_repaired(guard);
			repaired = true;
		}
		nanosleep(&pause, NULL);
	}
}

/* Not one of the same number that was loaded after ours was unloaded. */
static bool is_ours(const struct guard *guard, const struct faas_registry_entry *entry)
{
	return entry->generation == guard->generation && entry->deadline_ns == guard->deadline_ns &&
	       !strncmp(entry->name, guard->workflow, sizeof(entry->name));
}

/* Do @p act under the lock, if the trial is still ours. */
static void act(struct guard *guard, bool pass, const char *reason)
{
	struct diags *diags = calloc(1, sizeof(*diags));
	const struct faas_registry_entry *entry;
	struct host host;
	uint32_t slot = 0;

	if (!diags)
		_exit(1);
	if (!host_open(&host, HOST_CHANGE, diags))
		slot = host_find(&host, guard->workflow);
	entry = slot ? &host.registry[slot] : NULL;
	if (entry && entry->state == FAAS_REGISTRY_LOADED && is_ours(guard, entry) &&
	    entry->flags & FAAS_REGISTRY_TRIAL) {
		if (pass)
			(void)!trial_pass(&host, slot, "passed its trial", diags);
		else if (!trial_go_back(&host, slot, reason, diags))
			syslog(LOG_WARNING, "workflow=%s generation=%u went_back=\"%s\"",
			       guard->workflow, guard->generation, reason);
	}
	host_close(&host);
	free(diags);
}

static bool still_ours(const struct guard *guard)
{
	const struct faas_registry_entry *entry = &guard->host.registry[guard->slot];

	return entry->state != FAAS_REGISTRY_FREE && is_ours(guard, entry) &&
	       entry->flags & FAAS_REGISTRY_TRIAL;
}

/* It is no trial any more, and it runs. */
static bool confirmed(const struct guard *guard)
{
	const struct faas_registry_entry *entry = &guard->host.registry[guard->slot];

	return entry->state == FAAS_REGISTRY_LOADED && is_ours(guard, entry);
}

/* Health, as of now. Ends the process if it is bad. */
static void judge(struct guard *guard, uint64_t now)
{
	const struct bundle_health *health = &guard->terms->health;
	bool over = now - guard->begun_ns >= health->for_ns;
	char reason[256];

	if (ledger_read(&guard->host, guard->bundle, guard->slot, guard->now))
		snprintf(reason, sizeof(reason), "its counters cannot be read");
	else if (health_good(health, guard->before, guard->now, over, reason, sizeof(reason))) {
		if (over && !guard->terms->confirm_ns)
			act(guard, true, NULL);
		if (over)
			tell(guard, "");
		return;
	}
	act(guard, false, reason);
	end(guard, reason);
}

static void watch(struct guard *guard)
{
	const struct timespec pause = {0, LOOK_EVERY_MS * 1000000L};
	char reason[128];

	for (;;) {
		uint64_t now = clock_ns(CLOCK_BOOTTIME);

		if (!still_ours(guard))
			end(guard, confirmed(guard) ? "" : "somebody ended its trial");
		if (!guard->judged)
			judge(guard, now);
		if (guard->judged && !guard->terms->confirm_ns)
			return;
		if (guard->terms->confirm_ns && now - guard->begun_ns >= guard->terms->confirm_ns) {
			snprintf(reason, sizeof(reason), "nobody confirmed it within %llu s",
				 (unsigned long long)(guard->terms->confirm_ns / CLOCK_NS_PER_S));
			act(guard, false, reason);
			end(guard, reason);
		}
		nanosleep(&pause, NULL);
	}
}

void guard_run(const char *workflow, const struct trial *terms, int from_command, int to_command)
{
	struct guard guard = {.workflow = workflow,
			      .terms = terms,
			      .to_command = to_command,
			      .judged = !terms->health.given,
			      .bundle = calloc(1, sizeof(*guard.bundle)),
			      .before = calloc(1, sizeof(*guard.before)),
			      .now = calloc(1, sizeof(*guard.now))};
	struct diags *diags = calloc(1, sizeof(*diags));
	char word = GUARD_GO;

	detach(from_command, to_command);
	while (read(from_command, &word, 1) < 0 && errno == EINTR)
		continue;
	if (word == GUARD_END || !guard.bundle || !guard.before || !guard.now || !diags)
		_exit(0);
	find_trial(&guard);
	guard.begun_ns = clock_ns(CLOCK_BOOTTIME);
	if (!guard.judged && (generation_bundle(workflow, guard.generation, guard.bundle, diags) ||
			      ledger_read(&guard.host, guard.bundle, guard.slot, guard.before))) {
		act(&guard, false, "its counters cannot be read");
		end(&guard, "its counters cannot be read");
	}
	watch(&guard);
	_exit(0);
}
