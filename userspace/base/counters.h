/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counters of the kernel tier that each CPU has of its own, in a plain array:
 * entry cpu * groups + group is what the CPU counts for the group. Values are made
 * of 64-bit numbers.
 *
 * No per-CPU array: there a program finds its value by a pointer that lies elsewhere
 * in memory. Where workflows take turns by the packet, neither is in the caches, and
 * that doubles what counting costs.
 */
#ifndef FAAS_BASE_COUNTERS_H
#define FAAS_BASE_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include <ebpf_faas/pins.h>

struct bpf_object;
struct bundle;

/* Bytes that the meters of a workflow have for each CPU. */
size_t counters_meters_bytes(const struct bundle *bundle);

/* CPUs that there can be on this machine: the highest number, and one. At least 1. */
uint32_t counters_cpus(void);

/* The last number of a list of CPUs such as "0-3,8"; 0 of an empty one. */
uint32_t counters_last_cpu(const char *list);

/* Give the maps slot_counters and meters of an object that is not loaded yet, those of
 * them that it has, an entry for each CPU. Loaded without it, only CPU 0 counts. 0 or
 * -errno. */
int counters_size(struct bpf_object *object) __attribute__((warn_unused_result));

/* The sum over all CPUs of what they count for @p group of @p groups. @p bytes: of a
 * value. 0, -ESTALE: the map's values have another size, or -errno. */
int counters_sum(int fd, uint32_t groups, uint32_t group, void *ret, size_t bytes)
	__attribute__((warn_unused_result));

/* The same of a workflow's meters, or what of the beginning of a value fits into
 * @p bytes. */
int counters_meters(int fd, void *ret, size_t bytes) __attribute__((warn_unused_result));

/* What was counted for a slot; and begin anew, where nothing is counted any more. */
int counters_slot(int fd, uint32_t slot, struct faas_slot_counters *ret)
	__attribute__((warn_unused_result));
int counters_slot_clear(int fd, uint32_t slot) __attribute__((warn_unused_result));

#endif
