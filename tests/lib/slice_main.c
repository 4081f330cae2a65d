// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Prints the slice of a processor that a process has, in ns; "none" on a kernel that keeps none,
 * which is seen by asking for one.
 *
 * slice PID
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library has no sched_setattr(), and later ones define its argument. */
struct scheduling {
	uint32_t bytes, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t slice_ns, deadline_ns, period_ns;
};

/* Between the shortest and the longest that is taken, and nobody's default. */
#define ASKED_NS 1234567u

static int get(pid_t pid, struct scheduling *ret_now)
{
	return syscall(SYS_sched_getattr, pid, ret_now, sizeof(*ret_now), 0) ? -errno : 0;
}

/* 1 if a slice that was asked for is kept, 0 if not, or -errno. */
static int are_kept(void)
{
	struct scheduling mine;
	int err = get(0, &mine);

	if (err)
		return err;
	mine.slice_ns = ASKED_NS;
	if (syscall(SYS_sched_setattr, 0, &mine, 0))
		return errno == EINVAL ? 0 : -errno;
	err = get(0, &mine);
	return err ? err : mine.slice_ns == ASKED_NS;
}

int main(int count, char **texts)
{
	struct scheduling now;
	int kept;
	int err;

	if (count != 2) {
		(void)fprintf(stderr, "usage: slice PID\n");
		return 2;
	}
	kept = are_kept();
	err = kept < 0 ? kept : get((pid_t)strtol(texts[1], NULL, 10), &now);
	if (err) {
		(void)fprintf(stderr, "slice: %s\n", strerror(-err));
		return 1;
	}
	if (kept)
		(void)printf("%llu\n", (unsigned long long)now.slice_ns);
	else
		(void)printf("none\n");
	return 0;
}
