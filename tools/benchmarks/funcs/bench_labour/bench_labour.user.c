// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the overload benchmark hands over to: it works for some time on each event, counts
 * those that were done within a deadline since the handoff, and tells when a payload
 * without a stamp asks. */
#include <string.h>

#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Works on each event, and counts those that are done in time");
FAAS_PARAM_DURATION(takes, 20us, 0, 1s, "How long an event is worked on");
FAAS_PARAM_DURATION(deadline, 5ms, 1us, 1h, "Since the handoff");
FAAS_OUTPUT(report, "Since the last report");
FAAS_FIELD(report, count, u64, "events", "Events");
FAAS_FIELD(report, within, u64, "events", "Of them, done within the deadline");
FAAS_FIELD(report, span, u64, "ns", "From the beginning of the first to the end of the last");

static uint64_t count, within, begin_ns, end_ns;

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *state)
{
	uint64_t stamp_ns = 0, from_ns = faas_now(call), now_ns;
	int err;

	(void)state;
	if (event->payload_bytes >= sizeof(stamp_ns))
		memcpy(&stamp_ns, faas_event_payload(event), sizeof(stamp_ns));
	if (stamp_ns) {
		if (!count++)
			begin_ns = from_ns;
		do
			now_ns = faas_now(call);
		while (now_ns - from_ns < faas_param(takes));
		within += now_ns - event->time_ns <= faas_param(deadline);
		end_ns = now_ns;
		return 0;
	}
	err = faas_emit(call, faas_output(report),
			(struct faas_value[]){{.u64 = count},
					      {.u64 = within},
					      {.u64 = count ? end_ns - begin_ns : 0}},
			3);
	count = within = 0;
	return err;
}
