// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "supervisor_spare.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "logger.h"
#include "userspace/pool/cell.h"

/* Whoever has just got one needs the processors for itself. */
#define SOON_MS 20

/* A message with descriptors. 0 or -errno; -EPIPE: there is nobody any more. */
static int pass(int socket, const void *data, size_t bytes, const int *fds, size_t count)
{
	union {
		char bytes[CMSG_SPACE(CELL_PASSED_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec piece = {(void *)(uintptr_t)data, bytes};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = CMSG_SPACE(count * sizeof(int))};
	struct cmsghdr *header = (struct cmsghdr *)(void *)control.bytes;

	memset(&control, 0, sizeof(control));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	if (sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)bytes)
		return 0;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

/* Ask the template for one. A pid or -errno; -EPIPE: there is no template any more. */
static pid_t ask(const struct cell *cell, int socket)
{
	struct cell_answer answer;

	if (!cell->template || pass(cell->template->socket, "", 1, &socket, 1) ||
	    cell_hear(cell->template, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
		return -EPIPE;
	return answer.pid;
}

/* It is our child now, reaped by nobody else. Descriptor or -errno without it. */
static int take_over(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), err;

	/* Out of the template's group: see reap_group. */
	if (pidfd >= 0 && !setpgid(pid, pid))
		return pidfd;
	err = -errno;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	if (pidfd >= 0)
		close(pidfd);
	return err;
}

/* 0 or -errno, as ask(). */
static int make(struct cell *cell)
{
	int pair[2], pidfd, err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = ask(cell, pair[1]);
	close(pair[1]);
	pidfd = pid < 0 ? (int)pid : take_over(pid);
	err = pidfd < 0 ? pidfd : cell_watch(cell, pid, pidfd, pair[0], &cell->spare);
	if (err)
		close(pair[0]);
	return err;
}

static void on_soon(struct loop_timer *timer)
{
	struct cell *cell = loop_container(timer, struct cell, soon);
	int err;

	if (cell->spare || !cell->template)
		return;
	err = make(cell);
	if (err == -EPIPE)
		cell_give_up(&cell->template);
	/* Who needs one tries again. */
	if (err)
		logger_write(LOGGER_WARNING, "cell.spare", "error=\"%s\"", strerror(-err));
}

void spare_soon(struct cell *cell)
{
	if (!cell->soon.deadline_ns)
		loop_set(cell->loop, &cell->soon, clock_monotonic_ns() + SOON_MS * CLOCK_NS_PER_MS,
			 on_soon);
}

/* The request with its descriptors. 0 or -errno, as pass(). */
static int hand_over(const struct cell_process *spare, const struct cell_worker *worker)
{
	const struct cell_request request = {.uid = worker->uid,
					     .generation = worker->generation,
					     .instance = worker->instance,
					     .fd_count = worker->fd_count,
					     .join_count = worker->join_count};
	int fds[CELL_PASSED_MAX];

	memcpy(fds, worker->fds, worker->fd_count * sizeof(int));
	memcpy(fds + worker->fd_count, worker->joins, worker->join_count * sizeof(int));
	return pass(spare->socket, &request, sizeof(request), fds,
		    worker->fd_count + worker->join_count);
}

/* One is there, and knows what it is to be. 0 or -errno. */
static int have(struct cell *cell, const struct cell_worker *worker)
{
	int err = -EPIPE;

	/* One that has ended meanwhile is not the last. */
	for (int i = 0; i < 2 && err == -EPIPE; i++) {
		err = cell->spare ? 0 : make(cell);
		if (err)
			break;
		assert(cell->spare);
		err = hand_over(cell->spare, worker);
		if (err)
			cell_give_up(&cell->spare);
	}
	return err;
}

int cell_start(struct cell *cell, const struct cell_worker *worker, pid_t *ret_pid, int *ret_pidfd)
{
	int err;

	if (worker->fd_count >= SPAWN_FDS_MAX || worker->join_count > CELL_JOINS_MAX)
		return -EINVAL;
	err = cell_lost(cell) ? -EPIPE : have(cell, worker);
	if (err == -EPIPE)
		cell_give_up(&cell->template);
	/* Of a namespace without its first process it is said that memory is lacking. */
	if (err && cell_lost(cell))
		err = -EPIPE;
	if (err)
		return err == -EPIPE ? -ESTALE : err;
	cell_unwatch(&cell->spare, ret_pid, ret_pidfd);
	spare_soon(cell);
	return 0;
}
