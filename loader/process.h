/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Running compilers and other helpers: no shell, output captured. */
#ifndef FAAS_LOADER_PROCESS_H
#define FAAS_LOADER_PROCESS_H

#include <stddef.h>

/**
 * @brief Run a program to its end.
 *
 * @param argv       NULL-terminated; argv[0] is looked up in PATH.
 * @param out        Standard output goes here, cut to @p out_bytes - 1 and
 *                   NUL-terminated. NULL: discarded.
 * @param err        Standard error, likewise.
 * @return Its exit status, 128 + signal, or -errno if it could not be started
 * (-ENOENT: no such program). Blocks.
 */
int process_run(const char *const argv[], char *out, size_t out_bytes, char *err, size_t err_bytes)
	__attribute__((warn_unused_result));

#endif
