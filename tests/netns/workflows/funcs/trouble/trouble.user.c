// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counts events of a key, and does what the payload says: "crash", "error", "twice" (an error,
 * twice), "spin!", "deaf!" (spins, with all signals blocked). */
#include <ebpf_faas/user.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

FAAS_USER_FUNCTION("Counts, and makes trouble on demand");
FAAS_PARAM_U64(mended, 0, 0, 1, "1: \"error\" and \"crash\" come through");
FAAS_OUTPUT(total, "The count");
FAAS_FIELD(total, count, u64, "1", "Events of the key");

struct state {
	uint64_t count;
};
FAAS_STATE(struct state, 1);

static __attribute__((noinline)) void spin(void)
{
	for (volatile uint64_t turns = 0;; turns++)
		;
}

static unsigned int failures;

static __attribute__((noinline)) int make_trouble(struct faas_call *call,
						  const struct faas_event *event)
{
	const char *word = (const char *)faas_event_payload(event);
	sigset_t all;

	if (event->payload_bytes < 5)
		return 0;
	if (!memcmp(word, "error", 5))
		return !faas_param(mended);
	if (!memcmp(word, "twice", 5))
		return failures++ < 2;
	if (!memcmp(word, "crash", 5) && !faas_param(mended)) {
		faas_log(call, "about to crash");
		abort();
	}
	if (!memcmp(word, "spin!", 5))
		spin();
	if (!memcmp(word, "deaf!", 5)) {
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		spin();
	}
	return 0;
}

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct state *state = data;
	struct faas_value value;

	state->count++;
	if (make_trouble(call, event))
		return -1;
	value.u64 = state->count;
	return faas_emit(call, 0, &value, 1);
}
