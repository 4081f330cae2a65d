// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the wait benchmark hands over to: it takes the time since the stamp in each
 * payload, and tells the percentiles when a payload without one asks for them. */
#include <string.h>

#include <ebpf_faas/user.h>

#include "../../delays.h"

FAAS_USER_FUNCTION("Measures how long events took to come here");
FAAS_OUTPUT(report, "Since the last report");
FAAS_FIELD(report, count, u64, "events", "Events");
FAAS_FIELD(report, p50, u64, "ns", "Half of them took no longer");
FAAS_FIELD(report, p99, u64, "ns", "99 of 100 took no longer");

static struct delays delays;

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *state)
{
	uint64_t stamp_ns = 0, now_ns = faas_now(call);
	int err;

	(void)state;
	if (event->payload_bytes >= sizeof(stamp_ns))
		memcpy(&stamp_ns, faas_event_payload(event), sizeof(stamp_ns));
	if (stamp_ns) {
		delays_add(&delays, now_ns > stamp_ns ? now_ns - stamp_ns : 0);
		return 0;
	}
	err = faas_emit(call, faas_output(report),
			(struct faas_value[]){{.u64 = delays.count},
					      {.u64 = delays_percentile(&delays, 50)},
					      {.u64 = delays_percentile(&delays, 99)}},
			3);
	memset(&delays, 0, sizeof(delays));
	return err;
}
