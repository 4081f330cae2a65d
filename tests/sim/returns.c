// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What events come to where the workflow went back to the states of a version before. */
#include <string.h>

#include "updates.h"

#define UPDATES_MAX 32
#define NEVER UINT32_MAX

/* Of each update. Where it went back, states that events changed since are not there any more,
 * though the events were. */
static struct {
	uint32_t swapped_at, back_at; /* behind so many events */
	bool anew, stays;
	struct sim_chain states[SIM_FUNCTIONS_MAX][SIM_KEYS_MAX];
	uint32_t keys[SIM_FUNCTIONS_MAX];
} marks[UPDATES_MAX];
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
			if (marks[i].anew) {
				memset(sim_model.states, 0, sizeof(sim_model.states));
				memset(sim_model.keys, 0, sizeof(sim_model.keys));
			}
		}
		if (marks[i].back_at == event) {
			memcpy(sim_model.states, marks[i].states, sizeof(marks[i].states));
			memcpy(sim_model.keys, marks[i].keys, sizeof(marks[i].keys));
		}
	}
}

void returns_swapped(uint32_t event, bool anew)
{
	if (mark_count == UPDATES_MAX)
		sim_fail("more updates than UPDATES_MAX");
	marks[mark_count].swapped_at = event;
	marks[mark_count].anew = anew;
	marks[mark_count].stays = false;
	marks[mark_count++].back_at = NEVER;
}

void returns_stays(void)
{
	if (mark_count)
		marks[mark_count - 1].stays = true;
}

bool returns_back(uint32_t event)
{
	if (!mark_count || marks[mark_count - 1].stays || marks[mark_count - 1].back_at != NEVER)
		return false;
	marks[mark_count - 1].back_at = event;
	sim_note("back to the states of %u events, behind %u", marks[mark_count - 1].swapped_at,
		 event);
	return true;
}

void returns_forget(uint32_t survivors)
{
	while (mark_count && marks[mark_count - 1].swapped_at > survivors)
		mark_count--;
}
