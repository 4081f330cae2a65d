// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_waiter.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Polls and timers: with these a ring can open, send and execute nothing. */
static const uint8_t allowed[] = {
	IORING_OP_NOP,	   IORING_OP_POLL_ADD,	     IORING_OP_POLL_REMOVE,
	IORING_OP_TIMEOUT, IORING_OP_TIMEOUT_REMOVE,
};

#define ALLOWED_COUNT (sizeof(allowed) / sizeof(allowed[0]))

/* liburing 2.3 does not export these registrations from its shared library. */
static int uring_register(int fd, unsigned int operation, const void *argument, unsigned int count)
{
	if (syscall(SYS_io_uring_register, fd, operation, argument, count) < 0)
		return -errno;
	return 0;
}

int waiter_open(struct waiter *waiter)
{
	struct io_uring_restriction restrictions[ALLOWED_COUNT];
	struct io_uring_params params = {
		/* Completions run when this thread asks for them, not in the
		 * middle of a callback; only this thread submits. */
		.flags = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
		.cq_entries = 64,
	};
	int err;

	memset(waiter, 0, sizeof(*waiter));
	memset(restrictions, 0, sizeof(restrictions));
	for (unsigned int i = 0; i < WAITER_SOURCES; i++)
		waiter->fds[i] = -1;

	err = io_uring_queue_init_params(8, &waiter->uring, &params);
	if (err)
		return err;
	for (unsigned int i = 0; i < ALLOWED_COUNT; i++) {
		restrictions[i].opcode = IORING_RESTRICTION_SQE_OP;
		restrictions[i].sqe_op = allowed[i];
	}
	/* Registrations and submission flags are on no list, hence all refused. */
	err = uring_register(waiter->uring.ring_fd, IORING_REGISTER_RESTRICTIONS, restrictions,
			     ALLOWED_COUNT);
	if (!err)
		err = uring_register(waiter->uring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	if (err)
		io_uring_queue_exit(&waiter->uring);
	return err;
}

void waiter_watch(struct waiter *waiter, enum waiter_source source, int fd)
{
	waiter->fds[source] = fd;
}

/* Queue a poll for whatever has none. Multishot: one poll for many wakeups. */
static void arm(struct waiter *waiter)
{
	for (unsigned int i = 0; i < WAITER_SOURCES; i++) {
		struct io_uring_sqe *sqe;

		if (waiter->armed[i] || waiter->fds[i] < 0)
			continue;
		sqe = io_uring_get_sqe(&waiter->uring);
		if (!sqe)
			return;
		io_uring_prep_poll_multishot(sqe, waiter->fds[i], POLLIN);
		io_uring_sqe_set_data64(sqe, i);
		waiter->armed[i] = true;
	}
}

/* Returns how many completions there were. */
static unsigned int reap(struct waiter *waiter)
{
	struct io_uring_cqe *cqe;
	unsigned int head, count = 0;

	io_uring_for_each_cqe(&waiter->uring, head, cqe)
	{
		uint64_t source = cqe->user_data;

		count++;
		/* liburing marks its own timeouts so where the kernel has no
		 * timeout argument of the wait itself. */
		if (source >= WAITER_SOURCES)
			continue;
		waiter->fired[source] = true;
		if (!(cqe->flags & IORING_CQE_F_MORE))
			waiter->armed[source] = false;
		/* A descriptor that cannot be polled would spin. */
		if (cqe->res < 0 && cqe->res != -ECANCELED)
			waiter->fds[source] = -1;
	}
	io_uring_cq_advance(&waiter->uring, count);
	return count;
}

int waiter_wait(struct waiter *waiter, int64_t timeout_ns)
{
	struct io_uring_cqe *cqe;
	int err;

	arm(waiter);
	if (timeout_ns < 0) {
		err = io_uring_submit_and_wait(&waiter->uring, 1);
	} else {
		struct __kernel_timespec time = {
			.tv_sec = timeout_ns / 1000000000,
			.tv_nsec = timeout_ns % 1000000000,
		};

		err = io_uring_submit_and_wait_timeout(&waiter->uring, &cqe, 1, &time, NULL);
		if (err == -ETIME)
			err = 0;
	}
	(void)reap(waiter);
	return err < 0 ? err : 0;
}

int waiter_look(struct waiter *waiter, bool *ret_fired)
{
	int err;

	arm(waiter);
	err = io_uring_submit_and_get_events(&waiter->uring);
	*ret_fired = reap(waiter) > 0;
	return err < 0 ? err : 0;
}

void waiter_close(struct waiter *waiter)
{
	if (waiter->uring.ring_fd > 0)
		io_uring_queue_exit(&waiter->uring);
	memset(waiter, 0, sizeof(*waiter));
}
