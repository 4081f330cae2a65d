// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Above all numbers that a child may get. */
#define PARKED_FD 256

static void restore_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Out of the way first: a number may be source and target. */
static int place(const int *fds, size_t count)
{
	int parked[SPAWN_FDS_MAX];

	for (size_t i = 0; i < count; i++) {
		parked[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, PARKED_FD);
		if (parked[i] < 0)
			return -1;
	}
	for (size_t i = 0; i < count; i++)
		if (dup2(parked[i], (int)i) < 0)
			return -1;
	return 0;
}

int spawn_place(const int *fds, size_t count)
{
	if (count > SPAWN_FDS_MAX)
		return -EINVAL;
	if (place(fds, count) || syscall(SYS_close_range, (unsigned int)count, UINT_MAX, 0))
		return -errno;
	return 0;
}

/* Whether nobody holds the other end of the pipe any more. Which process a parent is
 * cannot be seen from another pid namespace; this can. */
static bool is_alone(int report)
{
	struct pollfd other = {.fd = report};

	return poll(&other, 1, 0) == 1 && other.revents & POLLERR;
}

/* Who starts others may be of the class that takes no processor away from anybody when it wakes
 * up; what it starts is not, unless it sees to that itself. */
static void be_scheduled_as_usual(void)
{
	const struct sched_param none = {0};

	if (sched_getscheduler(0) == SCHED_BATCH)
		(void)sched_setscheduler(0, SCHED_OTHER, &none);
}

/* Does not return; what goes wrong goes through the pipe. */
static void enter(const struct spawn *spawn, int report)
{
	int err;

	restore_signals();
	be_scheduled_as_usual();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		goto failed;
	/* It may have died before we asked to die with it. */
	if (is_alone(report))
		_exit(127);
	for (size_t i = 0; i < spawn->join_count; i++)
		if (write(spawn->joins[i], "0", 1) != 1)
			goto failed;
	report = fcntl(report, F_DUPFD_CLOEXEC, PARKED_FD);
	if (report < 0)
		_exit(127);
	if (place(spawn->fds, spawn->fd_count))
		goto failed;
	if (dup3(report, (int)spawn->fd_count, O_CLOEXEC) < 0)
		goto failed;
	report = (int)spawn->fd_count;
	if (syscall(SYS_close_range, (unsigned int)spawn->fd_count + 1, UINT_MAX, 0))
		goto failed;
	execve(spawn->path, spawn->arguments, spawn->environment);
failed:
	err = errno;
	(void)!write(report, &err, sizeof(err));
	_exit(127);
}

/* As fork(); errno is set after a failure. */
static pid_t fork_there(const struct spawn *spawn)
{
	int self, err, back;
	pid_t pid;

	/* What the C library notes of its own is not wanted. */
	if (spawn->new_namespaces)
		return (pid_t)syscall(SYS_clone, spawn->new_namespaces | SIGCHLD, 0, 0, 0, 0);
	if (!spawn->pids_of)
		return fork();
	self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (self < 0)
		return -1;
	if (setns(spawn->pids_of, CLONE_NEWPID)) {
		err = errno;
		close(self);
		errno = err;
		return -1;
	}
	pid = fork();
	if (!pid)
		return 0; /* the descriptor is closed with the others */
	err = errno;
	/* Else every other child would be in there. */
	back = setns(self, CLONE_NEWPID);
	assert(!back);
	close(self);
	errno = err;
	return pid;
}

int spawn_start(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd)
{
	int report[2];
	int failure = 0;
	int pidfd = -1;
	ssize_t bytes;
	pid_t pid;
	int err = 0;

	if (spawn->fd_count > SPAWN_FDS_MAX)
		return -EINVAL;
	if (pipe2(report, O_CLOEXEC))
		return -errno;
	pid = fork_there(spawn);
	if (pid < 0) {
		err = -errno;
		close(report[0]);
		close(report[1]);
		return err;
	}
	if (!pid) {
		close(report[0]);
		enter(spawn, report[1]);
	}
	close(report[1]);
	/* Nobody reaps but us: the pid cannot have become another's. */
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		err = -errno;
	do
		bytes = read(report[0], &failure, sizeof(failure));
	while (bytes < 0 && errno == EINTR);
	close(report[0]);
	if (bytes == sizeof(failure))
		err = -failure;
	if (err) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		if (pidfd >= 0)
			close(pidfd);
		return err;
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}

void spawn_abandon(int pidfd)
{
	siginfo_t info;

	(void)!syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED) && errno == EINTR)
		;
	close(pidfd);
}

static bool has_ended(int pidfd)
{
	struct pollfd gone = {.fd = pidfd, .events = POLLIN};

	return poll(&gone, 1, 0) == 1;
}

int spawn_reap(int pidfd, struct spawn_end *ret)
{
	siginfo_t info = {0};

	if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG))
		return -errno;
	if (!info.si_pid && !has_ended(pidfd))
		return -EAGAIN;
	/* Whoever traces it hears of its end before its parent does. */
	while (!info.si_pid)
		if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED) && errno != EINTR)
			return -errno;
	ret->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
	ret->status = info.si_code == CLD_EXITED ? info.si_status : 0;
	return 0;
}
