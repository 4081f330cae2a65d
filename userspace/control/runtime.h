/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The runtime of a host: all workflows that have a user tier, from "start" or
 * from what an earlier runtime left, to "stop" or to the end of this process.
 */
#ifndef FAAS_CONTROL_RUNTIME_H
#define FAAS_CONTROL_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "diag.h"
#include "loop.h"
#include "userspace/control/control_server.h"
#include "userspace/control/courier_link.h"
#include "userspace/control/ring_move.h"
#include "userspace/pool/supervisor.h"
#include "userspace/pool/supervisor_cell.h"

/* Without any workflow: how long a runtime waits for the first one. */
#define RUNTIME_PATIENCE_MS 30000

/* What the workers get when the runtime itself is told to end. */
#define RUNTIME_END_DRAIN_MS 3000

enum workflow_phase {
	WORKFLOW_ADDING,     /* the courier opens its sinks */
	WORKFLOW_STARTING,   /* its worker starts */
	WORKFLOW_RUNNING,    /* a worker that died is replaced: see the supervisor */
	WORKFLOW_STOPPING,   /* its worker drains */
	WORKFLOW_DELIVERING, /* the courier delivers what is left */
};

struct workflow {
	struct runtime *runtime;
	enum workflow_phase phase;
	struct supervisor supervisor;
	struct courier_client courier;
	char netns[FAAS_PATH_BYTES];
	int namespace_fd;  /* owned; -1: the runtime's own, or not needed */
	uint64_t importer; /* client that waits for a piece of states to be in; 0: none */
	uint64_t waiter;   /* client to be answered; 0: none, or gone */
	bool keep;	   /* its files stay when it stops: another version goes on with them */
	bool undo;	   /* it is being taken back; the answer is that below */
	char error[512];
	char advice[256];
	/* That did not stay, and whose ring is emptied before the own; 0: none. */
	uint32_t rest;
	uint64_t undelivered;
	uint64_t stop_deadline_ns;
	/* What stands in its slots: FAAS_REGISTRY_STOPPED_* or 0; and whether that has
	 * still to be seen to. */
	uint32_t slots_flags;
	bool slots_late;
	bool on_failure_drop;
	/* Of the ring while there is a worker; 0: it has no other one when it is idle. */
	uint32_t ring_full_bytes;
	bool ring_next; /* producers are at the next ring, the worker is not */
	struct ring_move ring_move;
	struct loop_timer ring_look;
	TAILQ_ENTRY(workflow) all;
};

TAILQ_HEAD(workflows, workflow);

struct migration;
TAILQ_HEAD(migrations, migration);

struct runtime {
	struct loop *loop;
	struct control_server *server;	/* of root */
	struct control_server *readers; /* of a group that may look; NULL: there is none */
	struct courier_link courier;
	struct cell cell;	    /* of all workers */
	struct workflows workflows; /* by name */
	uint32_t workflow_count;
	struct migrations migrations; /* whose workflows are about to start */
	struct loop_timer patience;
	struct loop_timer watch; /* set while there are workers, or slots that are late */
	uint32_t watch_ticks;
	bool stays; /* without any workflow, too */
	bool ending;
	bool ended;  /* the loop may be left */
	bool forget; /* ended after the last workflow: nothing is left to take over */
};

void runtime_init(struct runtime *runtime, struct loop *loop);

/* What control_server calls. Context is the runtime. */
extern const struct control_handler runtime_handler;
/* The same for those who may only look: short questions, and not too many. */
extern const struct control_handler runtime_reader_handler;

/* Take over what is loaded and has run-time files. What cannot be taken over
 * stays as it is, and is logged. */
void runtime_take_over(struct runtime *runtime);

/* End: workers drain, the courier ends, files stay. Then runtime->ended. */
void runtime_end(struct runtime *runtime);

/* Between the parts of the runtime. */

/* What a command asks for with "start". */
struct start {
	char name[FAAS_NAME_BYTES];
	uint32_t generation;
	uint32_t slot;
	char netns[FAAS_PATH_BYTES];
	bool keep;
	uint32_t rest; /* a later generation whose ring is emptied first; 0: none, or as it was */
	uint64_t client;
};

/* Start a workflow; the client is answered when it runs, or cannot. */
void workflow_begin(struct runtime *runtime, const struct start *start);

/* With the files of a version before: move its states into new tables where the new
 * version needs that, then begin. */
void migration_begin(struct runtime *runtime, const struct start *start);
bool migration_runs(const struct runtime *runtime, const char *name);
/* The client does not wait any more: it is ended. */
void migration_forget(struct runtime *runtime, uint64_t client);

/* A workflow, not yet in any list: prepared and with its files, which are made, or with
 * `keep` those of an earlier runtime or version. NULL with a diagnostic. */
struct workflow *workflow_new(struct runtime *runtime, const struct start *start,
			      struct diags *diags);
void workflow_enlist(struct workflow *workflow);
/* Without a process, in no list. Files stay. */
void workflow_destroy(struct workflow *workflow);
struct workflow *workflow_find(struct runtime *runtime, const char *name);
const char *workflow_phase_name(const struct workflow *workflow);
/* Of its worker, running or not; zeros if it has no page. */
void workflow_read_counters(const struct workflow *workflow, struct page_counters *ret);

/* Begin to take it back: drain for @p drain_ms, then let the courier deliver. */
void workflow_stop(struct workflow *workflow, uint32_t drain_ms);

/* The version that runs stays: tables of before an update go. */
void workflow_settle(const struct workflow *workflow);

/* Take back one that did not start. @p error is copied. */
void workflow_undo(struct workflow *workflow, const char *error, const char *advice);

/*
 * workflow_slots.c: what the kernel tier does while the user tier cannot run. A command
 * that changes the host may hold the lock: then it is tried again, every
 * WORKFLOW_SLOTS_MS. A generation that is not the one in the slots is left alone.
 */
#define WORKFLOW_SLOTS_MS 50
void workflow_slots_stop(struct workflow *workflow);
void workflow_slots_go_on(struct workflow *workflow);
void workflow_slots_retry(struct workflow *workflow);

/*
 * workflow_rest.c: the ring of a generation that did not stay (supervisor_rest.h). _find says
 * which, of one whose files are there; _look sees whether it is empty, and the worker comes to
 * its end then; _end reads the own ring from there on.
 */
uint32_t workflow_rest_find(const struct start *start);
int workflow_rest_begin(struct workflow *workflow, const struct bundle *bundle, struct diags *diags)
	__attribute__((warn_unused_result));
void workflow_rest_look(struct workflow *workflow);
int workflow_rest_end(struct workflow *workflow) __attribute__((warn_unused_result));

/*
 * workflow_ring.c: a small ring for an idle workflow, the full one for a worker. _look does
 * what is to be done now: it is called whenever a worker is ready or has left. _take makes the
 * next ring the one that is read: without a process, when the one before is empty. _stop ends
 * a move, or what waits for its time; @p full: and lets producers have the full ring.
 */
void workflow_ring_open(struct workflow *workflow, const struct bundle *bundle);
void workflow_ring_look(struct workflow *workflow);
int workflow_ring_take(struct workflow *workflow) __attribute__((warn_unused_result));
void workflow_ring_stop(struct workflow *workflow, bool full);

/* Operation "import": @p piece is the piece in hexadecimal, borrowed. */
void workflow_import(struct workflow *workflow, uint64_t client, const json_t *piece);
/* For the supervisor: what became of it. */
void workflow_imported(struct supervisor *supervisor, const char *reason);

/* Look after workers that hang, as long as there are workers. */
void runtime_watch(struct runtime *runtime);

/* Without a workflow: wait for one, but not for ever. */
void runtime_be_patient(struct runtime *runtime);

/* End the runtime if it has nothing to do any more. */
void runtime_look_for_end(struct runtime *runtime);

#endif
