/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where numbers stand in a payload: the value of a parameter of type layout,
 * which a workflow writes as a list of fields. The worker fills the variable of
 * the parameter with struct faas_layout; names and units are in the manifest.
 */
#ifndef EBPF_FAAS_LAYOUT_H
#define EBPF_FAAS_LAYOUT_H

#include <ebpf_faas/event.h>

/* How a number is stored: width in bits, and byte order. */
enum faas_layout_type {
	FAAS_LAYOUT_U8,
	FAAS_LAYOUT_S8,
	FAAS_LAYOUT_U16BE,
	FAAS_LAYOUT_U16LE,
	FAAS_LAYOUT_S16BE,
	FAAS_LAYOUT_S16LE,
	FAAS_LAYOUT_U32BE,
	FAAS_LAYOUT_U32LE,
	FAAS_LAYOUT_S32BE,
	FAAS_LAYOUT_S32LE,
	FAAS_LAYOUT_U64BE,
	FAAS_LAYOUT_U64LE,
	FAAS_LAYOUT_S64BE,
	FAAS_LAYOUT_S64LE,
	FAAS_LAYOUT_F32BE, /* IEEE 754 */
	FAAS_LAYOUT_F32LE,
	FAAS_LAYOUT_F64BE,
	FAAS_LAYOUT_F64LE,
};

/* Largest factor, either sign, in millionths: the product with any number of 32
 * bits fits into an s64. */
#define FAAS_LAYOUT_SCALE_MAX (1000ll * FAAS_DECIMAL_ONE)

struct faas_layout_field {
	__u32 offset;	 /* first byte in the payload */
	__u8 type;	 /* enum faas_layout_type */
	__u8 first_bit;	 /* counted from the least significant */
	__u8 bit_count;	 /* 0: all of the number */
	__u8 field_type; /* enum faas_field_type: of the value that is made of it */
	__s64 scale;	 /* the number times this, in millionths; 0: as it is */
};

struct faas_layout {
	__u32 count;
	__u32 reserved;
	struct faas_layout_field fields[FAAS_FIELDS_MAX];
};

static inline unsigned int faas_layout_bytes(unsigned int type)
{
	if (type >= FAAS_LAYOUT_F32BE)
		return type <= FAAS_LAYOUT_F32LE ? 4 : 8;
	if (type >= FAAS_LAYOUT_U64BE)
		return 8;
	if (type >= FAAS_LAYOUT_U32BE)
		return 4;
	return type >= FAAS_LAYOUT_U16BE ? 2 : 1;
}

static inline int faas_layout_is_real(unsigned int type)
{
	return type >= FAAS_LAYOUT_F32BE;
}

static inline int faas_layout_is_signed(unsigned int type)
{
	return type == FAAS_LAYOUT_S8 || type == FAAS_LAYOUT_S16BE || type == FAAS_LAYOUT_S16LE ||
	       type == FAAS_LAYOUT_S32BE || type == FAAS_LAYOUT_S32LE ||
	       type == FAAS_LAYOUT_S64BE || type == FAAS_LAYOUT_S64LE;
}

static inline int faas_layout_is_little_endian(unsigned int type)
{
	return type > FAAS_LAYOUT_S8 && (type - FAAS_LAYOUT_U16BE) % 2;
}

/* What a stored number becomes: itself; with a factor a decimal where that is
 * exact, else floating point. */
static inline enum faas_field_type faas_layout_field_type(unsigned int type, __s64 scale)
{
	if (faas_layout_is_real(type) || (scale && faas_layout_bytes(type) > 4))
		return FAAS_FIELD_F64;
	if (scale)
		return FAAS_FIELD_DECIMAL;
	return faas_layout_is_signed(type) ? FAAS_FIELD_S64 : FAAS_FIELD_U64;
}

#endif
