// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where one word of the payload stands to a limit. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Splits packets by a word of the payload");
FAAS_PARAM(u32, offset, 0, 0, 4000, "Where it stands");
FAAS_OUTPUT(low, "Below 1000");
FAAS_OUTPUT(high, "From 1000 on");
FAAS_OUTPUT(too_short, "There is none");

FAAS_EVENT(call)
{
	__u32 value;

	if (faas_read_u32be(call, faas_param(offset), &value))
		return faas_output(too_short);
	return value < 1000 ? faas_output(low) : faas_output(high);
}
