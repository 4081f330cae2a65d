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

ssize_t cell_receive(int socket, void *data, size_t bytes, int *fds, size_t *ret_count)
{
	union {
		char bytes[CMSG_SPACE(CELL_PASSED_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec piece = {data, bytes};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header;
	ssize_t got;

	*ret_count = 0;
	do
		got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got ? -errno : 0;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
		*ret_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(header), *ret_count * sizeof(int));
	}
	return message.msg_flags & MSG_CTRUNC ? -EPROTO : got;
}

static int serve(struct cell_request *request)
{
	struct cell_answer answer;
	int fds[CELL_PASSED_MAX];
	size_t count;
	char byte = 0;

	for (;;) {
		ssize_t bytes = cell_receive(CELL_FD_RUNTIME, &byte, sizeof(byte), fds, &count);

		if (bytes <= 0 || count != 1)
			return WORKER_EXIT_SETUP;
		answer.pid = make_sibling();
		if (!answer.pid)
			return cell_spare(fds[0], request);
		if (answer.pid < 0)
			answer.pid = -errno;
		(void)close(fds[0]);
		if (send(CELL_FD_RUNTIME, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
			return WORKER_EXIT_SETUP;
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
