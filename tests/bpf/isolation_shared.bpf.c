// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a build would make of two instances of isolation.bpf.c that forgets to
 * keep their data apart: both tables lie in one section. The first instance
 * sees the packets, the second only owns a table.
 */
#include <ebpf_faas/kernel.h>

FAAS_OUTPUT(counted, "The packet was counted");
const unsigned int faas_output_counted = 0;

#define faas_event first_event
#define table first_table
#include "isolation.bpf.c"
#undef faas_event
#undef table

#define faas_event second_event
#define table second_table
#include "isolation.bpf.c"
#undef faas_event
#undef table

SEC("xdp")
int shared_data(struct xdp_md *context)
{
	struct faas_call call = {
		.data = (void *)(long)context->data,
		.data_end = (void *)(long)context->data_end,
		.payload = (void *)(long)context->data + 14,
		.payload_bytes = 1,
	};
	__u32 sum = 0;

	first_event(&call);
	asm volatile("" : : : "memory"); /* to the compiler the tables are unrelated */
#pragma unroll
	for (int i = 0; i < 16; i++)
		sum += second_table[i];
	return sum ? XDP_DROP : XDP_PASS;
}

char shared_license[] SEC("license") = "Dual BSD/GPL";
