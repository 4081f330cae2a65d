// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One link of the chain that the benchmarks measure: chain_hand.bpf.c has the
 * same by hand. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Lets packets on whose word at an offset is not above a limit");
FAAS_PARAM(u32, offset, 0, 0, 128, "Byte offset of the word in the payload");
FAAS_PARAM(u32, limit, 1000, 0, 4294967295, "Largest value that goes on");
FAAS_OUTPUT(on, "Not above the limit");
FAAS_OUTPUT(out, "Above the limit, or no such word");

FAAS_EVENT(call)
{
	__u32 value;

	if (faas_read_u32be(call, faas_param(offset), &value) || value > faas_param(limit))
		return faas_output(out);
	return faas_output(on);
}
