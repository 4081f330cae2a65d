// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * join: two values of a key that belong together by their time. See README.md.
 *
 * Values of one side wait, in order, until one of the other side comes; both sides
 * never wait at once.
 */
#include <ebpf_faas/user.h>

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

FAAS_USER_FUNCTION("Pairs a value with one of another kind that comes within a time");
FAAS_PARAM_DURATION(within, 1s, 1ms, 7d, "How long a value waits for the other one");
FAAS_PARAM_TRIGGER(left, "Trigger whose events are left");
FAAS_PARAM_TRIGGER(right, "Trigger whose events are right");
FAAS_PARAM_S64(left_kind, 0, , , "Without triggers: what kind is in events that are left");
FAAS_PARAM_S64(right_kind, 1, , , "Without triggers: what kind is in events that are right");
FAAS_INPUT(value, "The number");
FAAS_INPUT_OPTIONAL(kind, "A whole number that tells left from right");
FAAS_OUTPUT(pair, "One of each");
FAAS_FIELD(pair, left, f64, "", "The left value");
FAAS_FIELD(pair, right, f64, "", "The right value");
FAAS_FIELD(pair, gap_ns, s64, "ns", "How much later the right one came; negative is earlier");
FAAS_OUTPUT(unmatched, "The other one did not come in time, or too many wait");
FAAS_FIELD(unmatched, value, f64, "", "The number");
FAAS_FIELD(unmatched, side, u64, "", "0: it was left, 1: right");
FAAS_FIELD(unmatched, waited_ns, s64, "ns", "How long it waited");
FAAS_TIMER();

#define WAITING_MAX 8
/* Packets of several CPUs do not come in order, but never this far apart: the clock
 * has begun anew, with the machine. */
#define RESTART_NS 10000000000ll
/* Packets lie in the ring for a while before they are seen: nobody is given up before
 * one that came in time can have been. */
#define SLACK_NS 100000000ll

enum side { LEFT, RIGHT, NEITHER };

struct waiting {
	int64_t since_ns;
	double value;
};

struct state {
	uint32_t count;
	uint32_t side; /* of all that wait */
	struct waiting waiting[WAITING_MAX];
};
FAAS_STATE(struct state, 1);

/* Not a state that this function did not write, as a person may put one in. */
static bool is_sound(const struct state *state)
{
	return state->count <= WAITING_MAX && state->side < NEITHER;
}

/* Which side an event is of. -EINVAL: nothing says so. */
static int find_side(struct faas_call *call, const struct faas_event *event, enum side *ret)
{
	int64_t kind;

	*ret = NEITHER;
	if (faas_param(left) || faas_param(right)) {
		if (event->trigger == faas_param(left))
			*ret = LEFT;
		else if (event->trigger == faas_param(right))
			*ret = RIGHT;
		return 0;
	}
	if (faas_input_s64(call, faas_input(kind), &kind))
		return -EINVAL;
	if (kind == faas_param(left_kind))
		*ret = LEFT;
	else if (kind == faas_param(right_kind))
		*ret = RIGHT;
	return 0;
}

static struct waiting take_oldest(struct state *state)
{
	struct waiting oldest = state->waiting[0];

	state->count--;
	memmove(state->waiting, state->waiting + 1, state->count * sizeof(oldest));
	memset(&state->waiting[state->count], 0, sizeof(oldest));
	return oldest;
}

static int give_up_oldest(struct faas_call *call, struct state *state, int64_t waited_ns)
{
	struct faas_value fields[3];

	fields[0].f64 = take_oldest(state).value;
	fields[1].u64 = state->side;
	fields[2].s64 = waited_ns;
	return faas_emit(call, faas_output(unmatched), fields, 3);
}

/* Remind of the oldest, when its time is over. */
static int arm(struct faas_call *call, const struct state *state, int64_t now_ns)
{
	int64_t left_ns;

	if (!state->count)
		return faas_timer(call, 0);
	left_ns = state->waiting[0].since_ns + (int64_t)faas_param(within) + SLACK_NS - now_ns;
	return faas_timer(call, left_ns < 1 ? 1 : (uint64_t)left_ns);
}

/* The clock began anew: what waits came just now, and keeps its distances. */
static void restart(struct state *state, int64_t time_ns)
{
	int64_t shift = time_ns - state->waiting[state->count - 1].since_ns;

	for (uint32_t i = 0; i < state->count; i++)
		state->waiting[i].since_ns += shift;
}

static int match(struct faas_call *call, struct state *state, double value, int64_t time_ns)
{
	struct waiting other = take_oldest(state);
	bool other_is_left = state->side == LEFT;
	int64_t later_ns = time_ns - other.since_ns;
	struct faas_value fields[3];

	fields[0].f64 = other_is_left ? other.value : value;
	fields[1].f64 = other_is_left ? value : other.value;
	fields[2].s64 = other_is_left ? later_ns : -later_ns;
	return faas_emit(call, faas_output(pair), fields, 3);
}

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	int64_t time_ns = (int64_t)event->time_ns, waited_ns;
	struct state *state = data;
	enum side side;
	double value;
	int err;

	if (!state)
		return -EINVAL; /* "state: none" leaves nowhere to wait */
	err = find_side(call, event, &side);
	if (err)
		return err;
	if (side == NEITHER || faas_input_f64(call, faas_input(value), &value) || !isfinite(value))
		return 0;
	if (!is_sound(state))
		memset(state, 0, sizeof(*state));
	if (state->count && time_ns < state->waiting[state->count - 1].since_ns - RESTART_NS)
		restart(state, time_ns);
	while (!err && state->count) {
		waited_ns = time_ns - state->waiting[0].since_ns;
		if (waited_ns <= (int64_t)faas_param(within))
			break;
		err = give_up_oldest(call, state, waited_ns);
	}
	if (err)
		return err;
	if (state->count && state->side != side) {
		err = match(call, state, value, time_ns);
	} else {
		if (state->count == WAITING_MAX)
			err = give_up_oldest(call, state, time_ns - state->waiting[0].since_ns);
		state->side = side;
		state->waiting[state->count].since_ns = time_ns;
		state->waiting[state->count++].value = value;
	}
	return err ? err : arm(call, state, (int64_t)faas_now(call));
}

/* The time of the oldest is over: the timer is set for no other. Of the rest only
 * distances count, for the clock may be another than that of their times. */
int faas_on_timer(struct faas_call *call, const struct faas_event *event, void *data)
{
	int64_t within_ns = (int64_t)faas_param(within), oldest_ns;
	struct state *state = data;
	int err = 0;

	if (!state || !is_sound(state) || !state->count || event->trigger)
		return 0; /* a trigger of time has nothing to ask for here */
	oldest_ns = state->waiting[0].since_ns;
	while (!err && state->count && state->waiting[0].since_ns <= oldest_ns)
		err = give_up_oldest(call, state, within_ns);
	return err ? err : arm(call, state, oldest_ns + within_ns + SLACK_NS);
}
