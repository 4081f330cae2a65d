// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * disturb SEED DIRECTORY [PERCENT]: holds processes whose program is below DIRECTORY still, each
 * for 5 to 400 ms and again and again, as a machine does that has too much to do; until SIGTERM, or
 * until who started it is gone. They are still for about PERCENT (20) of the time. From SIGUSR1 to
 * SIGUSR2 it leaves all alone.
 *
 * By ptrace(2), not by SIGSTOP: who is held can be stopped, continued and killed by a test as
 * ever, and goes on when this one ends, however it ends.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pace.h"

#define PROCESSES_MAX 1024
#define TICK_MS 3
#define HOLD_MIN_MS 5
#define HOLD_MAX_MS 400
#define HOLD_MEAN_MS (HOLD_MIN_MS + (HOLD_MAX_MS - HOLD_MIN_MS) / 4)
/* Of those that have just begun, one in so many is held at once. */
#define NEWCOMERS 5

enum state {
	RUNS,
	ASKED, /* to stand still */
	HELD,
};

struct process {
	pid_t pid;
	bool seen; /* in this look at /proc */
	bool ours;
	enum state state;
	int signal; /* it came to stand still with this one on its way to it */
	uint64_t until_ns;
};

static struct process processes[PROCESSES_MAX];
static size_t count;
static uint64_t seed, holds;
static volatile sig_atomic_t ended, pauses;

static void end(int number)
{
	(void)number;
	ended = 1;
}

static void pause_it(int number)
{
	pauses = number == SIGUSR1;
}

/* splitmix64: the next of a row of numbers that follows from the seed, below @p bound. */
static uint64_t below(uint64_t bound)
{
	uint64_t mixed = seed += 0x9e3779b97f4a7c15u;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
	return (mixed ^ (mixed >> 31)) % bound;
}

/* Most of them short: the third power of what is even between 0 and 1. */
static uint64_t hold_ms(void)
{
	const double part = (double)below(1000) / 1000;

	return HOLD_MIN_MS + (uint64_t)((HOLD_MAX_MS - HOLD_MIN_MS) * part * part * part);
}

static bool is_ours(pid_t pid, const char *directory)
{
	char link[64], program[4096];
	ssize_t bytes;

	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	bytes = readlink(link, program, sizeof(program) - 1);
	if (bytes <= 0 || pid == getpid())
		return false;
	program[bytes] = '\0';
	return !strncmp(program, directory, strlen(directory)) && program[strlen(directory)] == '/';
}

static struct process *find(pid_t pid)
{
	for (size_t at = 0; at < count; at++) {
		if (processes[at].pid == pid)
			return &processes[at];
	}
	return NULL;
}

static void hold(struct process *process, uint64_t now_ns)
{
	/* It may have ended, or it is a debugger's. */
	if (ptrace(PTRACE_SEIZE, process->pid, NULL, NULL))
		return;
	process->state = ASKED;
	process->signal = 0;
	process->until_ns = now_ns + hold_ms() * 1000000;
	holds++;
	/* If this fails it ends just now, which wait says. */
	(void)ptrace(PTRACE_INTERRUPT, process->pid, NULL, NULL);
}

/* Who became what: some stand still now, some have ended. */
static void take_news(void)
{
	int status;

	for (;;) {
		const pid_t pid = waitpid(-1, &status, WNOHANG | __WALL);
		struct process *process;

		if (pid <= 0)
			return;
		process = find(pid);
		if (!process)
			continue;
		if (WIFSTOPPED(status)) {
			process->state = HELD;
			process->signal = status >> 16 ? 0 : WSTOPSIG(status);
		} else {
			process->state = RUNS;
		}
	}
}

/* New ones are known behind this, those that are gone are not. */
static int look_around(const char *directory, uint64_t now_ns)
{
	DIR *all = opendir("/proc");
	const struct dirent *entry;
	size_t kept = 0;

	if (!all)
		return -errno;
	for (size_t at = 0; at < count; at++)
		processes[at].seen = processes[at].state != RUNS;
	while ((entry = readdir(all))) {
		const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		struct process *process;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		process = find(pid);
		if (!process && count < PROCESSES_MAX) {
			process = &processes[count++];
			*process = (struct process){.pid = pid};
		}
		if (!process)
			continue;
		process->seen = true;
		/* Again for those that were none: they become what they are by exec. */
		if (!process->ours && is_ours(pid, directory)) {
			process->ours = true;
			if (!below(NEWCOMERS) && !pauses)
				hold(process, now_ns);
		}
	}
	(void)closedir(all);
	for (size_t at = 0; at < count; at++) {
		if (processes[at].seen)
			processes[kept++] = processes[at];
	}
	count = kept;
	return 0;
}

static void disturb(uint64_t percent, uint64_t now_ns)
{
	for (size_t at = 0; at < count; at++) {
		struct process *process = &processes[at];

		if (process->state == HELD && (pauses || now_ns >= process->until_ns)) {
			(void)ptrace(PTRACE_DETACH, process->pid, NULL,
				     (void *)(intptr_t)process->signal);
			process->state = RUNS;
		} else if (process->state == RUNS && process->ours && !pauses &&
			   below((uint64_t)HOLD_MEAN_MS * (100 - percent)) < TICK_MS * percent) {
			hold(process, now_ns);
		}
	}
}

int main(int texts_count, char **texts)
{
	uint64_t percent;
	int err = 0;

	if (texts_count < 3 || texts_count > 4) {
		(void)fprintf(stderr, "usage: disturb SEED DIRECTORY [PERCENT]\n");
		return 2;
	}
	seed = number_or_die(texts[1], UINT64_MAX, "SEED");
	percent = texts_count == 4 ? number_or_die(texts[3], 90, "PERCENT") : 20;
	(void)signal(SIGTERM, end);
	(void)signal(SIGUSR1, pause_it);
	(void)signal(SIGUSR2, pause_it);
	(void)signal(SIGINT, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)printf("# disturbed by seed %s\n", texts[1]);
	(void)fflush(stdout);
	while (!ended && !err) {
		const uint64_t now_ns = pace_now_ns();

		take_news();
		err = look_around(texts[2], now_ns);
		disturb(percent, now_ns);
		(void)usleep(TICK_MS * 1000);
	}
	if (err)
		(void)fprintf(stderr, "disturb: /proc: %s\n", strerror(-err));
	/* All who are held go on when their tracer is gone. */
	(void)printf("# processes were held %llu times\n", (unsigned long long)holds);
	return err ? 1 : 0;
}
