/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers in a payload whose layout is a parameter:
 *
 *	FAAS_PARAM_NUMBER(type, s32be, "How the number is stored");
 *	...
 *	if (faas_number_read(call, faas_param(type), faas_param(offset), &value))
 *		return faas_output(too_short);
 */
#ifndef EBPF_FAAS_NUMBER_H
#define EBPF_FAAS_NUMBER_H

#include <ebpf_faas/kernel.h>

/* Declare the parameter: one of the types below. */
#define FAAS_PARAM_NUMBER(name, default, doc)                                                      \
	FAAS_PARAM_CHOICE(name, default, doc, u8, s8, u16be, u16le, s16be, s16le, u32be, u32le,    \
			  s32be, s32le)

/* Its values, in the same order. */
enum faas_number {
	FAAS_NUMBER_U8,
	FAAS_NUMBER_S8,
	FAAS_NUMBER_U16BE,
	FAAS_NUMBER_U16LE,
	FAAS_NUMBER_S16BE,
	FAAS_NUMBER_S16LE,
	FAAS_NUMBER_U32BE,
	FAAS_NUMBER_U32LE,
	FAAS_NUMBER_S32BE,
	FAAS_NUMBER_S32LE,
};

#define FAAS_NUMBER_CASE(number, stored, swap)                                                     \
	case FAAS_NUMBER_##number: {                                                               \
		const stored *at = faas_payload(call, offset, sizeof(stored));                     \
		stored raw;                                                                        \
                                                                                                   \
		if (at)                                                                            \
			raw = *at;                                                                 \
		else if (faas_payload_load(call, offset, &raw, sizeof(raw)))                       \
			return -1;                                                                 \
		*ret = (stored)swap(raw);                                                          \
		return 0;                                                                          \
	}

/*
 * Read a number, also beyond the linear part of the packet. @p number is a
 * parameter: of the cases below one is left in the program. 0, or -1 with *ret
 * untouched: the payload does not have it, or begins in the middle of the
 * message, as that of a later fragment does.
 */
faas_inline int faas_number_read(const struct faas_call *call, __u32 number, __u32 offset,
				 __s64 *ret)
{
	if (call->flags & FAAS_EVENT_FRAGMENT)
		return -1;
	switch (number) {
		FAAS_NUMBER_CASE(U8, __u8, FAAS_AS_IS)
		FAAS_NUMBER_CASE(S8, __s8, FAAS_AS_IS)
		FAAS_NUMBER_CASE(U16BE, __u16, bpf_ntohs)
		FAAS_NUMBER_CASE(U16LE, __u16, FAAS_LE16)
		FAAS_NUMBER_CASE(S16BE, __s16, (__s16)bpf_ntohs)
		FAAS_NUMBER_CASE(S16LE, __s16, (__s16)FAAS_LE16)
		FAAS_NUMBER_CASE(U32BE, __u32, bpf_ntohl)
		FAAS_NUMBER_CASE(U32LE, __u32, FAAS_LE32)
		FAAS_NUMBER_CASE(S32BE, __s32, (__s32)bpf_ntohl)
		FAAS_NUMBER_CASE(S32LE, __s32, (__s32)FAAS_LE32)
	}
	return -1;
}

#endif
