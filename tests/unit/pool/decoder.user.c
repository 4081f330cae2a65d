// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>

#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Takes events in batches, and says of each in how many it came");
FAAS_PARAM_U64(fail_every, 0, 0, 1000000, "Put each so many events aside; 0: none");
FAAS_PARAM_U64(refuse_every, 0, 0, 1000000,
	       "Refuse batches with an event of such a number; 0: none");
FAAS_PARAM_U64(crash_at, 0, 0, 1000000000, "Crash at the event of this number; 0: never");
FAAS_INPUT(number, "Number of the event");
FAAS_OUTPUT(decoded, "An event");
FAAS_FIELD(decoded, number, u64, "", "Its number");
FAAS_FIELD(decoded, together, u64, "", "Events of its batch");
FAAS_BATCH();

int faas_on_batch(struct faas_call *call, const struct faas_event *const *events,
		  unsigned int count)
{
	double real = 0;

	if (faas_emit_for(call, count, faas_output(decoded), NULL, 2) != -EINVAL ||
	    faas_input_f64_for(call, count, faas_input(number), &real) != -EINVAL ||
	    faas_state(call))
		return -1;
	for (unsigned int i = 0; i < count; i++) {
		struct faas_value values[2] = {{.u64 = 0}, {.u64 = count}};
		int64_t number;

		if (faas_input_s64_for(call, i, faas_input(number), &number) ||
		    (uint64_t)number != faas_event_fields(events[i])[0])
			return -2;
		if (faas_param(crash_at) && (uint64_t)number == faas_param(crash_at))
			abort();
		if (faas_param(refuse_every) && (uint64_t)number % faas_param(refuse_every) == 0)
			return -3;
		values[0].s64 = number;
		if (faas_emit_for(call, i, faas_output(decoded), values, 2))
			return -4;
		if (faas_param(fail_every) && (uint64_t)number % faas_param(fail_every) == 0)
			faas_fail(call, i);
	}
	return 0;
}
