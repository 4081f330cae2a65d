// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tally: how many events a key had, and how many bytes. See README.md. */
#include <ebpf_faas/user.h>

#include <errno.h>

FAAS_USER_FUNCTION("Counts the events and bytes of each key");
FAAS_PARAM_U64(every, 1, 1, 1000000000, "Emit a total each so many events of a key");
FAAS_OUTPUT(total, "The totals so far");
FAAS_FIELD(total, count, u64, "events", "Events of this key");
FAAS_FIELD(total, bytes, u64, "bytes", "Bytes of their frames");
FAAS_FIELD(total, span_ns, u64, "ns", "From the first event to the last");

struct state {
	uint64_t count;
	uint64_t bytes;
	uint64_t first_ns;
	uint64_t last_ns;
};
FAAS_STATE(struct state, 1);

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;
	struct faas_value fields[3];

	if (!state)
		return -EINVAL; /* "state: none" leaves nothing to count in */
	/* Packets of one key may arrive on several CPUs: times need not rise. */
	if (!state->count || event->time_ns < state->first_ns)
		state->first_ns = event->time_ns;
	if (event->time_ns > state->last_ns)
		state->last_ns = event->time_ns;
	state->count++;
	state->bytes += event->frame_bytes;
	if (state->count % faas_param(every))
		return 0;
	fields[0].u64 = state->count;
	fields[1].u64 = state->bytes;
	fields[2].u64 = state->last_ns - state->first_ns;
	return faas_emit(call, faas_output(total), fields, 3);
}
