/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The driver that stands in for a workflow when functions are tested alone.
 * function_harness.c writes a C file with the constants of the instances and
 * run_instance(), then includes this.
 *
 * The test puts the packet's description into `packet`, as the root program
 * does, and chooses in `request` which instance to call; `answer` says what it
 * did.
 */
#ifndef FAAS_TEST_ONE_FUNCTION_H
#define FAAS_TEST_ONE_FUNCTION_H

struct one_request {
	__u32 instance;
	/* So that no two packets are alike, each run writes the next number into the
	 * first 8 bytes of the payload (1) or over the IPv4 source address (2). Or
	 * into the payload, but each CPU counts for itself (3): all have the same
	 * packets in the same order. */
	__u16 vary;
	__u16 tally; /* count answers in the map `tallies` */
	__u64 number;
};

struct one_answer {
	__s32 output;
	__u32 fields_present;
	__u64 fields[FAAS_RECORD_FIELDS_MAX];
};

#ifdef ONE_FUNCTION_DRIVER

#define SOURCE4_OFFSET 26 /* in a frame without VLAN tag */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FAAS_OUTPUTS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} tallies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct one_request);
} request SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct one_answer);
} answer SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sequence SEC(".maps");

/* Make the packet unlike all before. 0, or -1: it is too short for that. */
faas_inline int one_vary(const struct faas_call *call, struct one_request *asked)
{
	__u32 zero = 0;

	if (asked->vary == 1 || asked->vary == 3) {
		__u64 *number = faas_payload(call, 0, sizeof(*number)), *counter = &asked->number;

		if (asked->vary == 3)
			counter = bpf_map_lookup_elem(&sequence, &zero);
		if (!number || !counter)
			return -1;
		*number = ++*counter;
	} else {
		__u32 *source = call->data + SOURCE4_OFFSET;

		if ((void *)(source + 1) > call->data_end)
			return -1;
		*source = (__u32)++asked->number * 2654435761u; /* each number once */
	}
	return 0;
}

SEC("xdp.frags")
int one_function(struct xdp_md *context)
{
	struct faas_call call;
	struct faas_packet *from;
	struct one_request *asked;
	struct one_answer *said;
	__u32 zero = 0;
	int output;

	from = bpf_map_lookup_elem(&packet, &zero);
	asked = bpf_map_lookup_elem(&request, &zero);
	said = bpf_map_lookup_elem(&answer, &zero);
	if (!from || !asked || !said)
		return XDP_ABORTED;
	driver_begin(&call, context, from, FAAS_HOOK_XDP);
	if (asked->vary && one_vary(&call, asked))
		return XDP_ABORTED;
	output = run_instance(&call, asked->instance);
	if (asked->tally) {
		__u64 *tally = bpf_map_lookup_elem(&tallies, &output);

		if (!tally)
			return XDP_ABORTED;
		__sync_fetch_and_add(tally, 1);
	}
	said->output = output;
	said->fields_present = call.fields_present;
#pragma unroll
	for (int i = 0; i < FAAS_RECORD_FIELDS_MAX; i++)
		said->fields[i] = call.fields_present & (1u << i) ? call.fields[i] : 0;
	return XDP_PASS;
}

char one_license[] SEC("license") = "Dual BSD/GPL";

#endif
#endif
