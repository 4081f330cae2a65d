// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counts the events of each key twice, at the two ends of its state. A state that was
 * written by halves and not repaired shows in every count that follows.
 */
#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Counts the events of each key, twice");
FAAS_OUTPUT(total, "Both counts, after each event");
FAAS_FIELD(total, count, u64, "events", "Kept at the beginning of the state");
FAAS_FIELD(total, twin, u64, "events", "Kept at the end of the state");

struct state {
	uint64_t count;
	uint64_t between[30];
	uint64_t twin;
};
FAAS_STATE(struct state, 1);

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;

	(void)event;
	state->count++;
	state->twin++;
	return faas_emit(call, faas_output(total),
			 (struct faas_value[]){{.u64 = state->count}, {.u64 = state->twin}}, 2);
}
