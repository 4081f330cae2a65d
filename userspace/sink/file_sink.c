// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/sink/file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/sink/encode.h"

/* How a record begins, see encode.c. */
#define RECORD_BEGIN "{\"id\":\""

void file_sink_init(struct file_sink *sink, const char *path, uint64_t rotate_bytes, uint32_t keep)
{
	*sink = (struct file_sink){
		.path = path, .rotate_bytes = rotate_bytes, .keep = keep, .fd = -1};
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

/* Of @p count bytes at the end of a file, those of a last line without an end. */
static size_t unended(const char *tail, size_t count)
{
	size_t bytes = 0;

	while (bytes < count && tail[count - bytes - 1] != '\n')
		bytes++;
	return bytes;
}

/* After a loss of power a file may be as long as it was, and not have all that was written to
 * it: the end reads as zeros then, which no line has. */
static int cut_zeros(struct file_sink *sink)
{
	char tail[ENCODE_LINE_BYTES_MAX];
	uint64_t bytes = sink->bytes;
	size_t room = 0, count = 0;

	while (bytes && !count) {
		room = bytes < sizeof(tail) ? (size_t)bytes : sizeof(tail);
		if (pread(sink->fd, tail, room, (off_t)(bytes - room)) != (ssize_t)room)
			return -EIO;
		for (count = room; count && !tail[count - 1]; count--)
			continue;
		bytes -= room - count;
	}
	if (bytes == sink->bytes)
		return 0;
	sink->bytes = bytes;
	sink->torn = true;
	return cut(sink);
}

/* See to it that the file ends with a whole line. */
static int mend_line(struct file_sink *sink)
{
	char tail[ENCODE_LINE_BYTES_MAX];
	size_t room = sink->bytes < sizeof(tail) ? (size_t)sink->bytes : sizeof(tail);
	size_t begin_bytes = sizeof(RECORD_BEGIN) - 1;
	size_t bytes;

	if (pread(sink->fd, tail, room, (off_t)(sink->bytes - room)) != (ssize_t)room)
		return -EIO;
	bytes = unended(tail, room);
	if (!bytes)
		return 0;
	if (bytes < begin_bytes)
		begin_bytes = bytes;
	if ((bytes < room || room == sink->bytes) &&
	    !memcmp(tail + room - bytes, RECORD_BEGIN, begin_bytes)) {
		sink->bytes -= bytes;
		sink->torn = true;
		return cut(sink);
	}
	/* Somebody else's. */
	if (write(sink->fd, "\n", 1) != 1)
		return -errno;
	sink->bytes++;
	return 0;
}

static int mend(struct file_sink *sink)
{
	int err = cut_zeros(sink);

	return err ? err : mend_line(sink);
}

int file_sink_open(struct file_sink *sink, uint64_t inode, uint64_t bytes)
{
	struct stat status;
	int err = 0;
	int fd;

	/* O_NONBLOCK: a path that leads to a pipe must not hold us up. */
	fd = open(sink->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
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
	sink->unnamed = !status.st_size;
	if (status.st_ino == inode && (uint64_t)status.st_size > bytes) {
		sink->bytes = bytes;
		sink->torn = true;
		err = cut(sink);
	} else if (status.st_ino != inode) {
		err = mend(sink);
	}
	if (err)
		file_sink_close(sink);
	return err;
}

static int sync_directory(const char *path)
{
	char copy[FAAS_PATH_BYTES];
	int fd, err;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

int file_sink_sync(struct file_sink *sink)
{
	int fd = sink->fd;
	int err = 0;

	if (!sink->unsynced)
		return 0;
	/* Whoever wrote is gone; if the file is, too, it is no matter of ours. */
	if (fd < 0)
		fd = open(sink->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && errno != ENOENT)
		return -errno;
	if (fd >= 0 && fdatasync(fd))
		err = -errno;
	if (fd >= 0 && fd != sink->fd)
		close(fd);
	if (!err && sink->unnamed)
		err = sync_directory(sink->path);
	if (err)
		return err;
	sink->unsynced = sink->unnamed = false;
	return 0;
}

/* Before the file is left for another one. */
static int leave(struct file_sink *sink)
{
	int err = sink->durable ? file_sink_sync(sink) : 0;

	if (!err)
		file_sink_close(sink);
	return err;
}

/* PATH -> PATH.1 -> ... -> PATH.keep -> gone. A name that does not exist yet is
 * no error; the last one is replaced. */
static int turn_over(struct file_sink *sink)
{
	char from[FAAS_PATH_BYTES + 16];
	char to[FAAS_PATH_BYTES + 16];
	int err = leave(sink);

	if (err)
		return err;
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
		err = leave(sink);
		if (!err)
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
	sink->unsynced = true;
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
