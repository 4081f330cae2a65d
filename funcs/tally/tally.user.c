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

FAAS_TIMER();

struct state {
	uint64_t count;
	uint64_t bytes;
	uint64_t first_ns;
	uint64_t last_ns;
};
FAAS_STATE(struct state, 1);

/* Totals end at the largest number instead of beginning at 0 again. */
static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Packets of one key may arrive on several CPUs: times need not rise. But if they
 * fall by this much, the clock began anew with the machine: the span is kept, as if it
 * had ended just now. Its beginning may then lie before 0, so differences count. */
#define RESTART_NS 10000000000ll

static void note_time(struct state *state, uint64_t time_ns)
{
	int64_t later_ns = (int64_t)(time_ns - state->last_ns);

	if (!state->count) {
		state->first_ns = state->last_ns = time_ns;
	} else if (later_ns < -RESTART_NS) {
		state->first_ns += (uint64_t)later_ns;
		state->last_ns = time_ns;
	} else if ((int64_t)(time_ns - state->first_ns) < 0) {
		state->first_ns = time_ns;
	} else if (later_ns > 0) {
		state->last_ns = time_ns;
	}
}

static int tell(struct faas_call *call, const struct state *state)
{
	struct faas_value fields[3];

	fields[0].u64 = state->count;
	fields[1].u64 = state->bytes;
	fields[2].u64 = state->last_ns - state->first_ns;
	return faas_emit(call, faas_output(total), fields, 3);
}

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;

	if (!state)
		return -EINVAL; /* "state: none" leaves nothing to count in */
	note_time(state, event->time_ns);
	state->count = add(state->count, 1);
	state->bytes = add(state->bytes, event->frame_bytes);
	return state->count % faas_param(every) ? 0 : tell(call, state);
}

/* A trigger of time wants to know; it sets no timers of its own. */
int faas_on_timer(struct faas_call *call, const struct faas_event *event, void *data)
{
	const struct state *state = data;

	(void)event;
	return state && state->count ? tell(call, state) : 0;
}
