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
	WORKER_FD_MANIFEST = 3,	    /* the bundle's manifest.json, from its beginning */
	WORKER_FD_RING = 4,	    /* BPF ring buffer */
	WORKER_FD_WAKE = 5,	    /* wake map: struct faas_wake for each instance */
	WORKER_FD_WORKER_PAGE = 6,  /* read, write */
	WORKER_FD_COURIER_PAGE = 7, /* read only */
	WORKER_FD_RUNTIME_PAGE = 8, /* read only */
	WORKER_FD_LOG = 9,	    /* read, write */
	WORKER_FD_NOTIFY = 10,	    /* eventfd: tells the courier of a record */
	WORKER_FD_SPACE = 11,	    /* eventfd: the courier's cursor moved */
	WORKER_FD_CONTROL = 12,	    /* SOCK_SEQPACKET to the runtime */
	/* For user function n: its shared object in a sealed memfd, and its
	 * state file (a /dev/null without state). */
	WORKER_FD_FUNCTIONS = 13,
};

#define WORKER_FD_OBJECT(n) (WORKER_FD_FUNCTIONS + 2 * (n))
#define WORKER_FD_STATE(n) (WORKER_FD_FUNCTIONS + 2 * (n) + 1)

/*
 * The control socket carries one word a message. To the runtime: "ready" when
 * the worker is about to take its first event, or "failed REASON" before it
 * exits; "stopped" when it has drained and run faas_on_stop. To the worker:
 * "drain" (process what is in the ring, answer "drained", go on) and "stop"
 * (drain what is there, stop). End of file: the runtime is gone; stop taking
 * events and exit at once (what is not committed stays in the ring).
 */
#define WORKER_MESSAGE_BYTES_MAX 1024

/* Exit statuses of a worker. */
enum worker_exit {
	WORKER_EXIT_DONE = 0,
	WORKER_EXIT_SETUP = 10,	 /* a descriptor, map or privilege is not as it must be */
	WORKER_EXIT_LOAD = 11,	 /* a shared object does not load, or its faas_on_init failed */
	WORKER_EXIT_CORRUPT = 12, /* log, state or page do not check out */
};

#endif
