/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What became of a loaded workflow: one JSON object a line in
 * FAAS_STATE_WORKFLOWS/NAME/history.jsonl, bounded, gone with unload.
 */
#ifndef FAAS_LOADER_HISTORY_H
#define FAAS_LOADER_HISTORY_H

#include <stdint.h>

#define HISTORY_BYTES_MAX 65536 /* then the older half goes */

/* Append a line. @p version may be "", @p reason NULL. A disk that is full loses it:
 * no command fails for that. */
void history_add(const char *workflow, const char *event, uint32_t generation, const char *version,
		 const char *reason);

#endif
