/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line: one table of verbs, one of options. Help, the man page's
 * OPTIONS and completion come from them.
 */
#ifndef FAAS_LOADER_COMMAND_H
#define FAAS_LOADER_COMMAND_H

#include <stdbool.h>

#include "diag.h"

#define COMMAND_SETS_MAX 32
#define COMMAND_DIRECTORIES_MAX 16
#define COMMAND_RESETS_MAX 32

/* What the options said; NULL, false and 0 where they were not given. */
struct options {
	bool json;
	bool now;
	bool all;
	bool pace;
	const char *netns;
	const char *packet, *pcap, *interface, *hook;
	const char *output;
	bool link_calls; /* --linker bpf */
	const char *sets[COMMAND_SETS_MAX];
	unsigned int set_count;
	const char *directories[COMMAND_DIRECTORIES_MAX]; /* --funcs */
	unsigned int directory_count;
	const char *resets[COMMAND_RESETS_MAX]; /* --reset-state */
	unsigned int reset_count;
	const char *confirm; /* durations */
	const char *drain;
	const char *wait;
	bool purge;
	bool dry_run;
	bool overcommit;
	/* What stands after the options. */
	const char *const *arguments;
	unsigned int argument_count;
};

/*
 * A verb: prints its result to stdout, puts errors into @p diags, and returns
 * 0 or an exit status (enum diag_class). main() prints the diagnostics, in JSON
 * with --json, so that stdout holds one JSON value in any case: with --json a
 * verb that failed must not have printed.
 */
typedef int verb_function(const struct options *options, struct diags *diags);

verb_function verb_build, verb_validate, verb_load, verb_unload, verb_list, verb_status, verb_state,
	verb_explain, verb_functions, verb_version, verb_set;
verb_function verb_update, verb_history, verb_rollback, verb_confirm, verb_restore;
verb_function verb_deadletter;
verb_function verb_bypass, verb_resume, verb_gc, verb_diff;

#endif
