/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Functions that are not inlined: the verifier looks at each by itself, so they
 * are given nothing that it would have to know more about than its type. The
 * fields that functions set travel in memory; the packet is described anew.
 * Included behind the driver's struct driver_fields.
 */
#ifndef FAAS_BPF_DRIVER_APART_H
#define FAAS_BPF_DRIVER_APART_H

#include "driver.h"

/* struct driver_fields is as large as the fields of this workflow: the stack is
 * why functions are built apart. */
_Static_assert(DRIVER_FIELDS <= FAAS_RECORD_FIELDS_MAX, "fields fit into a call");

faas_inline void driver_fields_get(struct faas_call *call, const struct driver_fields *fields)
{
	call->fields_present = (__u32)fields->present;
#pragma unroll
	for (__u32 i = 0; i < DRIVER_FIELDS; i++)
		call->fields[i] = fields->values[i];
}

faas_inline void driver_fields_put(const struct faas_call *call, struct driver_fields *fields)
{
	fields->present = call->fields_present;
#pragma unroll
	for (__u32 i = 0; i < DRIVER_FIELDS; i++)
		fields->values[i] = call->fields_present & 1u << i ? call->fields[i] : 0;
}

/* Call one. @p function takes the context of its hook. */
#define driver_call_apart(call, from, fields, function)                                            \
	({                                                                                         \
		int answer;                                                                        \
		driver_fields_put(call, fields);                                                   \
		answer = function((call)->context, from, fields);                                  \
		driver_fields_get(call, fields);                                                   \
		answer;                                                                            \
	})

#endif
