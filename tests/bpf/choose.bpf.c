// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The packet says which output it takes: its first byte of payload, or of what
 * follows the last header that is known. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Takes the output that the packet names");
FAAS_OUTPUT(a, "0");
FAAS_OUTPUT(b, "1");
FAAS_OUTPUT(c, "2");
FAAS_OUTPUT(d, "3");
FAAS_OUTPUT(e, "Anything else");

FAAS_EVENT(call)
{
	__u8 number = 255;

	if (faas_payload_load(call, 0, &number, 1))
		return faas_output(e);
	switch (number) {
	case 0:
		return faas_output(a);
	case 1:
		return faas_output(b);
	case 2:
		return faas_output(c);
	case 3:
		return faas_output(d);
	}
	return faas_output(e);
}
