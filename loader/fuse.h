/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the graph of a workflow and the objects of its functions to one BPF object. */
#ifndef FAAS_LOADER_FUSE_H
#define FAAS_LOADER_FUSE_H

#include "bundle.h"
#include "diag.h"

/* How functions come together. */
enum fuse_linker {
	FUSE_BITCODE, /* by ebpf-faas-fuse: inlined */
	FUSE_CALLS,   /* by libbpf, without the LLVM libraries: called */
};

/**
 * @brief Generate and compile the driver, and link it with the functions.
 *
 * @param objects Of the kernel functions, in the order of the bundle.
 * @param scratch An existing directory for what is made on the way.
 * @param output  The object to make.
 * @param bundle  Gets the names of the functions' maps.
 * @return 0, or -1 with diagnostics. Blocks while compilers run.
 */
int fuse_object(const char (*objects)[FAAS_PATH_BYTES], enum fuse_linker linker,
		const char *scratch, const char *output, struct bundle *bundle, struct diags *diags)
	__attribute__((warn_unused_result));

#endif
