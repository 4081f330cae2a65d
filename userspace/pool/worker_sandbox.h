/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Closing the sandbox around code of an author. When the first of it runs (constructors
 * of shared objects), the process has no privilege, can open no file by a name, and
 * makes none of the system calls that are not needed to load; when its faas_on_init
 * runs, it cannot load either.
 *
 *	privilege_drop -> (map, recover) -> sandbox_close -> worker_load ->
 *	sandbox_tighten -> worker_init
 */
#ifndef FAAS_POOL_WORKER_SANDBOX_H
#define FAAS_POOL_WORKER_SANDBOX_H

#include <stdint.h>

#include "userspace/pool/worker.h"
#include "userspace/pool/worker_filter.h"

struct sandbox {
	struct filter filter;
	uint32_t limits; /* PAGE_LIMIT_*: what is in force */
};

/*
 * Load the libraries that objects may be linked with, then close: Landlock, where the
 * kernel has it, and the first filter. Tells the runtime of it: what comes later on
 * the control socket may be an author's word. @p longest: of the files that it writes.
 * 0, or an exit status with worker->error set.
 */
int sandbox_close(struct sandbox *sandbox, struct worker *worker, const int *objects,
		  uint64_t longest) __attribute__((warn_unused_result));

/* All libraries that objects may be linked with, ahead: for where they cannot be found later.
 * What is missing is missed by the object that needs it. */
void sandbox_load_libraries(void);

/* No file can be opened or loaded from here on. The same results. */
int sandbox_tighten(struct sandbox *sandbox, struct worker *worker)
	__attribute__((warn_unused_result));

#endif
