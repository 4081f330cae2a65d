// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a function may ask of the call it is in, and the lines it writes. */
#include "worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/select.h>
#include <unistd.h>

#include "clock.h"
#include "logger.h"

void *faas_state(struct faas_call *call)
{
	return call->function->has_state ? call->function->copy : NULL;
}

uint64_t faas_now(const struct faas_call *call)
{
	return call->worker->now_ns();
}

int64_t faas_wall_offset(const struct faas_call *call)
{
	return call->worker->wall_offset_ns();
}

/* Whether a line can be written without waiting. poll() does not work with the
 * limit of open files at 0. */
static bool has_room(int fd)
{
	struct timeval now = {0};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, NULL, &set, NULL, &now) == 1;
}

/* Of one function, above what all of them may write together. */
static void drop_line(struct worker *worker, struct worker_function *function)
{
	function->lines.dropped++;
	worker->page->lines_dropped++;
}

/* One line; 0, or -1: there was no room for it. Shorter than a pipe's page, so
 * it is written whole or not at all. */
static int put_line(const struct worker *worker, const struct worker_function *function,
		    const char *text)
{
	const char *instance = worker->bundle->user[function->number].instance;
	char quoted[LOGGER_QUOTED_BYTES(FAAS_LOG_LINE_BYTES)];
	char dropped[40] = "";
	char line[sizeof(quoted) + 256];
	int bytes;

	if (function->lines.dropped)
		(void)snprintf(dropped, sizeof(dropped), " dropped=%llu",
			       (unsigned long long)function->lines.dropped);
	bytes = snprintf(line, sizeof(line), "event=log workflow=%s function=%s%s text=%s\n",
			 worker->bundle->name, instance, dropped,
			 logger_quote(quoted, sizeof(quoted), text));
	if (!has_room(STDERR_FILENO) || write(STDERR_FILENO, line, (size_t)bytes) != bytes)
		return -1;
	return 0;
}

void faas_log(struct faas_call *call, const char *format, ...)
{
	struct worker_function *function = &call->worker->functions[call->function->number];
	uint64_t second = call->worker->now_ns() / CLOCK_NS_PER_S;
	char text[FAAS_LOG_LINE_BYTES + 1];
	va_list arguments;

	if (second != function->lines.second) {
		function->lines.second = second;
		function->lines.count = 0;
	}
	/* The runtime counts those of all functions; what it would not write need not
	 * go there. */
	if (function->lines.count == bundle_log_lines(call->worker->bundle)) {
		drop_line(call->worker, function);
		return;
	}
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (put_line(call->worker, function, text)) {
		drop_line(call->worker, function);
		return;
	}
	function->lines.count++;
	function->lines.dropped = 0;
}

void worker_log_close(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->bundle->user_count; i++)
		if (worker->functions[i].lines.dropped)
			(void)put_line(worker, &worker->functions[i], "");
}
