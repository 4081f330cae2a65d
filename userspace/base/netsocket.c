// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "netsocket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int netsocket_namespace(const char *path, int *ret_fd)
{
	/* O_NONBLOCK: a path that leads to a pipe must not hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		close(fd);
		return -EINVAL;
	}
	*ret_fd = fd;
	return 0;
}

int netsocket_open(int namespace_fd, int family, int type, int *ret_fd)
{
	int own = -1;
	int err = 0;
	int fd;

	if (namespace_fd >= 0) {
		own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		if (own < 0)
			return -errno;
		if (setns(namespace_fd, CLONE_NEWNET)) {
			err = -errno;
			close(own);
			return err;
		}
	}
	fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		err = -errno;
	if (own >= 0) {
		if (setns(own, CLONE_NEWNET))
			abort();
		close(own);
	}
	if (!err)
		*ret_fd = fd;
	return err;
}
