/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a workflow with durable state has on the disk, DIRECTORY/NAME/: the files of
 * userspace/log/durable_format.h. The runtime makes them with all their bytes; the
 * worker lays them out. They outlive the workflow: its next load takes them up.
 */
#ifndef FAAS_POOL_SUPERVISOR_STORAGE_H
#define FAAS_POOL_SUPERVISOR_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "diag.h"
#include "userspace/log/disk.h"
#include "userspace/log/durable_format.h"

struct storage {
	int fds[DISK_FILES]; /* -1: not open */
	bool made;	     /* by this storage_open: nothing is lost with them */
	uint64_t log_id;     /* of the log that is there, 0: none yet */
};

void storage_init(struct storage *storage);
void storage_close(struct storage *storage);

/**
 * @brief Open the files, or make them.
 * @param directory  Below which each workflow has its own.
 * @return 0, or -1 with a diagnostic and nothing left of what was made. Owns *ret.
 */
int storage_open(const char *directory, const struct bundle *bundle, struct storage *ret,
		 struct diags *diags) __attribute__((warn_unused_result));

/* Note how far the courier came, when no worker runs any more. 0 or -errno. */
int storage_note_delivered(const struct storage *storage, const struct durable_place *place)
	__attribute__((warn_unused_result));

/*
 * The tables of before an update: made with all their bytes, filled by somebody
 * (durable_before_write), then they count; removed when there is no way back.
 * storage_before_make returns a descriptor or -errno, the others 0 or -errno.
 */
int storage_before_make(const char *directory, const struct bundle *bundle)
	__attribute__((warn_unused_result));
int storage_before_commit(const char *directory, const char *name)
	__attribute__((warn_unused_result));
int storage_before_remove(const char *directory, const char *name)
	__attribute__((warn_unused_result));

/* Delete what a workflow has there. 0, also if there is nothing; or -errno. */
int storage_remove(const char *directory, const char *name) __attribute__((warn_unused_result));

#endif
