/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Another life of the worker's program: `ebpf-faas-worker UID MASK GENERATION migrate KEPT`
 * moves the states of the user functions in MASK from the tables of the version before
 * into new ones, says "failed REASON" if a key cannot be moved, and ends. It has the
 * rights of a worker: the code of an author runs in it. KEPT: another mask, of functions
 * that go on with the tables that they have.
 */
#ifndef FAAS_POOL_WORKER_MIGRATE_H
#define FAAS_POOL_WORKER_MIGRATE_H

#include <stdint.h>

#include "bundle.h"
#include "userspace/pool/worker_fds.h"

enum migrate_fd {
	/* 0 to 2 as for a worker. */
	MIGRATE_FD_MANIFEST = WORKER_FD_MANIFEST, /* of the new version */
	MIGRATE_FD_MANIFEST_BEFORE = 4,
	/* With durable state: where the tables of before are written to first of all; see
	 * durable_before_write. Else a /dev/null. */
	MIGRATE_FD_DISK = 5,
	MIGRATE_FD_RUNTIME_PAGE = WORKER_FD_RUNTIME_PAGE, /* read only */
	MIGRATE_FD_CONTROL = WORKER_FD_CONTROL,
	MIGRATE_FD_FUNCTIONS = 13,
};

/* For user function n of the new version its shared object; for user function n of the
 * version before its table, to be read; with n in MASK the new one, all zeros. Else a
 * /dev/null each. */
#define MIGRATE_FD_OBJECT(n) (MIGRATE_FD_FUNCTIONS + 3 * (n))
#define MIGRATE_FD_FROM(n) (MIGRATE_FD_FUNCTIONS + 3 * (n) + 1)
#define MIGRATE_FD_TO(n) (MIGRATE_FD_FUNCTIONS + 3 * (n) + 2)

struct worker;

/* What is to be done. Bit n: user function n of the new version. */
struct worker_migration {
	uint32_t generation; /* of the new version */
	uint32_t moved, kept;
};

/**
 * @brief Do it. Privileges are gone.
 * @param worker Zeroed.
 * @return 0, or an exit status with worker->error set.
 */
int worker_migrate(struct worker *worker, const struct bundle *before, const struct bundle *bundle,
		   const struct worker_migration *what) __attribute__((warn_unused_result));

#endif
