// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The process that moves the states of a workflow into new tables: worker_migrate.c. */
#include <stdlib.h>
#include <string.h>

#include "updates.h"
#include "userspace/pool/worker_migrate.h"
#include "userspace/pool/worker_sandbox.h"

struct sim_process migrator;

uint32_t updates_loading(void)
{
	return sim_current == &migrator	       ? update.versions[1]
	       : sim_bundle->user[0].has_state ? sim_bundle->user[0].state_version
					       : sim_bundle->user[1].state_version;
}

bool updates_refuse(const struct sim_chain *chain)
{
	return update.kind == IS_REFUSED && (chain->hash + ++update.calls) % 5 == 0;
}

int migrator_fd(int fd)
{
	if (sim_current != &migrator || sim_is_ours(fd))
		return fd;
	if (fd == MIGRATE_FD_DISK)
		return update.disk;
	if (fd == MIGRATE_FD_RUNTIME_PAGE)
		return SIM_FD_RUNTIME_PAGE;
	for (int i = 0; i < SIM_FUNCTIONS_MAX; i++) {
		if (fd == MIGRATE_FD_OBJECT(i))
			return SIM_FD_OBJECT + i;
		if (fd == MIGRATE_FD_FROM(i))
			return update.from[i];
		if (fd == MIGRATE_FD_TO(i))
			return update.to[i];
	}
	return fd;
}

bool updates_is_migrator(void)
{
	return sim_current == &migrator;
}

/* Its sandbox is the kernel's. */
int sandbox_close(struct sandbox *sandbox, struct worker *worker, const int *objects,
		  uint64_t longest)
{
	(void)sandbox;
	(void)worker;
	(void)objects;
	(void)longest;
	return 0;
}

int sandbox_tighten(struct sandbox *sandbox, struct worker *worker)
{
	(void)sandbox;
	(void)worker;
	return 0;
}

static int run_migrator(void)
{
	struct worker *worker = aligned_alloc(64, (sizeof(*worker) + 63) & ~63ul);
	int status;

	memset(worker, 0, sizeof(*worker));
	status = worker_migrate(
		worker, workflow_bundle(update.versions[0]), workflow_bundle(update.versions[1]),
		&(struct worker_migration){.generation = update.generations[1],
					   .moved = update.anew ? 0 : update.moved});
	if (status)
		sim_note("the states are not moved: %s", worker->error);
	if (status && update.kind != IS_REFUSED && !sim_plan.disk_errors)
		sim_fail("states are not moved: status %d, %s", status, worker->error);
	return status;
}

void migrator_open(void)
{
	process_init(&migrator, "migration", run_migrator);
}
