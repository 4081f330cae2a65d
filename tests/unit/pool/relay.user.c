// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <ebpf_faas/user.h>

FAAS_USER_FUNCTION("Adds up what reaches it, and says what it was told");
FAAS_OUTPUT(seen, "One record in, one record out");
FAAS_FIELD(seen, relayed, u64, "", "Records of this key");
FAAS_FIELD(seen, half, f64, "", "Half of the count that it was told");
FAAS_FIELD(seen, origin, u64, "", "Number of the event, from the kernel tier");
FAAS_INPUT(count, "From the function before");
FAAS_INPUT(number, "From whoever set it last");

struct state {
	uint64_t relayed;
};
FAAS_STATE(struct state, 1);

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;
	struct faas_value values[3];
	int64_t number;
	double count;

	if (event->field_count != 2 || faas_input_f64(call, faas_input(count), &count) ||
	    faas_input_s64(call, faas_input(number), &number))
		return -1;
	values[0].u64 = ++state->relayed;
	values[1].f64 = count / 2;
	values[2].s64 = number;
	return faas_emit(call, faas_output(seen), values, 3);
}
