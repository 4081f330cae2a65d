// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * match: are these bytes in the payload? See README.md.
 *
 * The search for the marker has one way through its loop, whatever the payload
 * holds, and comes out with a number of which the verifier knows only a bound:
 * everything behind is verified once, not once for each place of the marker.
 */
#include <ebpf_faas/kernel.h>

#define SEARCH_BYTES_MAX 256
#define WORD_BYTES 8

FAAS_KERNEL_FUNCTION("Splits packets by whether their payload has certain bytes");
FAAS_PARAM_REQUIRED(u64, value, 0, 0xffffffffffffffff,
		    "The bytes, as one number: first byte highest");
FAAS_PARAM(u32, length, 1, 1, 8, "How many bytes value has");
FAAS_PARAM(u64, mask, 0xffffffffffffffff, 0, 0xffffffffffffffff, "Bits of value that are compared");
FAAS_PARAM(u32, offset, 0, 0, 9000,
	   "Where the bytes are: from the payload's begin, or the marker's end");
FAAS_PARAM(u64, marker, 0, 0, 0xffffffffffffffff, "Bytes to search for first, as one number");
FAAS_PARAM(u32, marker_length, 0, 0, 8, "How many bytes marker has; 0: there is no marker");
FAAS_PARAM(u32, search, 64, 1, 256, "Bytes of the payload that the marker must lie within");
FAAS_OUTPUT(matched, "The bytes are there");
FAAS_OUTPUT(other, "Other bytes are there, or the marker is not");
FAAS_OUTPUT(too_short, "The payload ends before them, or is that of a later fragment");

/* Bits of a word's lowest @p bytes bytes. */
#define LOW_BYTES(bytes) ((bytes) < WORD_BYTES ? (1ull << 8 * (bytes)) - 1 : ~0ull)

/* The first bytes of the payload, where they are beyond the linear part. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[SEARCH_BYTES_MAX]);
} head SEC(".maps");

/* @p length bytes at @p offset, as a number. 0, or -1: not all there. */
faas_inline int read_word(const struct faas_call *call, __u32 offset, __u32 length, __u64 *ret)
{
	const __u8 *at = faas_payload(call, offset, length);
	__u64 word = 0;
	__u8 bytes[WORD_BYTES];

	if (at) {
#pragma unroll
		for (__u32 i = 0; i < WORD_BYTES; i++)
			if (i < length)
				word = word << 8 | at[i];
	} else {
		if (faas_payload_load(call, offset, bytes, length))
			return -1;
#pragma unroll
		for (__u32 i = 0; i < WORD_BYTES; i++)
			if (i < length)
				word = word << 8 | bytes[i];
	}
	*ret = word;
	return 0;
}

/* Where the marker ends, or 0: it is not there. */
faas_inline __u32 find_marker(const struct faas_call *call)
{
	__u32 bytes = call->payload_bytes, zero = 0, left, end;
	__u64 window = 0;
	__u8 *bytes_of;

	if (bytes > faas_param(search))
		bytes = faas_param(search);
	if (!bytes)
		return 0;
	/* From 1 to the size of the map's value, in one number: older verifiers
	 * forget a bound that was found on a copy, and learn none from "not 0". */
	bytes--;
	asm volatile("" : "+r"(bytes));
	bytes = (bytes & (SEARCH_BYTES_MAX - 1)) + 1;
	bytes_of = bpf_map_lookup_elem(&head, &zero);
	if (!bytes_of || faas_payload_load(call, 0, bytes_of, bytes))
		return 0;
	left = bytes;
	for (__u32 i = 0; i < faas_param(search); i++) {
		if (!left)
			return 0;
		left--;
		/* Counted from the end of an unknown length: else the verifier
		 * would know it, and follow each value of it. */
		asm volatile("" : "+r"(left));
		end = (bytes - left) & (2 * SEARCH_BYTES_MAX - 1);
		asm volatile("" : "+r"(end));
		window = window << 8 | bytes_of[i];
		if (i + 1 >= faas_param(marker_length) &&
		    (window & LOW_BYTES(faas_param(marker_length))) ==
			    (faas_param(marker) & LOW_BYTES(faas_param(marker_length))))
			return end;
	}
	return 0;
}

FAAS_EVENT(call)
{
	__u64 wanted = faas_param(mask) & LOW_BYTES(faas_param(length)), word;
	__u32 offset = faas_param(offset);

	if (call->flags & FAAS_EVENT_FRAGMENT)
		return faas_output(too_short);
	if (faas_param(marker_length)) {
		__u32 end = find_marker(call);

		if (!end)
			return faas_output(other);
		offset += end;
	}
	if (read_word(call, offset, faas_param(length), &word))
		return faas_output(too_short);
	return (word ^ faas_param(value)) & wanted ? faas_output(other) : faas_output(matched);
}
