// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What events come to where the workflow went back to the states of a version before. */
#include <string.h>

#include "updates.h"

#define RETURNS_MAX 32

/* States that events changed since are not there any more, though the events were. */
static struct {
	uint32_t swapped_at, back_at; /* behind so many events */
	struct sim_chain states[SIM_FUNCTIONS_MAX][SIM_KEYS_MAX];
	uint32_t keys[SIM_FUNCTIONS_MAX];
} marks[RETURNS_MAX];
static uint32_t mark_count;

void returns_reset(void)
{
	mark_count = 0;
}

void returns_apply(uint32_t event)
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

void returns_add(uint32_t swapped_at, uint32_t back_at)
{
	if (mark_count == RETURNS_MAX)
		sim_fail("more ways back than RETURNS_MAX");
	sim_note("back to the states of %u events, behind %u", swapped_at, back_at);
	marks[mark_count].swapped_at = swapped_at;
	marks[mark_count++].back_at = back_at;
}

void returns_forget(uint32_t survivors)
{
	while (mark_count && marks[mark_count - 1].back_at > survivors)
		mark_count--;
}
