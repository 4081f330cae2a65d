// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Works for some time on each event, and says how old it was in the end");
FAAS_PARAM_DURATION(takes, 200us, 0, 1s, "How long an event is worked on");
FAAS_OUTPUT(done, "One for each event");
FAAS_FIELD(done, age, u64, "us", "From the handoff to the end of the work");
FAAS_FIELD(done, at, u64, "us", "When the work ended, since boot");

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *state)
{
	uint64_t end_ns = faas_now(call) + faas_param(takes), now_ns;

	(void)state;
	do
		now_ns = faas_now(call);
	while (now_ns < end_ns);
	return faas_emit(call, faas_output(done),
			 (struct faas_value[]){{.u64 = (now_ns - event->time_ns) / 1000},
					       {.u64 = now_ns / 1000}},
			 2);
}
