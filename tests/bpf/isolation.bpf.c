// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A function that reads and writes past the end of its data: an index from the
 * packet, 0 to 31, into a table of 16. Nothing but the size of the data section
 * that the table lies in can stop it.
 */
#ifndef faas_event
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Counts packets by their first byte, carelessly");
FAAS_OUTPUT(counted, "The packet was counted");
#endif

static unsigned int table[16];

FAAS_EVENT(call)
{
	__u8 byte = 0;

	faas_read_u8(call, 0, &byte);
	table[byte >> 3]++;
	return faas_output(counted);
}
