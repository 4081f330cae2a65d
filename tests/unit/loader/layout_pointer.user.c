// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* For function_layout_test.c: a state that cannot be kept. */
#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Keeps a pointer in its state");
struct state {
	uint64_t count;
	struct {
		const char *next;
	} list[2];
};
FAAS_STATE(struct state, 1);

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	(void)call;
	(void)event;
	(void)data;
	return 0;
}
