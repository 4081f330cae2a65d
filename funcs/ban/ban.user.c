// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ban: too many events of a key in a time, and it is banned. See README.md. */
#include <errno.h>

#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Bans keys that bring too many events within a time");
FAAS_PARAM_U64(limit, 5, 1, 1000000000, "Events of one key that are allowed");
FAAS_PARAM_DURATION(within, 1m, 1ms, 30d, "In so long a time, from the first of them on");
FAAS_PARAM_DURATION(time, 10m, 1ms, 365d, "How long a ban lasts");
FAAS_VERDICT(ban, "1 while the key is banned");
FAAS_OUTPUT(banned, "A ban begins");
FAAS_FIELD(banned, events, u64, "events", "That led to it");

struct state {
	uint64_t events;
	uint64_t first_ns; /* of them */
};
FAAS_STATE(struct state, 1);

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;
	uint64_t events;
	int err;

	if (!state) /* "state: none" */
		return -EINVAL;
	/* Packets of several CPUs come in nearly in order: no earlier than the first. */
	if (!state->events || (event->time_ns > state->first_ns &&
			       event->time_ns - state->first_ns > faas_param(within))) {
		state->first_ns = event->time_ns;
		state->events = 0;
	}
	if (++state->events <= faas_param(limit))
		return 0;
	events = state->events;
	state->events = 0;
	err = faas_verdict(call, faas_verdict_id(ban), 1, faas_param(time));
	if (err)
		return err;
	return faas_emit(call, faas_output(banned), (struct faas_value[]){{.u64 = events}}, 1);
}
