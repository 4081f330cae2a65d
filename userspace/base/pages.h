/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What worker, courier, runtime and the command share of one workflow instance:
 * small mapped files on tmpfs below /run/ebpf-faas/workflows/NAME/, each with
 * one writer.
 *
 *   worker.page    written by the worker
 *   courier.page   written by the courier
 *   runtime.page   written by the runtime
 *   log            written by the worker: see userspace/log/log.h
 *   state.<n>      written by the worker: state of user function n
 *
 * A reader trusts nothing in a worker's page or log: code of an author runs in
 * that process.
 */
#ifndef FAAS_BASE_PAGES_H
#define FAAS_BASE_PAGES_H

#include <stdint.h>

#include <ebpf_faas/limits.h>

#define WORKER_PAGE_MAGIC 0x65676170726b7766ull
#define COURIER_PAGE_MAGIC 0x65676170756f6366ull
#define RUNTIME_PAGE_MAGIC 0x65676170746e7266ull
#define PAGES_VERSION 21

struct page_function_counters {
	uint64_t events;  /* callbacks that returned */
	uint64_t errors;  /* of them, not 0 */
	uint64_t time_ns; /* of the sampled callbacks, together */
	uint64_t time_samples;
	uint64_t outputs[FAAS_OUTPUTS_MAX]; /* records emitted and committed, by output */
};

/* How far a trigger of time is. */
struct page_sweep {
	uint64_t next_ns; /* CLOCK_MONOTONIC: when it begins again */
	uint32_t trigger; /* its id, 0: none here yet */
	/* 0: it waits for next_ns. Else it goes through the table of its function,
	 * and the next slot to look at is this - 1. */
	uint32_t cursor;
};

/* Counters of the user tier as of one log record. Two copies: the one that
 * `current` names is whole; the other is being made. After a crash the records
 * behind `sequence` are counted again, so the figures are exact. */
struct page_counters {
	uint64_t sequence;	/* last log record that is counted in here */
	uint64_t log_position;	/* where the next record begins */
	uint64_t ring_position; /* end of the last event that is counted in here */
	uint64_t processed;
	uint64_t dead_lettered;
	/* Log position behind the last record that holds an output or a dead
	 * letter. From there to log_position the courier has nothing to deliver:
	 * when its cursor is not before this, it may go to log_position (and
	 * sequence) at once. Nor does the worker notify it of such records,
	 * until the log is half full or the runtime says "drain" or "stop". */
	uint64_t output_position;
	/* Timers are no events: they are counted apart. */
	uint64_t timers;      /* that were processed */
	uint64_t timers_dead; /* that were put aside as dead letters */
	uint64_t replayed;    /* dead letters that were processed after all; counted apart too */
	struct page_sweep sweeps[FAAS_TIMERS_MAX]; /* in the order of bundle.timers */
	struct page_function_counters functions[FAAS_USER_FUNCTIONS_MAX];
};

/* worker_page.attempt_position of the timer of a key: of function @p function, in
 * slot @p slot of its table (PAGE_SLOT_NONE: without a key), and armed for
 * @p when_ns, or called by the trigger of time that goes on then. Later it is another
 * one: what killed its workers before says nothing of it. No position in a ring has
 * the highest bit. */
#define PAGE_SLOT_NONE UINT64_MAX
#define PAGE_BATCH_ATTEMPT (1ull << 62)
#define PAGE_REPLAY_ATTEMPT (1ull << 61) /* and the number of the replay */
static inline uint64_t page_timer_attempt(uint32_t function, uint64_t slot, uint64_t when_ns)
{
	uint64_t mixed = when_ns * 0x9e3779b97f4a7c15ull >> 40;

	return 1ull << 63 | (uint64_t)function << 48 | mixed << 24 | (slot + 1);
}

_Static_assert(FAAS_STATE_KEYS_MAX / 3 * 4 + 4 < 1 << 24, "slots have 24 bits");

enum worker_state {
	WORKER_ABSENT = 0,
	WORKER_STARTING = 1,
	WORKER_RUNNING = 2,
	WORKER_SLEEPING = 3,
	WORKER_WAITING = 4, /* the log is full: the courier is behind */
	WORKER_STOPPED = 5,
	WORKER_RETRYING = 6, /* an event has to be tried again, and its time has not come */
};

struct worker_page {
	uint64_t magic;
	uint32_t version;
	uint32_t state; /* enum worker_state */
	/* Log position behind the last committed record. With durable state nothing
	 * behind it may be delivered: what is, is on the disk. */
	uint64_t head;
	uint64_t head_sequence; /* its sequence number */
	/* Not 0: wake me by the space eventfd when the cursor has moved to this log
	 * position, or moved and for now gets no further. */
	uint64_t waiting;
	/* The event whose callbacks run now, for the runtime to see who killed
	 * the worker: where its record begins in the ring, + 1; 0 outside
	 * callbacks. For a timer page_timer_attempt(); for a batch with the bit
	 * PAGE_BATCH_ATTEMPT, for which of its events it was is not known. */
	uint64_t attempt_position;
	uint64_t wakeups;
	uint64_t batches; /* flips of `current`: what readers check, see worker_page_read */
	/* Bytes of the ring that were released without a record in the log:
	 * only a function that overwrote its own process makes them. */
	uint64_t skipped_bytes;
	/* End of the last batch of events that one call was for, until it returned:
	 * up to this position of the ring, a successor calls with each event alone. */
	uint64_t batch_end;
	/* The log begins here: what was before it was delivered in an earlier life. */
	uint64_t begin_position;
	uint64_t begin_sequence;
	/* With durable state. The mapped files were whole once this is 1: before, they
	 * are made from the disk. */
	uint64_t taken_up;
	uint64_t durable_position; /* the log is on the disk up to here, */
	uint64_t durable_sequence; /* this record */
	uint64_t disk_error;	   /* errno of the last write that failed, 0 after a success */
	uint64_t disk_errors;
	uint64_t adrift;    /* 1: it goes on without the disk */
	uint64_t snapshots; /* written by this worker */
	/* What the last recovery from the disk could not use. */
	uint64_t corrupt;
	uint64_t corrupt_bytes;
	/* With `retry`: the event that is tried again, as attempt_position has it, how often
	 * it failed by an error, and how many attempts there were for all events. */
	uint64_t retry_position;
	uint64_t retry_errors;
	uint64_t retries;
	uint64_t lines_dropped; /* of faas_log, above `limits.logs`; since it was loaded */
	/* Of a worker that ended for having nothing to do: CLOCK_MONOTONIC, when the next
	 * timer is due; UINT64_MAX: none is set. */
	uint64_t idle_until_ns;
	uint32_t current; /* 0, 1: which of the counters below is whole */
	uint32_t reserved2;
	struct page_counters counters[2];
};

struct courier_sink_counters {
	uint64_t delivered;
	uint64_t errors;  /* attempts that failed and are tried again */
	uint64_t refused; /* records that can never be delivered (too long), counted and skipped */
	uint64_t file_bytes; /* size of the current file at the cursor: what a restart cuts back to
			      */
	uint64_t file_inode;
	/* errno of the last failed attempt, 0 after a success; where a datagram was
	 * refused, 0 after some seconds of successes */
	uint64_t last_error;
	/* The last output that is done for this sink: sequence number of its
	 * record << 8 | outputs of that record, to whichever sink, up to and
	 * with it. A sink that goes on while another is held up is ahead of the
	 * cursor; what is before this is not delivered again. */
	uint64_t done;
	uint64_t limited; /* records above limits.outputs: not delivered, never will be */
};

/* A place in the log and what has been delivered up to there; see page_counters
 * for why there are two. */
struct courier_cursor {
	uint64_t log_position;
	uint64_t sequence; /* last record delivered */
	uint32_t output;   /* outputs already delivered of the record at log_position */
	uint32_t reserved;
	uint64_t corrupt; /* records skipped because they did not check out */
	struct courier_sink_counters sinks[FAAS_SINKS_MAX];
	uint64_t dead_letters;	    /* written to the dead-letter file */
	uint64_t verdicts;	    /* written into maps of the kernel tier */
	uint64_t verdicts_refused;  /* for which a map had no room, or that an error kept out */
	uint64_t verdicts_sequence; /* of the last record that held one */
	struct courier_sink_counters dead_letter_file;
	/* With durable state: up to here all that went into files is on their disks. The
	 * log keeps what is behind it, for after a loss of power. */
	uint64_t synced_position;
	uint64_t synced_sequence;
};

struct courier_page {
	uint64_t magic;
	uint32_t version;
	uint32_t reserved;
	uint64_t sleep_epoch; /* odd: the courier sleeps; the worker notifies once for each odd
				 value */
	uint64_t reserved2[5];
	/* Counts: its lowest bit says which of the cursors is whole, all of it whether that
	 * is the one that was looked at. */
	uint32_t current;
	uint32_t reserved3;
	struct courier_cursor cursors[2];
};

/* What bounds a worker: as it said itself, before it loaded code of an author. */
enum page_limits {
	PAGE_LIMIT_RLIMITS = 1u << 0,
	PAGE_LIMIT_SECCOMP = 1u << 1,
	PAGE_LIMIT_LANDLOCK = 1u << 2,
	/* By the runtime, which says so before the worker starts. */
	PAGE_LIMIT_CGROUP_MEMORY = 1u << 3,
	PAGE_LIMIT_CGROUP_CPU = 1u << 4,
	PAGE_LIMIT_CGROUP_2 = 1u << 5, /* both of version 2, else of version 1 */
	/* Namespaces of the workers, and not the machine's. */
	PAGE_LIMIT_USERS = 1u << 6,
	PAGE_LIMIT_MOUNTS = 1u << 7,
	PAGE_LIMIT_PROCESSES = 1u << 8,
	PAGE_LIMIT_NETWORK = 1u << 9,
	PAGE_LIMIT_IPC = 1u << 10,
	PAGE_LIMIT_HOSTNAME = 1u << 11,
};

/* Which ring producers have. */
enum page_ring {
	PAGE_RING_FULL = 0,
	PAGE_RING_SMALL = 1, /* that of a workflow without a worker */
	PAGE_RING_MOVES = 2, /* another one is made, or has still to be come to */
};

#define PAGE_REASON_BYTES 256

/* What the numbers in events of another generation are in this one, which has the same by
 * these names; PAGE_REST_NONE: it has none. */
#define PAGE_REST_NONE 0xffff
struct page_rest {
	uint16_t entries[FAAS_ENTRIES_MAX];
	uint16_t origins[FAAS_ORIGINS_MAX];
	uint16_t fields[FAAS_RECORD_FIELDS_MAX];
};

struct runtime_page {
	uint64_t magic;
	uint32_t version;
	uint32_t worker_pid;	    /* 0: none */
	uint32_t courier_pid;	    /* 0: none */
	uint32_t restarts;	    /* of the worker, since load */
	uint64_t worker_started_ns; /* CLOCK_MONOTONIC */
	uint32_t incarnation;	    /* of the worker, from 1 */
	uint32_t last_signal;	    /* that ended the last worker, 0: it exited */
	uint32_t last_status;	    /* its exit status */
	uint32_t limits;	    /* enum page_limits, together; 0: it loads nothing yet */
	/* A poison event: one that killed `poison_deaths` workers in a row. */
	uint64_t poison_position; /* + 1; 0 none */
	uint32_t poison_deaths;
	uint32_t poison_condemned; /* 1: the next worker dead-letters it unrun */
	uint64_t ring_boot_hash;   /* identity of the ring that positions count in */
	uint32_t ring_map_id;
	uint32_t generation;
	uint64_t log_id;
	uint32_t resets; /* bit n: the state of function n is not taken up from the disk */
	/* Tables of states were replaced by new ones, and those of before are kept beside
	 * them: of which generation they are; 0: there are none. With `generation` the same,
	 * the change is not whole. And the last record then. */
	uint32_t migrated_from;
	uint64_t migrated_sequence;
	/* How the last worker that died of the poison event died: over its time (1), or
	 * else (0). */
	uint32_t poison_timeout;
	/* 1: it keeps failing, and nothing of it runs. Another process of it only puts what
	 * is in the ring aside. */
	uint32_t quarantined;
	/* Why the last worker ended, for a person; empty: none has. */
	char last_reason[PAGE_REASON_BYTES];
	/* After a way back: records up to this one may be of a generation that has the states
	 * of the functions in foreign_states laid out otherwise. */
	uint64_t foreign_sequence;
	uint32_t foreign_states;
	uint32_t migrated_states;  /* whose tables were replaced: bit n, of function n */
	uint64_t lines_suppressed; /* that workers wrote above `limits.logs`; since it was loaded */
	/* The ring is that of a generation that did not stay: what is left in there is
	 * processed before what is in the own ring. 0: it is the own. */
	uint32_t rest_generation;
	struct page_rest rest;
	/* 1: there is no worker, for it had nothing to do. The next event starts one, or
	 * the time idle_until_ns, as worker_page has it. */
	uint32_t idle;
	/* 1: the pages of the log were given back while it was idle, and not all of them
	 * are there again; then records end before log_limit, a position. */
	uint32_t log_given_back;
	uint64_t idle_until_ns;
	uint64_t log_limit;
	uint32_t program_limits; /* of the programs of exec functions, as `limits` */
	uint32_t ring;		 /* enum page_ring */
	/* Of the loading command: a path, "": the runtime's own. For a later runtime. */
	char netns[FAAS_PATH_BYTES];
};

/* The rule: so many workers within this time ended by what their functions did. */
#define POLICY_QUARANTINE_DEATHS 15
#define POLICY_QUARANTINE_MS 60000

_Static_assert(sizeof(struct worker_page) <= 4096, "one page");
_Static_assert(sizeof(struct courier_page) <= 4096, "one page");
_Static_assert(sizeof(struct runtime_page) <= 4096, "one page");

/*
 * Take a whole picture of a worker's counters, as of the end of one batch. The
 * worker writes the copy that is not current, flips `current`, and only then
 * counts `batches`: it begins to overwrite what is read here no sooner than
 * that. 0, or -1 when the page would not hold still (a hostile writer; an
 * honest one needs tens of microseconds a batch).
 */
static inline int worker_page_read(const struct worker_page *page, struct page_counters *ret)
{
	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t batches = __atomic_load_n(&page->batches, __ATOMIC_ACQUIRE);

		*ret = page->counters[__atomic_load_n(&page->current, __ATOMIC_ACQUIRE) & 1];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&page->batches, __ATOMIC_RELAXED) == batches)
			return 0;
	}
	return -1;
}

/**
 * @brief The same from the file of a page, for who maps nothing that others can cut short.
 *
 * @param fd  Of worker.page or courier.page. Borrowed.
 * @return 0, -EAGAIN (the page would not hold still) or -errno; *ret is untouched then.
 */
int pages_read_counters(int fd, struct page_counters *ret) __attribute__((warn_unused_result));
int pages_read_cursor(int fd, struct courier_cursor *ret) __attribute__((warn_unused_result));

#define WORKER_PAGE_BYTES 4096
#define COURIER_PAGE_BYTES 4096
#define RUNTIME_PAGE_BYTES 4096

#endif
