// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void output_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	fputc('\n', stdout);
	json_decref(value);
}

json_t *output_diags(const struct diags *diags)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < diags->count; i++) {
		const struct diag *diag = &diags->list[i];

		json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:s, s:s}", "file",
						      diag->file, "line", (int)diag->line, "column",
						      (int)diag->column, "cause", diag->cause,
						      "advice", diag->advice));
	}
	return json_pack("{s:o, s:i}", "errors", list, "dropped", (int)diags->dropped);
}

FILE *output_spool(struct diags *diags)
{
	FILE *spool = tmpfile();

	if (!spool)
		diag_fail(diags, DIAG_FAILED, "is /tmp full?", "a temporary file: %s",
			  strerror(errno));
	return spool;
}

int output_spooled(FILE *spool, struct diags *diags)
{
	char buffer[65536];
	size_t bytes;

	if (fflush(spool) || ferror(spool) || fseek(spool, 0, SEEK_SET))
		return diag_fail(diags, DIAG_FAILED, "is /tmp full?", "a temporary file: %s",
				 strerror(errno));
	while ((bytes = fread(buffer, 1, sizeof(buffer), spool)) > 0)
		fwrite(buffer, 1, bytes, stdout);
	return 0;
}
