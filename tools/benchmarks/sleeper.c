// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "sleeper.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "delays.h"
#include "tier.h"

#define GAP_NS (SLEEPER_GAP_US * 1000ull)
#define START_NS 5000000000ull
/* Longer than it takes to see that it is to count no more. */
#define REST_US 2000

struct sleeper {
	_Atomic int ready, counts;
	struct delays delays;
};

static void __attribute__((noreturn)) run(struct sleeper *sleeper)
{
	const struct sched_param first = {.sched_priority = 1};
	uint64_t due_ns;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	tier_disown();
	if (bench_pin(TIER_CONSUMER_CORE) || sched_setscheduler(0, SCHED_FIFO, &first))
		_exit(1);
	atomic_store(&sleeper->ready, 1);
	for (due_ns = bench_now_ns();;) {
		struct timespec due;
		uint64_t now_ns;

		due_ns += GAP_NS;
		due = (struct timespec){.tv_sec = (time_t)(due_ns / 1000000000u),
					.tv_nsec = (long)(due_ns % 1000000000u)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		now_ns = bench_now_ns();
		if (atomic_load(&sleeper->counts))
			delays_add(&sleeper->delays, now_ns - due_ns);
		if (now_ns > due_ns + GAP_NS)
			due_ns = now_ns;
	}
}

struct sleeper *sleeper_start(void)
{
	struct sleeper *sleeper = mmap(NULL, sizeof(*sleeper), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	uint64_t end_ns = bench_now_ns() + START_NS;
	pid_t pid;

	if (sleeper == MAP_FAILED)
		bench_die("mmap: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (!pid)
		run(sleeper);
	tier_own_process(pid);
	while (!atomic_load(&sleeper->ready))
		if (bench_now_ns() > end_ns)
			bench_die("a process of the scheduler's first class cannot be started");
	return sleeper;
}

void sleeper_begin(struct sleeper *sleeper)
{
	memset(&sleeper->delays, 0, sizeof(sleeper->delays));
	atomic_store(&sleeper->counts, 1);
}

void sleeper_end(struct sleeper *sleeper)
{
	atomic_store(&sleeper->counts, 0);
	usleep(REST_US);
}

double sleeper_p99_us(const struct sleeper *sleeper)
{
	return (double)delays_percentile(&sleeper->delays, 99) / 1000;
}
