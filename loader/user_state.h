/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The state of one user function of a loaded workflow, found by its names. */
#ifndef FAAS_LOADER_USER_STATE_H
#define FAAS_LOADER_USER_STATE_H

#include <stdio.h>

#include <jansson.h>

#include "bundle.h"
#include "command.h"
#include "diag.h"
#include "stateview.h"

struct user_state {
	struct bundle *bundle; /* owned; of the generation whose worker writes the state */
	const struct bundle_function *function;
	uint32_t number; /* of it, among the user functions */
	uint32_t generation;
	struct stateview view; /* owned */
};

/* -1 with a diagnostic, which names what was meant where a name is not there. */
int user_state_open(const char *workflow, const char *function, struct user_state *ret,
		    struct diags *diags) __attribute__((warn_unused_result));
void user_state_close(struct user_state *state);

/**
 * @brief Visit every key, each whole as of its own moment.
 *
 * @param visit Returns 0, or -1 with a diagnostic to end it; entry is borrowed.
 * @return 0, or -1 with a diagnostic.
 */
int user_state_each(const struct user_state *state,
		    int (*visit)(void *context, const struct stateview_entry *entry), void *context,
		    struct diags *diags) __attribute__((warn_unused_result));

/* {"key", "value"}, and "timer_ns", how long from now on, if the key's timer is set.
 * Returns-owned; NULL only without memory. */
json_t *user_state_entry(const struct user_state *state, const struct stateview_entry *entry,
			 uint64_t now_ns) __attribute__((warn_unused_result));

/* How many keys each user function with state has: a line each, or the member
 * "user_functions" of an object that is being written. */
void user_state_overview(const struct bundle *bundle, bool json, FILE *out);

/* Verbs of `state`: the words before the names. */
int state_get(const struct options *options, struct diags *diags);
int state_list(const struct options *options, struct diags *diags);
int state_export(const struct options *options, struct diags *diags);
int state_import(const struct options *options, struct diags *diags);

/* `state WORKFLOW [FUNCTION [MAP]]`: maps of kernel functions, and how many keys the
 * user functions have. */
int state_overview(const struct options *options, struct diags *diags);

#endif
