// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the neighbour benchmark has beside the workflow that it measures: each event takes more
 * of something than there is. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ebpf_faas/user.h>

#define LINES 1000
#define PIECE_BYTES (1 << 20)

FAAS_USER_FUNCTION("Goes for the processor, the memory, the sinks or the log of the machine");
FAAS_PARAM_CHOICE(kind, processor, "What each event takes", processor, memory, death, outputs, log);
FAAS_PARAM_DURATION(takes, 20ms, 0, 1s, "How long the processor is taken for");
FAAS_OUTPUT(flood, "As many for each event as there may be");
FAAS_FIELD(flood, number, u64, "", "Of each event from 0 on");

static void take_processor(struct faas_call *call)
{
	uint64_t end_ns = faas_now(call) + faas_param(takes);

	while (faas_now(call) < end_ns)
		;
}

/* Until it is killed for it, or is told that there is no more. */
static void take_memory(void)
{
	void *piece;

	while ((piece = malloc(PIECE_BYTES)))
		memset(piece, 1, PIECE_BYTES);
	abort();
}

static int take_sinks(struct faas_call *call)
{
	int err = 0;

	for (uint64_t i = 0; !err && i < FAAS_EMITS_MAX; i++)
		err = faas_emit(call, faas_output(flood), (struct faas_value[]){{.u64 = i}}, 1);
	return err;
}

/* To where the runtime reads it. */
static void take_log(void)
{
	static const char line[] = "a line of the flood\n";

	for (unsigned int i = 0; i < LINES; i++)
		if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
			return;
}

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *state)
{
	(void)event;
	(void)state;
	switch (faas_param(kind)) {
	case kind_memory:
		take_memory();
		break;
	case kind_death:
		abort();
	case kind_outputs:
		return take_sinks(call);
	case kind_log:
		take_log();
		break;
	default:
		take_processor(call);
	}
	return 0;
}
