// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Before the worker of a new version starts: tables for the states that it has laid out
 * differently or that begin anew, and a process that moves states into them. Nothing is
 * changed for the version before until all of them are there, and its own are kept until
 * the new version is known to stay (workflow_settle).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "bundle_compare.h"
#include "clock.h"
#include "fault.h"
#include "logger.h"
#include "paths.h"
#include "spawn.h"
#include "userspace/control/runtime.h"
#include "userspace/pool/supervisor_copies.h"
#include "userspace/pool/supervisor_migrate.h"
#include "userspace/pool/supervisor_renew.h"
#include "userspace/pool/worker_filter.h"
#include "userspace/pool/worker_migrate.h"

/* For all keys of a workflow. */
#define MIGRATION_MS 15000
/* Words of the process that are read at a time; it says three at most. */
#define MESSAGES_MAX 8

_Static_assert(MIGRATE_FD_TO(FAAS_USER_FUNCTIONS_MAX - 1) < SPAWN_FDS_MAX, "all can be passed");

/* What becomes of the tables. Bit n: of user function n. */
struct plan {
	uint32_t before;   /* generation of those that there are */
	uint32_t moved;	   /* states go into a new table */
	uint32_t kept;	   /* the new version goes on with it */
	uint32_t linked;   /* it is, under another number */
	uint32_t replaced; /* one that there is, or shall be: all of the above, those that begin
			    * empty, and those that go */
	bool durable;	   /* those of before are put on the disk, too */
};

struct migration {
	struct runtime *runtime;
	struct start start;
	struct plan plan;
	pid_t pid;
	struct loop_source exit; /* pidfd */
	struct loop_source control;
	struct loop_timer timer;
	struct childlog output;
	char reason[WORKER_MESSAGE_BYTES_MAX];
	TAILQ_ENTRY(migration) all;
};

static void close_source(struct migration *migration, struct loop_source *source)
{
	int fd = source->fd;

	if (fd < 0)
		return;
	loop_remove(migration->runtime->loop, source);
	close(fd);
}

static void destroy(struct migration *migration)
{
	loop_unset(migration->runtime->loop, &migration->timer);
	close_source(migration, &migration->control);
	close_source(migration, &migration->exit);
	childlog_close(&migration->output);
	childlog_forget(&migration->output);
	free(migration);
}

static void kill_process(const struct migration *migration)
{
	(void)!syscall(SYS_pidfd_send_signal, migration->exit.fd, SIGKILL, NULL, 0);
}

static void on_too_slow(struct loop_timer *timer)
{
	struct migration *migration = loop_container(timer, struct migration, timer);

	snprintf(migration->reason, sizeof(migration->reason),
		 "it took more than %d seconds; does faas_on_migrate hang?", MIGRATION_MS / 1000);
	kill_process(migration);
}

static void hear(struct migration *migration, const char *message)
{
	char name[64];

	if (migration->reason[0])
		return;
	if (!strncmp(message, "failed ", 7))
		snprintf(migration->reason, sizeof(migration->reason), "%s", message + 7);
	else if (!strncmp(message, "forbidden ", 10))
		snprintf(migration->reason, sizeof(migration->reason),
			 "it called %s while states were moved, which functions may not",
			 filter_call_name((int)strtol(message + 10, NULL, 10), name, sizeof(name)));
}

static void on_control(struct loop_source *source, uint32_t events)
{
	struct migration *migration = loop_container(source, struct migration, control);
	char message[WORKER_MESSAGE_BYTES_MAX];

	(void)events;
	/* All there is: when it has ended, its reason is behind other words. */
	for (int i = 0; i < MESSAGES_MAX; i++) {
		ssize_t bytes = recv(source->fd, message, sizeof(message) - 1, MSG_DONTWAIT);

		if (bytes < 0)
			return;
		if (!bytes) {
			close_source(migration, source);
			return;
		}
		message[bytes] = '\0';
		hear(migration, message);
	}
}

/* All states are where the new version wants them. */
static void succeed(struct migration *migration)
{
	struct runtime *runtime = migration->runtime;
	const struct plan *plan = &migration->plan;
	const char *name = migration->start.name;
	int err = plan->durable ? storage_before_commit(FAAS_STATE_DURABLE, name) : 0;

	fault_point("migration.kept_before");
	if (!err)
		err = migrate_swap(FAAS_RUN_WORKFLOWS, name, plan->replaced);
	fault_point("migration.swapped");
	if (!err) {
		logger_write(LOGGER_INFO, "workflow.migrated", "workflow=%s generation=%u", name,
			     migration->start.generation);
		workflow_begin(runtime, &migration->start);
		return;
	}
	(void)!migrate_settle(FAAS_RUN_WORKFLOWS, name);
	control_server_refuse(runtime->server, migration->start.client, NULL,
			      "putting the migrated state of %s in its place: %s", name,
			      strerror(-err));
}

static void on_exit_ready(struct loop_source *source, uint32_t events)
{
	struct migration *migration = loop_container(source, struct migration, exit);
	struct runtime *runtime = migration->runtime;
	struct spawn_end how;

	(void)events;
	if (spawn_reap(source->fd, &how))
		return;
	if (migration->control.fd >= 0)
		on_control(&migration->control, 0);
	TAILQ_REMOVE(&runtime->migrations, migration, all);
	if (!how.signal && !how.status && migration->start.client) {
		succeed(migration);
	} else {
		if (!migration->reason[0])
			snprintf(migration->reason, sizeof(migration->reason),
				 "the process that does it %s %d",
				 how.signal ? "was killed by signal" : "exited with status",
				 how.signal ? how.signal : how.status);
		logger_write(LOGGER_ERROR, "workflow.migration", "workflow=%s error=\"%s\"",
			     migration->start.name, migration->reason);
		(void)!migrate_settle(FAAS_RUN_WORKFLOWS, migration->start.name);
		control_server_refuse(runtime->server, migration->start.client,
				      "--reset-state FUNCTION lets a state begin anew", "%s",
				      migration->reason);
		runtime_look_for_end(runtime);
	}
	destroy(migration);
}

/* ---- what the process is given ---- */

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Descriptor @p number shall be what @p fd is, or -errno. */
static int take_fd(int *fds, size_t number, int fd)
{
	if (fd < 0)
		return fd;
	if (fds[number] >= 0)
		close(fds[number]);
	fds[number] = fd;
	return 0;
}

static int duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

static int seal_manifest(const char *name, uint32_t generation)
{
	char path[FAAS_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s/generations/%u/%s", FAAS_STATE_WORKFLOWS, name,
		 generation, BUNDLE_MANIFEST);
	return copies_seal(path, "manifest.json");
}

static int seal_object(const struct migration *migration, const struct bundle_function *function)
{
	char path[FAAS_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s/generations/%u/%s", FAAS_STATE_WORKFLOWS,
		 migration->start.name, migration->start.generation, function->file);
	return copies_seal(path, function->instance);
}

static int open_table(const char *name, uint32_t function)
{
	char file[16];

	snprintf(file, sizeof(file), "state.%u", function);
	return migrate_open(FAAS_RUN_WORKFLOWS, name, file);
}

/* The descriptors of worker_migrate.h, all of them; @p std: its output and its end of the
 * control socket. Owned, on failure too. */
static int fill_fds(struct migration *migration, const struct bundle *from, const struct bundle *to,
		    const int *std, int *fds, size_t count)
{
	const struct plan *plan = &migration->plan;
	const char *name = migration->start.name;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int err = null < 0 ? -errno : 0;

	for (size_t i = 0; !err && i < count; i++)
		err = take_fd(fds, i, duplicate(null));
	if (null >= 0)
		close(null);
	for (size_t i = 1; !err && i <= 2; i++)
		err = take_fd(fds, i, duplicate(std[0]));
	if (!err)
		err = take_fd(fds, MIGRATE_FD_CONTROL, duplicate(std[1]));
	if (!err)
		err = take_fd(fds, MIGRATE_FD_MANIFEST,
			      seal_manifest(name, migration->start.generation));
	if (!err)
		err = take_fd(fds, MIGRATE_FD_MANIFEST_BEFORE, seal_manifest(name, plan->before));
	if (!err)
		err = take_fd(fds, MIGRATE_FD_RUNTIME_PAGE,
			      migrate_open(FAAS_RUN_WORKFLOWS, name, "runtime.page"));
	if (!err && plan->durable)
		err = take_fd(fds, MIGRATE_FD_DISK, storage_before_make(FAAS_STATE_DURABLE, from));
	for (uint32_t i = 0; !err && i < from->user_count; i++)
		if (from->user[i].has_state)
			err = take_fd(fds, MIGRATE_FD_FROM(i), open_table(name, i));
	for (uint32_t i = 0; !err && i < to->user_count; i++)
		err = take_fd(fds, MIGRATE_FD_OBJECT(i), seal_object(migration, &to->user[i]));
	for (uint32_t i = 0; !err && i < to->user_count; i++)
		if (plan->moved >> i & 1)
			err = take_fd(fds, MIGRATE_FD_TO(i),
				      migrate_make(FAAS_RUN_WORKFLOWS, to, i));
	return err;
}

static int run_process(struct migration *migration, const int *fds, size_t count, int *ret_pidfd)
{
	char path[FAAS_PATH_BYTES + 32], texts[4][16], fault[128];
	char *arguments[] = {(char *)"ebpf-faas-worker", texts[0], texts[1], texts[2],
			     (char *)"migrate",		 texts[3], NULL};
	char *environment[] = {NULL, NULL};
	const char *faults = getenv("EBPF_FAAS_FAULT");
	struct spawn spawn = {.path = path,
			      .arguments = arguments,
			      .environment = environment,
			      .fds = fds,
			      .fd_count = count};

	snprintf(path, sizeof(path), "%s/ebpf-faas-worker", paths_libexec());
	snprintf(texts[0], sizeof(texts[0]), "%u", FAAS_WORKER_UID_BASE + migration->start.slot);
	snprintf(texts[1], sizeof(texts[1]), "%u", migration->plan.moved);
	snprintf(texts[2], sizeof(texts[2]), "%u", migration->start.generation);
	snprintf(texts[3], sizeof(texts[3]), "%u", migration->plan.kept);
	if (faults) {
		snprintf(fault, sizeof(fault), "EBPF_FAAS_FAULT=%s", faults);
		environment[0] = fault;
	}
	return spawn_start(&spawn, &migration->pid, ret_pidfd);
}

/* Start it. On failure nothing of it is left but the object. */
static int launch(struct migration *migration, const struct bundle *from, const struct bundle *to)
{
	struct loop *loop = migration->runtime->loop;
	int fds[SPAWN_FDS_MAX], pair[2] = {-1, -1}, output = -1, pidfd = -1, err = 0;
	uint32_t functions = from->user_count > to->user_count ? from->user_count : to->user_count;
	size_t count = MIGRATE_FD_FUNCTIONS + 3 * (size_t)functions;

	memset(fds, 0xff, sizeof(fds));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		err = -errno;
	if (!err)
		err = childlog_open(&migration->output, loop, migration->start.name,
				    FAAS_LOG_LINES_PER_SECOND, &output);
	if (!err)
		err = fill_fds(migration, from, to, (const int[]){output, pair[1]}, fds, count);
	if (!err)
		err = run_process(migration, fds, count, &pidfd);
	if (!err)
		err = loop_add(loop, &migration->exit, pidfd, EPOLLIN, on_exit_ready);
	if (err && pidfd >= 0)
		spawn_abandon(pidfd);
	if (!err && !loop_add(loop, &migration->control, pair[0], EPOLLIN, on_control))
		pair[0] = -1;
	close_all(fds, SPAWN_FDS_MAX);
	close_all(pair, 2);
	close_all(&output, 1);
	return err;
}

/* ---- from the runtime ---- */

static int open_generation(const char *name, uint32_t generation, struct bundle *ret,
			   struct diags *diags)
{
	char directory[FAAS_PATH_BYTES];

	snprintf(directory, sizeof(directory), "%s/%s/generations/%u", FAAS_STATE_WORKFLOWS, name,
		 generation);
	return bundle_open(directory, ret, diags);
}

/* What becomes of the tables with that number, of either version. */
static void look_at(const struct start *start, const struct bundle *from, const struct bundle *to,
		    uint32_t number, struct plan *plan)
{
	bool was = number < from->user_count && from->user[number].has_state;
	bool is = number < to->user_count && to->user[number].has_state;
	const char *instance = is ? to->user[number].instance : "";
	uint32_t before = bundle_user_of(from, instance);
	enum bundle_state_fate fate = STATE_NOT_KEPT;
	char ignored[256];

	if (is && before != BUNDLE_NO_FUNCTION &&
	    !run_files_reset(FAAS_RUN_WORKFLOWS, start->name, start->generation, instance))
		fate = bundle_state_fate(&from->user[before], &to->user[number], ignored,
					 sizeof(ignored));
	if (fate == STATE_KEPT)
		plan->kept |= 1u << number;
	if ((!was && !is) || (fate == STATE_KEPT && before == number))
		return;
	plan->replaced |= 1u << number;
	if (fate == STATE_MIGRATED)
		plan->moved |= 1u << number;
	if (fate == STATE_KEPT)
		plan->linked |= 1u << number;
}

/* Compare the versions. -1 with a diagnostic. */
static int look(const struct start *start, struct bundle *from, struct bundle *to,
		struct plan *plan, struct diags *diags)
{
	char ignored[256];

	if (open_generation(start->name, plan->before, from, diags) ||
	    open_generation(start->name, start->generation, to, diags))
		return -1;
	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++)
		look_at(start, from, to, i, plan);
	plan->durable = plan->replaced && bundle_is_durable(from);
	if (!bundle_same_user_tier(from, to, ignored, sizeof(ignored)))
		plan->replaced |= MIGRATE_PAGES;
	return 0;
}

/* Make all that nobody has to fill. 0 or -errno. */
static int make_files(const struct plan *plan, const struct bundle *from, const struct bundle *to)
{
	int err = 0;

	if (plan->replaced & MIGRATE_PAGES)
		err = migrate_pages(FAAS_RUN_WORKFLOWS, from, to);
	for (uint32_t i = 0; !err && i < to->user_count; i++) {
		if (!(plan->replaced >> i & 1) || !to->user[i].has_state || plan->moved >> i & 1)
			continue;
		if (plan->linked >> i & 1) {
			err = migrate_link(FAAS_RUN_WORKFLOWS, to->name,
					   bundle_user_of(from, to->user[i].instance), i);
		} else {
			int fd = migrate_make(FAAS_RUN_WORKFLOWS, to, i);

			if (fd < 0)
				err = fd;
			else
				(void)close(fd);
		}
	}
	return err;
}

static int start_process(struct runtime *runtime, const struct start *start,
			 const struct plan *plan, const struct bundle *from,
			 const struct bundle *to)
{
	struct migration *migration = calloc(1, sizeof(*migration));
	int err;

	if (!migration)
		return -ENOMEM;
	migration->runtime = runtime;
	migration->start = *start;
	migration->plan = *plan;
	migration->exit.fd = migration->control.fd = -1;
	err = launch(migration, from, to);
	if (err) {
		destroy(migration);
		return err;
	}
	TAILQ_INSERT_TAIL(&runtime->migrations, migration, all);
	loop_set(runtime->loop, &migration->timer,
		 clock_monotonic_ns() + MIGRATION_MS * CLOCK_NS_PER_MS, on_too_slow);
	return 0;
}

/* Whose the tables are, when all that was half done is settled. 1: of the generation that
 * is to start; 0: of plan->before. -1 with a diagnostic. */
static int settle(const struct start *start, struct plan *plan, struct diags *diags)
{
	uint32_t kept;
	int err = migrate_settle(FAAS_RUN_WORKFLOWS, start->name);

	if (!err)
		err = run_files_generation(FAAS_RUN_WORKFLOWS, start->name, &plan->before, &kept);
	/* Whoever opens the files says what is wrong with them. */
	if (err == -ENOENT || (!err && plan->before == start->generation))
		return 1;
	if (!err && kept == start->generation)
		err = migrate_back(FAAS_RUN_WORKFLOWS, start->name);
	else if (!err && kept)
		err = migrate_keep(FAAS_RUN_WORKFLOWS, start->name);
	if (err)
		return diag_fail(diags, DIAG_FAILED, NULL, "the state of %s: %s", start->name,
				 strerror(-err));
	return kept == start->generation;
}

/* 1: it goes on without a process. 0: one is at work. -1 with a diagnostic. */
static int begin(struct runtime *runtime, const struct start *start, struct bundle *from,
		 struct bundle *to, struct diags *diags)
{
	struct plan plan = {0};
	int outcome = settle(start, &plan, diags), err;

	if (outcome)
		return outcome;
	if (look(start, from, to, &plan, diags))
		return -1;
	if (!plan.replaced)
		return 1;
	if (!migrate_may_begin(FAAS_RUN_WORKFLOWS, start->name))
		return diag_fail(diags, DIAG_FAILED, "try again",
				 "the worker of generation %u of %s did not come to its end",
				 plan.before, start->name);
	err = make_files(&plan, from, to);
	if (!err && (plan.moved || plan.durable))
		err = start_process(runtime, start, &plan, from, to);
	else if (!err)
		err = migrate_swap(FAAS_RUN_WORKFLOWS, to->name, plan.replaced);
	if (!err)
		return !(plan.moved || plan.durable);
	(void)!migrate_settle(FAAS_RUN_WORKFLOWS, start->name);
	return diag_fail(diags, DIAG_FAILED,
			 err == -ENOSPC ? "make room in /run, and where durable state is" : NULL,
			 "new tables for the state of %s: %s", start->name, strerror(-err));
}

void migration_begin(struct runtime *runtime, const struct start *start)
{
	struct bundle *from = calloc(1, sizeof(*from)), *to = calloc(1, sizeof(*to));
	struct diags *diags = calloc(1, sizeof(*diags));
	int outcome = -1;

	if (from && to && diags)
		outcome = begin(runtime, start, from, to, diags);
	if (outcome > 0)
		workflow_begin(runtime, start);
	else if (outcome)
		control_server_refuse(
			runtime->server, start->client, diags ? diags->list[0].advice : NULL, "%s",
			diags && diags->count ? diags->list[0].cause : "out of memory");
	free(diags);
	free(to);
	free(from);
}

bool migration_runs(const struct runtime *runtime, const char *name)
{
	const struct migration *migration;

	TAILQ_FOREACH(migration, &runtime->migrations, all)
	if (!strcmp(migration->start.name, name))
		return true;
	return false;
}

void migration_forget(struct runtime *runtime, uint64_t client)
{
	struct migration *migration = NULL;

	TAILQ_FOREACH(migration, &runtime->migrations, all)
	{
		if (migration->start.client != client)
			continue;
		migration->start.client = 0;
		kill_process(migration);
	}
}
