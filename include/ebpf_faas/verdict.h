/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kernel functions that decide by what user functions found out: a map from key
 * to verdict, which only the runtime writes.
 *
 *	FAAS_PARAM_KEY(by, "source_address", "What a verdict is about");
 *	FAAS_VERDICT_MAP(verdicts, by);
 *	...
 *	verdict = faas_verdict_get(&verdicts, &key);
 *	if (verdict && verdict->value)
 *		return faas_output(shut);
 */
#ifndef EBPF_FAAS_VERDICT_H
#define EBPF_FAAS_VERDICT_H

#include <ebpf_faas/key.h>

/* Declare the map; a function has one at most. @p by is the parameter, declared
 * with FAAS_PARAM_KEY before it, that says what keys are made of: the same as the
 * key of the events that the user function judges. */
#define FAAS_VERDICT_MAP(name, by)                                                                 \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, 4096);                                                         \
		__type(key, struct faas_key);                                                      \
		__type(value, struct faas_verdict_entry);                                          \
	} name SEC(".maps");                                                                       \
	FAAS_META("verdicts\t" #name "\t" #by)

/* The verdict about a key, NULL: there is none, or its time is over. */
faas_inline const struct faas_verdict_entry *faas_verdict_get(void *map, const struct faas_key *key)
{
	const struct faas_verdict_entry *verdict = bpf_map_lookup_elem(map, key);

	return verdict && verdict->expires_ns > faas_now_ns() ? verdict : (void *)0;
}

#endif
