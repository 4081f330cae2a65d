// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/log/disk_file.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct disk_files *of(struct disk *disk)
{
	return (struct disk_files *)(void *)((uint8_t *)disk - offsetof(struct disk_files, disk));
}

static int write_now(struct disk *disk, enum disk_file file, uint64_t offset, const void *data,
		     uint32_t bytes, uint64_t tag)
{
	struct disk_files *files = of(disk);
	ssize_t written;

	if (files->done_count == DISK_WRITES_MAX)
		return -EAGAIN;
	written = pwrite(files->fds[file], data, bytes, (off_t)offset);
	if (written < 0 || fdatasync(files->fds[file]))
		written = -errno;
	files->done[files->done_count++] = (struct disk_completion){tag, (int32_t)written};
	return 0;
}

static int reap(struct disk *disk, struct disk_completion *list, unsigned int most, bool wait)
{
	struct disk_files *files = of(disk);
	unsigned int count = files->done_count < most ? files->done_count : most;

	(void)wait;
	if (!count)
		return 0;
	files->done_count -= count;
	memcpy(list, files->done + files->done_count, count * sizeof(*list));
	return (int)count;
}

static int64_t read_now(struct disk *disk, enum disk_file file, uint64_t offset, void *to,
			uint32_t bytes)
{
	return disk_file_read(of(disk)->fds[file], offset, to, bytes);
}

int64_t disk_file_read(int fd, uint64_t offset, void *to, uint32_t bytes)
{
	uint32_t done = 0;

	while (done < bytes) {
		ssize_t got = pread(fd, (uint8_t *)to + done, bytes - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		done += (uint32_t)got;
	}
	return done;
}

int disk_files_open(struct disk_files *files, const int *fds)
{
	static const struct disk_ops ops = {.write = write_now, .reap = reap, .read = read_now};

	memset(files, 0, sizeof(*files));
	files->disk.ops = &ops;
	memcpy(files->fds, fds, sizeof(files->fds));
	return disk_file_measure(&files->disk, fds);
}

int disk_file_measure(struct disk *disk, const int *fds)
{
	for (unsigned int i = 0; i < DISK_FILES; i++) {
		struct stat status;

		if (fds[i] < 0)
			continue;
		if (fstat(fds[i], &status))
			return -errno;
		disk->bytes[i] = (uint64_t)status.st_size;
	}
	return 0;
}
