/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What verbs take as FILE|BUNDLE: a workflow, built here if it is not a bundle yet. */
#ifndef FAAS_LOADER_SOURCE_H
#define FAAS_LOADER_SOURCE_H

#include "build.h"
#include "bundle.h"
#include "command.h"
#include "diag.h"

struct source {
	struct bundle *bundle;
	char directory[FAAS_PATH_BYTES]; /* of the bundle */
	struct build_scratch scratch;	 /* "": it was a bundle */
};

/* 0 or -1 with diagnostics. Blocks while compilers run. source_close() in any case. */
int source_open(const struct options *options, const char *path, struct source *ret,
		struct diags *diags) __attribute__((warn_unused_result));
void source_close(struct source *source);

#endif
