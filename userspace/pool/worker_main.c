// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas-worker UID INSTANCE GENERATION: see worker_fds.h for what it is
 * given. Mostly it is not started so, but made of a template (cell.h). Privileges go first, code of
 * an author comes last:
 *
 *   1. become the workflow's user, without capabilities
 *   2. hear what the workflow is, or read its manifest
 *   3. make the io_uring that can only poll and time, and write with durable state
 *   4. map everything, close what was mapped, recover
 *   5. close the sandbox, load the shared objects
 *   6. tighten the sandbox: from then on nothing can be opened or loaded
 *   7. faas_on_init, say "ready", run
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bundle.h"
#include "userspace/pool/cell.h"
#include "userspace/pool/worker.h"
#include "userspace/pool/worker_crash.h"
#include "userspace/pool/worker_durable.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/pool/worker_migrate.h"
#include "userspace/pool/worker_privilege.h"
#include "userspace/pool/worker_rest.h"
#include "userspace/pool/worker_sandbox.h"

struct arguments {
	uint32_t uid;
	uint16_t instance;
	uint32_t generation;
	uint32_t kept; /* see worker_migrate.h */
	bool waits;    /* for the runtime to know of it */
};

static int parse_number(const char *text, unsigned long most, unsigned long *ret)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value > most)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int parse_arguments(int count, char **texts, bool migrates, struct arguments *ret)
{
	const unsigned long mask = (1u << FAAS_USER_FUNCTIONS_MAX) - 1;
	unsigned long uid, instance, generation, kept = 0;

	if (count != (migrates ? 6 : 4) || parse_number(texts[1], UINT32_MAX - 1, &uid) ||
	    parse_number(texts[2], migrates ? mask : FAAS_INSTANCES_MAX - 1, &instance) ||
	    parse_number(texts[3], UINT32_MAX, &generation) ||
	    (migrates && parse_number(texts[5], mask, &kept)))
		return -EINVAL;
	*ret = (struct arguments){
		.uid = (uint32_t)uid,
		.instance = (uint16_t)instance,
		.generation = (uint32_t)generation,
		.kept = (uint32_t)kept,
	};
	return 0;
}

/* Tell why, on the log and to the runtime, who shows it to a person. */
static int report(int status, const char *reason)
{
	char message[WORKER_MESSAGE_BYTES_MAX];
	int bytes;

	(void)fprintf(stderr, "component=worker event=failed status=%d reason=\"%s\"\n", status,
		      reason);
	bytes = snprintf(message, sizeof(message), "failed %s", reason);
	if (bytes >= (int)sizeof(message))
		bytes = (int)sizeof(message) - 1;
	(void)!send(WORKER_FD_CONTROL, message, (size_t)bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	return status;
}

/* Nobody but the runtime ends a worker: not the terminal, not a service manager
 * that signals the whole group while the runtime still drains. */
static void ignore_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};

	for (unsigned int i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
}

/* Read the manifest. Returns-owned: *ret, free(). */
static int read_manifest(int fd, struct bundle **ret)
{
	struct diags *diags = calloc(1, sizeof(*diags));
	char *text = malloc(FAAS_MANIFEST_BYTES_MAX + 1);
	struct bundle *bundle;
	size_t bytes = 0;
	int status = WORKER_EXIT_SETUP;

	if (!diags || !text) {
		status = report(status, "no memory");
		goto cleanup;
	}
	while (bytes <= FAAS_MANIFEST_BYTES_MAX) {
		ssize_t got =
			pread(fd, text + bytes, FAAS_MANIFEST_BYTES_MAX + 1 - bytes, (off_t)bytes);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			status = report(status, "the manifest cannot be read");
			goto cleanup;
		}
		if (!got)
			break;
		bytes += (size_t)got;
	}
	bundle = bundle_new(text, bytes, BUNDLE_MANIFEST, diags);
	if (bundle) {
		*ret = bundle;
		status = 0;
	} else {
		status = report(status, diags->count ? diags->list[0].cause : "manifest");
	}
cleanup:
	free(text);
	free(diags);
	return status;
}

#define NOT_KNOWN (-1)

/* What it is to do: told by the runtime, which knows of it then, or read. 0, NOT_KNOWN, or
 * an exit status. Returns-owned: *ret, free(). */
static int take_bundle(const struct arguments *arguments, struct bundle **ret)
{
	int err = arguments->waits ? cell_wait(ret) : 0;

	if (err == -EPIPE)
		return NOT_KNOWN;
	if (err)
		return report(WORKER_EXIT_SETUP,
			      err == -ENOMEM ? "no memory"
					     : "the runtime is of another version: restart it");
	return *ret ? 0 : read_manifest(WORKER_FD_MANIFEST, ret);
}

/* What is mapped needs no descriptor any more: a function that got hold of one
 * could shrink a file below the feet of those who map it. */
static void close_mapped(const struct worker_files *files, uint32_t user_count)
{
	(void)close(WORKER_FD_MANIFEST);
	(void)close(files->wake);
	(void)close(files->worker_page);
	(void)close(files->courier_page);
	(void)close(files->runtime_page);
	(void)close(files->log);
	for (uint32_t i = 0; i < user_count; i++)
		(void)close(files->state[i]);
}

static int open_waiter(struct worker *worker, bool durable)
{
	int err = waiter_open(&worker->waiter, durable);

	if (err)
		return worker_fail(worker, WORKER_EXIT_SETUP, "io_uring: %s%s", strerror(-err),
				   err == -EPERM ? " (sysctl kernel.io_uring_disabled must be 0)"
						 : "");
	waiter_watch(&worker->waiter, WAITER_RING, WORKER_FD_RING);
	waiter_watch(&worker->waiter, WAITER_CONTROL, WORKER_FD_CONTROL);
	waiter_watch(&worker->waiter, WAITER_SPACE, WORKER_FD_SPACE);
	return 0;
}

/* Take up what there is, from memory or from the disk. No code of an author has
 * run yet. @p ret_longest: bytes of the longest file that it will write to. */
static int recover(struct worker *worker, const struct worker_files *files, uint64_t *ret_longest)
{
	uint64_t longest = 0;
	int status = 0;

	if (bundle_is_durable(worker->bundle)) {
		status = worker_durable_open(worker, files->disk);
		for (unsigned int i = 0; !status && i < DISK_FILES; i++)
			if (worker->durable->disk.disk.bytes[i] > longest)
				longest = worker->durable->disk.disk.bytes[i];
	} else {
		for (unsigned int i = 0; i < DISK_FILES; i++)
			(void)close(files->disk[i]);
	}
	if (!status)
		status = worker_rest_open(worker);
	if (!status)
		status = worker_recover(worker);
	*ret_longest = longest;
	return status;
}

/* Code of authors: into a sandbox that is closed. */
static int load(struct worker *worker, const struct worker_files *files, uint64_t longest)
{
	struct sandbox sandbox = {0};
	int status = worker_watch_open(worker);

	if (!status)
		status = worker_crash_open(worker);
	if (!status)
		status = sandbox_close(&sandbox, worker, files->object, longest);
	if (!status)
		status = worker_load(worker, files);
	for (uint32_t i = 0; !status && i < worker->bundle->user_count; i++)
		if (!worker->functions[i].exec)
			(void)close(files->object[i]);
	if (!status)
		status = sandbox_tighten(&sandbox, worker);
	return status ? status : worker_init(worker);
}

static int set_up(struct worker *worker, const struct bundle *bundle, uint16_t instance)
{
	struct worker_files files = {
		.ring = WORKER_FD_RING,
		.wake = WORKER_FD_WAKE,
		.worker_page = WORKER_FD_WORKER_PAGE,
		.courier_page = WORKER_FD_COURIER_PAGE,
		.runtime_page = WORKER_FD_RUNTIME_PAGE,
		.log = WORKER_FD_LOG,
	};
	uint64_t longest;
	int status;

	for (int i = 0; i < DISK_FILES; i++)
		files.disk[i] = WORKER_FD_DISK + i;
	for (uint32_t i = 0; i < bundle->user_count; i++) {
		files.object[i] = WORKER_FD_OBJECT((int)i);
		files.state[i] = WORKER_FD_STATE((int)i);
	}
	status = worker_map(worker, bundle, instance, &files);
	if (status)
		return status;
	worker->notify_fd = WORKER_FD_NOTIFY;
	worker->control_fd = WORKER_FD_CONTROL;
	close_mapped(&files, bundle->user_count);
	status = recover(worker, &files, &longest);
	/* In quarantine nothing of an author's is loaded. */
	return status || worker->puts_aside ? status : load(worker, &files, longest);
}

/* See worker_migrate.h. */
static int migrate(struct worker *worker, const struct arguments *arguments)
{
	struct bundle *before = NULL, *bundle = NULL;
	int status = read_manifest(MIGRATE_FD_MANIFEST_BEFORE, &before);

	if (!status)
		status = read_manifest(MIGRATE_FD_MANIFEST, &bundle);
	if (status)
		return status;
	status = worker_migrate(worker, before, bundle,
				&(struct worker_migration){.generation = arguments->generation,
							   .moved = arguments->instance,
							   .kept = arguments->kept});
	return status ? report(status, worker->error) : WORKER_EXIT_DONE;
}

/* What a person sees of the process: its own arguments over those of the template. */
static void show_arguments(const struct arguments *arguments, int count, char **texts)
{
	char *begin = texts[1], *end = texts[count - 1] + strlen(texts[count - 1]);
	size_t room = (size_t)(end - begin) + 1;

	memset(begin, 0, room);
	(void)snprintf(begin, room, "%u%c%u%c%u", arguments->uid, 0, arguments->instance, 0,
		       arguments->generation);
}

/* To be the holder or the template of the cell: exit status. In a worker made of the
 * template 0, with *ret; -1: it is neither. */
static int be_of_cell(int count, char **texts, struct arguments *ret)
{
	struct cell_request request;
	unsigned long namespaces;
	int status;

	if (count < 3 || parse_number(texts[2], UINT32_MAX, &namespaces))
		return -1;
	if (!strcmp(texts[1], "holder"))
		return cell_hold((uint32_t)namespaces);
	if (strcmp(texts[1], "template") != 0)
		return -1;
	status = cell_template((uint32_t)namespaces, &request);
	if (status)
		return status;
	*ret = (struct arguments){
		.uid = request.uid,
		.instance = (uint16_t)request.instance,
		.generation = request.generation,
		.waits = true,
	};
	show_arguments(ret, count, texts);
	return 0;
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: ebpf-faas-worker UID INSTANCE GENERATION\n"
			      "       ebpf-faas-worker UID MASK GENERATION migrate KEPT\n"
			      "       ebpf-faas-worker holder|template NAMESPACES\n"
			      "The runtime starts it, with files open.\n");
	return WORKER_EXIT_SETUP;
}

int main(int count, char **texts)
{
	struct worker *worker = NULL;
	struct bundle *bundle = NULL;
	struct arguments arguments = {0};
	const char *step = "";
	bool migrates;
	int status;
	int err;

	ignore_signals();
	status = be_of_cell(count, texts, &arguments);
	if (status > 0 || (!status && !strcmp(texts[1], "holder")))
		return status;
	migrates = count == 6 && !strcmp(texts[4], "migrate");
	if (status < 0 && parse_arguments(count, texts, migrates, &arguments))
		return usage();
	err = privilege_drop(arguments.uid, &step);
	if (err) {
		char reason[128];

		(void)snprintf(reason, sizeof(reason), "privileges (%s): %s", step, strerror(-err));
		return report(WORKER_EXIT_SETUP, reason);
	}
	/* Waits of 50 microseconds, not of 100. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);

	status = migrates ? 0 : take_bundle(&arguments, &bundle);
	if (status)
		return status == NOT_KNOWN ? WORKER_EXIT_DONE : status;
	worker = aligned_alloc(64, (sizeof(*worker) + 63) & ~63ul);
	if (!worker)
		return report(WORKER_EXIT_SETUP, "no memory");
	memset(worker, 0, sizeof(*worker));
	if (migrates)
		return migrate(worker, &arguments);
	status = open_waiter(worker, bundle_is_durable(bundle));
	if (status)
		return report(status, worker->error);
	status = set_up(worker, bundle, arguments.instance);
	if (status)
		return report(status, worker->error);

	(void)!send(WORKER_FD_CONTROL, "ready", 5, MSG_NOSIGNAL);
	(void)fprintf(stderr,
		      "component=worker event=ready workflow=%s instance=%u generation=%u "
		      "sequence=%" PRIu64 " ring_position=%" PRIu64 " skipped_bytes=%" PRIu64 "\n",
		      bundle->name, arguments.instance, arguments.generation, worker->live.sequence,
		      worker->live.ring_position, worker->page->skipped_bytes);
	status = worker_run(worker);
	if (status)
		return report(status, worker->error);
	return WORKER_EXIT_DONE;
}
