// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/worker_crash.h"

#include <errno.h>
#include <execinfo.h>
#include <inttypes.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "userspace/pool/worker.h"
#include "userspace/pool/worker_fds.h"

/* This function, the handler and what the kernel returns through. */
#define OWN_FRAMES 3
#define STACK_BYTES 65536

static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

/* A stack that has run over is none to run a handler on. */
static uint8_t stack[STACK_BYTES] __attribute__((aligned(16)));

struct place {
	uintptr_t address;
	char text[64];
};

/* How the objects of user functions were opened. */
#define OBJECT_PATH "/proc/self/fd/"

static int find_object(struct dl_phdr_info *info, size_t bytes, void *context)
{
	struct place *place = context;
	const char *name = info->dlpi_name ? info->dlpi_name : "", *slash = strrchr(name, '/');
	bool inside = false;
	uintptr_t offset = place->address - info->dlpi_addr;

	(void)bytes;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD && offset >= info->dlpi_phdr[i].p_vaddr &&
		    offset - info->dlpi_phdr[i].p_vaddr < info->dlpi_phdr[i].p_memsz)
			inside = true;
	if (!inside)
		return 0;
	if (!strncmp(name, OBJECT_PATH, strlen(OBJECT_PATH)))
		(void)snprintf(place->text, sizeof(place->text), " u%d+%" PRIxPTR,
			       (atoi(name + strlen(OBJECT_PATH)) - WORKER_FD_FUNCTIONS) / 2,
			       offset);
	else if (!name[0])
		(void)snprintf(place->text, sizeof(place->text), " w+%" PRIxPTR, offset);
	else
		(void)snprintf(place->text, sizeof(place->text), " %.32s+%" PRIxPTR,
			       slash ? slash + 1 : name, offset);
	return 1;
}

__attribute__((noinline)) void worker_crash_tell(int number)
{
	void *frames[WORKER_CRASH_FRAMES_MAX + OWN_FRAMES];
	int count = backtrace(frames, WORKER_CRASH_FRAMES_MAX + OWN_FRAMES);
	char text[WORKER_MESSAGE_BYTES_MAX - 1];
	size_t used = (size_t)snprintf(text, sizeof(text), "crash %d", number);

	for (int i = OWN_FRAMES; i < count; i++) {
		/* Where a call returns to is behind the call. */
		struct place place = {.address = (uintptr_t)frames[i] - (i > OWN_FRAMES)};

		(void)dl_iterate_phdr(find_object, &place);
		if (used + strlen(place.text) >= sizeof(text))
			break;
		memcpy(text + used, place.text, strlen(place.text) + 1);
		used += strlen(place.text);
	}
	(void)!send(WORKER_FD_CONTROL, text, used, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Once: whatever goes wrong in here ends the process. */
static void on_crash(int number)
{
	worker_crash_tell(number);
	(void)raise(number);
}

int worker_crash_open(struct worker *worker)
{
	const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action;
	void *frame;

	(void)backtrace(&frame, 1);
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_crash;
	action.sa_flags = (int)(SA_ONSTACK | SA_RESETHAND);
	if (sigaltstack(&alternate, NULL))
		return worker_fail(worker, WORKER_EXIT_SETUP, "stack: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], &action, NULL))
			return worker_fail(worker, WORKER_EXIT_SETUP, "signal: %s",
					   strerror(errno));
	return 0;
}
