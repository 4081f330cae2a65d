// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What events come to where the workflow went back to the states of a version before. */
#include <string.h>

#include "updates.h"

#define UPDATES_MAX 4

/* States that events changed since are not there any more, though the events were. */
static struct {
	uint32_t swapped_at, back_at; /* behind so many events */
	struct sim_chain states[SIM_FUNCTIONS_MAX][SIM_KEYS_MAX];
	uint32_t keys[SIM_FUNCTIONS_MAX];
} marks[UPDATES_MAX];
static uint32_t mark_count;

void returns_reset(void)
{
	mark_count = 0;
}

static void apply_marks(uint32_t event)
{
	for (uint32_t i = 0; i < mark_count; i++) {
		if (marks[i].swapped_at == event) {
			memcpy(marks[i].states, sim_model.states, sizeof(marks[i].states));
			memcpy(marks[i].keys, sim_model.keys, sizeof(marks[i].keys));
		}
		if (marks[i].back_at == event) {
			memcpy(sim_model.states, marks[i].states, sizeof(marks[i].states));
			memcpy(sim_model.keys, marks[i].keys, sizeof(marks[i].keys));
		}
	}
}

void returns_note(uint32_t swapped_at, uint32_t back_at)
{
	uint64_t budget = sim_budget;

	sim_note("back to the states of %u events, behind %u", swapped_at, back_at);
	sim_budget = 0;
	marks[mark_count].swapped_at = swapped_at;
	marks[mark_count++].back_at = back_at;
	model_reset();
	for (uint32_t i = 0; i < sim_kernel.accepted_count; i++) {
		apply_marks(i);
		workflow_expect(&sim_kernel.accepted[i]);
	}
	apply_marks(sim_kernel.accepted_count);
	sim_budget = budget;
}
