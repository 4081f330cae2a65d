// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* For function_layout_test.c: a state that is no structure. */
#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Has numbers for a state");
typedef int64_t numbers[4];
FAAS_STATE(numbers, 1);

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	(void)call;
	(void)event;
	(void)data;
	return 0;
}
