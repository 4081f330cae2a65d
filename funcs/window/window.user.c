// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * window: how many values, their sum, smallest, largest and mean, in windows of time
 * or of a number of values. See README.md.
 *
 * A window is made of steps, and a step is what is kept: only those that have a
 * value, in order. Windows are told in order, and a step is dropped when no window
 * needs it any more.
 */
#include <ebpf_faas/user.h>

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

FAAS_USER_FUNCTION("Count, sum, min, max and mean of the values of each key, window by window");
FAAS_PARAM_CHOICE(by, time, "What a step is measured in", time, count);
FAAS_PARAM_DURATION(every, 10s, 1ms, 7d, "By time: length of a step; a window is told each step");
FAAS_PARAM_U64(events, 10, 1, 1000000000, "By count: values of a step");
FAAS_PARAM_U64(over, 1, 1, 12, "Steps of a window; 1: windows do not overlap");
FAAS_PARAM_DURATION(lateness, 0s, 0s, 1d, "By time: how much longer a window waits for values");
FAAS_PARAM_DURATION(silence, 1s, 0s, 1h,
		    "By time: how much longer, where no value comes that shows it is over");
FAAS_INPUT(value, "The number");
FAAS_INPUT_OPTIONAL(time_ns, "When it was taken, in nanoseconds; else it is when the packet came");
FAAS_OUTPUT(window, "A window is over");
FAAS_FIELD(window, count, u64, "", "Values in it");
FAAS_FIELD(window, sum, f64, "", "Their sum");
FAAS_FIELD(window, min, f64, "", "The smallest");
FAAS_FIELD(window, max, f64, "", "The largest");
FAAS_FIELD(window, mean, f64, "", "Their mean");
FAAS_FIELD(window, begin_ns, s64, "ns", "Where it begins; since 1970 by the wall clock");
FAAS_FIELD(window, end_ns, s64, "ns", "Where it ends");
FAAS_OUTPUT(late, "The step of a value is over, so it is in no window");
FAAS_FIELD(late, value, f64, "", "The number");
FAAS_FIELD(late, late_ns, s64, "ns", "How far before the oldest step that goes on");
FAAS_TIMER();

#define STEPS_MAX 16
/* Windows told in one call; the rest is told in calls that follow at once. An event
 * may emit FAAS_EMITS_MAX records over all functions that it passes. */
#define TOLD_MAX 4
/* Packets of several CPUs do not come in order, but never this far apart: the clock
 * has begun anew, with the machine. */
#define RESTART_NS 10000000000ll
/* Times beyond this, either way, cannot be added to. */
#define TIME_MAX_NS (1ll << 61)

struct step {
	int64_t place; /* by time: its number from time 0 on; by count: when it began */
	uint64_t count;
	double sum;
	double min;
	double max;
};

/* Whose clock the times of a key's values are from. */
enum clock { CLOCK_NONE, CLOCK_PACKET, CLOCK_SENSOR };

struct state {
	int64_t horizon; /* the first step that takes values */
	int64_t next;	 /* the window that is told next, by the number of its last step */
	int64_t newest_ns;
	int64_t step_ns; /* what the numbers of steps count; 0: by count */
	uint32_t clock;	 /* CLOCK_NONE: nothing else means anything yet */
	uint32_t step_count;
	struct step steps[STEPS_MAX];
};
FAAS_STATE(struct state, 1);

int faas_on_init(void)
{
	uint64_t waiting = (faas_param(lateness) + faas_param(every) - 1) / faas_param(every);

	/* What windows to come need, what is late, and what goes on. */
	return faas_param(over) - 1 + waiting + 2 > STEPS_MAX ? -ERANGE : 0;
}

/* ---- steps ---- */

/* A sum beyond all numbers stays the largest there is, so that records have one. */
static double add(double a, double b)
{
	return fmax(fmin(a + b, DBL_MAX), -DBL_MAX);
}

static void add_value(struct step *step, double value)
{
	step->min = step->count ? fmin(step->min, value) : value;
	step->max = step->count ? fmax(step->max, value) : value;
	step->sum = add(step->sum, value);
	step->count++;
}

static void drop_steps(struct state *state, uint32_t count)
{
	state->step_count -= count;
	memmove(state->steps, state->steps + count, state->step_count * sizeof(state->steps[0]));
	memset(state->steps + state->step_count, 0, count * sizeof(state->steps[0]));
}

/* The step @p place, which may be new. NULL: no room. */
static struct step *take_step(struct state *state, int64_t place)
{
	uint32_t at = state->step_count;

	while (at && state->steps[at - 1].place > place)
		at--;
	if (at && state->steps[at - 1].place == place)
		return &state->steps[at - 1];
	if (state->step_count == STEPS_MAX)
		return NULL;
	memmove(state->steps + at + 1, state->steps + at,
		(state->step_count - at) * sizeof(state->steps[0]));
	state->steps[at] = (struct step){.place = place};
	state->step_count++;
	return &state->steps[at];
}

/* ---- windows ---- */

static int emit_window(struct faas_call *call, const struct step *steps, uint32_t count,
		       int64_t begin_ns, int64_t end_ns)
{
	struct step all = {0};
	struct faas_value fields[7];
	double mean;

	for (uint32_t i = 0; i < count; i++) {
		all.min = i ? fmin(all.min, steps[i].min) : steps[i].min;
		all.max = i ? fmax(all.max, steps[i].max) : steps[i].max;
		all.sum = add(all.sum, steps[i].sum);
		all.count += steps[i].count;
	}
	/* Rounded, and with a sum that was cut, it is still among the values. */
	mean = fmax(fmin(all.sum / (double)all.count, all.max), all.min);
	fields[0].u64 = all.count;
	fields[1].f64 = all.sum;
	fields[2].f64 = all.min;
	fields[3].f64 = all.max;
	fields[4].f64 = mean;
	fields[5].s64 = begin_ns;
	fields[6].s64 = end_ns;
	return faas_emit(call, faas_output(window), fields, 7);
}

/* The first window that is not told and has a value: by the number of its last step. */
static int64_t next_window(const struct state *state)
{
	int64_t first = state->steps[0].place;

	return first > state->next ? first : state->next;
}

static bool tells(const struct state *state)
{
	return state->step_count && next_window(state) < state->horizon;
}

/* Tell windows that are over, some at a time. */
static int tell_windows(struct faas_call *call, struct state *state)
{
	int64_t offset_ns = state->clock == CLOCK_PACKET ? faas_wall_offset(call) : 0;
	int64_t over = (int64_t)faas_param(over);

	for (unsigned int told = 0; told < TOLD_MAX && tells(state); told++) {
		int64_t window = next_window(state);
		uint32_t count = 0, done = 0;
		int err;

		while (count < state->step_count && state->steps[count].place <= window)
			count++;
		err = emit_window(call, state->steps, count,
				  (window - over + 1) * state->step_ns + offset_ns,
				  (window + 1) * state->step_ns + offset_ns);
		if (err)
			return err;
		state->next = window + 1;
		while (done < state->step_count && state->steps[done].place + over <= state->next)
			done++;
		drop_steps(state, done);
	}
	return 0;
}

/* ---- time ---- */

static int64_t step_of(const struct state *state, int64_t time_ns)
{
	int64_t step;

	assert(state->step_ns > 0); /* by time, and see is_sound() */
	step = time_ns / state->step_ns;
	return step - (time_ns % state->step_ns < 0);
}

/* From when on the next window is over, in the time of the values. */
static int64_t due_ns(const struct state *state)
{
	return (next_window(state) + 1) * state->step_ns + (int64_t)faas_param(lateness);
}

/* The time of the values as of now, which is not before @p least. The clock of sensors
 * is not known between their values; that of packets may have begun anew since. */
static int64_t value_now(const struct state *state, int64_t now_ns, int64_t least)
{
	return state->clock == CLOCK_PACKET && now_ns > least ? now_ns : least;
}

/* A window need not wait for a value that shows it is over. */
static int arm(struct faas_call *call, const struct state *state, int64_t now_ns)
{
	int64_t after = 1;

	if (!state->step_count)
		return faas_timer(call, 0);
	if (!tells(state))
		after = due_ns(state) + (int64_t)faas_param(silence) - now_ns;
	return faas_timer(call, after < 1 ? 1 : (uint64_t)after);
}

/* Time has come this far: steps that are over take no further value. */
static void advance(struct state *state, int64_t time_ns)
{
	int64_t horizon;

	if (time_ns > state->newest_ns)
		state->newest_ns = time_ns;
	horizon = step_of(state, state->newest_ns - (int64_t)faas_param(lateness));
	if (horizon > state->horizon)
		state->horizon = horizon;
}

/* The first value of a key. */
static void begin(struct state *state, enum clock clock, int64_t time_ns)
{
	memset(state, 0, sizeof(*state));
	state->clock = clock;
	state->newest_ns = time_ns;
	if (faas_param(by) == by_count)
		return;
	state->step_ns = (int64_t)faas_param(every);
	state->horizon = step_of(state, time_ns - (int64_t)faas_param(lateness));
	state->next = state->horizon;
}

/* Times do not go on from those before: the clock began anew, it is another one, or
 * steps have another length now. What there is lies just before @p time_ns, then. */
static void move(struct state *state, enum clock clock, int64_t time_ns)
{
	struct state from = *state;
	int64_t shift;

	begin(state, clock, time_ns);
	if (!from.step_count)
		return;
	state->horizon = step_of(state, time_ns);
	shift = from.steps[from.step_count - 1].place + 1;
	shift = state->horizon - (shift > from.next ? shift : from.next);
	state->next = from.next + shift;
	state->step_count = from.step_count;
	for (uint32_t i = 0; i < from.step_count; i++) {
		state->steps[i] = from.steps[i];
		state->steps[i].place += shift;
	}
}

static void settle_clock(struct state *state, enum clock clock, int64_t time_ns)
{
	int64_t step_ns = faas_param(by) == by_count ? 0 : (int64_t)faas_param(every);

	if (!state->clock || !state->step_ns != !step_ns)
		begin(state, clock, time_ns);
	else if (step_ns && (state->step_ns != step_ns || state->clock != clock ||
			     (clock == CLOCK_PACKET && time_ns < state->newest_ns - RESTART_NS)))
		move(state, clock, time_ns);
}

static int on_time(struct faas_call *call, struct state *state, double value, int64_t time_ns)
{
	int64_t number = step_of(state, time_ns);
	struct faas_value fields[2];
	struct step *step;
	int err;

	if (number < state->horizon) {
		fields[0].f64 = value;
		fields[1].s64 = state->horizon * state->step_ns - time_ns;
		return faas_emit(call, faas_output(late), fields, 2);
	}
	advance(state, time_ns);
	err = tell_windows(call, state);
	if (err)
		return err;
	step = take_step(state, number);
	if (!step)
		return -ENOSPC; /* times far ahead, again and again: put aside */
	add_value(step, value);
	return arm(call, state, value_now(state, (int64_t)faas_now(call), state->newest_ns));
}

/* ---- count ---- */

static int on_count(struct faas_call *call, struct state *state, double value, int64_t time_ns)
{
	int64_t offset_ns = state->clock == CLOCK_PACKET ? faas_wall_offset(call) : 0;
	uint32_t over = (uint32_t)faas_param(over);
	struct step *last = state->step_count ? &state->steps[state->step_count - 1] : NULL;

	if (!last || last->count >= faas_param(events)) {
		if (state->step_count >= over)
			drop_steps(state, state->step_count - over + 1);
		last = &state->steps[state->step_count++];
		last->place = time_ns;
	}
	add_value(last, value);
	if (time_ns > state->newest_ns || state->step_count == 1)
		state->newest_ns = time_ns;
	if (last->count < faas_param(events) || state->step_count < over)
		return 0;
	return emit_window(call, state->steps, state->step_count, state->steps[0].place + offset_ns,
			   time_ns + offset_ns);
}

/* What there is, though it is not full. */
static int cut_count(struct faas_call *call, struct state *state)
{
	int64_t offset_ns = state->clock == CLOCK_PACKET ? faas_wall_offset(call) : 0;
	int err = emit_window(call, state->steps, state->step_count,
			      state->steps[0].place + offset_ns, state->newest_ns + offset_ns);

	drop_steps(state, state->step_count);
	return err;
}

/* ---- callbacks ---- */

/* Not a state that this function did not write, as a person may put one in. */
static bool is_sound(const struct state *state)
{
	return state->step_count <= STEPS_MAX && state->clock <= CLOCK_SENSOR &&
	       state->step_ns >= 0 && state->newest_ns <= TIME_MAX_NS &&
	       state->newest_ns >= -TIME_MAX_NS;
}

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	enum clock clock = CLOCK_SENSOR;
	struct state *state = data;
	int64_t time_ns;
	double value;

	if (!state)
		return -EINVAL; /* "state: none" leaves nothing to sum up in */
	if (faas_input_f64(call, faas_input(value), &value) || !isfinite(value))
		return 0;
	if (faas_input_s64(call, faas_input(time_ns), &time_ns)) {
		clock = CLOCK_PACKET;
		time_ns = (int64_t)event->time_ns;
	}
	if (time_ns > TIME_MAX_NS || time_ns < -TIME_MAX_NS)
		return -ERANGE;
	if (!is_sound(state))
		memset(state, 0, sizeof(*state));
	settle_clock(state, clock, time_ns);
	return state->step_ns ? on_time(call, state, value, time_ns)
			      : on_count(call, state, value, time_ns);
}

/* By count, a trigger of time ends the window. By time, the key's timer: windows are
 * over and were not told yet, or no value came for so long that the next must be. */
int faas_on_timer(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;
	int64_t reached;
	int err;

	if (!state || !is_sound(state) || !state->step_count)
		return 0;
	/* What a trigger of time could ask for by time is told anyway; and a timer that
	 * is left from by time says nothing by count. */
	if (!state->step_ns != (event->trigger > 0))
		return 0;
	if (!state->step_ns)
		return cut_count(call, state);
	reached = state->newest_ns;
	if (!tells(state)) {
		reached = due_ns(state) + (int64_t)faas_param(silence);
		advance(state, due_ns(state));
	}
	err = tell_windows(call, state);
	if (err)
		return err;
	/* A sensor's clock that was wrong once must not make all that follows late. */
	if (!state->step_count && state->clock == CLOCK_SENSOR)
		state->clock = CLOCK_NONE;
	return arm(call, state, value_now(state, (int64_t)event->time_ns, reached));
}
