/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The process that watches a trial: see trial.h. */
#ifndef FAAS_LOADER_GUARD_H
#define FAAS_LOADER_GUARD_H

#include "trial.h"

/* What the command tells it, one byte. Its end without a word is GUARD_GO: the guard
 * then looks for itself. */
#define GUARD_GO 'g'
#define GUARD_END 'e'

/**
 * @brief Be the guard, to the end of the process.
 *
 * @param from_command Tells when to begin.
 * @param to_command   Gets one line when health was judged: empty for good, else why
 *                     it went back.
 */
void guard_run(const char *workflow, const struct trial *terms, int from_command, int to_command)
	__attribute__((noreturn));

#endif
