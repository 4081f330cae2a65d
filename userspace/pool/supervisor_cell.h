/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The runtime's side of the cell (cell.h): it is made when the first worker is to start,
 * and again when its holder or template has ended.
 */
#ifndef FAAS_POOL_SUPERVISOR_CELL_H
#define FAAS_POOL_SUPERVISOR_CELL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop.h"
#include "spawn.h"

/* A process of the cell. */
struct cell_process {
	struct cell *cell; /* NULL: it was given up */
	struct loop *loop;
	struct loop_source exit; /* pidfd; -1: there is none */
	pid_t pid;
	int socket;
	bool makes_others; /* in its group until they are known */
};

struct cell {
	struct loop *loop;
	struct cell_process *holder; /* NULL: none */
	struct cell_process *template;
	struct cell_process *spare; /* see supervisor_spare.h */
	struct loop_timer soon;	    /* when there is one again */
	uint32_t namespaces;	    /* CLONE_NEW*: that there are */
	uint64_t try_again_ns;	    /* after a failure */
	bool said;		    /* what is missing, in the log */
};

/* Nothing is started. */
void cell_init(struct cell *cell, struct loop *loop);

/*
 * What a worker that is started now is confined by: enum page_limits. Makes the cell if it
 * is not there; 0: there can be none now, and workers are started as other programs are.
 */
uint32_t cell_limits(struct cell *cell);

/*
 * What a program besides workers enters the namespaces by: the holder's pidfd, borrowed until
 * the loop goes on, and of which kinds there are (CLONE_NEW*). -1: there is no cell. Where
 * starting it failed, cell_lost() says whether the cell is gone; then ask again.
 */
int cell_holder(struct cell *cell, uint32_t *ret_namespaces) __attribute__((warn_unused_result));
bool cell_lost(struct cell *cell);

/* What a spare is told, see cell.h. */
struct cell_worker {
	uint32_t uid;
	uint32_t generation;
	uint32_t instance;
	const int *fds;
	uint32_t fd_count;
	const int *joins;
	uint32_t join_count;
};

/*
 * Start a worker. As spawn_start: the caller reaps, Returns-owned: *ret_pidfd. It goes on
 * when it has been sent CELL_GO. -ESTALE: the cell that there was is gone, ask again; or
 * -errno.
 */
int cell_start(struct cell *cell, const struct cell_worker *worker, pid_t *ret_pid, int *ret_pidfd)
	__attribute__((warn_unused_result));

/* For supervisor_spare.c. Watch a process at *ret until it ends: takes @p pidfd always, and
 * @p socket on success. 0, or -errno without the process. */
int cell_watch(struct cell *cell, pid_t pid, int pidfd, int socket, struct cell_process **ret)
	__attribute__((warn_unused_result));
/* And no longer: it is the caller's. Closes its socket. Returns-owned: *ret_pidfd. */
void cell_unwatch(struct cell_process **process, pid_t *ret_pid, int *ret_pidfd);
/* What it says, in a message of at most @p bytes; blocks, for some seconds at most. As recv(). */
ssize_t cell_hear(const struct cell_process *process, void *ret, size_t bytes)
	__attribute__((warn_unused_result));
/* Kill it, if there is one; it is nobody's any more. */
void cell_give_up(struct cell_process **process);

/* End it; when there are no workers any more. */
void cell_close(struct cell *cell);

#endif
