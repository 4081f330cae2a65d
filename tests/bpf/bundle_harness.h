/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Table tests of whole workflow programs: a bundle that the test puts together
 * is built as the loader builds it, loaded, and run by BPF_PROG_TEST_RUN at any
 * hook. Needs root, clang, and the build tree.
 *
 *   bundle_function, bundle_trigger ... -> bundle_run_open -> bundle_run ... -> close
 *
 * Whatever goes wrong outside of what is tested fails the cmocka test with a
 * message.
 */
#ifndef FAAS_TEST_BUNDLE_HARNESS_H
#define FAAS_TEST_BUNDLE_HARNESS_H

#include <stdint.h>

#include <bpf/libbpf.h>

#include <ebpf_faas/pins.h>

#include "bundle.h"
#include "diag.h"
#include "frame.h"
#include "loader/fuse.h"

struct bundle_rig {
	struct bundle *bundle;
	/* Of the kernel functions, by index. */
	char objects[FAAS_KERNEL_FUNCTIONS_MAX][FAAS_PATH_BYTES];
	enum fuse_linker linker;
	struct bpf_object *object;
	char directory[64]; /* of the bundle's object, until it is closed */
	int cpus;
};

/* An empty bundle of this name. Returns-owned: bundle_rig_close(). */
struct bundle_rig *bundle_rig_new(const char *name);

/* One more kernel function; @p object below the build directory. Its outputs, up
 * to NULL, lead nowhere yet. */
struct bundle_function *bundle_add_function(struct bundle_rig *rig, const char *instance,
					    const char *function, const char *object,
					    const char *const outputs[]);

/* Lead output @p output of a function somewhere. */
void bundle_lead(struct bundle_function *function, uint32_t output, enum bundle_target_kind kind,
		 uint32_t index);

void bundle_add_param(struct bundle_function *function, const char *name,
		      enum bundle_param_type type, int64_t value, bool changeable);

/* One more trigger, which leads to a kernel function. Returns its id. */
uint16_t bundle_add_trigger(struct bundle_rig *rig, const char *name, enum bundle_hook hook,
			    enum bundle_mode mode, uint32_t function);

/* Build and load. Interface n of the redirects is @p redirects[n] (NULL: none). */
void bundle_rig_open(struct bundle_rig *rig, const uint32_t *redirects);

/* The same; 0, or -1 with diagnostics. */
int bundle_rig_try(struct bundle_rig *rig, const uint32_t *redirects, struct diags *diags);

void bundle_rig_close(struct bundle_rig *rig);

/* Run a packet by the program of a hook; returns the verdict. What became of the
 * packet goes into @p frame. */
uint32_t bundle_run(struct bundle_rig *rig, enum bundle_hook hook, const struct faas_packet *packet,
		    struct frame *frame);

/* Counters since the program was loaded, summed over CPUs. */
void bundle_meters(struct bundle_rig *rig, struct faas_meters *ret_ledger,
		   struct faas_function_meters *ret_functions);

#endif
