// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counts the events of each key: a version that takes over the states of the first. */
#include <ebpf_faas/user.h>

#include <errno.h>
#include <time.h>
#include <unistd.h>

FAAS_USER_FUNCTION("Counts the events of each key");
FAAS_OUTPUT(total, "The count, after each event");
FAAS_FIELD(total, count, u64, "events", "Events of the key");
FAAS_PARAM_U64(refuse, 0, 0, 1000000, "Take no state over that counts so many");
FAAS_PARAM_U64(pause_us, 0, 0, 1000000, "Take so long over each");
FAAS_PARAM_U64(sleeps, 0, 0, 1, "Make a call that is forbidden");

struct first {
	uint32_t count;
};

struct state {
	uint64_t taken_over; /* what the first version counted */
	uint64_t count;
};
FAAS_STATE(struct state, 2);
FAAS_MIGRATE();

static uint64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Without a system call that waits: functions have none. */
static void pause_for(uint64_t us)
{
	uint64_t end = monotonic_us() + us;

	while (us && monotonic_us() < end)
		;
}

int faas_on_migrate(uint32_t from_version, const void *from, uint32_t from_bytes, void *to)
{
	const struct first *first = from;
	struct state *state = to;

	if (from_version != 1 || from_bytes != sizeof(*first))
		return -EINVAL;
	if (faas_param(refuse) && first->count == faas_param(refuse))
		return -ERANGE;
	if (faas_param(sleeps))
		usleep(1);
	pause_for(faas_param(pause_us));
	state->taken_over = state->count = first->count;
	return 0;
}

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;

	(void)event;
	state->count++;
	return faas_emit(call, faas_output(total), (struct faas_value[]){{.u64 = state->count}}, 1);
}
