// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A function that needs nearly all the stack that there is. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Keeps a table on the stack");
FAAS_OUTPUT(on, "Always");

struct table {
	__u8 bytes[504];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct table);
} kept SEC(".maps");

FAAS_EVENT(call)
{
	struct table table = {};
	__u32 zero = 0;

	table.bytes[0] = (__u8)call->payload_bytes;
	bpf_map_update_elem(&kept, &zero, &table, BPF_ANY);
	return faas_output(on);
}
