/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One workflow, as the courier sees it: its log from the cursor on, and its
 * sinks.
 *
 * A feed reads ahead of its cursor. A sink that cannot take its lines now is
 * held up until a retry, the others go on; the cursor stays where the sink that
 * is furthest behind needs it. How far each sink is stands in the page
 * (courier_sink_counters.done), so that reading again from the cursor, also by
 * the courier that comes after a crash, gives no sink anything twice.
 */
#ifndef FAAS_SINK_FEED_H
#define FAAS_SINK_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "bundle_size.h"
#include "diag.h"
#include "pages.h"
#include "userspace/log/log.h"
#include "userspace/sink/encode.h"
#include "userspace/sink/file_sink.h"
#include "userspace/sink/udp_sink.h"

/* One turn of one feed ends when a sink has this much, or after so many records. */
#define FEED_BATCH_BYTES 65536
#define FEED_BATCH_RECORDS 512

#define FEED_DEAD_LETTERS "dead-letters.jsonl"
#define FEED_DEAD_LETTER_BYTES (SIZE_DEAD_LETTERS / 2) /* then it becomes dead-letters.jsonl.1 */

/* Retries of a file sink, doubling. */
#define FEED_RETRY_MIN_MS 50
#define FEED_RETRY_MAX_MS 5000
/* With durable state: how long lines in a file may be in memory only. */
#define FEED_SYNC_MS 100

/* A datagram is tried so often, and waits for room in the socket so long. */
#define FEED_DATAGRAM_TRIES 3
#define FEED_DATAGRAM_RETRY_MS 20
#define FEED_DATAGRAM_ROOM_MS 5
#define FEED_DATAGRAM_WAIT_MS 1000
/* A refusal is the last error for so long, whatever is sent since: it tells of an earlier
 * datagram, and gateways and receivers tell it about once a second at most. */
#define FEED_REFUSAL_MS 5000

struct feed_sink {
	enum bundle_sink_kind kind;
	char *path; /* owned; of the file */
	struct file_sink file;
	struct udp_sink udp;
	uint64_t blocked_until_ns; /* 0: not held up */
	uint64_t backoff_ms;	   /* file: of the next retry */
	uint64_t waiting_since_ns; /* udp: for room in the socket */
	uint32_t tries;		   /* udp: of the datagram that is next */
	uint64_t refused_ns;	   /* udp: last time; 0: long ago */
	bool down;		   /* udp: the last datagram was given up; the next gets one try */
	/* The batch in the making. */
	char *lines;
	size_t used;
	uint32_t line_count;
	uint32_t limited; /* behind the first line of it */
	uint64_t done;	  /* once it is written */
};

/* A place between two records. */
struct feed_place {
	uint64_t position;
	uint64_t sequence; /* of the record before it */
};

struct feed {
	char name[FAAS_NAME_BYTES];
	struct encoder *encoder;
	struct log_view view;
	void *log; /* mappings, owned */
	uint64_t log_bytes;
	const struct worker_page *worker_page;
	bool durable; /* nothing behind the head is delivered */
	struct courier_page *courier_page;
	int space_fd;		      /* owned */
	struct courier_cursor cursor; /* the next one; the page has the last */
	struct feed_place scan;
	bool held;     /* the cursor waits for a sink */
	uint64_t told; /* cursor position that the worker was last woken for */
	/* With durable state: since when files hold something in memory only; 0: nothing. */
	uint64_t unsynced_since_ns;
	uint64_t stuck_until_ns; /* the log is damaged: look again then */
	uint32_t sink_count;
	/* Records to sinks: 0 of them is no limit. Each of them is due this long after the
	 * one before; `due_ns` runs ahead of the time by a second at most. */
	uint64_t output_gap_ns, due_ns;
	int verdict_maps[FAAS_KERNEL_FUNCTIONS_MAX]; /* owned; -1: none */
	/* Of each verdict of each user function: the kernel function. */
	uint32_t verdicts_to[FAAS_USER_FUNCTIONS_MAX][FAAS_VERDICTS_MAX];
	struct feed_sink *sinks; /* owned; sink_count of them, and the one for dead letters */
};

/* There may be a thousand of them that have nothing to do. */
_Static_assert(sizeof(struct feed) + 2 * sizeof(struct feed_sink) <= 4096, "a page at most");

/* Buffers that all feeds share. */
struct feed_scratch;
struct feed_scratch *feed_scratch_new(void); /* returns-owned; NULL without memory */
void feed_scratch_free(struct feed_scratch *scratch);

/* What a feed is made of. */
struct feed_files {
	int log;		 /* read only */
	int worker_page;	 /* read only */
	int courier_page;	 /* read, write */
	int space;		 /* eventfd; taken on success */
	int udp[FAAS_SINKS_MAX]; /* socket of sink n; taken on success; -1: none */
	/* Map for verdicts of kernel function n; taken on success; -1: none. */
	int verdict_maps[FAAS_KERNEL_FUNCTIONS_MAX];
};

/**
 * @brief Take up a workflow at its cursor.
 *
 * @param files  Borrowed but for what says "taken".
 * @param dead_letters Path of the dead-letter file.
 * @param strict Fail when a file sink cannot be opened, instead of trying again later.
 * @return Owned; NULL with a diagnostic.
 */
struct feed *feed_open(const struct bundle *bundle, const struct feed_files *files,
		       const char *dead_letters, bool strict, struct diags *diags);
void feed_close(struct feed *feed);

/* Deliver one batch. True: there may be more. Blocks for nothing but files. */
bool feed_step(struct feed *feed, struct feed_scratch *scratch);

/* Announce that the feed sleeps and look once more. True: it sleeps, the worker
 * will notify; false: there is something to do. */
bool feed_sleep(struct feed *feed, struct feed_scratch *scratch);
void feed_wake(struct feed *feed);

/* When to step again whatever happens: CLOCK_MONOTONIC, 0: never. */
uint64_t feed_retry_ns(const struct feed *feed);

/* With durable state: put on the disk what is in files, now. */
void feed_sync_now(struct feed *feed);

/* Whether all that was read is delivered; asked when feed_step returned false. */
bool feed_is_done(const struct feed *feed);

/* Records behind the cursor that hold something to deliver, at most. */
uint64_t feed_undelivered(const struct feed *feed);

#endif
