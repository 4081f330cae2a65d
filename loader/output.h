/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Printing results: one JSON value on standard output. */
#ifndef FAAS_LOADER_OUTPUT_H
#define FAAS_LOADER_OUTPUT_H

#include <jansson.h>

#include "diag.h"

/* Print @p value and a newline. Takes @p value. */
void output_json(json_t *value);

/* {"errors": [{"file", "line", "column", "cause", "advice"}]}. Returns-owned. */
json_t *output_diags(const struct diags *diags);

#endif
