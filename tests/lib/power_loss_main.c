// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * power_loss DIRECTORY: the file system that DIRECTORY is on ends here and now, as by a
 * loss of power: what was written and is not on the disk yet, never comes there. To be
 * unmounted then. Exit status 77: this file system cannot do it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* linux/ext4.h and linux/xfs_fs.h have the same; not every kernel's headers do. */
#define SHUTDOWN _IOR('X', 125, uint32_t)
#define WITHOUT_THE_LOG 2

int main(int argc, char **argv)
{
	uint32_t how = WITHOUT_THE_LOG;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0 && !ioctl(fd, SHUTDOWN, &how))
		return 0;
	fprintf(stderr, "power_loss: %s\n", strerror(errno));
	return errno == ENOTTY || errno == EOPNOTSUPP ? 77 : 1;
}
