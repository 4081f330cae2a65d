// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* gate: shut for the keys that a user function says so of. See README.md. */
#include <ebpf_faas/verdict.h>

FAAS_KERNEL_FUNCTION("Splits packets by what a user function last said of their key");
FAAS_PARAM_KEY(by, "source_address", "What a verdict is about: as the key of the user function");
FAAS_PARAM(u32, entries, 4096, 1, 1048576, "Keys with a verdict, at a time");
FAAS_OUTPUT(open, "There is no verdict on the key, its time is over, or it is 0");
FAAS_OUTPUT(shut, "There is one, and it is not 0");

FAAS_VERDICT_MAP(verdicts, by);
FAAS_MAP_ENTRIES(verdicts, entries);

FAAS_EVENT(call)
{
	const struct faas_verdict_entry *verdict;
	struct faas_key key = {0};

	/* `byte`, which could be missing, is no part of an event's key. */
	if (faas_key_make(call, faas_param(by), 0, &key))
		return faas_output(open);
	verdict = faas_verdict_get(&verdicts, &key);
	return verdict && verdict->value ? faas_output(shut) : faas_output(open);
}
