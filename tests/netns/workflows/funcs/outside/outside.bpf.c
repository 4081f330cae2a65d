// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Wrong on purpose: the index is a byte of the packet and is not checked. A test
 * expects the loader to name the line that is marked below.
 */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Reads outside its own table");
FAAS_OUTPUT(seen, "Every packet");

static volatile __u32 table[16];

FAAS_EVENT(call)
{
	__u8 index;

	if (faas_read_u8(call, 0, &index))
		return faas_output(seen);
	table[index]++; /* WRONG LINE */
	return faas_output(seen);
}
