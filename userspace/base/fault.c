// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fault.h"

#ifdef FAAS_FAULTS

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fault_point(const char *name)
{
	static const char *wanted;
	static size_t wanted_bytes;
	static unsigned long passes_left;
	static int read_environment;

	if (!read_environment) {
		const char *text = getenv("EBPF_FAAS_FAULT");
		const char *colon = text ? strchr(text, ':') : NULL;

		read_environment = 1;
		if (colon) {
			wanted = text;
			wanted_bytes = (size_t)(colon - text);
			passes_left = strtoul(colon + 1, NULL, 10);
		}
	}
	if (!passes_left || strlen(name) != wanted_bytes || memcmp(name, wanted, wanted_bytes))
		return;
	if (!--passes_left)
		(void)kill(getpid(), SIGKILL);
}

#else

/* An empty translation unit is not C. */
typedef int fault_points_are_off;

#endif
