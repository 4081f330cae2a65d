// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sets its field to one more than the sum of all that are set. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Counts on through the fields of the functions before it");
FAAS_OUTPUT(on, "Always");
FAAS_FIELD(on, number, u64, "", "One more than what is there");

FAAS_EVENT(call)
{
	__u64 sum = 1;

#pragma unroll
	for (int i = 0; i < FAAS_RECORD_FIELDS_MAX; i++)
		if (call->fields_present & 1u << i)
			sum += call->fields[i];
	faas_field_set(call, number, sum);
	return faas_output(on);
}
