/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Starting a helper process with exactly the descriptors it is to have. */
#ifndef FAAS_BASE_SPAWN_H
#define FAAS_BASE_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX 64

struct spawn {
	const char *path;
	char *const *arguments;	  /* ends in NULL */
	char *const *environment; /* ends in NULL */
	const int *fds;		  /* fds[n] becomes descriptor n; borrowed */
	size_t fd_count;
	/* Files of control groups to be in before the program is entered; borrowed. */
	const int *joins;
	size_t join_count;
	int new_namespaces; /* CLONE_NEW*: it is the first in them */
	/* pidfd of a process in whose pid namespace it is, 0: in ours; borrowed. Whoever it
	 * asks for its parent is told of nobody. */
	int pids_of;
};

/*
 * Fork and exec. The child has no other descriptors, no blocked or ignored
 * signals, and dies with the thread that called this. Returns once the program
 * has been entered: 0, or -errno (of execve too) with no process left behind.
 * Returns-owned: *ret_pidfd; the caller reaps.
 */
int spawn_start(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd)
	__attribute__((warn_unused_result));

/* In a new process: descriptors 0 to @p count - 1 are @p fds, and there are no others. The
 * same number may be source and target. 0 or -errno. */
int spawn_place(const int *fds, size_t count) __attribute__((warn_unused_result));

/* It is not wanted after all: kill it, wait for its end, close @p pidfd. */
void spawn_abandon(int pidfd);

/* How it ended. Call when its pidfd is readable; the process is gone then. */
struct spawn_end {
	int signal; /* 0: it exited */
	int status;
};
int spawn_reap(int pidfd, struct spawn_end *ret) __attribute__((warn_unused_result));

#endif
