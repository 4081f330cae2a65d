/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of one root program: its trigger tables and what it counts. pins.h
 * says what each holds and in which order they are looked at.
 */
#ifndef FAAS_BPF_TABLES_H
#define FAAS_BPF_TABLES_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <ebpf_faas/pins.h>

#define TABLES_ARRAY(name, entries, value_type)                                                    \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, entries);                                                      \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

#define TABLES_PREFIXES(name)                                                                      \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);                                               \
		__uint(max_entries, FAAS_PREFIXES_MAX);                                            \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__type(key, struct faas_prefix_key);                                               \
		__type(value, struct faas_trigger_ref);                                            \
	} name SEC(".maps")

TABLES_ARRAY(ports, FAAS_PORTS, struct faas_port_entry);
TABLES_ARRAY(rules, FAAS_RULES_MAX, struct faas_rule);
TABLES_ARRAY(classes, FAAS_CLASSES, struct faas_trigger_ref);
TABLES_ARRAY(stages, 1, __u32);
TABLES_PREFIXES(sources);
TABLES_PREFIXES(destinations);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FAAS_ETHERTYPES_MAX);
	__type(key, __u16);
	__type(value, struct faas_trigger_ref);
} ethertypes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct faas_root_counters);
} counters SEC(".maps");

#endif
