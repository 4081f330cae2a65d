/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A worker process without a runtime and without a courier: the rig has the
 * files, makes the events (tests/unit/pool/events.bpf.c), plays the courier by
 * reading the log, and can kill the worker.
 */
#ifndef FAAS_TESTS_LIB_WORKER_RIG_H
#define FAAS_TESTS_LIB_WORKER_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bundle.h"
#include "pages.h"
#include "tests/unit/pool/events.h"
#include "userspace/log/disk.h"
#include "userspace/log/log.h"

struct bpf_object;

#define RIG_KEYS_MAX 65536
#define RIG_ORIGIN_DECODER 5
#define RIG_ENTRY_SINK 1 /* bundle entry that leads to the sink; 0: to the first function */

/* What was asked for; zero is a sensible default for each. */
struct rig_options {
	uint32_t ring_bytes;   /* default 1 MiB */
	uint32_t log_segments; /* default FAAS_LOG_SEGMENTS */
	uint32_t state_keys;   /* default 4096 */
	uint32_t user_count;   /* 1: counter (default); 2: counter -> relay -> sink */
	bool no_sinks;	       /* outputs lead nowhere */
	bool no_state;
	bool durable;	       /* state, on a disk below the build directory */
	bool adrift;	       /* it goes on when that cannot be written */
	bool alarm;	       /* alarm instead of counter: a function with timers */
	bool cxx;	       /* it, compiled as C++ */
	bool decoder;	       /* decoder instead of counter: a function that takes batches */
	uint64_t refuse_every; /* parameter of decoder, as are fail_every and crash_at */
	uint64_t after_ns, again, fail_key, crash_key, disarm, lines, verdicts; /* its parameters */
	uint64_t every_ns; /* of a trigger of time that leads to it; 0: none */
	int log;	   /* what the worker's standard error goes to; 0: nowhere */
	enum bundle_worker_class worker_class;
	uint64_t every, copies, fail_every, crash_at, spin; /* parameters of counter */
	const char *fault; /* EBPF_FAAS_FAULT of the workers that are started */
};

/* What the log told, read as a courier reads it. */
struct rig_log {
	uint64_t position;
	uint64_t sequence;
	uint64_t delivered; /* highest sequence: what is read again does not count */
	uint64_t events;    /* records LOG_EVENT */
	uint64_t timers;    /* records LOG_TIMER */
	uint64_t dead[8];   /* records LOG_DEAD by reason */
	uint64_t outputs;
	uint64_t together;     /* most of what decoder told of the events of a batch, */
	uint64_t next_decoded; /* the number behind that of the last one, */
	uint64_t disorder;     /* and how often they did not go up: never */
	uint64_t verdicts;
	struct log_verdict verdict;    /* the last of them */
	uint64_t verdict_of;	       /* its function << 8 | its number */
	uint64_t last_number;	       /* + 1; of the event of the last output */
	uint64_t repeated;	       /* events or outputs out of order: never */
	uint64_t wrong;		       /* outputs whose count is not what it must be */
	uint64_t counts[RIG_KEYS_MAX]; /* last count of each key */
};

struct rig {
	struct rig_options options;
	struct bundle *bundle;
	struct bpf_object *object;
	struct events_config *config;
	int program;
	int ring, wake, manifest, worker_page, courier_page, runtime_page, log, notify, space;
	int disk[DISK_FILES]; /* with durable state */
	int control;	      /* our end while a worker runs */
	int objects[FAAS_USER_FUNCTIONS_MAX];
	int states[FAAS_USER_FUNCTIONS_MAX];
	struct worker_page *page;
	struct courier_page *courier;
	struct runtime_page *runtime;
	struct faas_wake *flags;
	uint8_t *log_mapping;
	uint64_t log_bytes;
	void *copy;
	pid_t pid; /* 0: none */
	struct rig_log read;
};

/* Fill a zeroed bundle with the workflow of these options. */
void rig_make_bundle(struct bundle *bundle, const struct rig_options *options);

/* All return 0 or -1 with a line on stderr. */
int rig_open(struct rig *rig, const struct rig_options *options);
void rig_close(struct rig *rig);

/* Start a worker and wait until it is ready. rig_spawn does not wait. */
int rig_start(struct rig *rig);
int rig_spawn(struct rig *rig);

/* Kill it and reap it. Returns its wait status, or -1. */
int rig_kill(struct rig *rig);
/* Whether it ends by itself within @p timeout_ms: 0, or -1. Words it says are
 * thrown away. rig_wait reaps it. */
int rig_expect_end(struct rig *rig, int timeout_ms);
/* Reap a worker that ends by itself, within seconds. */
int rig_wait(struct rig *rig);
/* "drain", wait for "drained"; "stop", wait for "stopped" and the end. */
int rig_drain(struct rig *rig);
int rig_stop(struct rig *rig);

/* Wait for a word on the control socket, for at most @p timeout_ms. */
int rig_expect(struct rig *rig, const char *word, int timeout_ms);

/* Make events, whether or not there is room for them. */
int rig_emit(struct rig *rig, uint32_t count);

/* Read the log from where the last call ended, move the courier's cursor, and
 * make the worker go on if it waits for that. */
int rig_read(struct rig *rig);

/* With durable state: the machine loses its power and starts again. What was in
 * memory is gone; the ring is said to be another one. */
int rig_reboot(struct rig *rig);

/* CPU time of the worker so far. */
uint64_t rig_cpu_ns(const struct rig *rig);

#endif
