/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The cell: namespaces that all workers are in, the programs of exec functions (with mounts
 * of their own) and nobody else, and the process that workers are made of. The runtime starts two
 * processes of the worker's program:
 *
 *	ebpf-faas-worker holder NAMESPACES    makes the namespaces and holds them
 *	ebpf-faas-worker template NAMESPACES  enters them, has its libraries loaded and its
 *	                                      filters made, and is copied when asked to
 *
 * The holder is the first process of the pid namespace: with it end all workers and programs. The
 * template is not in that namespace, its children are. They are children of the
 * runtime, not of the template: the runtime reaps them as any other, and the template may
 * end at any time.
 *
 * Such a child is a spare: it prepares itself for whatever does not depend on whose worker it
 * will be, and waits. The runtime has one of them, so that an event that comes for a workflow
 * without a worker does not wait for a process to be made; another one is made when
 * this one has become a worker.
 *
 * What is in there: an empty, read-only root directory but for /proc, in which a process
 * sees itself only; a network without an interface that is up; no user but theirs.
 */
#ifndef FAAS_POOL_CELL_H
#define FAAS_POOL_CELL_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ebpf_faas/limits.h>

#include "bundle.h"
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

/* To the template: a byte, with the spare's end of its own socket to the runtime. The answer: */
struct cell_answer {
	int32_t pid; /* as the runtime sees it, or -errno */
};

/* To a spare, with descriptors: those of the worker (worker_fds.h), then those that it
 * joins control groups by (struct spawn). At the end of the socket it ends. */
struct cell_request {
	uint32_t uid;
	uint32_t generation;
	uint32_t instance;
	uint32_t fd_count; /* below SPAWN_FDS_MAX */
	uint32_t join_count;
};

/*
 * The worker touches nothing before it has read this from its control socket, with
 * descriptors that were not at hand before. Behind it is the bundle (bundle_image.h); or
 * nothing, and then there is a manifest.
 */
#define CELL_LATER_MAX (FAAS_USER_FUNCTIONS_MAX + 1)
struct cell_go {
	uint32_t word;			/* CELL_GO */
	uint32_t count;			/* of descriptors */
	uint8_t places[CELL_LATER_MAX]; /* the number that each is to have: it has another one */
};
#define CELL_GO 0x6f67u

#define CELL_JOINS_MAX 2
#define CELL_PASSED_MAX (SPAWN_FDS_MAX + CELL_JOINS_MAX)

/* The holder's life. @p wanted: CLONE_NEW*, without that of pids, which it is in. Returns an
 * exit status. */
int cell_hold(uint32_t wanted);

/*
 * The template's life. Returns in each worker with 0, the request, and its descriptors
 * at their places; in the template and in spares that nobody needs with an exit status above 0.
 */
int cell_template(uint32_t namespaces, struct cell_request *ret)
	__attribute__((warn_unused_result));

/* In a new process: the life of a spare at @p socket. The same results. */
int cell_spare(int socket, struct cell_request *ret) __attribute__((warn_unused_result));

/* A message with its descriptors, of which there are at most CELL_PASSED_MAX. Its length, cut
 * to @p bytes; 0 at the end; -EPROTO: there were more descriptors; or -errno. Returns-owned:
 * fds. */
ssize_t cell_receive(int socket, void *data, size_t bytes, int *fds, size_t *ret_count)
	__attribute__((warn_unused_result));

/* In a worker that was made so, before it touches what it was given. 0 with the bundle, NULL
 * if it is to read the manifest; -EPIPE: nobody knows of it; or -errno, -EINVAL as
 * bundle_image_read. Returns-owned: *ret, free(). */
int cell_wait(struct bundle **ret) __attribute__((warn_unused_result));

#endif
