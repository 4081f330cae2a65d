// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fault.h"

#ifdef FAAS_FAULTS

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FAULTS_MAX 4
#define STOP ":stop"

static struct fault {
	const char *name;
	size_t bytes;
	unsigned long passes_left;
	int signal;
} faults[FAULTS_MAX];

static unsigned int read_environment(void)
{
	const char *at = getenv("EBPF_FAAS_FAULT");
	unsigned int count = 0;
	const char *colon;
	char *end;

	while (count < FAULTS_MAX && at && (colon = strchr(at, ':'))) {
		faults[count].name = at;
		faults[count].bytes = (size_t)(colon - at);
		faults[count].passes_left = strtoul(colon + 1, &end, 10);
		faults[count].signal = SIGKILL;
		if (!strncmp(end, STOP, sizeof(STOP) - 1)) {
			faults[count].signal = SIGSTOP;
			end += sizeof(STOP) - 1;
		}
		count++;
		at = *end == ',' ? end + 1 : NULL;
	}
	return count;
}

/* To this thread: one that is sent to the process may stop another one first, and this one goes
 * on meanwhile. */
static void raise_here(int number)
{
	(void)syscall(SYS_tgkill, getpid(), gettid(), number);
}

void fault_point(const char *name)
{
	static unsigned int count;
	static int is_read;
	size_t bytes = strlen(name);

	if (!is_read) {
		is_read = 1;
		count = read_environment();
	}
	for (unsigned int i = 0; i < count; i++) {
		struct fault *fault = &faults[i];

		if (fault->passes_left && fault->bytes == bytes &&
		    !memcmp(fault->name, name, bytes) && !--fault->passes_left)
			raise_here(fault->signal);
	}
}

#else

/* An empty translation unit is not C. */
typedef int fault_points_are_off;

#endif
