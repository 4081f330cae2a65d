/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The worker process of one workflow: started, watched, replaced when it dies,
 * drained and ended.
 *
 *	supervisor_prepare -> supervisor_start -> ready -> ... -> supervisor_stop -> ended
 *	                                       -> failed (nothing runs any more)
 */
#ifndef FAAS_POOL_SUPERVISOR_H
#define FAAS_POOL_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bundle.h"
#include "childlog.h"
#include "diag.h"
#include "import.h"
#include "loop.h"
#include "userspace/pool/supervisor_cgroup.h"
#include "userspace/pool/supervisor_copies.h"
#include "userspace/pool/supervisor_files.h"
#include "userspace/pool/supervisor_idle.h"
#include "userspace/pool/supervisor_policy.h"
#include "userspace/pool/supervisor_watch.h"
#include "userspace/pool/worker_fds.h"

#define SUPERVISOR_READY_MS 15000

struct programs;

enum supervisor_state {
	SUPERVISOR_ENDED,    /* or not started */
	SUPERVISOR_STARTING, /* a process that is not ready yet */
	SUPERVISOR_RUNNING,
	SUPERVISOR_BACKOFF, /* none; the next one starts when the timer says so */
	SUPERVISOR_STOPPING,
	SUPERVISOR_QUARANTINED, /* none, until somebody says so */
	SUPERVISOR_IDLE,	/* none, until there is something to do: see supervisor_idle.h */
};

struct cell;

struct supervisor {
	struct loop *loop;
	struct cell *cell; /* borrowed; what workers are confined in */
	enum supervisor_state state;
	char name[FAAS_NAME_BYTES];
	uint32_t generation;
	uint32_t slot;
	uint32_t user_count;
	struct run_files files; /* owned */
	struct copies copies;
	/* Owned descriptors. */
	int manifest; /* sealed */
	int ring;
	int wake;
	int notify;
	int space;
	int objects[FAAS_USER_FUNCTIONS_MAX];	     /* sealed */
	int verdict_maps[FAAS_KERNEL_FUNCTIONS_MAX]; /* for the courier; -1: gets no verdicts */
	uint64_t memory_bytes;			     /* limits of the worker, */
	uint32_t cpu_percent;			     /* 0: none */
	uint32_t log_lines;			     /* a second */
	/* The process. */
	pid_t pid;		 /* 0: none */
	pid_t last_pid;		 /* that ended */
	struct loop_source exit; /* pidfd */
	struct loop_source control;
	struct childlog output;
	struct loop_timer timer;
	struct programs *programs; /* owned; NULL without exec functions */
	struct cgroup cgroup;	   /* that it is in */
	uint64_t memory_kills;	   /* in there, before it */
	bool confined;		   /* it said what bounds it */
	bool was_ready;		   /* this process */
	bool first;		   /* no process has been ready yet, and somebody waits for it */
	bool reported;		   /* told to drain and answered */
	char reason[256];	   /* what it said it failed of */
	char crash[WORKER_MESSAGE_BYTES_MAX]; /* where it crashed, see worker_crash.h */
	uint64_t sequence_at_start;
	struct policy policy;
	struct policy_retry retry;
	struct supervisor_watch watch;
	struct supervisor_idle idle;
	uint32_t stop_bound_ms; /* of the stop that goes on */
	bool turning;		/* another worker follows */
	bool importing;		/* a piece is with the worker */
	uint64_t import_number;
	/* The piece: a worker that ends for idleness without a word of it has not read it. */
	struct import_head *import_piece; /* owned, NULL: none */
	size_t import_bytes;
	void (*imported)(struct supervisor *supervisor, const char *reason); /* NULL: it is in */
	/* Called from the loop; none may destroy the supervisor in ready. */
	void (*ready)(struct supervisor *supervisor);  /* each process, when it is */
	void (*idled)(struct supervisor *supervisor);  /* each process, when it has left */
	void (*failed)(struct supervisor *supervisor); /* the first process: see reason */
	void (*ended)(struct supervisor *supervisor);
	void (*quarantined)(struct supervisor *supervisor); /* and nothing runs any more */
};

/* All zeros, no descriptors, no files. */
void supervisor_init(struct supervisor *supervisor, struct loop *loop, struct cell *cell);

/*
 * Get what does not belong to the run-time files: where manifest and shared objects are,
 * which is @p bundle_directory, ring, wake map and maps for verdicts from @p pins, and the
 * eventfds. The caller fills files. 0 or -1 with a diagnostic.
 */
int supervisor_prepare(struct supervisor *supervisor, const struct bundle *bundle, uint32_t slot,
		       uint32_t generation, const char *bundle_directory, const char *pins,
		       struct diags *diags) __attribute__((warn_unused_result));

/* Have it read the ring of another generation, or its own again, from @p pins. Only without
 * a process. 0 or -1 with a diagnostic. */
int supervisor_read_ring(struct supervisor *supervisor, const char *pins, struct diags *diags)
	__attribute__((warn_unused_result));

/* Kill what a runtime that is gone may have left of its worker, and wait for its
 * end: two workers must never map one ring. 0, -ETIMEDOUT, or -errno. */
int supervisor_kill_orphan(uint32_t pid, const char *program) __attribute__((warn_unused_result));

/*
 * Start the worker. @p first: when it does not get ready, call failed and do not
 * try again. Otherwise it is replaced for as long as it takes.
 */
void supervisor_start(struct supervisor *supervisor, bool first);

/* The end of a quarantine: start it again. -EINVAL: it is in none. */
int supervisor_resume(struct supervisor *supervisor) __attribute__((warn_unused_result));

/*
 * Hand the worker a piece of states to put in (import.h); then `imported` is called,
 * from the loop. One of an idle workflow is started. 0; -EBUSY: another piece is on its
 * way; -EAGAIN: there is no worker now, or it does not read what it is told.
 */
int supervisor_import(struct supervisor *supervisor, const void *piece, size_t bytes)
	__attribute__((warn_unused_result));

/* Start a process of a workflow that has none. What it comes to is told by the calls above. */
void supervisor_start_process(struct supervisor *supervisor);

/* Let it drain for @p bound_ms at most, 0: kill it; then ended is called, from
 * the loop or from here. */
void supervisor_stop(struct supervisor *supervisor, uint32_t bound_ms);

/* The same for a worker that another one takes the place of: a piece of states that comes
 * meanwhile is for that one. */
void supervisor_turn(struct supervisor *supervisor, uint32_t bound_ms);

/* Whether there is a worker to look after. */
bool supervisor_is_watched(const struct supervisor *supervisor);

/* Once every SUPERVISOR_WATCH_MS: end a worker that hangs and does not end by itself. */
void supervisor_look(struct supervisor *supervisor);

/* What a person is told: "running", "starting", ... */
const char *supervisor_state_name(const struct supervisor *supervisor);

/* Only without a process. Closes everything; leaves files on disk. */
void supervisor_destroy(struct supervisor *supervisor);

#endif
