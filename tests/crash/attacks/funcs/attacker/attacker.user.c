// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A hostile function: the source port of an event, from 30000 on, says which of the
 * attacks in attacks.def it tries. It knows the insides of the worker that it is in.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <ebpf_faas/user.h>

#include "userspace/log/log.h"
#include "userspace/pool/worker.h"
#include "userspace/pool/worker_fds.h"

#define FIRST_PORT 30000

FAAS_USER_FUNCTION("Tries what a function may not do");
FAAS_PARAM_U64(neighbour, 0, 0, 18446744073709551615, "Id of the log of another workflow");
FAAS_OUTPUT(tried, "An attack that did not end the worker");
FAAS_FIELD(tried, attack, u64, "", "Its number");
FAAS_FIELD(tried, error, u64, "", "0: it succeeded");

static struct faas_call *here;
static _Alignas(4096) char space[4096];
static int pair[2];
static char *nothing[1];
static struct open_how how;
static struct msghdr letter;
static struct iovec piece = {space, sizeof(space)};
static const struct rlimit no_limit = {4096, 4096};
static const struct sigaction ignore = {.sa_handler = SIG_IGN};
static const struct timespec hour = {.tv_sec = 3600};

static struct worker *worker(void)
{
	return here->worker;
}

static struct io_uring *uring(void)
{
	return &worker()->waiter.uring;
}

static long syscall_open(const char *path)
{
#ifdef SYS_open
	return syscall(SYS_open, path, O_RDONLY);
#else
	return syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
#endif
}

static int mapped(void *at)
{
	return at == MAP_FAILED ? -1 : 0;
}

static int spoil(void *at)
{
	*(volatile uint8_t *)at ^= 1;
	return 0;
}

/* Take the completion of the attack out of those that are the worker's own. */
static bool take_result(int *ret)
{
	struct io_uring_cq *cq = &uring()->cq;
	unsigned int head = *cq->khead, tail = __atomic_load_n(cq->ktail, __ATOMIC_ACQUIRE);

	for (unsigned int at = head; at != tail; at++) {
		if (cq->cqes[at & *cq->kring_mask].user_data != UINT64_MAX)
			continue;
		*ret = cq->cqes[at & *cq->kring_mask].res;
		for (; at != head; at--)
			cq->cqes[at & *cq->kring_mask] = cq->cqes[(at - 1) & *cq->kring_mask];
		__atomic_store_n(cq->khead, head + 1, __ATOMIC_RELEASE);
		return true;
	}
	return false;
}

/* An operation through the worker's io_uring, by hand. What it is about does not
 * matter: the kernel looks at the operation first. */
static int submit(unsigned int operation)
{
	struct io_uring_sq *sq = &uring()->sq;
	unsigned int tail = *sq->ktail, slot = tail & *sq->kring_mask;
	struct io_uring_sqe *sqe = &sq->sqes[slot];
	int result = 0;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = (uint8_t)operation;
	sqe->fd = AT_FDCWD;
	sqe->addr = (uint64_t)(uintptr_t) "/etc/passwd";
	sqe->user_data = UINT64_MAX;
	if (sq->array) /* not where a newer library does without */
		sq->array[slot] = slot;
	__atomic_store_n(sq->ktail, tail + 1, __ATOMIC_RELEASE);
	/* What the library of the worker takes for the last one. */
	sq->sqe_head = sq->sqe_tail = tail + 1;
	while (!take_result(&result))
		if (syscall(SYS_io_uring_enter, uring()->ring_fd, 1, 1, IORING_ENTER_GETEVENTS, 0,
			    0) < 0)
			return -1;
	errno = result < 0 ? -result : 0;
	return result < 0 ? -1 : 0;
}

/* All memory that it gets, and uses it. */
static int fill(void)
{
	for (;;) {
		void *more = malloc(1 << 20);

		if (!more)
			return -1;
		memset(more, 1, 1 << 20);
	}
}

static int turn(void)
{
	volatile bool never = false;

	while (!never)
		;
	return 0;
}

/* Its timer's signals end one wait, not all. */
static int wait_in_io_uring(void)
{
	do
		errno = 0;
	while (syscall(SYS_io_uring_enter, uring()->ring_fd, 0, 4096, IORING_ENTER_GETEVENTS, 0,
		       0) >= 0 ||
	       errno == EINTR);
	return -1;
}

/* The worker dies of it: who comes after it finds what it left. */
static int wipe(void *at, size_t bytes)
{
	memset(at, 0xff, bytes);
	__builtin_trap();
}

static int give_away_log(void)
{
	((struct log_header *)worker()->log_mapping)->log_id ^= 1;
	__builtin_trap();
}

static int release_all(void)
{
	struct ring *ring = &worker()->ring;

	__atomic_store_n(ring->consumer, __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
	__builtin_trap();
}

/* A whole record in its own log, with the event as an output to its first sink, that says
 * that it is of the log @p log_id. The worker goes on behind it. */
static int forge(uint64_t log_id)
{
	const struct faas_event *event = worker()->run.event;
	uint32_t bytes = FAAS_EVENT_BYTES((uint32_t)event->key_bytes, (uint32_t)event->field_count,
					  (uint32_t)event->payload_bytes);
	struct page_counters *live = &worker()->live;
	struct log_writer writer = worker()->log;
	void *body;

	writer.log_id = log_id;
	if (log_begin(&writer))
		return -1;
	body = log_output(&writer, 1, bytes);
	if (!body)
		return -1;
	memcpy(body, event, bytes);
	(void)log_commit(&writer, LOG_EVENT, (uint8_t)event->shard, worker()->instance,
			 live->ring_position, live->processed, live->dead_lettered);
	writer.log_id = worker()->log.log_id;
	worker()->log = writer;
	return log_begin(&worker()->log);
}

/* All but the one that tells of it. */
static int flood_outputs(void)
{
	for (unsigned int i = 1; i < FAAS_EMITS_MAX; i++)
		if (faas_emit(here, faas_output(tried),
			      (struct faas_value[]){{.u64 = 0}, {.u64 = 0}}, 2))
			return -1;
	return 0;
}

static int flood_log(void)
{
	for (unsigned int i = 0; i < 10000; i++)
		faas_log(here, "a line of the flood");
	return 0;
}

static int flood_output(void)
{
	static const char line[] = "a line of the flood\n";

	for (unsigned int i = 0; i < 1000; i++)
		if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
			return -1;
	return 0;
}

#define ATTACK(name, end, expression)                                                              \
	static long name(void)                                                                     \
	{                                                                                          \
		return (long)(expression);                                                         \
	}
#include "attacks.def"
#undef ATTACK

static long (*const attacks[])(void) = {
#define ATTACK(name, end, expression) name,
#include "attacks.def"
};

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *state)
{
	const uint8_t *key = faas_event_key(event);
	unsigned int number = (unsigned int)(key[0] << 8 | key[1]) - FIRST_PORT;
	uint64_t error = 0;

	(void)state;
	if (number >= sizeof(attacks) / sizeof(attacks[0]))
		return 0;
	here = call;
	errno = 0;
	if (attacks[number]() < 0)
		error = (uint64_t)errno;
	return faas_emit(call, faas_output(tried),
			 (struct faas_value[]){{.u64 = number}, {.u64 = error}}, 2);
}
