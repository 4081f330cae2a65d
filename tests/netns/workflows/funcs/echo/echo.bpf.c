// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Sends every packet to one output");
FAAS_OUTPUT(back, "Every packet");

FAAS_EVENT(call)
{
	(void)call;
	return faas_output(back);
}
