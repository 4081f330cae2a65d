// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Writes the version it belongs to into the packet: see bench_stamped. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Stamps the first byte of the payload");
FAAS_PARAM(u32, version, 1, 0, 255, "What is written");
FAAS_OUTPUT(done, "Stamped, or there is no payload");

FAAS_EVENT(call)
{
	__u8 *first = faas_payload(call, 0, 1);

	if (first)
		*first = faas_param(version);
	return faas_output(done);
}
