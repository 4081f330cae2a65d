/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A struct disk of open files that writes at once and blocks: for who looks at a
 * durable log, or changes a superblock, while no worker has it.
 */
#ifndef FAAS_LOG_DISK_FILE_H
#define FAAS_LOG_DISK_FILE_H

#include "userspace/log/disk.h"

struct disk_files {
	struct disk disk;
	int fds[DISK_FILES]; /* borrowed; -1: not there */
	struct disk_completion done[DISK_WRITES_MAX];
	unsigned int done_count;
};

/* 0 or -errno. */
int disk_files_open(struct disk_files *files, const int *fds) __attribute__((warn_unused_result));

/* For who implements a struct disk of files: its read(), and its bytes[] (a file that
 * is -1 keeps what it has). */
int64_t disk_file_read(int fd, uint64_t offset, void *to, uint32_t bytes)
	__attribute__((warn_unused_result));
int disk_file_measure(struct disk *disk, const int *fds) __attribute__((warn_unused_result));

#endif
