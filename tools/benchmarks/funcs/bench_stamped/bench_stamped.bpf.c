// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Compares the stamp with the version it belongs to: a packet that two versions of a
 * workflow had to do with shows. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Checks the first byte of the payload");
FAAS_PARAM(u32, version, 1, 0, 255, "What it must be");
FAAS_OUTPUT(same, "It is");
FAAS_OUTPUT(mixed, "It is not");

FAAS_EVENT(call)
{
	__u8 *first = faas_payload(call, 0, 1);

	return first && *first == faas_param(version) ? faas_output(same) : faas_output(mixed);
}
