// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "childlog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "logger.h"

/* Reads of one turn: a child that never stops writing must not hold us. */
#define READS_MAX 16

static void tell_suppressed(struct childlog *log)
{
	if (log->suppressed)
		logger_write(LOGGER_WARNING, "child.suppressed", "from=%s lines=%" PRIu64, log->who,
			     log->suppressed);
	log->suppressed = 0;
	loop_unset(log->loop, &log->timer);
}

static void on_second_over(struct loop_timer *timer)
{
	tell_suppressed(loop_container(timer, struct childlog, timer));
}

static void suppress(struct childlog *log)
{
	/* Whoever floods and then is silent is told of all the same. */
	if (!log->suppressed++)
		loop_set(log->loop, &log->timer, (log->second + 1) * CLOCK_NS_PER_S,
			 on_second_over);
	if (log->counter)
		++*log->counter;
}

static void put_line(struct childlog *log)
{
	char quoted[LOGGER_QUOTED_BYTES(CHILDLOG_LINE_BYTES)];
	uint64_t second = clock_monotonic_ns() / CLOCK_NS_PER_S;

	log->text->line[log->used] = '\0';
	memcpy(log->text->last[log->total++ % CHILDLOG_LAST_LINES], log->text->line, log->used + 1);
	log->used = 0;
	if (second != log->second) {
		log->second = second;
		log->lines = 0;
		tell_suppressed(log);
	}
	if (log->lines == log->lines_per_second) {
		suppress(log);
		return;
	}
	log->lines++;
	logger_write(LOGGER_INFO, "child", "from=%s text=%s", log->who,
		     logger_quote(quoted, sizeof(quoted), log->text->line));
}

static void take(struct childlog *log, const char *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (data[i] != '\n')
			log->text->line[log->used++] = data[i];
		if (data[i] == '\n' || log->used == CHILDLOG_LINE_BYTES)
			put_line(log);
	}
}

static void drain(struct childlog *log)
{
	char data[4096];

	for (int i = 0; i < READS_MAX && log->source.fd >= 0; i++) {
		ssize_t bytes = read(log->source.fd, data, sizeof(data));

		if (bytes < 0)
			return; /* nothing more now */
		if (!bytes) {
			int fd = log->source.fd;

			loop_remove(log->loop, &log->source);
			close(fd);
			return;
		}
		take(log, data, (size_t)bytes);
	}
}

static void on_data(struct loop_source *source, uint32_t events)
{
	(void)events;
	drain(loop_container(source, struct childlog, source));
}

int childlog_open(struct childlog *log, struct loop *loop, const char *who,
		  uint32_t lines_per_second, int *ret_fd)
{
	struct childlog_text *text = log->text;
	int ends[2];
	int err;

	if (!text)
		text = malloc(sizeof(*text));
	if (!text)
		return -ENOMEM;
	*log = (struct childlog){
		.loop = loop,
		.who = who,
		.text = text,
		.source = {.fd = -1},
		.lines_per_second = lines_per_second,
	};
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	/* Ours does not block; that of the child does, which slows down one
	 * that writes too much. */
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK))
		err = -errno;
	else
		err = loop_add(loop, &log->source, ends[0], EPOLLIN, on_data);
	if (err) {
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	*ret_fd = ends[1];
	return 0;
}

void childlog_close(struct childlog *log)
{
	int fd;

	if (!log->loop)
		return;
	drain(log);
	if (log->used)
		put_line(log);
	tell_suppressed(log);
	fd = log->source.fd;
	loop_remove(log->loop, &log->source);
	if (fd >= 0)
		close(fd);
	log->loop = NULL;
}

void childlog_forget(struct childlog *log)
{
	free(log->text);
	log->text = NULL;
	log->total = 0;
}
