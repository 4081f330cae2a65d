// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pattern: one event of a key, and then another within a time, or just not. See
 * README.md.
 */
#include <ebpf_faas/user.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

FAAS_USER_FUNCTION("Tells when an event is followed by another within a time, and when it is not");
FAAS_PARAM_DURATION(within, 10s, 1ms, 7d, "How long the second event may take");
FAAS_PARAM_CHOICE(expect, then, "What makes a match: the second event, or that there is none", then,
		  none);
FAAS_PARAM_CHOICE(again, keep, "A further first event: goes by, or begins the time anew", keep,
		  restart);
FAAS_PARAM_TRIGGER(first, "Trigger whose events come first");
FAAS_PARAM_TRIGGER(then, "Trigger whose events come then");
FAAS_PARAM_S64(first_kind, 1, , , "Without triggers: what kind is in the first event");
FAAS_PARAM_S64(then_kind, 2, , , "Without triggers: what kind is in the second event");
FAAS_INPUT_OPTIONAL(kind, "A whole number that tells the events apart");
FAAS_OUTPUT(match, "It was as expected");
FAAS_FIELD(match, waited_ns, s64, "ns", "Since the first event");
FAAS_FIELD(match, firsts, u64, "", "First events in that time");
FAAS_OUTPUT(timeout, "The second event was expected, and did not come in time");
FAAS_FIELD(timeout, waited_ns, s64, "ns", "Since the first event");
FAAS_FIELD(timeout, firsts, u64, "", "First events in that time");
FAAS_TIMER();

/* Packets of several CPUs do not come in order, but never this far apart: the clock
 * has begun anew, with the machine. */
#define RESTART_NS 10000000000ll
/* Packets lie in the ring for a while before they are seen: the time is not over before
 * one that came in time can have been. */
#define SLACK_NS 100000000ll

struct state {
	int64_t since_ns;
	uint64_t firsts; /* 0: the first event is still to come */
};
FAAS_STATE(struct state, 1);

/* Which of the two an event may be. -EINVAL: nothing says so. */
static int find_kind(struct faas_call *call, const struct faas_event *event, bool *ret_first,
		     bool *ret_then)
{
	int64_t kind;

	if (faas_param(first) || faas_param(then)) {
		*ret_first = event->trigger == faas_param(first);
		*ret_then = event->trigger == faas_param(then);
		return 0;
	}
	if (faas_input_s64(call, faas_input(kind), &kind))
		return -EINVAL;
	*ret_first = kind == faas_param(first_kind);
	*ret_then = kind == faas_param(then_kind);
	return 0;
}

/* It ended, by the second event or without; the key begins anew. */
static int end(struct faas_call *call, struct state *state, bool by_then, int64_t waited_ns)
{
	bool expected = by_then == (faas_param(expect) == expect_then);
	struct faas_value fields[2];

	fields[0].s64 = waited_ns < 0 ? 0 : waited_ns;
	fields[1].u64 = state->firsts;
	memset(state, 0, sizeof(*state));
	if (!expected && by_then)
		return 0; /* it came, and should not have: nothing to tell */
	return faas_emit(call, expected ? faas_output(match) : faas_output(timeout), fields, 2);
}

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	int64_t time_ns = (int64_t)event->time_ns;
	int64_t within_ns = (int64_t)faas_param(within), left_ns;
	bool is_first, is_then;
	struct state *state = data;
	int err;

	if (!state)
		return -EINVAL; /* "state: none" leaves nothing to remember by */
	err = find_kind(call, event, &is_first, &is_then);
	if (err || (!is_first && !is_then))
		return err;
	if (state->firsts && time_ns < state->since_ns - RESTART_NS)
		state->since_ns = time_ns;
	if (state->firsts && time_ns - state->since_ns > within_ns) {
		err = end(call, state, false, time_ns - state->since_ns);
	} else if (state->firsts && is_then) {
		err = end(call, state, true, time_ns - state->since_ns);
		is_first = false; /* one that is both does not begin anew as well */
	}
	if (err)
		return err;
	if (!is_first)
		return faas_timer(call, 0); /* the second event ended what there was */
	if (!state->firsts++ || faas_param(again) == again_restart)
		state->since_ns = time_ns;
	left_ns = state->since_ns + within_ns + SLACK_NS - (int64_t)faas_now(call);
	return faas_timer(call, left_ns < 1 ? 1 : (uint64_t)left_ns);
}

/* The time is over. */
int faas_on_timer(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;

	if (!state || !state->firsts || event->trigger)
		return 0; /* a trigger of time has nothing to ask for here */
	return end(call, state, false, (int64_t)faas_param(within));
}
