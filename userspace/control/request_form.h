/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a message must look like before anything acts on it. Touches nothing else. */
#ifndef FAAS_CONTROL_REQUEST_FORM_H
#define FAAS_CONTROL_REQUEST_FORM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct request;

/* One operation. */
struct request_form {
	const char *name;
	void (*handle)(const struct request *request);
	bool about_workflow;
	const char *keys[5]; /* that it may have, beside op, protocol and workflow */
};

struct request_checked {
	const struct request_form *form;
	const char *workflow; /* its name, borrowed from the message; NULL: about none */
};

/* Why a message is not acted on. */
struct request_refusal {
	char error[256];
	const char *advice; /* NULL: none; static */
};

/**
 * @brief Check a message against the operations that there are.
 *
 * @param message An object. Borrowed.
 * @param names   Ends with NULL: only these may be asked for; NULL: all.
 * @return 0, or -EINVAL with *ret_refusal.
 */
int request_check(const json_t *message, const struct request_form *forms, size_t count,
		  const char *const *names, struct request_checked *ret,
		  struct request_refusal *ret_refusal) __attribute__((warn_unused_result));

#endif
