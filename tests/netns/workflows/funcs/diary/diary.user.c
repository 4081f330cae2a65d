// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Keeps, of each key, what events and their clock say, in a state of many types. */
#include <ebpf_faas/user.h>

#include <stdio.h>

FAAS_USER_FUNCTION("Keeps a diary of each key");
FAAS_PARAM_DURATION(remind, 0s, 0s, 24h, "Set the timer of a key so long after its last event");

struct state {
	uint64_t events;
	char name[16];
	struct {
		float half;
		double third;
	} parts;
	struct {
		uint16_t port;
		uint8_t ttl[2];
	} last[3];
	int32_t low;
	uint32_t odd : 1;
	uint64_t most;
};
FAAS_STATE(struct state, 1);
FAAS_TIMER();

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;

	state->last[state->events % 3].port = event->source_port;
	state->events++;
	snprintf(state->name, sizeof(state->name), "port %u", event->source_port);
	state->parts.half = (float)state->events / 2;
	state->parts.third = (double)state->events / 3;
	state->low = -(int32_t)state->events;
	state->odd = state->events & 1;
	state->most = UINT64_MAX - state->events;
	if (faas_param(remind))
		return faas_timer(call, faas_param(remind));
	return 0;
}

int faas_on_timer(struct faas_call *call, const struct faas_event *event, void *data)
{
	(void)call;
	(void)event;
	(void)data;
	return 0;
}
