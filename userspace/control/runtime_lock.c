// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/control/runtime_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define LOOK_EVERY_MS 20

static pid_t holder_of(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_GETLK, &lock) || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid;
}

pid_t runtime_lock_holder(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	pid_t holder;

	if (fd < 0)
		return 0;
	holder = holder_of(fd);
	close(fd);
	return holder;
}

/* Whether the file that we locked is still the one that others will find. */
static bool is_current(int fd, const char *path)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !stat(path, &there) && ours.st_ino == there.st_ino &&
	       ours.st_dev == there.st_dev;
}

/* 0, -EBUSY, -EAGAIN: the file was removed meanwhile, or -errno. */
static int try_once(const char *path, int *ret_fd, pid_t *ret_holder)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_SETLK, &lock)) {
		err = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
		*ret_holder = holder_of(fd);
	} else if (!is_current(fd, path)) {
		err = -EAGAIN;
	}
	if (err)
		close(fd);
	else
		*ret_fd = fd;
	return err;
}

int runtime_lock_take(struct runtime_lock *lock, const char *path, const char *socket_path,
		      pid_t *ret_holder)
{
	uint64_t deadline = clock_monotonic_ns() + RUNTIME_LOCK_WAIT_MS * CLOCK_NS_PER_MS;
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * (long)CLOCK_NS_PER_MS};
	char text[32];
	int bytes;
	int err;

	for (;;) {
		err = try_once(path, &lock->fd, ret_holder);
		if (!err)
			break;
		if (err != -EBUSY && err != -EAGAIN)
			return err;
		if (err == -EBUSY &&
		    (!access(socket_path, F_OK) || clock_monotonic_ns() > deadline))
			return err;
		nanosleep(&pause, NULL);
	}
	snprintf(lock->path, sizeof(lock->path), "%s", path);
	/* For people; programs ask the lock. */
	bytes = snprintf(text, sizeof(text), "%d\n", getpid());
	(void)!ftruncate(lock->fd, 0);
	(void)!pwrite(lock->fd, text, (size_t)bytes, 0);
	return 0;
}

int runtime_lock_succeed(struct runtime_lock *lock, const char *path, const char *socket_path,
			 pid_t *ret_holder)
{
	struct pollfd gone = {.events = POLLIN};
	int err = runtime_lock_take(lock, path, socket_path, ret_holder);

	if (err != -EBUSY)
		return err;
	gone.fd = (int)syscall(SYS_pidfd_open, *ret_holder, 0);
	/* Who holds the lock now was not another process when the descriptor was opened. */
	if (gone.fd >= 0 && runtime_lock_holder(path) == *ret_holder &&
	    !syscall(SYS_pidfd_send_signal, gone.fd, SIGTERM, NULL, 0))
		(void)poll(&gone, 1, RUNTIME_LOCK_SUCCEED_MS);
	if (gone.fd >= 0)
		close(gone.fd);
	return runtime_lock_take(lock, path, socket_path, ret_holder);
}

void runtime_lock_release(struct runtime_lock *lock, bool remove)
{
	if (remove)
		(void)unlink(lock->path);
	close(lock->fd);
	lock->fd = -1;
}
