// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Says when a key has been silent for some time, and counts at each tick");
FAAS_PARAM_DURATION(after, 300ms, 1ms, 1h, "How long is silent");
FAAS_PARAM_BOOL(again, false, "Say it again and again, as long as nothing comes");
FAAS_OUTPUT(silent, "Nothing came for so long");
FAAS_FIELD(silent, events, u64, "events", "Of this key, before");
FAAS_OUTPUT(tick, "A trigger of time");
FAAS_FIELD(tick, count, u64, "", "Ticks of this key");

struct state {
	uint64_t events;
	uint64_t ticks;
};
FAAS_STATE(struct state, 1);
FAAS_TIMER();

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;

	(void)event;
	state->events++;
	return faas_timer(call, faas_param(after));
}

int faas_on_timer(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;

	if (event->trigger)
		return faas_emit(call, faas_output(tick),
				 (struct faas_value[]){{.u64 = ++state->ticks}}, 1);
	if (faas_param(again) && faas_timer(call, faas_param(after)))
		return -1;
	faas_log(call, "silent after %llu events", (unsigned long long)state->events);
	return faas_emit(call, faas_output(silent), (struct faas_value[]){{.u64 = state->events}},
			 1);
}
