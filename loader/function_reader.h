/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts share that read a function's declarations, one after the other. */
#ifndef FAAS_LOADER_FUNCTION_READER_H
#define FAAS_LOADER_FUNCTION_READER_H

#include "function.h"

struct reader {
	const char *place;
	struct diags *diags;
	struct function *function;
	enum function_tier tier;
	bool is_function; /* its "function" text was there */
	bool failed;
};

/* Add a diagnostic. The reader has failed then. */
void reader_complain(struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Blanks, and the quotes and brackets that the preprocessor leaves around what
 * the author wrote, say nothing: "(a, b)" and a, b are the same. In place.
 */
char *reader_strip(char *text);

/* Copy a text, or a name, and complain if it is too long, or none. */
void reader_take(struct reader *reader, const char *what, const char *text, char *ret,
		 size_t bytes);
void reader_take_identifier(struct reader *reader, const char *what, const char *text,
			    char ret[FAAS_IDENTIFIER_BYTES]);

/* param  TYPE  NAME  DEFAULT  MIN  MAX  DOC  CHOICES */
void reader_on_param(struct reader *reader, char *const columns[]);
/* changeable  NAME */
void reader_on_changeable(struct reader *reader, char *const columns[]);

/* What only shows when all is read: names that are there twice, parts that nobody uses. */
void reader_check(struct reader *reader);

#endif
