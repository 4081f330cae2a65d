// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/cell.h"

#include <errno.h>
#include <execinfo.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userspace/pool/worker_fds.h"
#include "userspace/pool/worker_filter.h"
#include "userspace/pool/worker_privilege.h"
#include "userspace/pool/worker_sandbox.h"

/* All that a worker would find in files, or make anew each time. */
static int warm_up(void)
{
	void *frame;

	sandbox_load_libraries();
	(void)backtrace(&frame, 1);
	json_object_seed(0);
	return filter_build_ahead();
}

/* The users' last: what it may do to the others ends there. Its own number stays that of
 * root, who does not exist in there, so that its children may join control groups. */
static int enter(uint32_t namespaces)
{
	int others = (int)namespaces & ~CLONE_NEWUSER;

	if (others && setns(CELL_FD_HOLDER, others))
		return -errno;
	if (namespaces & CLONE_NEWUSER && setns(CELL_FD_HOLDER, CLONE_NEWUSER))
		return -errno;
	(void)close(CELL_FD_HOLDER);
	/* In the namespace there is nobody whose groups these are. */
	return setgroups(0, NULL) ? -errno : 0;
}

/* The runtime may be gone already: then its end of the socket is. */
static bool is_alone(int socket)
{
	struct pollfd other = {.fd = socket};

	return poll(&other, 1, 0) != 0;
}

/* As fork() does it, but the child is one of our parent. The C library keeps the number of
 * a thread where the kernel writes it. */
static pid_t make_sibling(void)
{
	unsigned long flags = CLONE_PARENT;
	void *number = NULL;

	if (!prctl(PR_GET_TID_ADDRESS, &number, 0, 0, 0) && number)
		flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
#if defined(__x86_64__)
	return (pid_t)syscall(SYS_clone, flags, NULL, NULL, number, NULL);
#else
	return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, number);
#endif
}

/* A request with its descriptors. 1; 0 at the end; or -errno. Returns-owned: fds. */
static int receive(struct cell_request *ret, int fds[CELL_PASSED_MAX], size_t *ret_count)
{
	union {
		char bytes[CMSG_SPACE(CELL_PASSED_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec piece = {ret, sizeof(*ret)};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header;
	ssize_t bytes;

	*ret_count = 0;
	do
		bytes = recvmsg(CELL_FD_RUNTIME, &message, MSG_CMSG_CLOEXEC);
	while (bytes < 0 && errno == EINTR);
	if (bytes <= 0)
		return bytes ? -errno : 0;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
		*ret_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(header), *ret_count * sizeof(int));
	}
	if (bytes != sizeof(*ret) || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    ret->fd_count > SPAWN_FDS_MAX || ret->join_count > CELL_JOINS_MAX ||
	    *ret_count != ret->fd_count + ret->join_count)
		return -EPROTO;
	return 1;
}

/* In a worker. */
static int begin(const struct cell_request *request, const int *fds)
{
	(void)prctl(PR_SET_NAME, "ebpf-faas-worker", 0, 0, 0);
	for (uint32_t i = 0; i < request->join_count; i++)
		if (write(fds[request->fd_count + i], "0", 1) != 1)
			return WORKER_EXIT_SETUP;
	return spawn_place(fds, request->fd_count) ? WORKER_EXIT_SETUP : 0;
}

static int serve(struct cell_request *request)
{
	int fds[CELL_PASSED_MAX];
	struct cell_answer answer;
	size_t count;
	int err;

	for (;;) {
		err = receive(request, fds, &count);
		answer.pid = err;
		if (err == 1)
			answer.pid = make_sibling();
		if (err == 1 && !answer.pid)
			return begin(request, fds);
		if (err == 1 && answer.pid < 0)
			answer.pid = -errno;
		if (err <= 0)
			return WORKER_EXIT_SETUP;
		if (send(CELL_FD_RUNTIME, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
			return WORKER_EXIT_SETUP;
		/* Nobody waits for this. */
		for (size_t i = 0; i < count; i++)
			(void)close(fds[i]);
	}
}

int cell_template(uint32_t namespaces, struct cell_request *ret)
{
	struct cell_word word = {.namespaces = namespaces};
	int err;

	(void)prctl(PR_SET_NAME, "ebpf-faas-template", 0, 0, 0);
	/* A group of its own, which the runtime takes out of it whom it knows. */
	err = setpgid(0, 0) ? -errno : warm_up();
	if (!err)
		err = enter(namespaces);
	/* Each worker looks that they are gone, and does not have to drop them one by one. */
	if (!err)
		err = privilege_clear_bounding_set();
	if (!err && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		err = -errno;
	if (is_alone(CELL_FD_RUNTIME))
		return WORKER_EXIT_SETUP;
	word.error = -err;
	if (send(CELL_FD_RUNTIME, &word, sizeof(word), MSG_NOSIGNAL) != sizeof(word) || err)
		return WORKER_EXIT_SETUP;
	return serve(ret);
}

int cell_wait(void)
{
	char word[sizeof(CELL_GO)];
	ssize_t bytes;

	do
		bytes = recv(WORKER_FD_CONTROL, word, sizeof(word), 0);
	while (bytes < 0 && errno == EINTR);
	return bytes == sizeof(CELL_GO) - 1 && !memcmp(word, CELL_GO, (size_t)bytes) ? 0 : -1;
}
