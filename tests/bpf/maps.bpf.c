// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Four maps, so that sixteen instances have as many as a program may use. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Counts in four maps");
FAAS_OUTPUT(on, "Always");

#define COUNTER(name)                                                                              \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, __u64);                                                              \
	} name SEC(".maps")

COUNTER(first);
COUNTER(second);
COUNTER(third);
COUNTER(fourth);

faas_inline void count(void *map)
{
	__u32 zero = 0;
	__u64 *counter = bpf_map_lookup_elem(map, &zero);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

FAAS_EVENT(call)
{
	count(&first);
	count(&second);
	count(&third);
	count(&fourth);
	return faas_output(on);
}
