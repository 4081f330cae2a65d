// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int copy_content(int in, int out)
{
	char buffer[65536];
	ssize_t got;

	while ((got = read(in, buffer, sizeof(buffer))) > 0)
		for (ssize_t done = 0, put; done < got; done += put) {
			put = write(out, buffer + done, (size_t)(got - done));
			if (put <= 0)
				return put ? -errno : -EIO;
		}
	if (got < 0 || fsync(out))
		return -errno;
	return 0;
}

int files_copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, error = 0;

	if (in >= 0)
		out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (in < 0 || out < 0)
		error = -errno;
	else
		error = copy_content(in, out);
	if (in >= 0)
		close(in);
	if (out >= 0 && close(out) && !error)
		error = -errno;
	return error;
}

int files_sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return -errno;
	/* A file system that has nothing to write says EINVAL. */
	if (fsync(fd) && errno != EINVAL)
		error = -errno;
	close(fd);
	return error;
}
