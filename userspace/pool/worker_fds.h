/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a worker process is started: `ebpf-faas-worker UID INSTANCE GENERATION`,
 * with these file descriptors open and no others. The runtime makes them; the
 * worker opens nothing by name.
 */
#ifndef FAAS_POOL_WORKER_FDS_H
#define FAAS_POOL_WORKER_FDS_H

enum worker_fd {
	/* 0 is /dev/null, 1 and 2 are the runtime's log. */
	WORKER_FD_MANIFEST = 3,	    /* the bundle's manifest.json, from its beginning; a
				     * /dev/null for who is told (CELL_GO) */
	WORKER_FD_RING = 4,	    /* BPF ring buffer */
	WORKER_FD_WAKE = 5,	    /* wake map: struct faas_wake for each instance */
	WORKER_FD_WORKER_PAGE = 6,  /* read, write */
	WORKER_FD_COURIER_PAGE = 7, /* read only */
	WORKER_FD_RUNTIME_PAGE = 8, /* read only */
	WORKER_FD_LOG = 9,	    /* read, write */
	WORKER_FD_NOTIFY = 10,	    /* eventfd: tells the courier of a record */
	WORKER_FD_SPACE = 11,	    /* eventfd: the courier's cursor moved */
	WORKER_FD_CONTROL = 12,	    /* SOCK_SEQPACKET to the runtime */
	/* With durable state the files of userspace/log/durable_format.h, read and
	 * write, in the order of enum disk_file; a /dev/null where there is none. */
	WORKER_FD_DISK = 13,
	/* For user function n: its shared object in a sealed memfd, or the socket to
	 * the program of an exec function (SOCK_STREAM, not blocking); and its
	 * state file (a /dev/null without state). */
	WORKER_FD_FUNCTIONS = 18,
};

#define WORKER_FD_OBJECT(n) (WORKER_FD_FUNCTIONS + 2 * (n))
#define WORKER_FD_STATE(n) (WORKER_FD_FUNCTIONS + 2 * (n) + 1)

/*
 * What the worker finds in them. It has become UID before it looks at any, so
 * it maps and loads what the runtime may but it may not open by name.
 *
 * - The manifest is read with pread from offset 0.
 * - runtime.page is complete: magic, version, incarnation, ring_map_id (that of
 *   WORKER_FD_RING), ring_boot_hash, log_id.
 * - worker.page (WORKER_PAGE_BYTES), log (log_file_bytes) and state files
 *   (state_file_bytes, userspace/state/state.h) have their full length,
 *   allocated; where they are all zeros the worker lays them out. A courier
 *   page of zeros is a cursor at the beginning.
 * - A shared object is loaded by /proc/self/fd/N, after the change of user: the
 *   memfd keeps the mode 0777 that memfd_create gives it (or 0444 at least), is
 *   sealed against writing, and is one of its own for each function, for two
 *   instances of one function would share their variables in one.
 * - NOTIFY and SPACE are made with EFD_NONBLOCK. The worker never reads SPACE.
 *
 * After mapping the worker closes all but RING, NOTIFY, SPACE, CONTROL, DISK with
 * durable state, and standard files, and can open none.
 */

/*
 * The control socket carries one word a message. To the runtime: "confined LIMITS"
 * (enum page_limits) when the sandbox is closed and no code of an author has run,
 * "forbidden NUMBER" of a system call that it is killed for, "ready" when
 * the worker is about to take its first event, or "failed REASON" before it
 * exits; "stopped" when it has drained and run faas_on_stop; "crash ..."
 * from a signal, see worker_crash.h. To the worker: CELL_GO before all
 * else, if it is made of a template (cell.h);
 * "drain" (process what is in the ring, answer "drained", go on) and "stop"
 * (drain what is there, stop), or a piece of states to put in (import.h), which is
 * answered by "imported NUMBER" when it is committed, or "refused NUMBER REASON";
 * one at a time. "idle" says that it has nothing to do and ends, though nobody told it
 * to: it reads nothing any more, and what came for it is for its successor. End of file: the
 * runtime is gone; stop taking events and exit at once (what is not committed stays in the ring).
 */
#define WORKER_MESSAGE_BYTES_MAX 1024
#define WORKER_WORD_IDLE "idle"

/* Exit statuses of a worker. */
enum worker_exit {
	WORKER_EXIT_DONE = 0,
	WORKER_EXIT_SETUP = 10,	  /* a descriptor, map or privilege is not as it must be */
	WORKER_EXIT_LOAD = 11,	  /* a shared object does not load, or its faas_on_init failed */
	WORKER_EXIT_CORRUPT = 12, /* log, state or page do not check out */
	WORKER_EXIT_TIMEOUT = 13, /* a function was over its time */
	WORKER_EXIT_PROGRAM = 14, /* the program of an exec function is gone */
	WORKER_EXIT_ANSWER = 15,  /* and one that answers what is no answer */
};

#endif
