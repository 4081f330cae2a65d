// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counts the events of each key: a version that takes over nothing. */
#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Counts the events of each key");
FAAS_OUTPUT(total, "The count, after each event");
FAAS_FIELD(total, count, u64, "events", "Events of the key");

struct state {
	uint64_t count;
};
FAAS_STATE(struct state, 3);

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;

	(void)event;
	state->count++;
	return faas_emit(call, faas_output(total), (struct faas_value[]){{.u64 = state->count}}, 1);
}
