/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing a kernel function: one C file, funcs/NAME/NAME.bpf.c.
 *
 *	#include <ebpf_faas/kernel.h>
 *
 *	FAAS_KERNEL_FUNCTION("Splits packets by the value of one byte");
 *	FAAS_PARAM(u32, offset, 0, 0, 1400, "Byte of the payload to look at");
 *	FAAS_PARAM(u32, limit, 128, 0, 255, "Values from here on are high");
 *	FAAS_OUTPUT(low, "Below the limit, or no such byte");
 *	FAAS_OUTPUT(high, "At the limit or above");
 *
 *	FAAS_EVENT(call)
 *	{
 *		__u8 value;
 *
 *		if (faas_read_u8(call, faas_param(offset), &value))
 *			return faas_output(low);
 *		return value < faas_param(limit) ? faas_output(low) : faas_output(high);
 *	}
 *
 * The function is called once for each packet that reaches it, answers with
 * one of its outputs, and is inlined into the program of its workflow.
 * Parameters are constants there. Global and static variables are private to
 * the instance of the function, shared by all CPUs, and not locked.
 *
 * What a BPF program may not do, a kernel function may not do: loops are
 * bounded, the stack is 512 bytes for the whole workflow, and a packet is read
 * through the functions below or after a check against call->data_end.
 */
#ifndef EBPF_FAAS_KERNEL_H
#define EBPF_FAAS_KERNEL_H

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <ebpf_faas/describe.h>
#include <ebpf_faas/event.h>
#include <ebpf_faas/limits.h>

#define FAAS_KERNEL_FUNCTION(doc) FAAS_META("function\tkernel\t" doc)

/**
 * Declare a parameter: FAAS_PARAM(type, name, default, min, max, "what it is").
 *
 * @p type is u32, u64, s64, bool, duration (nanoseconds), bytes or decimal
 * (millionths). @p default, @p min and @p max are written as in a workflow
 * (500ms, 16Ki, -0.5). FAAS_PARAM_REQUIRED has no default.
 */
#define FAAS_PARAM(type, name, default, min, max, doc)                                             \
	FAAS_META("param\t" #type "\t" #name "\t" #default "\t" #min "\t" #max "\t" doc "\t");     \
	extern const FAAS_TYPE_##type faas_param_##name
#define FAAS_PARAM_REQUIRED(type, name, min, max, doc)                                             \
	FAAS_META("param\t" #type "\t" #name "\t\t" #min "\t" #max "\t" doc "\t");                 \
	extern const FAAS_TYPE_##type faas_param_##name

/**
 * Declare a parameter that can be changed while the workflow runs:
 * `ebpf-faas set WORKFLOW FUNCTION.NAME=VALUE`. As FAAS_PARAM(), and read with
 * faas_param(name) like any other; but it is no constant, and two reads in one
 * call may differ: read it once.
 */
#define FAAS_PARAM_CHANGEABLE(type, name, default, min, max, doc)                                  \
	FAAS_META("param\t" #type "\t" #name "\t" #default "\t" #min "\t" #max "\t" doc "\t");     \
	FAAS_META("changeable\t" #name);                                                           \
	extern const volatile FAAS_TYPE_##type faas_param_##name

/**
 * Declare a parameter that is a text file of the workflow's author: what a map
 * holds from the start, see FAAS_MAP_CONTENTS(). The workflow must give it, as
 * a path relative to the workflow file. The function itself cannot read it.
 */
#define FAAS_PARAM_FILE(name, doc) FAAS_META("param\tfile\t" #name "\t\t\t\t" doc "\t")

/**
 * Declare a parameter that is one word of a list. Its value is the number of
 * the word; NAME_WORD is an enumerator with that number.
 * FAAS_PARAM_CHOICE(name, default, "what it is", words...)
 */
#define FAAS_PARAM_CHOICE(name, default, doc, ...)                                                 \
	FAAS_META("param\tchoice\t" #name "\t" #default "\t\t\t" doc "\t" #__VA_ARGS__);           \
	enum { FAAS_WORDS(name, __VA_ARGS__) };                                                    \
	extern const unsigned int faas_param_##name

/**
 * Declare a parameter that is a list of words. Its value has bit NAME_WORD set
 * for each word given: faas_param_has(name, WORD).
 */
#define FAAS_PARAM_SET(name, default, doc, ...)                                                    \
	FAAS_META("param\tset\t" #name "\t" #default "\t\t\t" doc "\t" #__VA_ARGS__);              \
	enum { FAAS_WORDS(name, __VA_ARGS__) };                                                    \
	extern const unsigned int faas_param_##name

#define faas_param(name) faas_param_##name
#define faas_param_has(name, word) ((faas_param_##name >> name##_##word) & 1)

/** Declare an output. Outputs are numbered by the loader; use faas_output(). */
#define FAAS_OUTPUT(name, doc)                                                                     \
	FAAS_META("output\t" #name "\t" doc);                                                      \
	extern const unsigned int faas_output_##name
#define faas_output(name) ((int)faas_output_##name)

/**
 * Declare a field that an output carries on to later functions and to sinks:
 * FAAS_FIELD(output, name, type, "unit", "what it is"), type u64, s64 or
 * decimal. Set it with faas_field_set(call, name, value).
 */
#define FAAS_FIELD(output, name, type, unit, doc)                                                  \
	FAAS_META("field\t" #output "\t" #name "\t" #type "\t" unit "\t" doc);                     \
	extern const unsigned int faas_field_##name

/**
 * Say that the size of a state map is a parameter. Without it the map has the
 * max_entries of its definition.
 */
#define FAAS_MAP_ENTRIES(map, param) FAAS_META("map\t" #map "\t" #param)

/**
 * Say that a state map is filled from the file that @p param names when the
 * workflow is loaded: one line "KEY" or "KEY VALUE" for each entry, comments
 * from "#" on. How a line is read follows from the types of the map:
 *
 *   key of an LPM trie      __u32, then 4 or 16 bytes of address: a prefix,
 *                           10.0.0.0/8 or 2001:db8::/32; 16 bytes hold IPv4 as
 *                           ::ffff:a.b.c.d
 *   key of 16 bytes         an address, IPv4 as ::ffff:a.b.c.d
 *   other keys and values   an integer, decimal or 0x..., of 1, 2, 4 or 8 bytes
 *   no value in the line    1 (for values longer than 8 bytes: zeros)
 */
#define FAAS_MAP_CONTENTS(map, param) FAAS_META("contents\t" #map "\t" #param)

/* Where a packet is seen. */
enum faas_hook {
	FAAS_HOOK_XDP,
	FAAS_HOOK_TC_INGRESS,
	FAAS_HOOK_TC_EGRESS,
};

/* Define the function. @p call is the name of its argument. */
#define FAAS_EVENT(call) int faas_event(struct faas_call *call)

/**
 * One packet on its way through a workflow. Valid during one call. Functions
 * read it; only the runtime writes it, but for fields (faas_field_set).
 */
struct faas_call {
	void *data;	/* first byte of the frame */
	void *data_end; /* one past the last byte in the linear part */
	void *payload;	/* first byte of the payload: what follows the last header known */
	void *context;	/* struct xdp_md, or struct __sk_buff at the TC hooks */
	__u64 hook;	/* enum faas_hook; a constant once the function is inlined */
	__u32 l3_offset;
	__u32 l4_offset;
	__u32 payload_offset;
	__u32 payload_bytes; /* of it: announced by the headers and present */
	__u16 source_port;   /* host byte order; 0 but for UDP and TCP */
	__u16 destination_port;
	__u16 vlan;
	__u16 trigger;
	__u8 ip_version;  /* 4, 6; 0: no IP */
	__u8 ip_protocol; /* 0 without IP */
	__u8 flags;
	__u32 fields_present;
	__u64 fields[FAAS_RECORD_FIELDS_MAX];
};

/* Offsets from the packet record are below this; the verifier is told so. */
#define FAAS_HEADERS_BYTES_MAX 1024

#define faas_inline static inline __attribute__((always_inline))

/* Whether the payload has @p bytes bytes from @p offset on. The second half is
 * for the verifier, which knows only the end of the packet. */
#define faas_payload_has(call, offset, bytes)                                                      \
	((offset) < 16384 && (offset) + (bytes) <= (call)->payload_bytes &&                        \
	 (call)->payload + (offset) + (bytes) <= (call)->data_end)

/*
 * Pointer to @p bytes bytes of payload from @p offset on, or NULL when the
 * payload does not have them. @p bytes must be a constant. @p offset below
 * 16384.
 */
faas_inline void *faas_payload(const struct faas_call *call, __u32 offset, __u32 bytes)
{
	return faas_payload_has(call, offset, bytes) ? call->payload + offset : (void *)0;
}

/*
 * Read an integer of the payload. 0, or -1 with *ret untouched when the payload
 * is too short. "be" is network order, "le" little endian. The load may be
 * unaligned: where BPF runs with packets at odd addresses that is one
 * instruction, and a packed type would make it four.
 */
#define FAAS_READ(name, type, swap)                                                                \
	faas_inline int faas_read_##name(const struct faas_call *call, __u32 offset, type *ret)    \
	{                                                                                          \
		if (!faas_payload_has(call, offset, sizeof(type)))                                 \
			return -1;                                                                 \
		*ret = (type)swap(*(const type *)(call->payload + offset));                        \
		return 0;                                                                          \
	}
#define FAAS_AS_IS(value) (value)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FAAS_LE16(value) (value)
#define FAAS_LE32(value) (value)
#define FAAS_LE64(value) (value)
#else
#define FAAS_LE16(value) __builtin_bswap16(value)
#define FAAS_LE32(value) __builtin_bswap32(value)
#define FAAS_LE64(value) __builtin_bswap64(value)
#endif
FAAS_READ(u8, __u8, FAAS_AS_IS)
FAAS_READ(s8, __s8, FAAS_AS_IS)
FAAS_READ(u16be, __u16, bpf_ntohs)
FAAS_READ(u16le, __u16, FAAS_LE16)
FAAS_READ(s16be, __s16, (__s16)bpf_ntohs)
FAAS_READ(s16le, __s16, (__s16)FAAS_LE16)
FAAS_READ(u32be, __u32, bpf_ntohl)
FAAS_READ(u32le, __u32, FAAS_LE32)
FAAS_READ(s32be, __s32, (__s32)bpf_ntohl)
FAAS_READ(s32le, __s32, (__s32)FAAS_LE32)
FAAS_READ(u64be, __u64, bpf_be64_to_cpu)
FAAS_READ(u64le, __u64, FAAS_LE64)

/*
 * Copy @p bytes bytes of the payload from @p offset on, also where they lie
 * beyond the linear part of the packet. 0, or -1: the payload does not have
 * them, and @p to may have changed. @p bytes is a constant, or the verifier can
 * see that it is from 1 to the size of @p to. A call of a helper: where the
 * bytes are usually in the linear part, faas_payload() first is faster.
 */
faas_inline int faas_payload_load(const struct faas_call *call, __u32 offset, void *to, __u32 bytes)
{
	if (offset > call->payload_bytes || bytes > call->payload_bytes - offset)
		return -1;
	offset += call->payload_offset;
	if (call->hook == FAAS_HOOK_XDP)
		return bpf_xdp_load_bytes(call->context, offset, to, bytes) ? -1 : 0;
	return bpf_skb_load_bytes(call->context, offset, to, bytes) ? -1 : 0;
}

/* Bytes of the whole frame, without the frame check sequence. */
faas_inline __u32 faas_frame_bytes(const struct faas_call *call)
{
	__u32 linear_bytes = call->data_end - call->data;

	if (call->hook != FAAS_HOOK_XDP)
		return ((struct __sk_buff *)call->context)->len;
	/* What the headers announce is all there: so is the frame. */
	if (call->payload_offset + call->payload_bytes <= linear_bytes)
		return linear_bytes;
	return (__u32)bpf_xdp_get_buff_len(call->context);
}

/* An address in network order; IPv4 as ::ffff:a.b.c.d. */
union faas_address {
	__u8 bytes[16];
	__u32 words[4];
	__u64 halves[2];
};

faas_inline void faas_address_load(const struct faas_call *call, __u32 offset4, __u32 offset6,
				   union faas_address *ret)
{
	const void *l3 = call->data + (call->l3_offset & (FAAS_HEADERS_BYTES_MAX - 1));
	const __u32 *from;

	ret->halves[0] = 0;
	ret->halves[1] = 0;
	if (call->ip_version == 6) {
		if (l3 + 40 > call->data_end)
			return;
		from = l3 + offset6;
		ret->words[0] = from[0];
		ret->words[1] = from[1];
		ret->words[2] = from[2];
		ret->words[3] = from[3];
	} else if (call->ip_version) {
		if (l3 + 20 > call->data_end)
			return;
		from = l3 + offset4;
		ret->words[2] = bpf_htonl(0xffff);
		ret->words[3] = from[0];
	}
}

/* The packet's source and destination address; zeros without IP. */
faas_inline void faas_source_address(const struct faas_call *call, union faas_address *ret)
{
	faas_address_load(call, 12, 8, ret);
}

faas_inline void faas_destination_address(const struct faas_call *call, union faas_address *ret)
{
	faas_address_load(call, 16, 24, ret);
}

/* Set a declared field. Decimal fields take millionths. */
#define faas_field_set(call, name, value)                                                          \
	do {                                                                                       \
		(call)->fields[faas_field_##name & (FAAS_RECORD_FIELDS_MAX - 1)] = (__u64)(value); \
		(call)->fields_present |= 1u << faas_field_##name;                                 \
	} while (0)

/* Nanoseconds of CLOCK_MONOTONIC. The coarse clock has the resolution of the
 * kernel's tick (1 to 10 ms) and costs half as much. */
faas_inline __u64 faas_now_ns(void)
{
	return bpf_ktime_get_ns();
}

faas_inline __u64 faas_now_coarse_ns(void)
{
	return bpf_ktime_get_coarse_ns();
}

/* Mix one word into a 64-bit hash. Every bit of the word reaches every bit of
 * the result: keys differ in few bits, shards are the lowest ones, and the signs
 * of neighbouring numbers change together. Not for secrets: whoever knows the
 * source can make collisions. */
faas_inline __u64 faas_hash_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93ull;
	return hash ^ (hash >> 32);
}

#endif
