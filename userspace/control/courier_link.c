// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/control/courier_link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "logger.h"
#include "paths.h"
#include "spawn.h"
#include "userspace/sink/courier_protocol.h"

/* Workflows that were told and not answered yet: their messages and descriptors
 * must fit in the socket. */
#define ASKED_MAX 16

#define DELAY_MIN_MS 10
#define DELAY_MAX_MS 10000
#define LONG_LIFE_MS 10000 /* of a courier that does not die at once */
#define END_MS 2000
#define RETRY_MS 1000

static void start(struct courier_link *link);
static void proceed(struct courier_link *link);

void courier_link_init(struct courier_link *link, struct loop *loop)
{
	memset(link, 0, sizeof(*link));
	link->loop = loop;
	link->exit.fd = link->control.fd = -1;
	TAILQ_INIT(&link->clients);
}

static void set_pid(const struct courier_link *link, const struct courier_client *client)
{
	client->supervisor->files.runtime_page->courier_pid = (uint32_t)link->pid;
}

static void close_source(struct courier_link *link, struct loop_source *source)
{
	int fd = source->fd;

	if (fd < 0)
		return;
	loop_remove(link->loop, source);
	close(fd);
}

static void kill_courier(const struct courier_link *link)
{
	if (link->exit.fd >= 0)
		(void)!syscall(SYS_pidfd_send_signal, link->exit.fd, SIGKILL, NULL, 0);
}

static void on_restart(struct loop_timer *timer)
{
	start(loop_container(timer, struct courier_link, timer));
}

static void on_retry(struct loop_timer *timer)
{
	struct courier_link *link = loop_container(timer, struct courier_link, timer);
	struct courier_client *client;

	for (client = TAILQ_FIRST(&link->clients); client; client = TAILQ_NEXT(client, all))
		if (client->stage == COURIER_FAILED)
			client->stage = COURIER_WANTED;
	proceed(link);
}

/* Records delivered so far, of all workflows. */
static uint64_t progress(const struct courier_link *link)
{
	const struct courier_client *client;
	struct courier_page page;
	uint64_t sum = 0;

	for (client = TAILQ_FIRST(&link->clients); client; client = TAILQ_NEXT(client, all))
		if (pread(client->supervisor->files.courier_page, &page, sizeof(page), 0) ==
		    (ssize_t)sizeof(page))
			sum += page.cursors[page.current & 1].sequence;
	return sum;
}

static void on_exit_ready(struct loop_source *source, uint32_t events)
{
	struct courier_link *link = loop_container(source, struct courier_link, exit);
	struct courier_client *client;
	struct spawn_end how;

	(void)events;
	if (spawn_reap(source->fd, &how))
		return;
	close_source(link, &link->control);
	close_source(link, &link->exit);
	childlog_close(&link->output);
	childlog_forget(&link->output);
	loop_unset(link->loop, &link->timer);
	link->pid = 0;
	for (client = TAILQ_FIRST(&link->clients); client; client = TAILQ_NEXT(client, all)) {
		set_pid(link, client);
		client->stage = COURIER_WANTED;
	}
	if (link->ending) {
		link->ended(link);
		return;
	}
	/* Whoever kills a courier that works gets another one at once. */
	if (clock_monotonic_ns() - link->started_ns > LONG_LIFE_MS * CLOCK_NS_PER_MS ||
	    progress(link) != link->progress_at_start)
		link->delay_ms = 0;
	logger_write(LOGGER_WARNING, "courier.died", "signal=%d status=%d restart_ms=%u",
		     how.signal, how.status, link->delay_ms);
	loop_set(link->loop, &link->timer, clock_monotonic_ns() + link->delay_ms * CLOCK_NS_PER_MS,
		 on_restart);
	link->delay_ms = link->delay_ms ? 2 * link->delay_ms : DELAY_MIN_MS;
	if (link->delay_ms > DELAY_MAX_MS)
		link->delay_ms = DELAY_MAX_MS;
}

static struct courier_client *find(struct courier_link *link, const char *name)
{
	struct courier_client *client;

	for (client = TAILQ_FIRST(&link->clients); client; client = TAILQ_NEXT(client, all))
		if (!strcmp(client->supervisor->name, name))
			return client;
	return NULL;
}

static void add_failed(struct courier_link *link, struct courier_client *client, const char *error,
		       const char *advice)
{
	bool first = client->strict;

	logger_write(LOGGER_ERROR, "courier.add", "workflow=%s error=\"%s\"",
		     client->supervisor->name, error);
	client->stage = COURIER_FAILED;
	client->strict = false;
	if (first && !client->remove)
		client->added(client, false, error, advice);
	else
		loop_set(link->loop, &link->timer,
			 clock_monotonic_ns() + RETRY_MS * CLOCK_NS_PER_MS, on_retry);
}

static void hear_added(struct courier_link *link, struct courier_client *client,
		       const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	const char *advice = json_string_value(json_object_get(answer, "advice"));
	bool first = client->strict;

	if (!json_is_true(json_object_get(answer, "ok"))) {
		add_failed(link, client, error ? error : "", advice ? advice : "");
		return;
	}
	client->stage = COURIER_KNOWN;
	client->strict = false;
	set_pid(link, client);
	/* One that was told again needs no answer. */
	if (first && !client->remove)
		client->added(client, true, "", "");
}

static void hear(struct courier_link *link, const json_t *answer)
{
	const char *op = json_string_value(json_object_get(answer, "op"));
	const char *name = json_string_value(json_object_get(answer, "workflow"));
	struct courier_client *client = op && name ? find(link, name) : NULL;

	if (!client) {
		logger_write(LOGGER_ERROR, "courier.answer", "error=\"not understood\"");
	} else if (!strcmp(op, "added") && client->stage == COURIER_ASKED) {
		hear_added(link, client, answer);
	} else if (!strcmp(op, "removed") && client->stage == COURIER_LEAVING) {
		json_int_t undelivered = json_integer_value(json_object_get(answer, "undelivered"));

		TAILQ_REMOVE(&link->clients, client, all);
		client->removed(client, undelivered > 0 ? (uint64_t)undelivered : 0);
	}
	proceed(link);
}

static void on_control(struct loop_source *source, uint32_t events)
{
	struct courier_link *link = loop_container(source, struct courier_link, control);
	char text[COURIER_MESSAGE_BYTES_MAX];
	json_t *answer;
	ssize_t bytes;

	(void)events;
	bytes = recv(source->fd, text, sizeof(text), MSG_DONTWAIT);
	if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (bytes <= 0) {
		/* It will be gone in a moment; a courier that closed its end
		 * and lives is of no use. */
		close_source(link, &link->control);
		kill_courier(link);
		return;
	}
	answer = json_loadb(text, (size_t)bytes, JSON_REJECT_DUPLICATES, NULL);
	hear(link, answer);
	json_decref(answer);
}

/* Not known to any courier: nobody has to be asked. */
static void forget(struct courier_link *link, struct courier_client *client)
{
	TAILQ_REMOVE(&link->clients, client, all);
	client->removed(client, 0);
}

static void fail_to_start(struct courier_link *link, int err)
{
	struct courier_client *client = TAILQ_FIRST(&link->clients);
	char error[256];

	snprintf(error, sizeof(error), "%s/ebpf-faas-courier does not start: %s", paths_libexec(),
		 strerror(-err));
	logger_write(LOGGER_ERROR, "courier.start", "error=\"%s\"", error);
	loop_set(link->loop, &link->timer, clock_monotonic_ns() + DELAY_MAX_MS * CLOCK_NS_PER_MS,
		 on_restart);
	while (client) {
		struct courier_client *next = TAILQ_NEXT(client, all);

		if (client->remove) {
			forget(link, client);
		} else if (client->strict) {
			client->strict = false;
			client->added(client, false, error, "");
		}
		client = next;
	}
}

/* Everything that a process needs; on failure nothing of it is left. */
static int spawn_courier(struct courier_link *link)
{
	char path[FAAS_PATH_BYTES + 32];
	char *arguments[] = {(char *)"ebpf-faas-courier", NULL};
	char *environment[] = {NULL};
	int fds[COURIER_FD_CONTROL + 1];
	struct spawn spawn = {.path = path,
			      .arguments = arguments,
			      .environment = environment,
			      .fds = fds,
			      .fd_count = COURIER_FD_CONTROL + 1};
	int pair[2] = {-1, -1};
	int output = -1;
	int pidfd;
	int null;
	int err = 0;

	snprintf(path, sizeof(path), "%s/ebpf-faas-courier", paths_libexec());
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		err = -errno;
	if (!err)
		err = childlog_open(&link->output, link->loop, "courier", FAAS_LOG_LINES_PER_SECOND,
				    &output);
	if (!err)
		err = loop_add(link->loop, &link->control, pair[0], EPOLLIN, on_control);
	if (!err) {
		pair[0] = -1; /* is the source's now */
		fds[0] = null;
		fds[1] = fds[2] = output;
		fds[COURIER_FD_CONTROL] = pair[1];
		err = spawn_start(&spawn, &link->pid, &pidfd);
	}
	if (!err) {
		err = loop_add(link->loop, &link->exit, pidfd, EPOLLIN, on_exit_ready);
		if (err)
			spawn_abandon(pidfd);
	}
	close(null);
	if (output >= 0)
		close(output);
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	if (err) {
		link->pid = 0;
		close_source(link, &link->control);
		childlog_close(&link->output);
		childlog_forget(&link->output);
	}
	return err;
}

static void start(struct courier_link *link)
{
	int err;

	if (link->pid || link->ending)
		return;
	loop_unset(link->loop, &link->timer);
	err = spawn_courier(link);
	if (err) {
		fail_to_start(link, err);
		return;
	}
	link->started_ns = clock_monotonic_ns();
	link->progress_at_start = progress(link);
	logger_write(LOGGER_INFO, "courier.started", "pid=%d", link->pid);
	proceed(link);
}

/* The socket takes no more now: it is full, or the courier has ended and the next one is told. */
static bool is_later(int err)
{
	return err == -EAGAIN || err == -EPIPE || err == -ECONNRESET;
}

/* Tell of one workflow. 0, or -EAGAIN: later. */
static int tell(struct courier_link *link, struct courier_client *client)
{
	int err;

	if (client->stage == COURIER_WANTED) {
		client->stage = COURIER_ASKED;
		err = courier_tell_add(link->control.fd, client);
		if (is_later(err))
			client->stage = COURIER_WANTED;
		else if (err)
			add_failed(link, client, strerror(-err), "");
	} else {
		client->stage = COURIER_LEAVING;
		err = courier_tell_remove(link->control.fd, client);
		if (err)
			client->stage = COURIER_KNOWN;
	}
	return is_later(err) ? -EAGAIN : 0;
}

/* Tell the courier what it does not know yet. What does not fit in the socket is
 * told after the next answer. */
static void proceed(struct courier_link *link)
{
	struct courier_client *client, *next;
	unsigned int asked = 0;

	if (link->control.fd < 0)
		return;
	for (client = TAILQ_FIRST(&link->clients); client; client = TAILQ_NEXT(client, all))
		asked += client->stage == COURIER_ASKED;
	for (client = TAILQ_FIRST(&link->clients); client; client = next) {
		next = TAILQ_NEXT(client, all);
		if (client->stage == COURIER_WANTED
			    ? asked >= ASKED_MAX
			    : client->stage != COURIER_KNOWN || !client->remove)
			continue;
		asked += client->stage == COURIER_WANTED;
		if (tell(link, client))
			return;
	}
}

void courier_link_add(struct courier_link *link, struct courier_client *client)
{
	client->stage = COURIER_WANTED;
	client->remove = false;
	TAILQ_INSERT_TAIL(&link->clients, client, all);
	if (link->pid)
		proceed(link);
	else if (!link->timer.deadline_ns)
		loop_set(link->loop, &link->timer, clock_monotonic_ns(), on_restart);
}

void courier_link_remove(struct courier_link *link, struct courier_client *client,
			 uint32_t drain_ms)
{
	client->remove = true;
	client->drain_ms = drain_ms;
	if (client->stage == COURIER_FAILED || (client->stage == COURIER_WANTED && !drain_ms))
		forget(link, client);
	else
		proceed(link);
}

static void on_end_timeout(struct loop_timer *timer)
{
	kill_courier(loop_container(timer, struct courier_link, timer));
}

void courier_link_end(struct courier_link *link)
{
	link->ending = true;
	if (!link->pid) {
		loop_unset(link->loop, &link->timer);
		link->ended(link);
		return;
	}
	close_source(link, &link->control);
	loop_set(link->loop, &link->timer, clock_monotonic_ns() + END_MS * CLOCK_NS_PER_MS,
		 on_end_timeout);
}
