/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What ebpf-faas-fuse does to the linked module that no pass of LLVM does. */
#ifndef FAAS_LOADER_FUSE_PASSES_H
#define FAAS_LOADER_FUSE_PASSES_H

#include <llvm-c/Core.h>

/* The driver's constant: loader/driver.h. */
#define FUSE_CHECKED "driver_checked"

/*
 * Put the driver's numbers in the place of the loads that fetch them. The
 * optimiser does so by itself for plain loads; but while it compiled a function
 * alone it may have joined "return faas_output(a)" and "return faas_output(b)"
 * to one load through a choice of addresses, and that one it never takes apart.
 */
void fuse_fold_numbers(LLVMContextRef context, LLVMModuleRef module);

/* Decide how much payload the first copy of the graph is for, and leave the
 * comparisons out there. The program has been optimised before, so that places that
 * are known are constants. */
void fuse_check_payload_once(LLVMModuleRef module);

#endif
