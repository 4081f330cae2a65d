/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The limits of one BPF program, and keeping to them: all functions are inlined
 * where the verifier takes that; else the most costly ones become functions of
 * their own, as few as it needs.
 */
#ifndef FAAS_LOADER_BUDGET_H
#define FAAS_LOADER_BUDGET_H

#include "bundle.h"
#include "diag.h"
#include "fuse.h"

/**
 * @brief Build the kernel object of a workflow such that this kernel takes it.
 *
 * As fuse_object(); marks in @p bundle which functions are separate. Without the
 * privilege to ask the verifier it is built with all functions inlined, unless the
 * compiler already finds the stack too large.
 *
 * @return 0, or -1 with a diagnostic: for a budget that is exceeded all the same, it
 * names the functions and what each costs. What the verifier refuses for any other
 * reason is left to kernel_object_load() to report; then 0 is returned.
 */
int budget_build(const char (*objects)[FAAS_PATH_BYTES], enum fuse_linker linker,
		 const char *scratch, const char *output, struct bundle *bundle,
		 struct diags *diags) __attribute__((warn_unused_result));

#endif
