// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The workflow reader against anything. What it accepts must be a sound bundle
 * that survives being written and read back; what it refuses needs a reason.
 * Bytes behind a NUL are an override.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A fixed set of functions: nothing is compiled while fuzzing. Fuzz targets link
 * what is fuzzed and nothing of the tests, so it is taken in here. */
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "tests/lib/described.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_round_trip(const struct workflow *workflow, struct bundle *copy,
			     struct diags *diags)
{
	char *text = bundle_print(&workflow->bundle), *again;

	if (!text || bundle_parse(text, strlen(text), "manifest.json", copy, diags)) {
		diags_print(diags, stderr);
		abort();
	}
	again = bundle_print(copy);
	if (!again || strcmp(text, again))
		abort();
	free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct workflow workflow;
	static struct bundle copy;
	static struct diags diags;
	struct workflow_options options = {.functions = described_functions()};
	const uint8_t *end = memchr(data, 0, bytes);
	char *set = NULL;
	int err;

	memset(&diags, 0, sizeof(diags));
	if (end) {
		size_t rest = bytes - (size_t)(end - data) - 1;

		set = strndup((const char *)end + 1, rest);
		if (!set)
			return 0;
		options.sets = (const char *const *)&set;
		options.set_count = 1;
		bytes = (size_t)(end - data);
	}
	err = workflow_parse((const char *)data, bytes, "fuzz.yaml", &options, &workflow, &diags);
	free(set);
	if (!err != !diags.count)
		abort();
	if (!err)
		check_round_trip(&workflow, &copy, &diags);
	return 0;
}
