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
	/* For measuring: each run writes the next number into the first 8 bytes
	 * of the payload, so that no two packets are alike. */
	__u32 vary;
	__u64 number;
};

struct one_answer {
	__s32 output;
	__u32 fields_present;
	__u64 fields[FAAS_RECORD_FIELDS_MAX];
};

#ifdef ONE_FUNCTION_DRIVER

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

SEC("xdp.frags")
int one_function(struct xdp_md *context)
{
	struct faas_call call;
	struct faas_packet *from;
	struct one_request *asked;
	struct one_answer *said;
	__u32 zero = 0;

	from = bpf_map_lookup_elem(&packet, &zero);
	asked = bpf_map_lookup_elem(&request, &zero);
	said = bpf_map_lookup_elem(&answer, &zero);
	if (!from || !asked || !said)
		return XDP_ABORTED;
	driver_begin(&call, context, from, FAAS_HOOK_XDP);
	if (asked->vary) {
		__u64 *number = faas_payload(&call, 0, sizeof(*number));

		if (!number)
			return XDP_ABORTED;
		*number = ++asked->number;
	}
	said->output = run_instance(&call, asked->instance);
	said->fields_present = call.fields_present;
#pragma unroll
	for (int i = 0; i < FAAS_RECORD_FIELDS_MAX; i++)
		said->fields[i] = call.fields_present & (1u << i) ? call.fields[i] : 0;
	return XDP_PASS;
}

char one_license[] SEC("license") = "Dual BSD/GPL";

#endif
#endif
