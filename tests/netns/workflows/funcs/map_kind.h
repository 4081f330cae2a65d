/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The functions map_* remember a number, the first four bytes of the payload, each
 * in another kind of map, sized by a parameter. A kind defines MAP_KIND and, where
 * it has no such keys, MAP_PREFIXES or MAP_BLOOM, and includes this.
 */
#include <ebpf_faas/kernel.h>

FAAS_PARAM(u32, entries, 16, 1, 65536, "Numbers remembered");
FAAS_OUTPUT(fresh, "Not seen before");
FAAS_OUTPUT(known, "Seen before");
FAAS_OUTPUT(full, "Not seen before, and not remembered");
FAAS_OUTPUT(too_short, "There is no number");

struct memory {
	__u64 count;
};

#ifdef MAP_BLOOM

struct {
	__uint(type, MAP_KIND);
	__uint(max_entries, 16);
	__type(value, __u32);
} numbers SEC(".maps");
FAAS_MAP_ENTRIES(numbers, entries);

faas_inline int remember(__u32 number)
{
	if (!bpf_map_peek_elem(&numbers, &number))
		return faas_output(known);
	return bpf_map_push_elem(&numbers, &number, BPF_ANY) ? faas_output(full)
							     : faas_output(fresh);
}

#else

#ifdef MAP_PREFIXES
struct number_key {
	__u32 bits;
	__u32 number;
};
#define KEY_TYPE struct number_key
#define KEY_OF(n)                                                                                  \
	{                                                                                          \
		.bits = 32, .number = (n)                                                          \
	}
#define MAP_FLAGS BPF_F_NO_PREALLOC
#else
#define KEY_TYPE __u32
#define KEY_OF(n) (n)
#define MAP_FLAGS 0
#endif

struct {
	__uint(type, MAP_KIND);
	__uint(map_flags, MAP_FLAGS);
	__uint(max_entries, 16);
	__type(key, KEY_TYPE);
	__type(value, struct memory);
} numbers SEC(".maps");
FAAS_MAP_ENTRIES(numbers, entries);

faas_inline int remember(__u32 number)
{
	KEY_TYPE key = KEY_OF(number);
	struct memory *memory = bpf_map_lookup_elem(&numbers, &key), first = {.count = 1};

	if (!memory)
		return bpf_map_update_elem(&numbers, &key, &first, BPF_NOEXIST)
			       ? faas_output(full)
			       : faas_output(fresh);
	/* All places of an array are there from the start. */
	return memory->count++ ? faas_output(known) : faas_output(fresh);
}

#endif

FAAS_EVENT(call)
{
	__u32 number;

	if (faas_read_u32be(call, 0, &number))
		return faas_output(too_short);
	return remember(number);
}
