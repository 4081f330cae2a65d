// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ewma: is this value unlike those before it? See README.md.
 *
 * Mean and variance with exponentially falling weights, in the incremental form
 * of Finch, "Incremental calculation of weighted mean and variance" (2009),
 * section 9. Each value is judged by what was known before it.
 */
#include <ebpf_faas/user.h>

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

FAAS_USER_FUNCTION("Finds values that lie far from the weighted mean of those before them");
FAAS_PARAM_F64(alpha, 0.1, 0.000001, 1, "Weight of the newest value; smaller is smoother");
FAAS_PARAM_F64(threshold, 4, 0, 1000000, "Standard deviations from which a value is an anomaly");
FAAS_PARAM_U64(warmup, 16, 1, 1000000000, "Values of a key that only teach, before any is judged");
FAAS_INPUT(value, "The number that is watched");
FAAS_OUTPUT(anomaly, "The value deviates by the threshold or more");
FAAS_FIELD(anomaly, value, f64, "", "The number");
FAAS_FIELD(anomaly, mean, f64, "", "Weighted mean of the values before it");
FAAS_FIELD(anomaly, deviation, f64, "", "How far off, in standard deviations; negative is below");

FAAS_OUTPUT(level, "What is known of a key, when a trigger of time asks");
FAAS_FIELD(level, mean, f64, "", "Weighted mean of its values");
FAAS_FIELD(level, spread, f64, "", "Weighted standard deviation");
FAAS_FIELD(level, values, u64, "", "How many were learnt");
FAAS_TIMER();

struct state {
	double mean;
	double variance;
	uint64_t n; /* values learnt */
};
FAAS_STATE(struct state, 1);

/* Squares of differences of such values can be added up; those of larger ones cannot. */
#define VALUE_MAX 1e150
/* Squares of smaller differences are no numbers any more. */
#define DIFFERENCE_MIN 1.5e-154

/*
 * A signal that never moved has no deviation to count in. What the numbers can
 * resolve stands in for it, so that its first move is an anomaly, of a finite
 * number of deviations.
 */
static double standard_deviation(const struct state *state)
{
	double floor = fmax(DBL_EPSILON * fabs(state->mean), DIFFERENCE_MIN);

	return fmax(sqrt(state->variance), floor);
}

/* A state that this function did not write, as a person may put one in. */
static bool is_sound(const struct state *state)
{
	return fabs(state->mean) <= VALUE_MAX && state->variance >= 0 &&
	       state->variance <= 4 * VALUE_MAX * VALUE_MAX;
}

static void learn(struct state *state, double value)
{
	double difference = value - state->mean;

	if (fabs(value) > VALUE_MAX)
		return; /* it would stay in every mean to come */
	if (!state->n) {
		state->mean = value;
		state->variance = 0;
	} else {
		state->mean += faas_param(alpha) * difference;
		state->variance = (1 - faas_param(alpha)) *
				  (state->variance + faas_param(alpha) * difference * difference);
	}
	if (state->n < UINT64_MAX)
		state->n++;
}

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;
	struct faas_value fields[3];
	double value, deviation;
	int err;

	(void)event;
	err = faas_input_f64(call, faas_input(value), &value);
	if (err == -ENODATA || (!err && !isfinite(value)))
		return 0; /* nothing to judge, nothing to learn */
	if (err || !state)
		return err ? err : -EINVAL; /* "state: none" leaves nothing to learn in */
	if (!is_sound(state))
		memset(state, 0, sizeof(*state));
	if (state->n >= faas_param(warmup)) {
		deviation = (value - state->mean) / standard_deviation(state);
		if (!isfinite(deviation))
			deviation = value > state->mean ? DBL_MAX : -DBL_MAX;
		if (fabs(deviation) >= faas_param(threshold)) {
			fields[0].f64 = value;
			fields[1].f64 = state->mean;
			fields[2].f64 = deviation;
			err = faas_emit(call, faas_output(anomaly), fields, 3);
			if (err)
				return err;
		}
	}
	learn(state, value);
	return 0;
}

/* A trigger of time asks; it sets no timers of its own. */
int faas_on_timer(struct faas_call *call, const struct faas_event *event, void *data)
{
	const struct state *state = data;
	struct faas_value fields[3];

	(void)event;
	if (!state || !state->n || !is_sound(state))
		return 0;
	fields[0].f64 = state->mean;
	fields[1].f64 = sqrt(state->variance);
	fields[2].u64 = state->n;
	return faas_emit(call, faas_output(level), fields, 3);
}
