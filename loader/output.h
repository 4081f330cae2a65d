/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Printing results on standard output. */
#ifndef FAAS_LOADER_OUTPUT_H
#define FAAS_LOADER_OUTPUT_H

#include <stdio.h>

#include <jansson.h>

#include "diag.h"

/* Print @p value and a newline. Takes @p value. */
void output_json(json_t *value);

/* {"errors": [{"file", "line", "column", "cause", "advice"}]}. Returns-owned. */
json_t *output_diags(const struct diags *diags);

/* Output that is long, and that a failure at its end would make wrong: it is
 * written to a temporary file, which goes to stdout once all is well. NULL with a
 * diagnostic; fclose() it. */
FILE *output_spool(struct diags *diags) __attribute__((warn_unused_result));
/* 0, or -1 with a diagnostic and nothing printed. */
int output_spooled(FILE *spool, struct diags *diags) __attribute__((warn_unused_result));

#endif
