// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Whether the fields of the functions before it are as a test wants them. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Compares the newest field with a number");
FAAS_PARAM(u32, present, 0, 0, 255, "Which fields are set");
FAAS_PARAM(u32, newest, 0, 0, 1000, "What the last of them is");
FAAS_OUTPUT(right, "It is");
FAAS_OUTPUT(wrong, "It is not");

FAAS_EVENT(call)
{
	__u64 newest = 0;

#pragma unroll
	for (int i = 0; i < FAAS_RECORD_FIELDS_MAX; i++)
		if (call->fields_present & 1u << i)
			newest = call->fields[i];
	return call->fields_present == faas_param(present) && newest == faas_param(newest)
		       ? faas_output(right)
		       : faas_output(wrong);
}
