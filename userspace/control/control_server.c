// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/control/control_server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <ebpf_faas/limits.h>

#include "clock.h"

#define BACKLOG 64

/* Nesting of a message is bounded by the parser (JSON_PARSER_MAX_DEPTH). */

struct slot {
	struct control_server *server;
	struct loop_source source; /* fd -1: free */
	struct loop_timer idle;
	uint64_t id;
	uint64_t last_ns; /* when it last asked or was answered */
	bool waiting;	  /* for an answer; asks nothing meanwhile */
};

struct control_server {
	struct loop *loop;
	struct loop_source listener;
	struct control_handler handler;
	uid_t owner;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	uint64_t next_id;
	struct slot slots[CONTROL_CLIENTS_MAX];
	char message[FAAS_CONTROL_MESSAGE_BYTES_MAX + 1];
};

static void drop(struct slot *slot)
{
	struct control_server *server = slot->server;
	bool waited = slot->waiting;
	uint64_t id = slot->id;
	int fd = slot->source.fd;

	loop_remove(server->loop, &slot->source);
	loop_unset(server->loop, &slot->idle);
	close(fd);
	slot->id = 0;
	slot->waiting = false;
	if (waited && server->handler.gone)
		server->handler.gone(server->handler.context, id);
}

static void on_idle(struct loop_timer *timer)
{
	drop(loop_container(timer, struct slot, idle));
}

static void touch(struct slot *slot)
{
	slot->last_ns = clock_monotonic_ns();
	loop_set(slot->server->loop, &slot->idle,
		 slot->last_ns + slot->server->handler.idle_ms * CLOCK_NS_PER_MS, on_idle);
}

static struct slot *find(struct control_server *server, uint64_t id)
{
	for (unsigned int i = 0; id && i < CONTROL_CLIENTS_MAX; i++)
		if (server->slots[i].id == id)
			return &server->slots[i];
	return NULL;
}

void control_server_answer(struct control_server *server, uint64_t client, json_t *answer)
{
	struct slot *slot = find(server, client);
	char *text = slot && answer ? json_dumps(answer, JSON_COMPACT) : NULL;

	json_decref(answer);
	if (!slot || !slot->waiting) {
		free(text);
		return;
	}
	slot->waiting = false;
	touch(slot);
	/* One that does not read its answers has its buffer full. */
	if (!text || send(slot->source.fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		drop(slot);
	free(text);
}

void control_server_refuse(struct control_server *server, uint64_t client, const char *advice,
			   const char *format, ...)
{
	char error[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, sizeof(error), format, arguments);
	va_end(arguments);
	/* What is quoted in it may be anything but NUL, and may not be UTF-8. */
	for (char *byte = error; *byte; byte++)
		if ((unsigned char)*byte >= 0x80 || (unsigned char)*byte < 0x20)
			*byte = '?';
	control_server_answer(server, client,
			      json_pack("{s:b, s:s, s:s}", "ok", 0, "error", error, "advice",
					advice ? advice : ""));
}

static void on_message(struct loop_source *source, uint32_t events)
{
	struct slot *slot = loop_container(source, struct slot, source);
	struct control_server *server = slot->server;
	json_error_t error;
	json_t *message;
	ssize_t bytes;

	(void)events;
	bytes = recv(source->fd, server->message, sizeof(server->message),
		     MSG_DONTWAIT | MSG_TRUNC);
	if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* A second request before the first is answered is against the rules. */
	if (bytes <= 0 || slot->waiting) {
		drop(slot);
		return;
	}
	loop_unset(server->loop, &slot->idle);
	slot->last_ns = clock_monotonic_ns();
	slot->waiting = true;
	if (bytes > FAAS_CONTROL_MESSAGE_BYTES_MAX) {
		control_server_refuse(server, slot->id, NULL, "a message has at most %d bytes",
				      FAAS_CONTROL_MESSAGE_BYTES_MAX);
		return;
	}
	message = json_loadb(server->message, (size_t)bytes, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(message))
		control_server_refuse(server, slot->id, NULL, "this is no JSON object: %s",
				      message ? "it is something else" : error.text);
	else
		server->handler.request(server->handler.context, slot->id, message);
	json_decref(message);
}

/* A free slot, if need be that of the client silent for the longest time. */
static struct slot *take_slot(struct control_server *server)
{
	struct slot *oldest = NULL;

	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct slot *slot = &server->slots[i];

		if (slot->source.fd < 0)
			return slot;
		if (!slot->waiting && (!oldest || slot->last_ns < oldest->last_ns))
			oldest = slot;
	}
	if (oldest)
		drop(oldest);
	return oldest;
}

static void on_connect(struct loop_source *source, uint32_t events)
{
	struct control_server *server = loop_container(source, struct control_server, listener);
	struct ucred peer;
	socklen_t bytes = sizeof(peer);
	struct slot *slot;
	int fd;

	(void)events;
	fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) || peer.uid != server->owner) {
		close(fd);
		return;
	}
	slot = take_slot(server);
	if (!slot || loop_add(server->loop, &slot->source, fd, EPOLLIN, on_message)) {
		close(fd);
		return;
	}
	slot->id = ++server->next_id;
	touch(slot);
}

int control_server_open(struct loop *loop, const char *path, uid_t owner,
			const struct control_handler *handler, struct control_server **ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct control_server *server;
	mode_t mask;
	int err = 0;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	memcpy(address.sun_path, path, strlen(path) + 1);
	memcpy(server->path, path, strlen(path) + 1);
	server->loop = loop;
	server->owner = owner;
	server->handler = *handler;
	if (!server->handler.idle_ms)
		server->handler.idle_ms = CONTROL_IDLE_MS;
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		server->slots[i].server = server;
		server->slots[i].source.fd = -1;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		err = -errno;
		goto cleanup;
	}
	(void)unlink(path);
	mask = umask(0177);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		err = -errno;
	umask(mask);
	if (!err && listen(fd, BACKLOG))
		err = -errno;
	if (!err)
		err = loop_add(loop, &server->listener, fd, EPOLLIN, on_connect);
	if (err) {
		close(fd);
		goto cleanup;
	}
	*ret = server;
	return 0;
cleanup:
	free(server);
	return err;
}

void control_server_deafen(struct control_server *server)
{
	int fd = server->listener.fd;

	if (fd < 0)
		return;
	(void)unlink(server->path);
	loop_remove(server->loop, &server->listener);
	close(fd);
}

void control_server_close(struct control_server *server)
{
	if (!server)
		return;
	control_server_deafen(server);
	server->handler.gone = NULL;
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (server->slots[i].source.fd >= 0)
			drop(&server->slots[i]);
	free(server);
}
