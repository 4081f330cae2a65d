// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas unload: no packet is led to the workflow any more, then what is on
 * its way is let through for a bounded time, then all of it goes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "attach.h"
#include "bundle_names.h"
#include "command.h"
#include "generation.h"
#include "host.h"
#include "ledger.h"
#include "output.h"
#include "remember.h"
#include "status.h"

#define DRAIN_POLL_MS 2

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* The last ledger, after at most @p limit_ms. */
static int drain(const struct host *host, const struct bundle *bundle, uint32_t slot,
		 unsigned int limit_ms, struct ledger *ret)
{
	const struct timespec pause = {0, DRAIN_POLL_MS * 1000000L};
	uint64_t end = now_ms() + limit_ms;
	int error;

	for (;;) {
		error = ledger_read(host, bundle, slot, ret);
		if (error || ledger_at_rest(ret) || now_ms() >= end)
			return error;
		nanosleep(&pause, NULL);
	}
}

static void print_unloaded(const struct options *options, const char *name,
			   const struct ledger *ledger)
{
	char letters[FAAS_PATH_BYTES], storage[FAAS_PATH_BYTES];

	snprintf(storage, sizeof(storage), "%s/%s", FAAS_STATE_DURABLE, name);
	if (access(storage, F_OK))
		storage[0] = '\0';

	snprintf(letters, sizeof(letters), "%s/%s/dead-letters.jsonl", FAAS_STATE_WORKFLOWS, name);
	if (access(letters, F_OK))
		letters[0] = '\0';
	if (options->json) {
		output_json(json_pack("{s:s, s:o, s:I, s:b, s:s?, s:s?}", "workflow", name,
				      "ledger", status_ledger_json(ledger), "undelivered_bytes",
				      (json_int_t)ledger->log_pending_bytes, "drained",
				      ledger_at_rest(ledger), "dead_letters",
				      letters[0] ? letters : NULL, "durable_state",
				      storage[0] ? storage : NULL));
		return;
	}
	printf("unloaded %s\n", name);
	status_print_ledger(ledger, stdout);
	if (letters[0])
		printf("  dead letters are kept in %s\n", letters);
	if (storage[0])
		printf("  durable state is kept in %s; the next load takes it up\n", storage);
	if (!ledger_at_rest(ledger))
		printf("  not drained: %llu events in the ring and %llu bytes of undelivered "
		       "outputs "
		       "were given up\n",
		       (unsigned long long)ledger->in_flight,
		       (unsigned long long)ledger->log_pending_bytes);
}

/* What is kept of a workflow of that name, loaded or not. Whether anything was there. */
static bool purge(const char *name)
{
	static const char *const directories[] = {FAAS_STATE_WORKFLOWS, FAAS_STATE_DURABLE};
	char path[FAAS_PATH_BYTES];
	bool found = false;

	if (!bundle_name_valid(name)) /* it becomes part of a path */
		return false;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directories[i], name);
		if (access(path, F_OK))
			continue;
		host_remove_tree(path);
		(void)rmdir(directories[i]); /* of what is durable, if it was the last */
		found = true;
	}
	return found;
}

/* A workflow that is not loaded may have left letters. */
static int purge_only(const struct options *options, struct diags *diags)
{
	const char *name = options->arguments[0];
	bool kept = bundle_name_valid(name) && remembered_exists(name);

	/* One that could not be restored: nothing of it runs. */
	if (kept)
		host_forget_workflow(name);
	if (!(options->purge && purge(name)) && !kept) {
		diag_fail(diags, DIAG_NOT_FOUND, "`ebpf-faas list` shows those that are",
			  "workflow %s is not loaded", name);
		return DIAG_FAILED;
	}
	if (options->json)
		output_json(json_pack("{s:s, s:b}", "workflow", name, "purged", options->purge));
	else if (options->purge)
		printf("deleted what was kept of %s\n", name);
	else
		printf("%s was not loaded; it will not be restored any more\n", name);
	return 0;
}

int verb_unload(const struct options *options, struct diags *diags)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	const char *name = options->arguments[0];
	int status = DIAG_FAILED, error;
	struct host host;
	uint32_t slot;

	if (!bundle || !ledger) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	if (host_open(&host, HOST_CHANGE, diags)) {
		host_close(&host);
		goto cleanup;
	}
	slot = host_find(&host, name);
	if (!slot) {
		status = purge_only(options, diags);
		host_close(&host);
		goto cleanup;
	}
	__atomic_store_n(&host.registry[slot].state, FAAS_REGISTRY_UNLOADING, __ATOMIC_RELEASE);
	error = attach_retain(&host, slot, NULL, NULL);
	if (!error) {
		error = host_barrier(&host);
		if (error)
			diag_fail(diags, DIAG_FAILED, NULL, "waiting for programs: %s",
				  strerror(-error));
	}
	/* A workflow whose bundle or counters are damaged is removed all the
	 * same; only its last figures cannot be shown. */
	if (!error && !generation_running_bundle(name, bundle, diags)) {
		error = drain(&host, bundle, slot, options->now ? 0 : FAAS_DRAIN_MS, ledger);
		if (error)
			diag_fail(diags, DIAG_FAILED, NULL, "reading the last counters of %s: %s",
				  name, strerror(-error));
		else
			status = 0;
	}
	error = host_remove_workflow(&host, slot, name);
	if (error) {
		diag_fail(diags, DIAG_FAILED,
			  "the next command that changes anything goes on with it",
			  "workflow %s stays: taking its triggers out: %s", name, strerror(-error));
		host_close(&host);
		goto cleanup;
	}
	if (options->purge)
		purge(name);
	host_close(&host);
	if (!status)
		print_unloaded(options, name, ledger);
	else
		diag_fail(diags, DIAG_FAILED, NULL,
			  "workflow %s was removed without its last figures", name);
cleanup:
	free(ledger);
	free(bundle);
	return status;
}
