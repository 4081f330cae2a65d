// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The bundle reader against anything. What it accepts must print to what reads
 * back as the same; what it refuses needs a reason.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct bundle bundle, copy;
	static struct diags diags;
	char *text, *again;
	int err;

	memset(&diags, 0, sizeof(diags));
	err = bundle_parse((const char *)data, bytes, "manifest.json", &bundle, &diags);
	if (!err != !diags.count)
		abort();
	if (err)
		return 0;
	text = bundle_print(&bundle);
	if (!text || bundle_parse(text, strlen(text), "again.json", &copy, &diags)) {
		diags_print(&diags, stderr);
		abort();
	}
	again = bundle_print(&copy);
	if (!again || strcmp(text, again))
		abort();
	free(again);
	free(text);
	return 0;
}
