// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* sample: one packet in so many, or one flow in so many. See README.md. */
#include <ebpf_faas/key.h>

FAAS_KERNEL_FUNCTION("Picks one packet in so many, or whole flows");
FAAS_PARAM_CHANGEABLE(u32, every, 100, 1, 1000000000, "One in so many is picked; 1: all");
FAAS_PARAM_CHOICE(of, packets, "What is picked: packets at random, or flows whole", packets, flows);
FAAS_OUTPUT(sampled, "Picked");
FAAS_OUTPUT(rest, "Not picked");

static __u64 seed;

/* One end of a flow. Fragments are alike without ports: only the first has them. */
faas_inline __u64 hash_end(const struct faas_call *call, __u64 hash,
			   const union faas_address *address, __u16 port)
{
	if (call->flags & (FAAS_EVENT_FIRST_FRAGMENT | FAAS_EVENT_FRAGMENT))
		port = 0;
	hash = faas_hash_mix(hash, address->halves[0]);
	hash = faas_hash_mix(hash, address->halves[1]);
	return faas_hash_mix(hash, port);
}

/* The same for both directions. Packets without IP are one flow. */
faas_inline __u32 hash_flow(const struct faas_call *call)
{
	__u64 start = faas_seed(&seed), ends;
	union faas_address address;

	faas_source_address(call, &address);
	ends = hash_end(call, start, &address, call->source_port);
	faas_destination_address(call, &address);
	ends += hash_end(call, start, &address, call->destination_port);
	return (__u32)(faas_hash_mix(ends, call->ip_protocol) >> 32);
}

FAAS_EVENT(call)
{
	__u64 number = faas_param(of) == of_flows ? hash_flow(call) : bpf_get_prandom_u32();

	/* Below 1 of `every` equal parts of all numbers. */
	return number * faas_param(every) >> 32 ? faas_output(rest) : faas_output(sampled);
}
