/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What stands in the slots of a workflow in the place of its programs: while it is
 * bypassed, every packet passes; while it cannot run, it does what `on_failure` says.
 * One object for each workflow, as the slot is a constant of its program.
 *
 * Whoever changes slots holds the host's lock, FAAS_RUN_LOCK.
 */
#ifndef FAAS_BASE_SLOTS_H
#define FAAS_BASE_SLOTS_H

#include <stdint.h>

#include <ebpf_faas/pins.h>

struct bpf_object;

/* Descriptors of the host's maps, borrowed. */
struct slots {
	int xdp;
	int tc;
	int counters;
	int registry;
};

/* Load what stands in. @p flags: of the registry's entry, one of FAAS_REGISTRY_BYPASSED,
 * FAAS_REGISTRY_STOPPED_PASS and FAAS_REGISTRY_STOPPED_DROP counts, in this order.
 * Returns-owned: bpf_object__close(). 0 or -errno. */
int slots_load(const struct slots *slots, uint32_t slot, uint32_t flags, struct bpf_object **ret)
	__attribute__((warn_unused_result));

/* The program for XDP, or that for TC. Borrowed from the object. */
int slots_program(struct bpf_object *object);
int slots_tc_program(struct bpf_object *object);

/*
 * The programs that are pinned in @p directory into the slot; or, if the flags say so,
 * what stands in for each of them. What has no program there has none in the slot: no
 * rule of its hook leads there. 0 or -errno.
 */
int slots_put(const struct slots *slots, uint32_t slot, uint32_t flags, const char *directory)
	__attribute__((warn_unused_result));

#endif
