// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A parameter of each type that can be changed while the workflow runs. */
#include <ebpf_faas/kernel.h>

FAAS_KERNEL_FUNCTION("Splits packets by the number at offset 4");
FAAS_PARAM_CHANGEABLE(u32, limit, 10, 0, 1000, "Numbers below it are low");
FAAS_PARAM_CHANGEABLE(bool, inverted, false, , , "The other way round");
FAAS_PARAM_CHANGEABLE(duration, pause, 500ms, 1ms, 1h, "Not used, but there");
FAAS_PARAM_CHANGEABLE(decimal, scale, -0.5, -1000, 1000, "Number times this, when not 1");
FAAS_PARAM(u32, offset, 4, 0, 100, "Where the number stands");
FAAS_OUTPUT(low, "Below the limit");
FAAS_OUTPUT(high, "From the limit on");

FAAS_EVENT(call)
{
	__u32 number = 0;

	if (faas_read_u32be(call, faas_param(offset), &number))
		return faas_output(low);
	if (faas_param(pause) == 1000000 && faas_param(scale) == 2000000)
		number *= 2;
	return (number < faas_param(limit)) != !!faas_param(inverted) ? faas_output(low)
								      : faas_output(high);
}
