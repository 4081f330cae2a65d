/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The durable log: what of a worker's log is on stable storage. The mapped log
 * (log.h) is where records are built; this writes it to the disk in groups,
 * several in flight, and says up to where all of it is there.
 *
 *   durable_recover, unless the mapped log and the tables are still there
 *   -> durable_start -> durable_settle
 *   -> records -> durable_step -> acknowledged moves on -> records ...
 *
 * - A group is closed in durable_step when there are records and fewer than
 *   DURABLE_GROUPS in flight: alone, an event is written at once; under load a
 *   group takes what came while others were written.
 * - Completions come in any order; `acknowledged` is the end of the prefix that
 *   is complete. Nothing beyond it may be seen from outside: ring, courier and
 *   counters stop there.
 * - A snapshot of the tables is begun when half of the circle is behind the
 *   last one, and written in chunks between the groups. What the last one that
 *   counts needs is never overwritten: `limit` says how far records may go.
 * - A failed write is tried again, later and later, and holds up what is behind
 *   it.
 *
 * One thread. Nothing is allocated after durable_start. Times are the caller's.
 */
#ifndef FAAS_LOG_DURABLE_H
#define FAAS_LOG_DURABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "pages.h"
#include "userspace/log/disk.h"
#include "userspace/log/durable_format.h"
#include "userspace/log/log.h"

#define DURABLE_GROUPS 4 /* in flight at once */
#define DURABLE_CHUNKS 4 /* of a snapshot, in flight at once */
/* A group may wrap around the end of the mapped log: two writes each; and one superblock. */
#define DURABLE_WRITES (2 * DURABLE_GROUPS + DURABLE_CHUNKS + 1)
#define DURABLE_RETRY_MIN_NS 10000000ull
#define DURABLE_RETRY_MAX_NS 2000000000ull

_Static_assert(DURABLE_WRITES <= DISK_WRITES_MAX, "the disk takes them all");

/* What to do while the disk does not take what is written. */
enum durable_policy {
	DURABLE_WAIT,	  /* hold everything up */
	DURABLE_CONTINUE, /* go on without it; catch up when it is back */
};

/* The table of one function. Borrows the mapping. */
struct durable_image {
	struct durable_shape shape; /* name "": there is none, or it is not durable */
	uint8_t *mapping;	    /* shape.image_bytes long */
};

/* What a durable log is made of. */
struct durable_setup {
	struct disk *disk;	/* borrowed */
	void *staging;		/* the mapped log file, its header laid out; borrowed */
	uint64_t staging_bytes; /* of the file */
	uint32_t generation;
	enum durable_policy policy;
	struct durable_image images[FAAS_USER_FUNCTIONS_MAX];
	uint32_t resets; /* bit n: the state of function n is not taken up from the disk */
	/* For recovery. `loaded`: the images stand, as of the snapshot; tables may be
	 * opened. `repair`: of function @p function's image, bytes [begin, end) are
	 * lost and zero; called before `loaded`. `redo`: one record, in order. Each
	 * returns 0 or -errno, which ends the recovery. */
	void *context;
	int (*loaded)(void *context);
	int (*repair)(void *context, uint32_t function, uint64_t begin, uint64_t end);
	int (*redo)(void *context, const struct log_record *record);
};

/* What recovery found. */
struct durable_recovered {
	struct durable_place end;     /* where the log goes on */
	struct durable_place courier; /* as last seen; what is behind it stands in the mapped log */
	uint64_t monotonic_ns;	      /* of the machine that wrote the last group, then; 0: none */
	uint32_t taken;		      /* bit n: the state of function n is taken up */
	/* `before`: bit n: that of function n is one that the update kept, and as of the last
	 * group, at `kept_ns`. All others are as of the update, at `monotonic_ns`. */
	uint32_t kept;
	uint64_t kept_ns;
	/* Whose state is meant by the number of a function in a record that is redone;
	 * FAAS_USER_FUNCTIONS_MAX: none that is to be redone. */
	uint8_t functions[FAAS_USER_FUNCTIONS_MAX];
	uint64_t records; /* that were redone */
	uint64_t corrupt; /* places that did not check out: records and chunks */
	uint64_t corrupt_bytes;
	uint64_t torn_bytes;	 /* behind the end: never acknowledged */
	uint32_t stale_function; /* -ESTALE: whose table on the disk is of another shape */
	bool before;		 /* the tables are those of before an update */
};

/* A write that is in flight, or to be sent (again). */
struct durable_write {
	const uint8_t *data;
	uint64_t offset;
	uint32_t bytes; /* 0: the slot is free */
	uint32_t done;
	uint8_t file; /* enum disk_file */
	bool flying;
};

struct durable_group {
	uint64_t begin, end;
	struct page_counters counters; /* as of its end */
};

/* A snapshot in the making. */
struct durable_snapshot {
	bool active;
	uint64_t id;
	uint32_t file;
	uint32_t chunks;	    /* begun so far */
	uint32_t function;	    /* where the next chunk begins */
	uint64_t offset;	    /* in that function's image */
	struct durable_place begin; /* of the records that recovery redoes on it */
	uint64_t end;		    /* head of the log behind its last chunk; 0: not there yet */
	uint8_t *buffers;	    /* one for each chunk in flight; owned */
};

struct durable {
	struct disk *disk;
	struct log_writer *log;
	enum durable_policy policy;
	uint64_t capacity; /* of the circle on the disk */
	struct durable_image images[FAAS_USER_FUNCTIONS_MAX];
	struct durable_super *super;	  /* the one that is on the disk */
	struct durable_super *super_next; /* being written; aligned, owned */
	struct durable_group groups[DURABLE_GROUPS];
	uint32_t group_first, group_count;
	uint64_t closed;		   /* the log before this is in groups */
	struct page_counters acknowledged; /* what may be seen; its log_position is durable */
	uint64_t durable_position;	   /* differs from it only while adrift */
	uint64_t durable_sequence;
	/* As of the last step: for the next snapshot's superblock. */
	struct durable_place courier;
	uint64_t now_ns;
	struct durable_snapshot snapshot;
	struct durable_write writes[DURABLE_WRITES];
	bool adrift;	      /* DURABLE_CONTINUE, and the disk does not take what is written */
	bool naming;	      /* the superblock on its way names the snapshot in the making */
	bool catching;	      /* adrift, and a snapshot is made that ends it: no record may come */
	uint64_t progress_ns; /* of it */
	uint32_t generation;
	bool anew; /* the disk has a table that was not taken up: a snapshot replaces it */
	int error; /* -errno of the last write that failed, 0 after one that did not */
	uint64_t errors;
	uint64_t retry_ns; /* when what failed is tried again; 0: nothing failed */
	uint64_t backoff_ns;
	uint64_t groups_written, bytes_written, snapshots_written;
};

/* Bytes of the file of a snapshot. */
uint64_t durable_snapshot_bytes(const struct durable_image *images);

/**
 * @brief Read the newest superblock that checks out.
 * @return 0; -ENOENT: the file was never formatted; -EBADMSG: it was, and neither
 * superblock checks out; -EPROTO: of another version; -errno of a read.
 */
int durable_super_read(struct disk *disk, struct durable_super *ret)
	__attribute__((warn_unused_result));

/* Note in the superblock how far the courier has come. To be called while no worker
 * has the log. Blocks. 0 or -errno. */
int durable_note_delivered(struct disk *disk, const struct durable_place *place)
	__attribute__((warn_unused_result));

/* Write the images to DISK_BEFORE, for who comes back. Blocks. 0 or -errno: then what is
 * there does not check out. */
int durable_before_write(struct disk *disk, const struct durable_image *images, uint64_t log_id,
			 uint32_t generation, const struct durable_kept *kept, uint64_t now_ns)
	__attribute__((warn_unused_result));

/* Write zeros over the circle, once, so that later writes change no metadata,
 * then the first superblock. Blocks. 0 or -errno. */
int durable_format(const struct durable_setup *setup) __attribute__((warn_unused_result));

/**
 * @brief Take everything up from the disk: into the images, and what the
 * courier has not had into the mapped log.
 *
 * May be killed anywhere and done again. Writes to no file but the damage file. Where
 * the tables on the disk are of another shape than the images, or alike and of another
 * generation, those of before an update may fit: then the state is as of that update, and
 * later records add to those tables only that the update kept.
 * @return 0; -ESTALE: a table on the disk is of another shape than its image
 * (ret->stale_function), and there are none of before that fit; -EBADMSG, -EPROTO: see
 * durable_super_read, or the geometry differs; what a callback returned; or -errno of a read.
 */
int durable_recover(const struct durable_setup *setup, struct durable_recovered *ret)
	__attribute__((warn_unused_result));

/**
 * @brief Go on with the log.
 *
 * @param log     The writer, opened with durable_incarnation of the superblock.
 * @param acknowledged Counters as of what is on the disk; its log_position begins
 *                a block. What the writer has beyond it is written again.
 * Makes the new incarnation durable before it returns. Blocks. 0, -ENOMEM,
 * -EINVAL (positions that cannot be), what durable_super_read returns, or -errno
 * of the disk.
 */
int durable_start(struct durable *durable, const struct durable_setup *setup,
		  struct log_writer *log, const struct page_counters *acknowledged)
	__attribute__((warn_unused_result));
void durable_end(struct durable *durable);

/* Directly behind durable_start: whoever was before went on without the disk, and
 * what it processed behind the durable position is in the tables, not on the disk.
 * durable_settle catches up. */
void durable_start_adrift(struct durable *durable);

/* The incarnation that a worker begins which finds this superblock. */
static inline uint32_t durable_incarnation(const struct durable_super *super)
{
	return super->incarnation + 1;
}

/**
 * @brief Take completions, close a group, go on with a snapshot, send.
 *
 * @param live    Counters as of the last record; the record that ends a group
 *                moves their sequence and log_position.
 * @param courier The courier's cursor as last seen.
 * To be called between two records. Never blocks. Look at `acknowledged` behind it,
 * and set the log's limit to durable_limit.
 */
void durable_step(struct durable *durable, struct page_counters *live,
		  const struct durable_place *courier, uint64_t now_ns);

/* As durable_step until all records are acknowledged and, if the disk knows the
 * tables of another generation or shape only, a whole snapshot is there. Blocks: before
 * the first event. 0, -ENOSPC (the log has no room for the end of a group), or
 * -errno of a write. */
int durable_settle(struct durable *durable, struct page_counters *live,
		   const struct durable_place *courier, uint64_t now_ns)
	__attribute__((warn_unused_result));

/* Records may be built up to this position: for log_writer.limit, behind each
 * log_set_tail and each step. */
uint64_t durable_limit(const struct durable *durable);

/* Whether all records are acknowledged. */
static inline bool durable_is_settled(const struct durable *durable)
{
	return durable->acknowledged.log_position == durable->log->head;
}

/* Whether anything is still to be written, to be tried again, or on its way. */
static inline bool durable_is_busy(const struct durable *durable)
{
	return !durable_is_settled(durable) || durable->snapshot.active || durable->adrift ||
	       durable->writes[DURABLE_WRITES - 1].bytes;
}

/* When to step again even if nothing completes; 0: never. */
uint64_t durable_wake_ns(const struct durable *durable);

#endif
