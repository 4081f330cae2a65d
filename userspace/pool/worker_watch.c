// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/worker_watch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "userspace/pool/worker.h"
#include "userspace/pool/worker_crash.h"
#include "userspace/pool/worker_fds.h"

/* Ticks within the shortest timeout. */
#define TICKS 4

/* A signal is told nothing. */
static struct worker *watched;

static void set_timer(uint64_t period_ns)
{
	const struct timeval period = {
		.tv_sec = (time_t)(period_ns / 1000000000),
		.tv_usec = (suseconds_t)(period_ns % 1000000000 / 1000),
	};
	const struct itimerval timer = {.it_interval = period, .it_value = period};

	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

void worker_watch_start(struct worker_watch *watch)
{
	watch->ticks = true;
	set_timer(watch->period_ns);
}

/* A worker that wakes up says so before it looks whether the timer is on. */
static void stop_if_asleep(struct worker_watch *watch)
{
	uint32_t state = __atomic_load_n(&watched->page->state, __ATOMIC_RELAXED);

	if (state != WORKER_SLEEPING && state != WORKER_WAITING && state != WORKER_RETRYING)
		return;
	watch->ticks = false;
	set_timer(0);
}

static void on_tick(int number)
{
	struct worker_watch *watch = &watched->watch;
	uint64_t attempt = __atomic_load_n(&watched->page->attempt_position, __ATOMIC_RELAXED);
	/* Behind each call the trace is longer. */
	uint32_t calls = *(volatile uint32_t *)&watched->run.trace_bytes;
	uint8_t function = *(volatile uint8_t *)&watched->run.failed;
	int saved = errno;

	(void)number;
	if (!attempt) {
		watch->attempt = 0;
		stop_if_asleep(watch);
	} else if (attempt != watch->attempt || calls != watch->calls) {
		watch->attempt = attempt;
		watch->calls = calls;
		watch->seen = 0;
	} else if (++watch->seen >= watch->ticks_max[function]) {
		worker_crash_tell(0);
		_exit(WORKER_EXIT_TIMEOUT);
	}
	errno = saved;
}

int worker_watch_open(struct worker *worker)
{
	struct worker_watch *watch = &worker->watch;
	const struct bundle *bundle = worker->bundle;
	struct sigaction action;
	sigset_t tick;

	if (!bundle->user_count)
		return 0;
	watch->period_ns = UINT64_MAX;
	for (uint32_t i = 0; i < bundle->user_count; i++)
		if (bundle->user[i].timeout_ns / TICKS < watch->period_ns)
			watch->period_ns = bundle->user[i].timeout_ns / TICKS;
	for (uint32_t i = 0; i < bundle->user_count; i++)
		watch->ticks_max[i] =
			(uint32_t)((bundle->user[i].timeout_ns + watch->period_ns - 1) /
				   watch->period_ns);
	watched = worker;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_tick;
	action.sa_flags = SA_RESTART;
	(void)sigemptyset(&tick);
	(void)sigaddset(&tick, SIGALRM);
	if (sigaction(SIGALRM, &action, NULL) || sigprocmask(SIG_UNBLOCK, &tick, NULL))
		return worker_fail(worker, WORKER_EXIT_SETUP, "signal: %s", strerror(errno));
	watch->open = true;
	return 0;
}
