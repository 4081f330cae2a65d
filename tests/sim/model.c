// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the events of the simulated workflow should come to, worked out one by one. */
#include "sim.h"
#include "userspace/log/log.h"

struct sim_model sim_model;

/* What one event does, before it is known whether it counts. */
struct effect {
	struct sim_chain states[SIM_FUNCTIONS_MAX];
	bool touched[SIM_FUNCTIONS_MAX];
	uint32_t calls[SIM_FUNCTIONS_MAX];
	struct sim_output outputs[FAAS_EMITS_MAX];
	uint32_t sinks[FAAS_EMITS_MAX];
	uint32_t functions[FAAS_EMITS_MAX];
	uint32_t output_count;
};

static void put_aside(const struct sim_event *event, uint32_t reason)
{
	sim_model.dead++;
	sim_model.letters[sim_model.letter_count++] = (struct sim_letter){
		.number = event->number, .reason = reason, .event = sim_model.events - 1};
}

static void expect_output(uint32_t sink, const struct sim_output *output)
{
	struct sim_output *place = &sim_model.outputs[sink][sim_model.output_count[sink]++];

	*place = *output;
	place->event = sim_model.events - 1;
}

/* 0, or an enum log_dead_reason. */
static uint32_t apply(struct effect *effect, const struct sim_event *event, uint32_t function,
		      uint64_t number)
{
	struct sim_chain *state = &effect->states[function];

	if (!effect->touched[function]) {
		*state = sim_model.states[function][event->key];
		if (!state->count && sim_model.keys[function] == sim_plan.keys_max)
			return LOG_DEAD_STATE;
		effect->touched[function] = true;
	}
	workflow_advance(state, number);
	effect->calls[function]++;
	return 0;
}

static void emit(struct effect *effect, const struct sim_event *event, uint32_t function)
{
	const struct sim_chain *state = &effect->states[function];
	uint32_t at = effect->output_count++;

	effect->sinks[at] = function;
	effect->functions[at] = function;
	effect->outputs[at] = (struct sim_output){
		.key = event->key,
		.origin = function ? ORIGIN_SEEN : ORIGIN_TOTAL,
		.value_count = 3,
		.values = {state->count, state->hash, event->number},
	};
}

/* What goes before all others, if the plan has it. */
static uint32_t decode(struct effect *effect, const struct sim_event *event)
{
	if (!sim_plan.batches)
		return 0;
	effect->calls[ROLE_DECODE]++;
	if (event->kind != KIND_UNDECODED && event->kind != KIND_SPOILING)
		return 0;
	sim_model.functions[ROLE_DECODE].errors++;
	return LOG_DEAD_ERROR;
}

static uint32_t run_functions(struct effect *effect, const struct sim_event *event)
{
	uint32_t reason = decode(effect, event);

	if (!reason)
		reason = apply(effect, event, 0, event->number);
	if (reason)
		return reason;
	for (uint32_t i = 0; event->number % sim_plan.every == 0 && i < sim_plan.copies; i++)
		emit(effect, event, 0);
	if (event->kind == KIND_FAILING) {
		sim_model.functions[0].errors++;
		return LOG_DEAD_ERROR;
	}
	if (sim_plan.function_count < 2)
		return 0;
	for (uint32_t i = 0, totals = effect->output_count; i < totals; i++) {
		reason = apply(effect, event, 1, event->number + effect->outputs[i].values[0]);
		if (reason)
			return reason;
		emit(effect, event, 1);
		if (event->kind == KIND_LATE_FAILING) {
			sim_model.functions[1].errors++;
			return LOG_DEAD_ERROR;
		}
	}
	return 0;
}

static void decide(const struct sim_event *event, const struct sim_chain *state)
{
	enum sim_verdict verdict = workflow_verdict(event->number);

	if (verdict == VERDICT_NONE)
		return;
	sim_model.verdict_count++;
	sim_model.verdicts[event->key] = (struct sim_verdict_given){
		.verdict = verdict, .value = verdict == VERDICT_BACK ? 0 : state->hash};
}

/* Whether whoever processes it dies. One that has no room for its state is put aside
 * before it can kill. */
static bool is_deadly(const struct sim_event *event)
{
	return event->kind == KIND_CURSED ||
	       (event->kind == KIND_POISON &&
		(sim_model.states[0][event->key].count || sim_model.keys[0] < sim_plan.keys_max));
}

void workflow_expect(const struct sim_event *event)
{
	struct effect effect = {0};
	uint32_t reason;

	sim_model.events++;
	if (event->kind == KIND_INVALID || event->kind == KIND_FORWARDED) {
		const struct sim_output output = {.key = event->key,
						  .origin = ORIGIN_OUT,
						  .value_count = 2,
						  .values = {event->number, event->kind}};

		if (event->kind == KIND_INVALID) {
			put_aside(event, LOG_DEAD_INVALID);
		} else {
			sim_model.processed++;
			expect_output(0, &output);
		}
		return;
	}
	if (is_deadly(event)) {
		put_aside(event, LOG_DEAD_POISON);
		return;
	}
	reason = run_functions(&effect, event);
	for (uint32_t f = 0; f < SIM_FUNCTIONS_MAX; f++)
		sim_model.functions[f].events += effect.calls[f];
	if (reason) {
		put_aside(event, reason);
		return;
	}
	sim_model.processed++;
	for (uint32_t f = 0; f < SIM_FUNCTIONS_MAX; f++) {
		if (!effect.touched[f])
			continue;
		sim_model.keys[f] += !sim_model.states[f][event->key].count;
		sim_model.states[f][event->key] = effect.states[f];
	}
	sim_model.hashes[event->key][effect.states[0].count] = effect.states[0].hash;
	decide(event, &effect.states[0]);
	if (sim_plan.batches)
		sim_model.functions[ROLE_DECODE].outputs[0]++;
	for (uint32_t i = 0; i < effect.output_count; i++) {
		expect_output(effect.sinks[i], &effect.outputs[i]);
		sim_model.functions[effect.functions[i]].outputs[0]++;
	}
}
