/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The files of a durable log, as the engine sees them: writes that are on stable
 * storage when they complete, in whatever order they do, and reads for recovery.
 * The real one is an io_uring (userspace/pool/worker_disk.h); tests and the
 * simulation have others, that tear, reorder and fail.
 */
#ifndef FAAS_LOG_DISK_H
#define FAAS_LOG_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* What offsets, lengths and addresses are multiples of. */
#define DISK_BLOCK_BYTES 4096
/* Writes in flight at most: the engine has no more. */
#define DISK_WRITES_MAX 16

enum disk_file {
	DISK_LOG,	 /* two superblocks, then the log in a circle */
	DISK_SNAPSHOT_0, /* written in turns */
	DISK_SNAPSHOT_1,
	DISK_DAMAGE, /* bytes that did not check out, kept for a person */
	DISK_BEFORE, /* the tables of before an update, while there is a way back; or none */
	DISK_FILES,
};

struct disk_completion {
	uint64_t tag;
	int32_t result; /* bytes written: may be fewer than asked for; or -errno */
};

struct disk;

struct disk_ops {
	/* Queue a write. What it writes stays in place and unchanged until it
	 * completes. 0; or -EAGAIN: nothing was queued, later there is room. */
	int (*write)(struct disk *disk, enum disk_file file, uint64_t offset, const void *data,
		     uint32_t bytes, uint64_t tag);
	/* Send what was queued, and take completions, at most @p most (0: only
	 * send). With @p wait block for one if none is there and some are to come.
	 * Returns how many, or -errno. */
	int (*reap)(struct disk *disk, struct disk_completion *list, unsigned int most, bool wait);
	/* For recovery. Blocks. Bytes read, fewer only at the end of the file; or -errno. */
	int64_t (*read)(struct disk *disk, enum disk_file file, uint64_t offset, void *to,
			uint32_t bytes);
};

struct disk {
	const struct disk_ops *ops;
	uint64_t bytes[DISK_FILES]; /* of each file; 0: there is none */
};

#endif
