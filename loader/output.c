// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "output.h"

#include <stdio.h>

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
