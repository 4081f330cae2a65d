// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The same function as isolation.bpf.c, with an index that stays in the table. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Counts packets by their first byte");
FAAS_OUTPUT(counted, "The packet was counted");

static unsigned int table[16];

FAAS_EVENT(call)
{
	__u8 byte = 0;

	faas_read_u8(call, 0, &byte);
	table[(byte >> 3) & 15]++;
	return faas_output(counted);
}
