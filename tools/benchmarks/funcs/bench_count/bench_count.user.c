// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the handoff benchmark hands over to: it counts, by key, and says nothing. */
#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Counts the events of each key");
FAAS_OUTPUT(never, "Never emitted");

struct state {
	uint64_t count;
	uint64_t bytes;
};
FAAS_STATE(struct state, 1);

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;

	(void)call;
	state->count++;
	state->bytes += event->packet_payload_bytes;
	return 0;
}
