/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The cell: namespaces that all workers are in, the programs of exec functions (with mounts
 * of their own) and nobody else, and the process that workers are made of. The runtime starts two
 * processes of the worker's program:
 *
 *	ebpf-faas-worker holder NAMESPACES    makes the namespaces and holds them
 *	ebpf-faas-worker template NAMESPACES  enters them, has its libraries loaded and its
 *	                                      filters made, and becomes a worker when asked to
 *
 * The holder is the first process of the pid namespace: with it end all workers and programs. The
 * template is not in that namespace, its children are. They are children of the
 * runtime, not of the template: the runtime reaps them as any other, and the template may
 * end at any time.
 *
 * What is in there: an empty, read-only root directory but for /proc, in which a process
 * sees itself only; a network without an interface that is up; no user but theirs.
 */
#ifndef FAAS_POOL_CELL_H
#define FAAS_POOL_CELL_H

#include <sched.h>
#include <stdint.h>

#include <ebpf_faas/limits.h>

#include "spawn.h"

/* Besides standard files, which are /dev/null. */
enum cell_fd {
	CELL_FD_RUNTIME = 3, /* SOCK_SEQPACKET; its end is that of the process */
	CELL_FD_HOLDER = 4,  /* of the template: pidfd of the holder */
};

#define CELL_NAMESPACES                                                                            \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

/* Whom holder and template are; workers are the numbers above it. The same inside and
 * outside: no other user exists inside. */
#define CELL_UID (FAAS_WORKER_UID_BASE - 1)

/*
 * The holder says this once its namespaces are there, all but that of users being complete.
 * The runtime says which users there are in that one, then sends a byte; the holder gives up
 * its privileges and says it again. So does the template, when it is ready.
 */
struct cell_word {
	uint32_t namespaces; /* CLONE_NEW*: those that there are */
	int32_t error;	     /* errno of one that there is not, or of what the template lacks; 0 */
};

/* To the template, with descriptors: those of the worker (worker_fds.h), then those that it
 * joins control groups by (struct spawn). */
struct cell_request {
	uint32_t uid;
	uint32_t generation;
	uint32_t instance;
	uint32_t fd_count;
	uint32_t join_count;
};

/* The answer: the worker's pid as the runtime sees it, or -errno. The worker touches nothing
 * before it has read CELL_GO from its control socket: one that the runtime knows nothing of
 * ends at the end of that. */
struct cell_answer {
	int32_t pid;
};
#define CELL_GO "go"

#define CELL_JOINS_MAX 2
#define CELL_PASSED_MAX (SPAWN_FDS_MAX + CELL_JOINS_MAX)

/* The holder's life. @p wanted: CLONE_NEW*, without that of pids, which it is in. Returns an
 * exit status. */
int cell_hold(uint32_t wanted);

/*
 * The template's life. Returns in each worker with 0, the request, and its descriptors
 * at their places; in the template with an exit status above 0.
 */
int cell_template(uint32_t namespaces, struct cell_request *ret)
	__attribute__((warn_unused_result));

/* In a worker that was made so, before it touches what it was given. 0, or -1: nobody knows
 * of it. */
int cell_wait(void) __attribute__((warn_unused_result));

#endif
