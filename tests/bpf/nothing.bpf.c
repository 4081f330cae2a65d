// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What others are measured against. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Does nothing");
FAAS_OUTPUT(done, "Always");

FAAS_EVENT(call)
{
	return faas_output(done);
}
