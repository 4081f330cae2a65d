// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* range_filter: is the number in the payload within its range? See README.md. */
#include <ebpf_faas/number.h>

FAAS_KERNEL_FUNCTION("Splits packets by whether a number in their payload is within a range");
FAAS_PARAM(u32, offset, 0, 0, 9000, "Where the number begins in the payload, in bytes");
FAAS_PARAM_NUMBER(type, s32be, "How the number is stored; be is network byte order");
FAAS_PARAM(decimal, scale, 1, -2000, 2000, "The stored number times this is the value");
FAAS_PARAM_REQUIRED(decimal, min, -9000000000000, 9000000000000, "Smallest value that is inside");
FAAS_PARAM_REQUIRED(decimal, max, -9000000000000, 9000000000000, "Largest value that is inside");
FAAS_OUTPUT(inside, "The value is min, max or between them");
FAAS_OUTPUT(outside, "The value is below min or above max");
FAAS_OUTPUT(too_short, "The payload ends before the number does, or is that of a later fragment");
FAAS_FIELD(inside, value, decimal, "", "The number, scaled");
FAAS_FIELD(outside, value, decimal, "", "The number, scaled");

FAAS_EVENT(call)
{
	__s64 value;

	if (faas_number_read(call, faas_param(type), faas_param(offset), &value))
		return faas_output(too_short);
	/* In millionths. It cannot overflow: 2^32 times 2000 million is below 2^63. */
	value *= faas_param(scale);
	faas_field_set(call, value, value);
	if (value < faas_param(min) || value > faas_param(max))
		return faas_output(outside);
	return faas_output(inside);
}
