// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the durable benchmark keeps: the whole payload of each event, as the state of its
 * key, so that each record of the log holds one. */
#include <string.h>

#include <ebpf_faas/user.h>

#define MESSAGE_BYTES 240

FAAS_USER_FUNCTION("Keeps the last payload of each key, and counts them");
FAAS_OUTPUT(never, "Never emitted");

struct state {
	uint64_t count;
	uint8_t message[MESSAGE_BYTES];
};
FAAS_STATE(struct state, 1);

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;

	(void)call;
	if (event->payload_bytes != MESSAGE_BYTES)
		return -1;
	state->count++;
	memcpy(state->message, faas_event_payload(event), MESSAGE_BYTES);
	return 0;
}
