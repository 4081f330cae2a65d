// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A function that gives the verifier much to do: it follows every round. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Reckons with the length of the payload, over and over");
FAAS_PARAM(u32, rounds, 10, 1, 1000000, "How often");
FAAS_OUTPUT(even, "The sum is even");
FAAS_OUTPUT(odd, "The sum is odd");

FAAS_EVENT(call)
{
	__u32 sum = call->payload_bytes;

	for (__u32 i = 0; i < faas_param(rounds); i++)
		sum = sum * 31 + i;
	return sum & 1 ? faas_output(odd) : faas_output(even);
}
