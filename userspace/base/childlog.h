/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a child writes to its standard output and error, line by line into our
 * log. Code of an author may write there: lines are quoted, and those above a
 * bounded number a second are counted instead, which is told once a second.
 */
#ifndef FAAS_BASE_CHILDLOG_H
#define FAAS_BASE_CHILDLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

#define CHILDLOG_LINE_BYTES 512
#define CHILDLOG_LAST_LINES 8

struct childlog_text {
	char line[CHILDLOG_LINE_BYTES + 1]; /* in the making */
	/* The last lines, those that were suppressed too; line n at n % CHILDLOG_LAST_LINES,
	 * from 0 to total - 1. */
	char last[CHILDLOG_LAST_LINES][CHILDLOG_LINE_BYTES + 1];
};

/* All zeros: none has been opened. */
struct childlog {
	struct loop *loop;
	struct loop_source source;
	const char *who;	    /* borrowed */
	struct childlog_text *text; /* owned; stays when it is closed, until it is forgotten */
	uint32_t used;
	uint32_t lines_per_second;
	uint64_t second;
	uint32_t lines;		 /* in this second */
	uint64_t suppressed;	 /* since it was told */
	struct loop_timer timer; /* to tell it */
	uint64_t *counter;	 /* borrowed; counts what was suppressed too, NULL: nothing does */
	uint64_t total;
};

/* Begin, without a counter: that is the caller's to set. Returns-owned: *ret_fd, the end
 * that the child gets. 0 or -errno. */
int childlog_open(struct childlog *log, struct loop *loop, const char *who,
		  uint32_t lines_per_second, int *ret_fd) __attribute__((warn_unused_result));

/* Take what is left and end. Does nothing if it is not open. */
void childlog_close(struct childlog *log);

/* Behind that: the last lines, and the memory that they are in. */
void childlog_forget(struct childlog *log);

#endif
