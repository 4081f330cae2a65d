/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The worker: one process that runs the user functions of one workflow for one
 * instance. Its life, in the order of the calls:
 *
 *   worker_map -> worker_durable_open (durable state) -> worker_recover
 *   -> worker_load -> worker_init -> worker_run -> worker_stop
 *
 * Everything is set up once; nothing is allocated for an event.
 */
#ifndef FAAS_POOL_WORKER_H
#define FAAS_POOL_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include <ebpf_faas/event.h>
#include <ebpf_faas/pins.h>
#include <ebpf_faas/user.h>

#include "bundle.h"
#include "pages.h"
#include "userspace/log/durable_format.h"
#include "userspace/log/log.h"
#include "userspace/pool/timer_queue.h"
#include "userspace/pool/worker_import.h"
#include "userspace/pool/worker_shed.h"
#include "userspace/pool/worker_wait.h"
#include "userspace/pool/worker_waiter.h"
#include "userspace/pool/worker_watch.h"
#include "userspace/ring/ring.h"
#include "userspace/state/state.h"

/* Events between two releases of ring space, at most: what a crash makes
 * recovery redo. */
#define WORKER_BATCH_EVENTS 256
#define WORKER_BATCH_EVENTS_MIN 8 /* with slow functions */
/* Records taken before the first of them is processed: one miss of the cache
 * each for their states, at the same time instead of one after the other. A
 * power of two. */
#define WORKER_LOOKAHEAD 16
/* Calls that one event can cause: the first, and one for each target of each
 * record emitted. */
#define WORKER_CALLS_MAX (1 + FAAS_EMITS_MAX * FAAS_OUTPUT_TARGETS_MAX)
#define WORKER_TRACE_BYTES_MAX (2 * WORKER_CALLS_MAX + FAAS_EMITS_MAX)
#define WORKER_ERROR_BYTES 512

/* Where the records of one output of a user function go. */
struct worker_output {
	uint32_t sinks; /* bit n: sink n */
	uint16_t origin;
	uint8_t field_count;
	uint8_t user_count;
	uint8_t users[FAAS_OUTPUT_TARGETS_MAX];
	uint8_t types[FAAS_FIELDS_MAX]; /* enum faas_field_type */
};

/* Where an input of a function may come from. */
struct worker_input {
	uint8_t kernel_fields[FAAS_RECORD_FIELDS_MAX]; /* of this name, nearest function first */
	uint8_t kernel_field_count;
	/* Field number + 1 in that output of that user function, 0: not there. */
	uint8_t fields[FAAS_USER_FUNCTIONS_MAX][FAAS_OUTPUTS_MAX];
};

/* What a function wrote to the log, see faas_log. */
struct worker_lines {
	uint64_t second;
	uint32_t count; /* in this second */
	uint64_t dropped;
};

typedef int worker_batch_callback(struct faas_call *call, const struct faas_event *const *events,
				  unsigned int count);
struct worker_exec;

typedef int worker_callback(struct faas_call *call, const struct faas_event *event, void *state);

struct worker_function {
	worker_callback *on_event;
	bool has_state;
	bool leads_on; /* an output of it leads to another function */
	uint8_t number;
	uint8_t output_count;
	uint8_t input_count;
	struct state_table table;
	void *state_mapping; /* of the table's file */
	struct state_shape shape;
	/* The working copy for the event at hand, if it was called (run.touched). */
	uint8_t *copy;
	const uint8_t *stored; /* value in the table, NULL: a new key */
	struct state_place place;
	uint64_t *deadline; /* in the copy, behind the state; NULL: a function without timers */
	struct worker_output outputs[FAAS_OUTPUTS_MAX];
	struct worker_input inputs[FAAS_INPUTS_MAX];
	worker_callback *on_timer;
	/* NULL: not in batches. Else on_event hands out what came of a batch, see
	 * worker_gather.c. */
	worker_batch_callback *on_batch;
	struct worker_exec *exec; /* a program answers the batches; NULL: none */
	uint32_t first_timer;	  /* in worker.timers: that of its slot 0 */
	uint16_t timer_entry;	  /* faas_event.entry of a timer's event */
	struct worker_lines lines;
	void (*on_stop)(void);
	void *object; /* of dlopen */
};

/* One record that a function emitted. */
struct worker_emission {
	uint8_t function;
	uint8_t output;
	int16_t parent; /* the emission that its function was called for; -1: the event itself */
	struct faas_value values[FAAS_FIELDS_MAX];
	const uint8_t *payload; /* NULL: the event's own */
	uint32_t payload_bytes;
};

/* A verdict that a function gave, and the workflow leads somewhere. */
struct worker_verdict {
	uint8_t function;
	uint8_t verdict;
	struct log_verdict log;
};

/* One event on its way through the functions. */
struct worker_run {
	const struct faas_event *event;
	uint32_t touched; /* bit n: function n has a working copy of the key's state */
	uint32_t emission_count;
	uint32_t verdict_count;
	uint32_t trace_bytes;
	uint8_t failed; /* function that made it a dead letter */
	uint64_t hash;	/* of the key in the table of `hashed`, if that is not NULL */
	const struct worker_function *hashed;
	const struct worker_firing *firing; /* of a timer only */
	struct worker_emission emissions[FAAS_EMITS_MAX];
	uint8_t trace[WORKER_TRACE_BYTES_MAX];
	struct worker_verdict verdicts[FAAS_VERDICTS_EVENT_MAX];
};

struct faas_call {
	struct worker *worker;
	const struct worker_function *function;
	int16_t emission; /* see worker_emission.parent */
	/* faas_on_batch: what its calls are noted in; else NULL. */
	struct worker_gathered *gathered;
};

struct worker {
	const struct bundle *bundle; /* borrowed */
	struct ring ring;
	struct log_writer log;
	struct worker_run run;
	struct page_counters live; /* as of the last record */
	/* What the next flip publishes: `live`, or with durable state what of it is on
	 * the disk. */
	const struct page_counters *shown;
	struct worker_durable *durable; /* NULL without durable state */
	struct worker_function functions[FAAS_USER_FUNCTIONS_MAX];

	struct worker_page *page;
	const struct courier_page *courier_page;
	const struct runtime_page *runtime_page;
	struct faas_wake *wake; /* of this instance */
	void *log_mapping;
	uint64_t log_bytes;

	uint16_t instance;
	uint64_t condemned; /* begin of the ring record to be put aside unrun, + 1; 0 none */
	enum log_dead_reason condemned_of;
	/* When the event of page->retry_position is tried again; 0: none waits. */
	uint64_t retry_ns;
	/* In quarantine: every event is put aside, and no code of an author is loaded. */
	bool puts_aside;
	/* The courier's cursor as last seen; with durable state, what of it is on the disks
	 * of its files. `delivered`: as its page has it, for it alone. */
	struct durable_place courier;
	uint64_t delivered;
	bool new_ring;		       /* no record counts in it yet */
	uint64_t flipped_log_position; /* the log from here on is needed to recover */
	uint32_t batch_events;	       /* most of the next batch */
	uint64_t notified_epoch;       /* courier_page.sleep_epoch that was answered */

	struct worker_watch watch;
	struct worker_wait wait;
	struct worker_shed shed;
	struct waiter waiter;
	int notify_fd;
	int control_fd;
	bool stopping;
	bool draining;
	uint64_t drain_position; /* of the ring, when asked to drain or stop */

	struct worker_gathered *gathered; /* NULL: no function takes batches */
	struct worker_rest *rest;	  /* NULL: the ring is that of this version */
	struct timer_queue timers;
	uint64_t next_sweep_ns;	  /* when there is something to do for triggers of time */
	uint64_t idle_look_ns;	  /* see worker_idle.h; 0: it was just busy */
	uint64_t (*now_ns)(void); /* the clock of everything that it does */
	int64_t (*wall_offset_ns)(void);

	uint64_t timer_event[FAAS_EVENT_BYTES(FAAS_KEY_BYTES_MAX, 0, 0) / 8];
	uint64_t downstream[FAAS_EVENT_BYTES_MAX / 8]; /* event for the next function */
	struct worker_import import;
	char error[WORKER_ERROR_BYTES]; /* what a failed call says to a person */
};

/* File descriptors that a worker maps; see worker_fds.h. */
struct worker_files {
	int ring;
	int wake;
	int worker_page;
	int courier_page;
	int runtime_page;
	int log;
	int disk[DISK_FILES]; /* with durable state */
	int state[FAAS_USER_FUNCTIONS_MAX];
	int object[FAAS_USER_FUNCTIONS_MAX];
};

/**
 * @brief Map everything and lay out what is new.
 *
 * @param worker   Zeroed. Large: allocate it. @p bundle is borrowed for its life.
 * @param files    Borrowed for the call; the mappings outlive them.
 * @return 0, or an exit status of worker_fds.h with worker->error set.
 */
int worker_map(struct worker *worker, const struct bundle *bundle, uint16_t instance,
	       const struct worker_files *files) __attribute__((warn_unused_result));

/* Take up the table of function @p number, or lay it out. */
int worker_open_table(struct worker *worker, uint32_t number) __attribute__((warn_unused_result));

/* Store what an entry LOG_ENTRY_STATE says, for function @p number. 0 or -errno. */
int worker_redo_state(struct worker *worker, uint32_t number, const struct log_entry *entry,
		      const uint8_t *body) __attribute__((warn_unused_result));

/* Load the shared objects and give them their parameters. 0, or an exit status with
 * worker->error set. */
int worker_load(struct worker *worker, const struct worker_files *files)
	__attribute__((warn_unused_result));

/* Run faas_on_init of all. The same results. */
int worker_init(struct worker *worker) __attribute__((warn_unused_result));

/* Redo what the log has beyond the page's counters, and take up the ring behind
 * the last event that was committed. 0, or an exit status with worker->error set. */
int worker_recover(struct worker *worker) __attribute__((warn_unused_result));

/**
 * @brief Process what is in the ring, at most worker->batch_events, and timers
 * that are due.
 * @param ret_events  Number of events and timers committed.
 * @return 0; -EAGAIN: the log is full, and the next event waits in the ring; -EBUSY:
 * it waits there for its next attempt.
 */
int worker_batch(struct worker *worker, uint32_t *ret_events) __attribute__((warn_unused_result));

/* Make the counters of the page those of the last record, and release the ring
 * up to it. */
void worker_publish(struct worker *worker);

/* Behind a batch, @p committed or not: publish it; with durable state write it, and publish
 * what of that is on the disk. */
void worker_show_progress(struct worker *worker, bool committed);

/* Tell the courier of what was committed if it sleeps. */
void worker_notify(struct worker *worker);

/* Wake the courier if it sleeps and was not woken from this sleep yet. */
void worker_wake_courier(struct worker *worker);

/* How far the log may be written. */
void worker_set_limit(struct worker *worker);

/* See how far the courier has come. */
void worker_refresh_tail(struct worker *worker);

/* Process events until told to stop or orphaned. Returns an exit status. */
int worker_run(struct worker *worker) __attribute__((warn_unused_result));

/* faas_on_stop of all functions, last first. */
void worker_stop(struct worker *worker);

/* Resolve the inputs of a function that is being loaded. */
void worker_set_inputs(const struct worker *worker, struct worker_function *function,
		       const struct bundle_function *description);

/* A record that was taken and checked, and whose state is on its way into the
 * cache. */
struct worker_pending {
	struct ring_record record;
	const struct bundle_entry *entry; /* NULL: the record does not check out */
	struct worker_function *hashed;	  /* NULL: it is for none that has a state */
	uint64_t hash;			  /* of the key in its table, */
	struct state_slot *slot;	  /* and where that is looked for first */
};

/* One event: run its functions and commit what came of it. 0; -EAGAIN: the log is full
 * and nothing happened; -EBUSY: it is tried again at worker->retry_ns, and those behind
 * it wait. */
int worker_event(struct worker *worker, const struct worker_pending *pending)
	__attribute__((warn_unused_result));

/* The same, for a workflow whose functions do not take batches: what most events come to
 * takes a shorter way. */
int worker_plain(struct worker *worker, const struct worker_pending *pending)
	__attribute__((warn_unused_result));

/* worker_gather.c: for functions that take events in batches. worker_gather_open:
 * 0, or an exit status with worker->error set. worker_gather: call the function of
 * the first of these events with as many of them as are for it; then worker_event
 * of each commits what came of it. */
int worker_gather_open(struct worker *worker) __attribute__((warn_unused_result));
void worker_gather(struct worker *worker, const struct worker_pending *pending, uint32_t count);
worker_callback worker_on_gathered;

worker_batch_callback worker_on_exec;

const struct faas_event *worker_gathered_event(const struct faas_call *call, unsigned int index);
int worker_gathered_emit(struct worker_gathered *gathered, unsigned int index, unsigned int output,
			 const struct faas_value *values, unsigned int count);

/* A dead letter that is tried again, number @p number, which is known to fit the workflow.
 * 0; -EAGAIN: the log is full and nothing happened; or an enum log_dead_reason, and
 * nothing happened either. */
int worker_replay(struct worker *worker, const struct faas_event *event, uint64_t number)
	__attribute__((warn_unused_result));

/* What makes a timer run. */
struct worker_firing {
	struct worker_function *function;
	uint64_t slot; /* of the key in its table; PAGE_SLOT_NONE: without a key */
	uint64_t now_ns;
	/* A trigger of time: which, and how far it is with this. Else the key's own
	 * deadline. */
	bool is_sweep;
	uint8_t timer; /* in bundle.timers */
	struct page_sweep sweep;
};

/* A timer is due: as worker_event. */
int worker_fire(struct worker *worker, const struct worker_firing *firing)
	__attribute__((warn_unused_result));

/* Tell of the lines of faas_log that were not written, at the end. */
void worker_log_close(struct worker *worker);

/* Keep the reason for a person; returns @p status. */
int worker_fail(struct worker *worker, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
