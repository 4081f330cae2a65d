// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Counts the events of each key; misbehaves when asked to");
FAAS_PARAM_U64(every, 1, 1, 1000000, "Emit a total each so many events");
FAAS_PARAM_U64(copies, 1, 0, 32, "Records for each total");
FAAS_PARAM_U64(fail_every, 0, 0, 1000000, "Refuse each so many events; 0: none");
FAAS_PARAM_U64(crash_at, 0, 0, 1000000000, "Crash at the event of this number; 0: never");
FAAS_PARAM_U64(spin, 0, 0, 1000000, "Rounds of work for each event");
FAAS_OUTPUT(total, "The count so far");
FAAS_FIELD(total, count, u64, "events", "Events of this key");
FAAS_FIELD(total, number, u64, "", "Number of the event");
FAAS_OUTPUT(raw, "Nothing but the payload");
FAAS_INPUT(number, "Number of the event");

struct state {
	uint64_t count;
	uint64_t sum;
	uint64_t check; /* count ^ sum: a torn copy shows */
};
FAAS_STATE(struct state, 1);

/* The worker has a function of this name. It is not this one. */
uint64_t state_hash(uint64_t count, uint64_t sum);
uint64_t state_hash(uint64_t count, uint64_t sum)
{
	return count ^ sum;
}

static uint64_t calls; /* private to the instance, lost with the worker */

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;
	int64_t number = 0;

	(void)event;
	calls++;
	for (volatile uint64_t i = 0; i < faas_param(spin); i++)
		;
	if (faas_input_s64(call, faas_input(number), &number))
		return -1;
	if (faas_param(crash_at) && (uint64_t)number == faas_param(crash_at))
		abort();
	if (!state)
		return 0;
	if (state->check != state_hash(state->count, state->sum))
		return -2;
	state->count++;
	state->sum += (uint64_t)number;
	state->check = state_hash(state->count, state->sum);
	if (faas_param(fail_every) && (uint64_t)number % faas_param(fail_every) == 0) {
		(void)faas_emit(call, faas_output(raw), NULL, 0);
		return -3;
	}
	if (state->count % faas_param(every))
		return 0;
	for (uint64_t i = 0; i < faas_param(copies); i++) {
		const struct faas_value values[] = {{.u64 = state->count},
						    {.u64 = (uint64_t)number}};

		if (faas_emit(call, faas_output(total), values, 2))
			return 0;
	}
	return 0;
}
