// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_waiter.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Polls and timers: with these a ring can open, send and execute nothing. The last
 * two are for durable state: they write to what is open, as write() would. */
static const uint8_t allowed[] = {
	IORING_OP_NOP,	   IORING_OP_POLL_ADD,	     IORING_OP_POLL_REMOVE,
	IORING_OP_TIMEOUT, IORING_OP_TIMEOUT_REMOVE, IORING_OP_WRITE,
	IORING_OP_FSYNC,
};

#define ALLOWED_COUNT (sizeof(allowed) / sizeof(allowed[0]))
/* user_data of the write with tag 0, and of the first tick. */
#define WRITE_DATA (1ull << 32)
#define TICK_DATA (1ull << 33)

/* liburing 2.3 does not export these registrations from its shared library. */
static int uring_register(int fd, unsigned int operation, const void *argument, unsigned int count)
{
	if (syscall(SYS_io_uring_register, fd, operation, argument, count) < 0)
		return -errno;
	return 0;
}

static int make(struct waiter *waiter, bool writes)
{
	struct io_uring_restriction restrictions[ALLOWED_COUNT];
	struct io_uring_params params = {
		/* Completions run when this thread asks for them, not in the
		 * middle of a callback; only this thread submits. */
		.flags = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
		.cq_entries = 128,
	};
	unsigned int count = writes ? ALLOWED_COUNT : ALLOWED_COUNT - 2;
	int err;

	memset(waiter, 0, sizeof(*waiter));
	memset(restrictions, 0, sizeof(restrictions));
	for (unsigned int i = 0; i < WAITER_SOURCES; i++)
		waiter->fds[i] = -1;

	err = io_uring_queue_init_params(WAITER_SOURCES + WAITER_WRITES_MAX + WAITER_TICKS,
					 &waiter->uring, &params);
	if (err)
		return err;
	for (unsigned int i = 0; i < count; i++) {
		restrictions[i].opcode = IORING_RESTRICTION_SQE_OP;
		restrictions[i].sqe_op = allowed[i];
	}
	/* Registrations and submission flags are on no list, hence all refused. */
	err = uring_register(waiter->uring.ring_fd, IORING_REGISTER_RESTRICTIONS, restrictions,
			     count);
	if (!err)
		err = uring_register(waiter->uring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	if (err)
		io_uring_queue_exit(&waiter->uring);
	return err;
}

static struct {
	struct waiter waiter;
	bool is_there;
} ahead;

void waiter_open_ahead(void)
{
	ahead.is_there = !make(&ahead.waiter, false);
}

int waiter_ahead(void)
{
	return ahead.is_there ? ahead.waiter.uring.ring_fd : -1;
}

void waiter_ahead_is_at(int fd)
{
	ahead.waiter.uring.ring_fd = ahead.waiter.uring.enter_ring_fd = fd;
}

int waiter_open(struct waiter *waiter, bool writes)
{
	if (ahead.is_there && !writes) {
		*waiter = ahead.waiter;
		ahead.is_there = false;
		return 0;
	}
	if (ahead.is_there)
		waiter_close(&ahead.waiter);
	ahead.is_there = false;
	return make(waiter, writes);
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

/* Returns how many completions there were, without those of ticks. */
static unsigned int reap(struct waiter *waiter)
{
	struct io_uring_cqe *cqe;
	unsigned int head, count = 0, ticks = 0;

	io_uring_for_each_cqe(&waiter->uring, head, cqe)
	{
		uint64_t source = cqe->user_data;

		count++;
		/* liburing marks its own timeouts so where the kernel has no
		 * timeout argument of the wait itself. */
		if (source >= WRITE_DATA && waiter->written_count < WAITER_WRITES_MAX &&
		    source - WRITE_DATA < WRITE_DATA) {
			waiter->written[waiter->written_count].tag = source - WRITE_DATA;
			waiter->written[waiter->written_count++].result = cqe->res;
		}
		if (source >= TICK_DATA && source - TICK_DATA < WAITER_TICKS) {
			waiter->ticks[source - TICK_DATA].ns = 0;
			ticks++;
		}
		if (source >= WAITER_SOURCES)
			continue;
		waiter->fired[source] = true;
		waiter->unseen = true;
		if (!(cqe->flags & IORING_CQE_F_MORE))
			waiter->armed[source] = false;
		/* A descriptor that cannot be polled would spin. */
		if (cqe->res < 0 && cqe->res != -ECANCELED)
			waiter->fds[source] = -1;
	}
	io_uring_cq_advance(&waiter->uring, count);
	return count - ticks;
}

/* Sleep until anything completes but a tick: those that were set are still to come. */
static int wait_for_ever(struct waiter *waiter)
{
	int err;

	for (unsigned int i = 0; i <= WAITER_TICKS; i++) {
		err = io_uring_submit_and_wait(&waiter->uring, 1);
		if (reap(waiter) || err < 0)
			break;
	}
	return err;
}

int waiter_wait(struct waiter *waiter, int64_t timeout_ns)
{
	struct io_uring_cqe *cqe;
	int err;

	arm(waiter);
	if (waiter->unseen)
		timeout_ns = 0;
	if (timeout_ns < 0) {
		err = wait_for_ever(waiter);
	} else {
		struct __kernel_timespec time = {
			.tv_sec = timeout_ns / 1000000000,
			.tv_nsec = timeout_ns % 1000000000,
		};

		err = io_uring_submit_and_wait_timeout(&waiter->uring, &cqe, 1, &time, NULL);
		if (err == -ETIME)
			err = 0;
		(void)reap(waiter);
	}
	waiter->unseen = false;
	return err < 0 ? err : 0;
}

static bool set_tick(struct waiter *waiter, uint64_t ns)
{
	struct io_uring_sqe *sqe;
	unsigned int i = 0;

	while (i < WAITER_TICKS && waiter->ticks[i].ns)
		i++;
	sqe = i < WAITER_TICKS ? io_uring_get_sqe(&waiter->uring) : NULL;
	if (!sqe)
		return false;
	waiter->ticks[i].ns = ns;
	waiter->ticks[i].time.tv_sec = (int64_t)(ns / 1000000000);
	waiter->ticks[i].time.tv_nsec = (long long)(ns % 1000000000);
	io_uring_prep_timeout(sqe, &waiter->ticks[i].time, 0, IORING_TIMEOUT_ABS);
	io_uring_sqe_set_data64(sqe, TICK_DATA + i);
	return true;
}

/* Have one tick within about @p ns from now, and one behind it. */
static bool set_ticks(struct waiter *waiter, uint64_t now_ns, uint64_t ns)
{
	uint64_t first = UINT64_MAX, last = 0;
	unsigned int count = 0;

	for (unsigned int i = 0; i < WAITER_TICKS; i++) {
		uint64_t tick = waiter->ticks[i].ns;

		if (!tick)
			continue;
		count++;
		first = tick < first ? tick : first;
		last = tick > last ? tick : last;
	}
	if (!count || first > now_ns + ns + ns / 4) {
		if (!set_tick(waiter, now_ns + ns))
			return false;
		count++;
		last = last > now_ns + ns ? last : now_ns + ns;
	}
	/* Without it this wait ends as well. */
	if (count < 2)
		(void)set_tick(waiter, last + ns);
	return true;
}

int waiter_wait_beat(struct waiter *waiter, uint64_t now_ns, uint64_t ns)
{
	int err;

	if (waiter->unseen || !set_ticks(waiter, now_ns, ns))
		return waiter_wait(waiter, (int64_t)ns);
	arm(waiter);
	err = io_uring_submit_and_wait(&waiter->uring, 1);
	(void)reap(waiter);
	waiter->unseen = false;
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

int waiter_write(struct waiter *waiter, int fd, uint64_t offset, const void *data, uint32_t bytes,
		 uint64_t tag)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&waiter->uring);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_write(sqe, fd, data, bytes, offset);
	sqe->rw_flags = RWF_DSYNC;
	io_uring_sqe_set_data64(sqe, WRITE_DATA + tag);
	return 0;
}

/*
 * A write that would block goes to a thread of the ring for work on files. The
 * kernel makes it when it is first needed and keeps it; when it cannot, it cancels
 * the write. An fsync always goes there; a write that was asked to would not: its
 * file is not known yet, and it gets one for work without end.
 */
int waiter_make_thread(struct waiter *waiter, int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&waiter->uring);
	uint64_t tag;
	int32_t result;
	int err = 0;

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data64(sqe, WRITE_DATA);
	while (!waiter_take_written(waiter, &tag, &result)) {
		waiter->unseen = false;
		err = waiter_wait(waiter, -1);
		if (err && err != -EINTR)
			return err;
	}
	return result;
}

bool waiter_take_written(struct waiter *waiter, uint64_t *ret_tag, int32_t *ret_result)
{
	if (!waiter->written_count)
		return false;
	waiter->written_count--;
	*ret_tag = waiter->written[waiter->written_count].tag;
	*ret_result = waiter->written[waiter->written_count].result;
	return true;
}

void waiter_close(struct waiter *waiter)
{
	if (waiter->uring.ring_fd > 0)
		io_uring_queue_exit(&waiter->uring);
	memset(waiter, 0, sizeof(*waiter));
}
