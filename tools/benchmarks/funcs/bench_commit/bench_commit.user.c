// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the commit benchmark commits: 64 bytes of state and 64 bytes of output, for
 * every event. */
#include <string.h>

#include <ebpf_faas/user.h>

#define WORDS 8

FAAS_USER_FUNCTION("Changes its whole state, and says so");
FAAS_OUTPUT(total, "The state");
FAAS_FIELD(total, a, u64, "", "First word");
FAAS_FIELD(total, b, u64, "", "Second word");
FAAS_FIELD(total, c, u64, "", "Third word");
FAAS_FIELD(total, d, u64, "", "Fourth word");
FAAS_FIELD(total, e, u64, "", "Fifth word");
FAAS_FIELD(total, f, u64, "", "Sixth word");
FAAS_FIELD(total, g, u64, "", "Seventh word");
FAAS_FIELD(total, h, u64, "", "Eighth word");

struct state {
	uint64_t words[WORDS];
};
FAAS_STATE(struct state, 1);

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;
	struct faas_value values[WORDS];

	for (int i = 0; i < WORDS; i++)
		state->words[i] += event->time_ns + (uint64_t)i;
	memcpy(values, state->words, sizeof(values));
	return faas_emit(call, faas_output(total), values, WORDS);
}
