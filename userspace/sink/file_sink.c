// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/sink/file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void file_sink_init(struct file_sink *sink, const char *path, uint64_t rotate_bytes, uint32_t keep)
{
	*sink = (struct file_sink){.rotate_bytes = rotate_bytes, .keep = keep, .fd = -1};
	snprintf(sink->path, sizeof(sink->path), "%s", path);
}

void file_sink_close(struct file_sink *sink)
{
	if (sink->fd >= 0)
		close(sink->fd);
	sink->fd = -1;
}

static int cut(struct file_sink *sink)
{
	if (ftruncate(sink->fd, (off_t)sink->bytes))
		return -errno;
	sink->torn = false;
	return 0;
}

int file_sink_open(struct file_sink *sink, uint64_t inode, uint64_t bytes)
{
	struct stat status;
	int err = 0;
	int fd;

	/* O_NONBLOCK: a path that leads to a pipe must not hold us up. */
	fd = open(sink->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		  0640);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) || flock(fd, LOCK_EX | LOCK_NB))
		err = -errno;
	else if (!S_ISREG(status.st_mode))
		err = -EINVAL;
	if (err) {
		close(fd);
		return err;
	}
	sink->fd = fd;
	sink->inode = status.st_ino;
	sink->bytes = (uint64_t)status.st_size;
	sink->torn = false;
	if (status.st_ino == inode && (uint64_t)status.st_size > bytes) {
		sink->bytes = bytes;
		sink->torn = true;
		err = cut(sink);
		if (err)
			file_sink_close(sink);
	}
	return err;
}

/* PATH -> PATH.1 -> ... -> PATH.keep -> gone. A name that does not exist yet is
 * no error; the last one is replaced. */
static int turn_over(struct file_sink *sink)
{
	char from[FAAS_PATH_BYTES + 16];
	char to[FAAS_PATH_BYTES + 16];

	for (uint32_t i = sink->keep; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%u", sink->path, i);
		if (i > 1)
			snprintf(from, sizeof(from), "%s.%u", sink->path, i - 1);
		else
			snprintf(from, sizeof(from), "%s", sink->path);
		if (rename(from, to) && errno != ENOENT)
			return -errno;
	}
	if (!sink->keep && unlink(sink->path) && errno != ENOENT)
		return -errno;
	file_sink_close(sink);
	return file_sink_open(sink, 0, 0);
}

int file_sink_prepare(struct file_sink *sink, size_t bytes)
{
	struct stat status;
	int err;

	if (sink->fd < 0) {
		err = file_sink_open(sink, sink->inode, sink->bytes);
		if (err)
			return err;
	}
	if (sink->torn) {
		err = cut(sink);
		if (err)
			return err;
	}
	if (stat(sink->path, &status)) {
		if (errno != ENOENT)
			return -errno;
		status.st_ino = 0;
	}
	if (status.st_ino != sink->inode) {
		/* Someone else's rotation, or a deletion: go on in a new file. */
		file_sink_close(sink);
		err = file_sink_open(sink, 0, 0);
		if (err)
			return err;
	} else {
		/* What others appended or cut off is theirs. */
		sink->bytes = (uint64_t)status.st_size;
	}
	if (sink->rotate_bytes && sink->bytes && sink->bytes + bytes > sink->rotate_bytes)
		return turn_over(sink);
	return 0;
}

int file_sink_write(struct file_sink *sink, const char *lines, size_t bytes)
{
	size_t done = 0;

	sink->torn = true;
	while (done < bytes) {
		ssize_t written = write(sink->fd, lines + done, bytes - done);
		int err;

		if (written > 0) {
			done += (size_t)written;
			continue;
		}
		if (written < 0 && errno == EINTR)
			continue;
		err = written < 0 ? -errno : -EIO;
		/* If this fails as well, `torn` stays: it is tried again. */
		(void)!cut(sink);
		return err;
	}
	sink->torn = false;
	sink->bytes += bytes;
	return 0;
}
