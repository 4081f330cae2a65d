/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A simulation of one workflow's user tier: the worker's and the courier's real
 * code in one thread, each on a stack of its own, over memory in the place of
 * tmpfs and of the BPF ring, with a clock that nobody waits for.
 *
 *   process.c   two processes that can be stopped, and killed, before any store
 *   system.c    what they ask of the system: mappings, files, clocks, waiting
 *   sinks.c     the sinks' files
 *   disk.c      the disk of a durable log, with all that disks do
 *   store.c     the directory on it, and the tables of before an update that come into it
 *   kernel.c    the producing end of the ring
 *   workflow.c  which functions there are, and the events for them
 *   functions.c what they do
 *   model.c     what should come of the events
 *   check.c     whether it did
 *   lines.c     the same, for the lines of the sinks
 *   sweeps.c    the same, for the trigger of time
 *   drift.c     what may be lost where a workflow goes on without its disk
 *   verdicts.c  a map of the kernel tier, and whether verdicts come into it
 *   world.c     who runs when
 *   deaths.c    who dies when
 *   imports.c   states that are put in from outside
 *   runtime.c   the runtime's part
 *   updates.c   the same, when another version of the workflow is to run
 *   migrator.c  the process that moves the states for it
 *   returns.c   what comes of the events where the workflow went back
 *   boots.c     which version runs when the power was gone amid an update
 *   tables.c    the directory with the tables of states, which an update replaces
 *   programs.c  what the processes run
 *
 * All of it follows from a seed: a run that failed is run again with it.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "bundle.h"
#include "pages.h"
#include "userspace/log/durable.h"
#include "userspace/pool/worker.h"

#define SIM_KEYS_MAX 16
#define SIM_EVENTS_MAX 400
#define SIM_COUNT_MAX (SIM_EVENTS_MAX + 8) /* of a key, with imports */
#define SIM_OUTPUTS_MAX (SIM_EVENTS_MAX * 16)
#define SIM_SINKS 3	 /* files; the dead letters' file comes after them */
#define SIM_SINK_IDLE 2	 /* what timers emit */
#define SIM_SINK_KEEP 60 /* more than there are lines for */
#define SIM_FUNCTIONS_MAX 3

/* ---- what a run is like: made from its seed ---- */

struct sim_plan {
	uint32_t events, keys, keys_max, function_count;
	uint32_t every, copies, payload_max;
	uint32_t ring_pages, segment_bytes, segment_count;
	uint32_t rotate_bytes;
	/* Of 1000 events: */
	uint32_t failing, poison, invalid, forwarded, discarded;
	/* Of 1000 turns of the scheduler: */
	uint32_t kills, producing, courier_turns;
	uint32_t kills_max;
	uint32_t point_kills;  /* of 1000 passes of a fault point */
	uint32_t point_pauses; /* the same: the turn ends there */
	uint32_t write_errors; /* of 1000 writes to a sink's file */
	uint32_t budget_max;   /* steps of a turn */
	uint32_t renewals;     /* the workflow gets a new ring */
	uint32_t site;	       /* of 256 kinds of places in the code; 256: none */
	uint32_t site_kills;   /* of 1000 passes there: a death */
	uint32_t site_stalls;  /* the same: nothing for some turns */
	uint32_t pauses;       /* of 1000 turns: no event for some time */
	uint32_t worker_class;
	uint32_t timer_ns; /* 0: the function has none */
	uint32_t retry;	   /* attempts for each event; 0: the workflow has no `retry` */
	uint32_t sweep_ns; /* of the trigger of time; 0: there is none */
	bool durable;
	uint32_t circle;       /* the log on the disk, in times of the mapped one */
	uint32_t disk_errors;  /* of 1000 writes to the disk */
	uint32_t disk_turns;   /* of 1000 turns: something completes */
	uint32_t power_losses; /* of 100 deaths */
	uint32_t outages;      /* of 1000 writes to the disk: it and many behind it fail */
	bool drifts;	       /* without its disk the workflow goes on */
	uint32_t timer_bad;    /* of its counts: so many lead to a failure or a crash; 0: none */
	bool lossy;	       /* what finds the ring full is lost, and does not wait */
	bool batches;	       /* a function that takes events together is before the others */
	uint32_t imports;      /* states are put in, so often */
	uint32_t updates;      /* to another version of the workflow */
	bool goes_back;	       /* some of them, after they were tried */
	uint32_t verdict_room; /* keys that the map for verdicts holds; 0: there is none */
};

extern struct sim_plan sim_plan;
void plan_make(uint64_t seed);
void plan_print(void);

/* ---- randomness and failing ---- */

void sim_random_seed(uint64_t seed);
uint64_t sim_random(void);
uint32_t sim_below(uint32_t limit);
static inline bool sim_chance(uint32_t of_1000)
{
	return of_1000 && sim_below(1000) < of_1000;
}

/* The run has failed: says why and how to repeat it, and ends the program. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void sim_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern bool sim_verbose;

/* ---- processes ---- */

enum sim_state { SIM_GONE, SIM_READY, SIM_BLOCKED };

struct sim_process {
	const char *name;
	int (*body)(void);
	enum sim_state state;
	bool ended; /* by itself; its exit status and signal are: */
	int status, signal;
	uint64_t wake_ns; /* BLOCKED: until then at most; UINT64_MAX: for ever */
	uint32_t stalled; /* turns that it does not get */
	uint8_t *stack, *arena;
	uint64_t arena_used;
	bool fresh;
	ucontext_t context;
	jmp_buf at;
};

extern struct sim_process *sim_current; /* NULL: the scheduler */
extern uint64_t sim_budget;		/* steps until it is interrupted; 0: never */
extern uint64_t sim_now_ns;

void process_init(struct sim_process *process, const char *name, int (*body)(void));
void process_start(struct sim_process *process);
/* Let it run for at most that many steps. */
void process_run(struct sim_process *process, uint64_t steps);
void process_kill(struct sim_process *process);

/* Called in a process. */
void sim_pause(void);
void sim_site(void); /* in deaths.c: chance may have plans for this place */
void sim_block(uint64_t wake_ns);
void sim_die(int signal) __attribute__((noreturn));
static inline void sim_step(void)
{
	if (sim_budget && !--sim_budget)
		sim_pause();
}

/* ---- files and descriptors ---- */

#define SIM_TABLES (3 * SIM_FUNCTIONS_MAX) /* that there are, come next, and were before */

#define SIM_NODES 4 /* files that the directory on the disk has, or had when it was synced */

enum sim_fd {
	SIM_FD_FIRST = 1 << 20,
	SIM_FD_RING = SIM_FD_FIRST, /* two of them, as kernel.c has */
	SIM_FD_WAKE = SIM_FD_RING + 2,
	SIM_FD_WORKER_PAGE = SIM_FD_WAKE + 2,
	SIM_FD_COURIER_PAGE,
	SIM_FD_RUNTIME_PAGE,
	SIM_FD_LOG,
	SIM_FD_NOTIFY,
	SIM_FD_SPACE,
	SIM_FD_CONTROL,
	SIM_FD_VERDICTS,
	SIM_FD_STATE,
	SIM_FD_OBJECT = SIM_FD_STATE + SIM_FUNCTIONS_MAX,
	SIM_FD_DISK = SIM_FD_OBJECT + SIM_FUNCTIONS_MAX,
	SIM_FD_TABLE = SIM_FD_DISK + DISK_FILES,
	SIM_FD_DIRECTORY = SIM_FD_TABLE + SIM_TABLES,
	SIM_FD_STORE,
	SIM_FD_NODE,
	SIM_FD_LAST = SIM_FD_NODE + SIM_NODES,
};

struct sim_file {
	uint8_t *data;
	uint64_t bytes;
};

struct sim_system {
	struct sim_file files[SIM_FD_LAST - SIM_FD_FIRST];
	/* What waiter_wait reports. */
	bool ring_fired, space_fired, control_fired;
	bool armed;	  /* the worker has polled since it was started */
	uint32_t reading; /* the ring that is the worker's */
	/* The worker's control socket. */
	const void *to_worker;
	size_t to_worker_bytes;
	bool runtime_gone;
	bool ready, stopped, drained;
	bool courier_notified;
	uint64_t getrandom;
	char directory[64]; /* of the sinks' files */
};

extern struct sim_system sim_system;

static inline struct sim_file *sim_file(int fd)
{
	return &sim_system.files[fd - SIM_FD_FIRST];
}
static inline void *sim_data(int fd)
{
	return sim_file(fd)->data;
}

void system_open(void);	 /* once */
void system_reset(void); /* for each run */
/* The machine is off and on again: what is not on a disk is gone. */
void system_power_loss(void);
void system_worker_gone(void);
static inline bool sim_is_ours(int fd)
{
	return fd >= SIM_FD_FIRST && fd < SIM_FD_LAST;
}

/* ---- the sinks' files ---- */

void sinks_reset(void); /* for each run */
void sinks_remove(void);
void sinks_courier_gone(void);
void sinks_power_loss(void);
/* Path of a sink's file; SIM_SINKS: dead letters. */
void sinks_path(uint32_t sink, char *to, size_t bytes);

/* ---- the disk ---- */

/* Its files, from @p at on; returns where they end. And when another version is to run:
 * what it needs more. */
uint8_t *disk_lay_out(uint8_t *at);
void disk_fit(void);
void disk_reset(void);
bool disk_step(void); /* something completes */
bool disk_is_idle(void);
bool disk_has_completed(void);
bool disk_reap(struct waiter *waiter);
void disk_process_gone(void);
void disk_power_loss(void);
/* Behind how many events the log was taken up, after the last power loss. */
uint32_t disk_survivors(void);
/* Events before this place in the log, which ends a group. */
uint32_t disk_events_before(uint64_t position);
/* ---- the directory on the disk ---- */

#define SIM_STORE "on-the-disk" /* what it is below */
uint64_t store_node_bytes(void);
void store_reset(uint8_t *media);
void store_power_loss(void);
int store_open(const char *name, int flags);
int store_rename(const char *name, const char *target);
int store_unlink(const char *name);
int store_sync(void);
int store_sync_file(int fd);
/* The tables of before that an update has put there: a descriptor; -1: none. */
int store_before(void);

/* Counters of the worker that runs, as of its last record. */
extern const struct page_counters *sim_live;

/* ---- the kernel tier ---- */

enum sim_kind {
	KIND_USER,
	KIND_FAILING,
	KIND_LATE_FAILING,
	KIND_POISON,
	KIND_FORWARDED,
	KIND_INVALID,
	/* With batches. */
	KIND_CURSED,	/* kills whoever decodes it */
	KIND_UNDECODED, /* fails by itself */
	KIND_SPOILING,	/* fails, and its batch with it */
};

struct sim_event {
	uint64_t number;
	uint32_t key;
	enum sim_kind kind;
	uint32_t payload_bytes;
};

struct sim_kernel {
	uint32_t made; /* events so far */
	uint64_t emitted, lost;
	uint32_t ring_number; /* counts renewals */
	uint32_t version;     /* of the workflow that makes them */
	/* What the rings accepted, in order; without what a power loss took. */
	struct sim_event accepted[SIM_EVENTS_MAX];
	uint32_t accepted_count;
};

extern struct sim_kernel sim_kernel;

void kernel_open(void);
void kernel_reset(void);
/* One step of one producer. False: there is nothing (more) to do now. */
bool kernel_step(bool may_begin);
bool kernel_is_idle(void); /* no reservation is open */
void kernel_new_ring(void);
/* Events go into the other ring, as it is or a new one. */
void kernel_switch_ring(bool fresh);
uint32_t kernel_ring(void); /* that they go into */
uint32_t kernel_map_id(uint32_t ring);
void kernel_power_loss(void);
uint32_t kernel_waiting(void); /* records in the rings that were not released */
uint32_t kernel_waiting_in(uint32_t ring);
/* An array for ringview_identify and mmap. */
void *kernel_ring_memory(uint32_t ring, uint64_t offset);

/* ---- the workflow ---- */

#define SIM_VERSIONS 2

/* State of a key: hangs together, and depends on all events so far. */
struct sim_chain {
	uint64_t count, sum, hash;
	uint64_t due_ns; /* when its timer should fire; 0: it is not armed */
	uint64_t fired;
	uint64_t swept;
	uint64_t round; /* of the trigger of time, that called it last */
	uint64_t check;
};

struct sim_output {
	uint32_t key;
	uint32_t origin;
	uint32_t value_count;
	uint64_t values[3];
	uint32_t event; /* which it is of, of all that the rings accepted */
};

struct sim_letter {
	uint64_t number;
	uint32_t reason; /* enum log_dead_reason */
	uint32_t event;
};

/* What a function decides about a key: nothing, that what it decided does not count any
 * more, or something that counts for a moment or for ever. */
enum sim_verdict { VERDICT_NONE, VERDICT_BACK, VERDICT_SHORT, VERDICT_KEPT };

struct sim_verdict_given {
	enum sim_verdict verdict;
	uint64_t value;
};

/* What should have come of the events that the ring accepted. */
struct sim_model {
	struct sim_chain states[SIM_FUNCTIONS_MAX][SIM_KEYS_MAX];
	uint32_t keys[SIM_FUNCTIONS_MAX];
	uint64_t processed, dead;
	uint32_t events; /* so far */
	struct page_function_counters functions[SIM_FUNCTIONS_MAX];
	/* The last of each key, and how many there were in all. */
	struct sim_verdict_given verdicts[SIM_KEYS_MAX];
	uint64_t verdict_count;
	uint32_t output_count[SIM_SINKS];
	uint32_t letter_count;
	/* What of the counts above was before the machine was last switched on. */
	uint64_t base_processed, base_dead;
	struct page_function_counters base[SIM_FUNCTIONS_MAX];
	/* From here on what a run before left stays: nobody reads it. */
	struct sim_letter letters[SIM_EVENTS_MAX];
	struct sim_output outputs[SIM_SINKS][SIM_OUTPUTS_MAX];
	/* The hash of each key at each count: what a timer that fired then must say. */
	uint64_t hashes[SIM_KEYS_MAX][SIM_COUNT_MAX + 1];
};

extern struct sim_model sim_model;
extern struct bundle *sim_bundle;

/* Where records come from: bundle_output.origin. */
enum sim_origin {
	ORIGIN_OUT = 0,
	ORIGIN_TOTAL = 1,
	ORIGIN_SEEN = 2,
	ORIGIN_IDLE = 3,
	ORIGIN_SWEPT,
	ORIGIN_DECODED
};

/* User functions: what the model numbers by. */
enum sim_role { ROLE_CHAIN, ROLE_RELAY, ROLE_DECODE };
/* Which function of the bundle this is; BUNDLE_NO_FUNCTION: the plan has none. */
uint32_t workflow_function(enum sim_role role);

void workflow_reset(void); /* bundles and model of the plan */
void workflow_open(void);  /* once */
void model_reset(void);
/* The model is that of the first so many events. */
void model_replay(uint32_t count);
/* The bundle of that version is that of the workflow. */
void workflow_use(uint32_t version);
const struct bundle *workflow_bundle(uint32_t version);
/* Of a state as the version in sim_bundle has it: the part that all versions have. */
struct sim_chain *workflow_chain(void *state);
uint32_t workflow_state_bytes(uint32_t version);
#define workflow_version() sim_bundle->generation
uint32_t workflow_event(const struct sim_event *event, void *to);
void workflow_expect(const struct sim_event *event);
/* One event more in a state. */
void workflow_advance(struct sim_chain *chain, uint64_t number);
/* It is whole as it is. */
void workflow_seal(struct sim_chain *chain);
void functions_reset(void);
void functions_update_cuts(const struct page_sweep *sweep); /* where it is amid a round */
void *workflow_symbol(uint32_t function, const char *name);
void workflow_key(uint32_t key, uint8_t *to);
/* What the timer does that an event armed which was number @p count of its key. */
enum sim_timer { TIMER_NONE, TIMER_FIRES, TIMER_FAILS, TIMER_CRASHES };
enum sim_timer workflow_timer(uint64_t count);

/* What the event of this number decides about its key. */
enum sim_verdict workflow_verdict(uint64_t number);

/* ---- going on without the disk ---- */

void drift_reset(void);
void drift_watch(void); /* after each turn */
void drift_power_loss(void);
void drift_booted(uint32_t survivors);
/* Events that a loss of power now must leave, where the worker shows so many. */
uint32_t drift_acknowledged(uint32_t shown);
/* Whether outputs of this event may not be there; whether a record was lost. */
bool drift_may_lack(uint32_t event);
bool drift_took(uint32_t incarnation, uint64_t sequence);
bool drift_took_any(void);
bool drift_is_booting(void); /* the last loss was one without the disk */

/* ---- updates ---- */

void updates_open(void); /* once */
void updates_reset(void);
/* One turn of whoever is at it. False: nobody is, now. */
bool updates_turn(void);
bool updates_are_at_it(void); /* it does not rest as long */
bool updates_hold_events(void);
/* True: no worker is started for now. */
bool updates_worker_ended(bool as_told, bool runtime_gone);
void updates_worker_ready(uint64_t events); /* that came before, since the last boot */
void updates_power_loss(void);		    /* before memory goes */
void updates_booted(void);		    /* a worker is ready, and what has survived is known */
void updates_runtime_died(void);
bool updates_kill(void); /* False: nobody is there to be killed */
bool updates_is_migrator(void);
int updates_before(void);	   /* the worker's descriptor of the tables of before; -1 */
uint32_t updates_generation(void); /* that is loaded */
/* Whether faas_on_migrate is to refuse this one. */
bool updates_refuse(const struct sim_chain *chain);
int migrator_fd(int fd); /* which of ours it is */
/* Behind @p survivors events, after a loss of power: what the states went back to. */
void updates_expect_survivors(uint32_t survivors);
uint32_t updates_loading(void);

/* returns.c: behind event @p event, of all. */
void returns_apply(uint32_t event);

/* tables.c */
uint64_t tables_bytes_max(void);
void tables_reset(void);
int tables_find(const char *name); /* descriptor or -1 */

/* ---- states that are put in ---- */

void imports_reset(void);
/* No event may come before this says no. imports_step: go on with it. */
bool imports_are_due(void);
void imports_step(void);
void imports_answer(const char *text, size_t bytes);
void imports_worker_gone(void);
uint32_t imports_committed(void); /* in all */
/* After a power loss: what was put in before this event; what was on its way behind the
 * last one, or was lost with the disk: then @return true. */
void imports_expect_before(uint32_t event);
bool imports_expect_last(uint32_t survivors);
bool imports_forget_last(uint32_t survivors);
void imports_forget(uint32_t survivors); /* what came behind it */

/* ---- verdicts ---- */

void verdicts_reset(void); /* the map is a new one */
void verdicts_check(void);

/* ---- triggers of time ---- */

#define SIM_SWEEP_ID 7

void sweeps_reset(void); /* before the sinks' files are read */
/* Record @p sequence is that of a call for this key. */
void sweeps_note(uint64_t sequence, uint32_t key, bool dead);
/* Each key was called once each time, in the same order, and how often its state says.
 * @p all: the last two times are whole, and came when all keys were there. */
void sweeps_check(bool all);
uint32_t sweeps_dead(void);
uint32_t sweeps_processed(void);
/* The state of key @p key is as often called as there are records of it. */
void sweeps_check_state(uint32_t key, const struct sim_chain *state);

/* ---- after a run ---- */

/* What the sinks' files say of timers: how many fired, and which of a key, by the number
 * of the event that armed them. */
struct sim_seen {
	uint32_t fired, fired_dead, timer_failures;
	uint8_t firings[SIM_KEYS_MAX][SIM_COUNT_MAX + 1];
	uint32_t dead_timers[SIM_KEYS_MAX];
	uint64_t condemned; /* on a trial: put aside for that, and not for want of room */
};

extern struct sim_seen sim_seen;
void lines_check(void); /* which are there; and makes sim_seen */
/* Whether this one has a state; then its table. */
bool check_open_table(enum sim_role role, struct state_table *ret);
void check_same(const char *what, uint64_t wanted, uint64_t found);

/* @p is_whole: nobody was stopped amid what he does again and again. */
void check_all(bool is_whole);
/* After a power loss: the state is that of the first so many events, not fewer than
 * @p least. Returns how many; the model is made anew for them. */
uint32_t check_survivors(uint32_t least);

struct sim_totals {
	uint64_t runs, events, kills_worker, kills_courier, kills_runtime, renewals, steps, lost,
		stalls, power_losses, updates, returns, cuts;
};

extern struct sim_totals sim_totals;
extern uint32_t sim_power_losses; /* of this run */
#define SIM_POINTS_MAX 64
struct sim_point {
	const char *name;
	uint64_t passes, kills;
};
extern struct sim_point sim_points[SIM_POINTS_MAX];

void world_open(void);
void world_run(uint64_t seed);

#endif
