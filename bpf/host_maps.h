/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps that all interfaces and workflows of a host share. host.bpf.c makes
 * them once; the loader puts the pinned ones into every root program.
 *
 * There is one array of workflow programs for XDP and one for TC, as all members
 * of such an array are of one type: HOST_PROGRAMS() defines the one that is needed.
 */
#ifndef FAAS_BPF_HOST_MAPS_H
#define FAAS_BPF_HOST_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <ebpf_faas/pins.h>

#define HOST_PROGRAMS(name)                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                             \
		__uint(max_entries, FAAS_SLOTS_MAX);                                               \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
	} name SEC(".maps")

#include "slot_counters.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct faas_packet);
} packet SEC(".maps");

#endif
