/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Diagnostics: what went wrong, where, and what to do next, for a person.
 * Library code fills them and never prints; the commands print.
 */
#ifndef FAAS_BASE_DIAG_H
#define FAAS_BASE_DIAG_H

#include <stdbool.h>
#include <stdio.h>

#define DIAG_FILE_BYTES 512
#define DIAG_TEXT_BYTES 1024
#define DIAGS_MAX 100

/* Exit statuses of the command, and classes of diagnostics. */
enum diag_class {
	DIAG_FAILED = 1,   /* an operation did not work */
	DIAG_USAGE = 2,	   /* the command line is wrong */
	DIAG_INVALID = 3,  /* the workflow or bundle is wrong */
	DIAG_PLATFORM = 4, /* kernel or privilege lacks something */
	DIAG_NOT_FOUND = 5,
};

struct diag {
	enum diag_class class;
	char file[DIAG_FILE_BYTES]; /* "" when there is no file to point into */
	unsigned int line;	    /* from 1; 0 unknown */
	unsigned int column;	    /* from 1, in bytes; 0 unknown */
	char cause[DIAG_TEXT_BYTES];
	char advice[DIAG_TEXT_BYTES]; /* the next step; "" if the cause says it all */
};

/* A bounded list. Zero-initialise it. Owns nothing but itself. */
struct diags {
	struct diag list[DIAGS_MAX];
	unsigned int count;
	unsigned int dropped; /* beyond DIAGS_MAX */
};

/**
 * Append one diagnostic. @p file may be NULL. @p advice may be NULL, and is
 * plain text; @p format makes the cause.
 */
void diag_add(struct diags *diags, enum diag_class class, const char *file, unsigned int line,
	      unsigned int column, const char *advice, const char *format, ...)
	__attribute__((format(printf, 7, 8)));

/* Shorthand for a diagnostic without a place. Returns -1, for `return`. */
int diag_fail(struct diags *diags, enum diag_class class, const char *advice, const char *format,
	      ...) __attribute__((format(printf, 4, 5)));

/* Quote several lines of @p text in a cause: each begins on a line of its own,
 * indented. Cut to @p bytes. */
void diag_lines(const char *text, char *ret, size_t bytes);

/* The exit status of a run that met these: that of the first, 0 for none. */
int diags_exit_status(const struct diags *diags);

/* Print each as "file:line:column: error: cause; advice". */
void diags_print(const struct diags *diags, FILE *stream);

#endif
