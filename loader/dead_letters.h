/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The dead letters of a workflow, and what became of them. The courier writes them to
 * dead-letters.jsonl, a line each, and at 4 MiB begins anew: that file and the one before
 * are kept, so the oldest letters go first. Nobody else writes there. Which of them were
 * dropped or replayed stands beside it, in dead-letters.done, where each line is on the
 * disk before what follows from it: whoever is killed anywhere leaves a list that the next
 * one goes on with.
 */
#ifndef FAAS_LOADER_DEAD_LETTERS_H
#define FAAS_LOADER_DEAD_LETTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <ebpf_faas/event.h>

#include "diag.h"

enum dead_letter_state {
	DEAD_LETTER_KEPT,
	/* A replay was begun, and nobody knows any more whether it came to be: its log is
	 * gone, or the machine was started anew. */
	DEAD_LETTER_UNSURE,
	DEAD_LETTER_GONE, /* dropped, or replayed */
};

struct dead_letter {
	json_t *line; /* owned: id, time, reason, function, attempts */
	const char *id;
	enum dead_letter_state state;
	uint32_t bytes; /* of the event */
	union {
		struct faas_event event; /* with `bytes` behind it, not checked */
		uint64_t words[FAAS_EVENT_BYTES_MAX / 8];
	} * data; /* owned */
	/* Of a replay that was begun. */
	uint64_t log_id, boot_hash, replay;
};

/* Where replays are counted at this moment. Zeros: the workflow does not run. */
struct dead_letter_clock {
	uint64_t log_id, boot_hash, replayed;
	uint32_t generation;
	bool is_running; /* its worker takes events */
};

struct dead_letters {
	char workflow[FAAS_NAME_BYTES];
	int directory;		  /* locked */
	int done;		  /* dead-letters.done, for appending; -1: none yet */
	struct dead_letter *list; /* owned; the oldest first */
	size_t count;
	struct dead_letter_clock clock;
};

/* Read them, and lock them until they are closed. No letters are no error. 0 or -1. */
int dead_letters_open(const char *workflow, struct dead_letters *ret, struct diags *diags)
	__attribute__((warn_unused_result));
void dead_letters_close(struct dead_letters *letters);

/* Where replays are counted; read anew. 0 or -errno. */
int dead_letters_clock(const char *workflow, struct dead_letter_clock *ret)
	__attribute__((warn_unused_result));

struct dead_letter *dead_letters_find(struct dead_letters *letters, const char *id);

/* Write down that a letter is gone, "dropped" or "replayed"; or that its replay begins,
 * with the clock's next number. On the disk when it returns. 0 or -errno. */
int dead_letters_note(struct dead_letters *letters, struct dead_letter *letter, const char *what)
	__attribute__((warn_unused_result));
#define DEAD_LETTER_DROPPED "dropped"
#define DEAD_LETTER_REPLAYED "replayed"
#define DEAD_LETTER_BEGUN "begun"
#define DEAD_LETTER_FAILED "failed" /* its replay; it is kept */

#endif
