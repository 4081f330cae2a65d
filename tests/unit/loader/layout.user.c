// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* For function_layout_test.c: a state with a member of every kind. */
#include <ebpf_faas/user.h>

#include "layout.h"

FAAS_USER_FUNCTION("Has a state with a member of every kind");
FAAS_STATE(struct layout_state, 3);

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	(void)call;
	(void)event;
	(void)data;
	return 0;
}
