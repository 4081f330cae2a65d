// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Plain enough for a C++ compiler: see alarm_cxx.user.cc. */
#include <errno.h>
#include <stdlib.h>

#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Has a timer for each key, and looks whether all is as it must be");
FAAS_PARAM_U64(after, 0, 0, 1000000000000, "Arm the timer for so long after an event, ns");
FAAS_PARAM_U64(again, 0, 0, 1000000000000, "Arm it again from the timer, so many times");
FAAS_PARAM_U64(fail_key, 0, 0, 65536, "Fail at the timer of this key; 0: never");
FAAS_PARAM_U64(crash_key, 0, 0, 65536, "Crash at the timer of this key; 0: never");
FAAS_PARAM_U64(disarm, 0, 0, 1000000, "Disarm at each so many events of a key; 0: never");
FAAS_PARAM_U64(lines, 0, 0, 1000, "Lines of log for each event");
FAAS_PARAM_U64(verdicts, 0, 0, 100, "Verdicts for each event, for an hour, as many as that many");
FAAS_VERDICT(first, "Led somewhere");
FAAS_VERDICT(second, "Led nowhere");
FAAS_OUTPUT(fired, "A timer was due");
FAAS_FIELD(fired, fires, u64, "", "So far, of this key");

struct state {
	uint64_t events;
	uint64_t fires;
	uint64_t due_ns; /* 0: not armed */
	uint64_t wrong;
	uint64_t ticks; /* of a trigger of time */
	uint32_t odd;	/* the state ends in the middle of a word */
} __attribute__((packed));
FAAS_STATE(struct state, 1);
FAAS_TIMER();

static uint64_t key_of(const struct faas_event *event)
{
	return ((const uint64_t *)(const void *)faas_event_key(event))[1];
}

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = (struct state *)data;
	uint64_t before = faas_now(call);

	(void)event;
	if (faas_state(call) != data)
		return -1;
	for (uint64_t i = 0; i < faas_param(verdicts); i++)
		if (faas_verdict(call, faas_verdict_id(first), i, i ? 3600000000000 : 0) !=
		    (i < FAAS_VERDICTS_EVENT_MAX ? 0 : -ENOBUFS))
			return -10;
	if (faas_verdict(call, faas_verdict_id(second), 1, 1) ||
	    faas_verdict(call, 2, 1, 1) != -EINVAL)
		return -11;
	for (uint64_t i = 0; i < faas_param(lines); i++)
		faas_log(call, "line %llu\n%0200d", (unsigned long long)i, 0);
	if (!state) /* "state: none": there is no timer to arm */
		return faas_timer(call, 1) ? 0 : -2;
	state->events++;
	state->odd++;
	state->due_ns = 0;
	if (faas_param(disarm) && state->events % faas_param(disarm) == 0)
		return faas_timer(call, 0);
	if (!faas_param(after))
		return 0;
	state->due_ns = before + faas_param(after);
	return faas_timer(call, faas_param(after));
}

static int on_deadline(struct faas_call *call, const struct faas_event *event, struct state *state)
{
	const struct faas_value value = {{.u64 = ++state->fires}};

	if (faas_param(crash_key) && key_of(event) == faas_param(crash_key))
		abort();
	if (faas_param(fail_key) && key_of(event) == faas_param(fail_key))
		return -1;
	state->wrong += !state->due_ns || event->time_ns < state->due_ns;
	state->wrong += event->origin != FAAS_ORIGIN_TIMER || event->field_count ||
			event->payload_bytes || event->key_bytes != 16 || event->trigger ||
			event->generation != 1;
	state->wrong += faas_now(call) < event->time_ns;
	state->wrong += state->odd != (uint32_t)state->events;
	state->due_ns = 0;
	if (state->fires <= faas_param(again)) {
		state->due_ns = event->time_ns + 1;
		if (faas_timer(call, 1))
			return -3;
	}
	return faas_emit(call, faas_output(fired), &value, 1);
}

/* Called by a trigger of time: for a key, or without one. */
static int on_tick(struct faas_call *call, const struct faas_event *event, struct state *state)
{
	const struct faas_value value = {{.u64 = state ? ++state->ticks : 0}};

	if (event->origin != FAAS_ORIGIN_TIMER || event->key_bytes != (state ? 16 : 0))
		return -1;
	if (state && faas_param(crash_key) && key_of(event) == faas_param(crash_key))
		abort();
	if (state && faas_param(fail_key) && key_of(event) == faas_param(fail_key))
		return -2;
	return faas_emit(call, faas_output(fired), &value, 1);
}

int faas_on_timer(struct faas_call *call, const struct faas_event *event, void *data)
{
	if (event->trigger)
		return on_tick(call, event, (struct state *)data);
	return on_deadline(call, event, (struct state *)data);
}
