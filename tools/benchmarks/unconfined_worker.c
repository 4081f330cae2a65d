// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * In the place of userspace/pool/worker_sandbox.c: a worker that closes no sandbox. It is
 * what `bench isolation` compares with, and is in nothing that is installed.
 */
#include "userspace/pool/worker_sandbox.h"

int sandbox_close(struct sandbox *sandbox, struct worker *worker, const int *objects,
		  uint64_t longest)
{
	(void)sandbox;
	(void)worker;
	(void)objects;
	(void)longest;
	return 0;
}

/* It finds them when it wants them. */
void sandbox_load_libraries(void)
{
}

int sandbox_tighten(struct sandbox *sandbox, struct worker *worker)
{
	(void)sandbox;
	(void)worker;
	return 0;
}
