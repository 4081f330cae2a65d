// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas state: what its first word says, or the name of a workflow. */
#include <stdio.h>
#include <string.h>

#include "user_state.h"

static const struct {
	const char *word;
	int (*run)(const struct options *options, struct diags *diags);
	unsigned int arguments; /* with the word */
	const char *usage;
} words[] = {
	{"get", state_get, 4, "WORKFLOW FUNCTION KEY"},
	{"list", state_list, 3, "WORKFLOW FUNCTION"},
	{"export", state_export, 3, "WORKFLOW FUNCTION"},
	{"import", state_import, 4, "WORKFLOW FUNCTION FILE"},
};

int verb_state(const struct options *options, struct diags *diags)
{
	const char *word = options->arguments[0];
	char advice[96] = "";

	/* A workflow may be named as one of the words: alone it is its name. */
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].word, word))
			continue;
		if (options->argument_count == words[i].arguments)
			return words[i].run(options, diags) ? DIAG_FAILED : 0;
		snprintf(advice, sizeof(advice), "write `ebpf-faas state %s %s`", word,
			 words[i].usage);
		if (options->argument_count == 1)
			break;
		diag_fail(diags, DIAG_USAGE, advice, "state %s takes %u arguments, not %u", word,
			  words[i].arguments - 1, options->argument_count - 1);
		return DIAG_USAGE;
	}
	if (options->argument_count > 3) {
		diag_fail(diags, DIAG_USAGE, "`ebpf-faas help state` shows what there is",
			  "state WORKFLOW takes an instance and a map, and no more");
		return DIAG_USAGE;
	}
	if (!state_overview(options, diags))
		return 0;
	if (advice[0])
		diag_fail(diags, DIAG_NOT_FOUND, advice, "state %s, as a word, needs more", word);
	return DIAG_FAILED;
}
