/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fused program of a workflow: loading it into the kernel and pinning what
 * belongs to it.
 */
#ifndef FAAS_LOADER_KERNEL_OBJECT_H
#define FAAS_LOADER_KERNEL_OBJECT_H

#include <stdint.h>

#include "bundle.h"
#include "diag.h"
#include "host.h"
#include "takeover.h"

struct bpf_object;

/**
 * @brief Load DIRECTORY/kernel.bpf.o and have it verified.
 *
 * @param host       Supplies the shared maps; the interfaces that the workflow
 *                   redirects to are looked up in the network namespace of
 *                   the thread. NULL: the object gets its own maps and no
 *                   interfaces, which is enough to verify it.
 * @param bundle     Says the sizes of rings and state maps.
 * @param ret        Returns-owned: bpf_object__close().
 *
 * Maps that have contents in the bundle are filled; what else is in them stays.
 *
 * @return 0, or -1 with a diagnostic. A program that the verifier refuses is
 * reported with function, file and line, and the verifier's last lines; the
 * whole log goes to a file that the diagnostic names.
 */
int kernel_object_load(const struct host *host, const struct bundle *bundle, const char *directory,
		       uint32_t generation, struct bpf_object **ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* The same for a workflow that another version of is loaded: its state is taken over.
 * @p takeover says from what, and then what became of it. */
int kernel_object_load_over(const struct host *host, const struct bundle *bundle,
			    const char *directory, uint32_t generation, struct takeover *takeover,
			    struct bpf_object **ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* Open the object and give its maps their sizes, without loading it. */
int kernel_object_open(const struct bundle *bundle, const char *directory, struct bpf_object **ret,
		       struct diags *diags) __attribute__((warn_unused_result));

/* Pin program and maps as those of @p generation. */
int kernel_object_pin(struct bpf_object *object, const struct bundle *bundle, uint32_t generation,
		      struct diags *diags) __attribute__((warn_unused_result));

/* File descriptor of the workflow's program for a hook, borrowed from @p object, or
 * -ENOENT: no trigger of the workflow is of that hook. */
int kernel_object_program(struct bpf_object *object, const struct bundle *bundle,
			  enum bundle_hook hook);

/* Refuse kernels whose rings can be corrupted from a worker's mapping. */
int kernel_check_rings(struct diags *diags) __attribute__((warn_unused_result));

#endif
