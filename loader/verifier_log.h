/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Saying in the author's terms what the verifier said in its own. */
#ifndef FAAS_LOADER_VERIFIER_LOG_H
#define FAAS_LOADER_VERIFIER_LOG_H

#include "bundle.h"
#include "diag.h"

/**
 * @brief Report a program that the verifier refused.
 *
 * @param object Path of the BPF object; its .BTF.ext leads from instructions to
 *               source lines.
 * @param log    What the verifier printed.
 * @param error  Positive errno of the load.
 *
 * Adds one diagnostic: the source file and line of the instruction that the
 * verifier stopped at, the function and its instances, the last lines of the
 * log, and the file that the whole log was written to.
 */
void verifier_report(const struct bundle *bundle, const char *object, const char *log, int error,
		     struct diags *diags);

#endif
