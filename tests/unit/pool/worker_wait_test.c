// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* When a worker sleeps, waits, wakes others and gives up. Needs root. */
#include "worker_helpers.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userspace/pool/worker.h"
#include "userspace/pool/worker_fds.h"

static void test_full_log_waits(void **state)
{
	struct rig_options options = {.copies = 1, .log_segments = 2};
	uint64_t head;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	/* Nobody reads the log: it takes some 8,000 records of over 250 bytes. */
	for (int i = 0;
	     i < 2000 && __atomic_load_n(&rig->page->state, __ATOMIC_RELAXED) != WORKER_WAITING;
	     i++) {
		struct ringview view;

		assert_int_equal(ringview_open(rig->ring, &view), 0);
		if (*view.producer - *view.consumer < view.bytes / 2)
			assert_int_equal(rig_emit(rig, 100), 0);
		ringview_close(&view);
		pause_us(500);
	}
	assert_int_equal(rig->page->state, WORKER_WAITING);
	head = rig->page->head;
	assert_true(head <= 2 * FAAS_LOG_SEGMENT_BYTES);
	assert_true(head > FAAS_LOG_SEGMENT_BYTES);
	/* A full log keeps nobody from stopping it: it dies, another goes on. */
	assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);
	assert_int_equal(rig_start(rig), 0);
	emit(20000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_all_counted(100);
	assert_int_equal(rig_stop(rig), 0);
}

/* It says that it sleeps behind a last look at the ring, which is behind the flag for
 * producers: whoever sees the flag may see it before that. */
static void expect_asleep(void)
{
	for (int i = 0;
	     i < 10000 && __atomic_load_n(&rig->page->state, __ATOMIC_ACQUIRE) != WORKER_SLEEPING;
	     i++)
		pause_us(1000);
	assert_int_equal(rig->page->state, WORKER_SLEEPING);
	assert_int_equal(rig->flags->sleeping, 1);
}

/* Gaps around the time that a worker takes to fall asleep: none may be slept
 * through. Longer ones where it takes more time than that, for want of a processor. */
static void test_wakeups(void **state)
{
	struct rig_options options = {.copies = 0};
	unsigned int seed = (unsigned int)time(NULL);
	struct ringview view;
	uint64_t wakeups;

	(void)state;
	print_message("seed %u\n", seed);
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(ringview_open(rig->ring, &view), 0);
	for (unsigned int i = 0; i < 600 || (i < 3000 && rig->page->wakeups <= 50); i++) {
		int looks = 0;

		assert_int_equal(rig_emit(rig, 1), 0);
		while (__atomic_load_n(view.consumer, __ATOMIC_ACQUIRE) != *view.producer &&
		       looks++ < 20000)
			pause_us(50);
		assert_true(looks < 20000); /* a second asleep: missed */
		pause_us((900 + (unsigned int)rand_r(&seed) % 1400) * (1 + i / 600));
		if (i % 100 == 0)
			assert_int_equal(rig_read(rig), 0);
	}
	ringview_close(&view);
	wakeups = rig->page->wakeups;
	assert_true(wakeups > 50);
	assert_true(rig->config->woken > 50);
	/* Idle means idle: no more wakeups, no CPU time. */
	expect_asleep();
	wakeups = rig->page->wakeups;
	for (int i = 0; i < 100; i++) {
		pause_us(1000);
		assert_int_equal(rig->page->wakeups, wakeups);
	}
	assert_int_equal(rig_stop(rig), 0);
}

static const enum bundle_worker_class classes[] = {WORKER_THROUGHPUT, WORKER_LATENCY,
						   WORKER_ECONOMY};
#define CLASSES (sizeof(classes) / sizeof(classes[0]))

/* Nothing else comes to make up for a wakeup that is missed: it would wait for ever. */
static void expect_taken(struct rig *each, unsigned int seconds)
{
	struct ringview view;
	unsigned int looks = 0;

	assert_int_equal(ringview_open(each->ring, &view), 0);
	while (__atomic_load_n(view.consumer, __ATOMIC_ACQUIRE) != *view.producer &&
	       looks++ < seconds * 20000)
		pause_us(50);
	if (looks > seconds * 20000)
		fail_msg("class %d does not wake up", each->options.worker_class);
	ringview_close(&view);
}

/* Workers of all classes, the same gaps for all. A run of the program takes a
 * fraction of a millisecond to begin: shorter gaps are within it, longer ones
 * between two. Where a worker changes its way of waiting, they lie near enough to
 * hit the change. */
static void test_random_gaps(void **state)
{
	static const uint64_t long_gaps_us[] = {30000, 300000, 10000000};
	unsigned int seed = (unsigned int)time(NULL);
	struct rig *rigs[CLASSES];
	uint64_t events = 0;

	(void)state;
	print_message("seed %u\n", seed);
	for (unsigned int c = 0; c < CLASSES; c++) {
		struct rig_options options = {.copies = 1, .worker_class = classes[c]};

		rigs[c] = calloc(1, sizeof(*rigs[c]));
		assert_int_equal(rig_open(rigs[c], &options), 0);
		assert_int_equal(rig_start(rigs[c]), 0);
	}
	for (int i = 0; i < 303; i++) {
		static const uint32_t within_us[] = {2, 10, 60, 200};
		uint64_t gap_us = i < 300 ? (uint64_t)rand_r(&seed) % 3000 : long_gaps_us[i - 300];
		uint32_t count = 1 + (uint32_t)rand_r(&seed) % 8;
		int decade = rand_r(&seed) % 4;

		for (unsigned int c = 0; c < CLASSES; c++) {
			rigs[c]->config->gap_max_ns = 1000 * within_us[decade];
			assert_int_equal(rig_emit(rigs[c], count), 0);
		}
		events += count;
		for (unsigned int c = 0; c < CLASSES; c++)
			expect_taken(rigs[c], 5);
		if (gap_us >= 1000000)
			(void)sleep((unsigned int)(gap_us / 1000000));
		else
			pause_us((unsigned int)gap_us);
		for (unsigned int c = 0; c < CLASSES && i % 50 == 0; c++)
			assert_int_equal(rig_read(rigs[c]), 0);
	}
	for (unsigned int c = 0; c < CLASSES; c++) {
		/* Words of the runtime are heard asleep, too. */
		assert_int_equal(rig_drain(rigs[c]), 0);
		assert_int_equal(rig_read(rigs[c]), 0);
		assert_int_equal(rigs[c]->read.events, events);
		assert_true(rigs[c]->page->wakeups > 20);
		assert_int_equal(rig_stop(rigs[c]), 0);
		rig_close(rigs[c]);
		free(rigs[c]);
	}
}

/* A worker that spins, and finds events before it looks anywhere else, hears what
 * it is told; when nothing comes any more, it lets go. */
static void test_spinning_worker_listens(void **state)
{
	enum { EVENTS = 150000 };
	struct rig_options options = {
		.every = 1000000, .log_segments = 32, .worker_class = WORKER_LATENCY};
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	rig->config->gap_max_ns = 15000;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(rig_emit(rig, EVENTS) ? 1 : 0);
	for (int i = 0; i < 2000 && counters().processed < 1000; i++)
		pause_us(1000);
	assert_int_equal(send(rig->control, "drain", 5, MSG_NOSIGNAL), 5);
	assert_int_equal(rig_expect(rig, "drained", 4000), 0);
	/* Not when it went to sleep behind the last of them. */
	assert_true(counters().processed < EVENTS);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	expect_asleep();
	assert_int_equal(rig_stop(rig), 0);
}

/* A ring made by hand, shared with a child. */
struct shared_ring {
	uint64_t consumer;
	uint64_t producer;
	uint64_t data[8];
};

/* The child: a worker whose ring is that one. Does not return. */
static void run_on_shared_ring(struct shared_ring *shared, int control)
{
	struct worker *worker = aligned_alloc(64, (sizeof(*worker) + 63) & ~63ul);
	struct worker_files files = {.ring = rig->ring,
				     .wake = rig->wake,
				     .worker_page = rig->worker_page,
				     .courier_page = rig->courier_page,
				     .runtime_page = rig->runtime_page,
				     .log = rig->log,
				     .state = {rig->states[0]}};

	if (!worker)
		_exit(1);
	memset(worker, 0, sizeof(*worker));
	rig->runtime->incarnation = 1;
	if (waiter_open(&worker->waiter, false) || worker_map(worker, rig->bundle, 0, &files) ||
	    worker_recover(worker))
		_exit(2);
	worker->ring = (struct ring){.consumer = &shared->consumer,
				     .producer = &shared->producer,
				     .data = (const uint8_t *)shared->data,
				     .bytes = sizeof(shared->data)};
	worker->control_fd = control;
	waiter_watch(&worker->waiter, WAITER_CONTROL, control);
	_exit(worker_run(worker));
}

/*
 * A producer that reserved, looked at the flag, and was held up before it
 * submits, will wake nobody: the worker may not sleep as long as that record is
 * there.
 */
static void test_reserved_record_keeps_awake(void **state)
{
	struct rig_options options = {.copies = 0};
	struct shared_ring *shared;
	int status = 0;
	int pair[2];
	pid_t pid;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	shared->data[0] = 8 | RING_BUSY_BIT;
	shared->producer = 16;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		(void)close(pair[0]);
		run_on_shared_ring(shared, pair[1]);
	}
	(void)close(pair[1]);
	for (int i = 0;
	     i < 2000 && __atomic_load_n(&rig->page->state, __ATOMIC_RELAXED) != WORKER_RUNNING;
	     i++)
		pause_us(1000);
	/* Fifty times as long as it takes to fall asleep. */
	for (int i = 0; i < 50; i++) {
		pause_us(1000);
		assert_int_not_equal(__atomic_load_n(&rig->page->state, __ATOMIC_RELAXED),
				     WORKER_SLEEPING);
	}
	assert_int_equal(rig->page->state, WORKER_RUNNING);
	/* Submitted, and nobody woken. */
	__atomic_store_n(&shared->data[0], 8 | RING_DISCARD_BIT, __ATOMIC_RELEASE);
	for (int i = 0; i < 2000 && __atomic_load_n(&shared->consumer, __ATOMIC_ACQUIRE) != 16; i++)
		pause_us(1000);
	assert_int_equal(shared->consumer, 16);
	/* Now it may. */
	for (int i = 0;
	     i < 2000 && __atomic_load_n(&rig->page->state, __ATOMIC_RELAXED) != WORKER_SLEEPING;
	     i++)
		pause_us(1000);
	assert_int_equal(rig->page->state, WORKER_SLEEPING);
	(void)close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), WORKER_EXIT_DONE);
	(void)munmap(shared, sizeof(*shared));
}

/* The courier is told of outputs once for each of its sleeps, and of records
 * without outputs only when the log gets full. */
static void test_notifies_courier(void **state)
{
	struct rig_options options = {.copies = 1, .every = 5};
	uint64_t count = 0;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	rig->config->keys = 1;
	rig->courier->sleep_epoch = 1;
	assert_int_equal(rig_start(rig), 0);
	emit(4);
	for (int i = 0; i < 10000 && counters().processed != 4; i++)
		pause_us(1000);
	assert_int_equal(read(rig->notify, &count, sizeof(count)), -1);
	for (uint64_t processed = 14; processed <= 34; processed += 10) {
		emit(10); /* two outputs each time */
		for (int i = 0; i < 10000 && counters().processed != processed; i++)
			pause_us(1000);
	}
	assert_int_equal(read(rig->notify, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	rig->courier->sleep_epoch = 3;
	emit(6);
	for (int i = 0; i < 10000 && read(rig->notify, &count, sizeof(count)) < 0; i++)
		pause_us(1000);
	assert_int_equal(count, 1);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_orphan_ends(void **state)
{
	struct rig_options options = {.copies = 1};
	int status = 0;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	(void)shutdown(rig->control, SHUT_RDWR);
	assert_int_equal(waitpid(rig->pid, &status, 0), rig->pid);
	rig->pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), WORKER_EXIT_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_full_log_waits),
		TEST(test_wakeups),
		TEST(test_random_gaps),
		TEST(test_spinning_worker_listens),
		TEST(test_reserved_record_keeps_awake),
		TEST(test_notifies_courier),
		TEST(test_orphan_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
