/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The files of a durable log through the worker's io_uring: struct disk of
 * userspace/log/disk.h. Every write is on stable storage when it completes
 * (RWF_DSYNC), and goes by the page cache where the file system can (O_DIRECT).
 */
#ifndef FAAS_POOL_WORKER_DISK_H
#define FAAS_POOL_WORKER_DISK_H

#include "userspace/log/disk.h"
#include "userspace/pool/worker_waiter.h"

struct worker_disk {
	struct disk disk;
	struct waiter *waiter; /* borrowed */
	int fds[DISK_FILES];   /* borrowed */
	uint32_t flying;
};

/* To be called while the process may make a thread. 0 or -errno. Reads go through the page cache
 * until worker_disk_set_direct. */
int worker_disk_open(struct worker_disk *disk, struct waiter *waiter, const int *fds)
	__attribute__((warn_unused_result));

/* From here on writes go by the page cache, if the file system knows how. */
void worker_disk_set_direct(struct worker_disk *disk);

#endif
