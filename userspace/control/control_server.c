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

#define BACKLOG 512
#define WINDOW_MS 100	/* what a rate is counted in */
#define NO_SLOT_MS 10	/* until it is worth looking for one again */
#define GROUPS_MAX 1024 /* of one client */

/* Nesting of a message is bounded by the parser (JSON_PARSER_MAX_DEPTH). */

struct slot {
	struct control_server *server;
	int fd;			   /* owned; -1: free */
	struct loop_source source; /* not in the loop while it is paused */
	struct loop_timer timer;   /* its silence, or its pause, ends */
	uint64_t id;
	uint64_t last_ns; /* when it last asked or was answered */
	bool waiting;	  /* for an answer; asks nothing meanwhile */
};

struct control_server {
	struct loop *loop;
	int listener_fd; /* owned; -1: deaf */
	struct loop_source listener;
	struct loop_timer pause; /* of the listener */
	uint64_t window_end_ns;
	uint32_t window_left;
	struct control_handler handler;
	struct control_peers peers;
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

	loop_remove(server->loop, &slot->source);
	loop_unset(server->loop, &slot->timer);
	close(slot->fd);
	slot->fd = -1;
	slot->id = 0;
	slot->waiting = false;
	if (waited && server->handler.gone)
		server->handler.gone(server->handler.context, id);
}

static void on_idle(struct loop_timer *timer)
{
	drop(loop_container(timer, struct slot, timer));
}

static void touch(struct slot *slot)
{
	slot->last_ns = clock_monotonic_ns();
	loop_set(slot->server->loop, &slot->timer,
		 slot->last_ns + slot->server->handler.idle_ms * CLOCK_NS_PER_MS, on_idle);
}

/* Whether there is room in this window for one more client or message. If not, it comes
 * back when *ret_again_ns is reached. */
static bool spend(struct control_server *server, uint64_t *ret_again_ns)
{
	uint64_t now = clock_monotonic_ns();

	if (!server->handler.rate_max)
		return true;
	if (now >= server->window_end_ns) {
		server->window_end_ns = now + WINDOW_MS * CLOCK_NS_PER_MS;
		server->window_left = server->handler.rate_max / (1000 / WINDOW_MS);
	}
	if (server->window_left) {
		server->window_left--;
		return true;
	}
	*ret_again_ns = server->window_end_ns;
	return false;
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
	if (!text || send(slot->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
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

static void on_message(struct loop_source *source, uint32_t events);

static void on_pause_end(struct loop_timer *timer)
{
	struct slot *slot = loop_container(timer, struct slot, timer);

	if (loop_add(slot->server->loop, &slot->source, slot->fd, EPOLLIN, on_message))
		drop(slot);
	else
		touch(slot);
}

static void on_message(struct loop_source *source, uint32_t events)
{
	struct slot *slot = loop_container(source, struct slot, source);
	struct control_server *server = slot->server;
	uint32_t most = server->handler.message_bytes_max;
	uint64_t again_ns;
	json_error_t error;
	json_t *message;
	ssize_t bytes;

	(void)events;
	if (!spend(server, &again_ns)) {
		loop_remove(server->loop, source);
		loop_set(server->loop, &slot->timer, again_ns, on_pause_end);
		return;
	}
	bytes = recv(source->fd, server->message, sizeof(server->message),
		     MSG_DONTWAIT | MSG_TRUNC);
	if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* A second request before the first is answered is against the rules. */
	if (bytes <= 0 || slot->waiting) {
		drop(slot);
		return;
	}
	loop_unset(server->loop, &slot->timer);
	slot->last_ns = clock_monotonic_ns();
	slot->waiting = true;
	if (bytes > most) {
		control_server_refuse(server, slot->id, NULL, "a message has at most %u bytes",
				      most);
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

static bool has_asked(const struct slot *slot)
{
	char byte;

	return recv(slot->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* A free slot, if need be that of the client silent for the longest time. */
static struct slot *take_slot(struct control_server *server)
{
	struct slot *oldest = NULL;

	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct slot *slot = &server->slots[i];

		if (slot->fd < 0)
			return slot;
		if (!slot->waiting && (!oldest || slot->last_ns < oldest->last_ns) &&
		    !has_asked(slot))
			oldest = slot;
	}
	if (oldest)
		drop(oldest);
	return oldest;
}

/* Its own groups, and that of the process, as the kernel had them when it connected. */
static bool is_in_group(int fd, const struct ucred *peer, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t bytes = sizeof(groups);

	if (peer->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes))
		return false;
	for (size_t i = 0; i < bytes / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static bool is_heard(const struct control_server *server, int fd)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes))
		return false;
	return peer.uid == server->peers.owner ||
	       (server->peers.has_group && is_in_group(fd, &peer, server->peers.group));
}

static void on_connect(struct loop_source *source, uint32_t events);

static void on_listen_again(struct loop_timer *timer)
{
	struct control_server *server = loop_container(timer, struct control_server, pause);

	if (loop_add(server->loop, &server->listener, server->listener_fd, EPOLLIN, on_connect))
		loop_set(server->loop, timer, clock_monotonic_ns() + WINDOW_MS * CLOCK_NS_PER_MS,
			 on_listen_again);
}

/* Who comes meanwhile waits in the backlog. */
static void pause_listening(struct control_server *server, uint64_t until_ns)
{
	loop_remove(server->loop, &server->listener);
	loop_set(server->loop, &server->pause, until_ns, on_listen_again);
}

static void on_connect(struct loop_source *source, uint32_t events)
{
	struct control_server *server = loop_container(source, struct control_server, listener);
	uint64_t again_ns;
	struct slot *slot;
	int fd;

	(void)events;
	if (!spend(server, &again_ns)) {
		pause_listening(server, again_ns);
		return;
	}
	slot = take_slot(server);
	if (!slot) {
		pause_listening(server, clock_monotonic_ns() + NO_SLOT_MS * CLOCK_NS_PER_MS);
		return;
	}
	fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (!is_heard(server, fd) ||
	    loop_add(server->loop, &slot->source, fd, EPOLLIN, on_message)) {
		close(fd);
		return;
	}
	slot->fd = fd;
	slot->id = ++server->next_id;
	touch(slot);
}

static int listen_at(const struct sockaddr_un *address, const struct control_peers *peers,
		     int *ret_fd)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int err = 0;

	if (fd < 0)
		return -errno;
	(void)unlink(address->sun_path);
	mask = umask(0177);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		err = -errno;
	umask(mask);
	/* Nobody is in the group before the mode says what the group may. */
	if (!err && peers->has_group &&
	    (chown(address->sun_path, (uid_t)-1, peers->group) || chmod(address->sun_path, 0660)))
		err = -errno;
	if (!err && listen(fd, BACKLOG))
		err = -errno;
	if (err)
		close(fd);
	else
		*ret_fd = fd;
	return err;
}

int control_server_open(struct loop *loop, const char *path, const struct control_peers *peers,
			const struct control_handler *handler, struct control_server **ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct control_server *server;
	int err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	memcpy(address.sun_path, path, strlen(path) + 1);
	memcpy(server->path, path, strlen(path) + 1);
	server->loop = loop;
	server->peers = *peers;
	server->handler = *handler;
	if (!server->handler.idle_ms)
		server->handler.idle_ms = CONTROL_IDLE_MS;
	if (!server->handler.message_bytes_max)
		server->handler.message_bytes_max = FAAS_CONTROL_MESSAGE_BYTES_MAX;
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		server->slots[i].server = server;
		server->slots[i].fd = server->slots[i].source.fd = -1;
	}
	err = listen_at(&address, peers, &server->listener_fd);
	if (!err) {
		err = loop_add(loop, &server->listener, server->listener_fd, EPOLLIN, on_connect);
		if (err)
			close(server->listener_fd);
	}
	if (err) {
		free(server);
		return err;
	}
	*ret = server;
	return 0;
}

void control_server_deafen(struct control_server *server)
{
	if (!server || server->listener_fd < 0)
		return;
	(void)unlink(server->path);
	loop_remove(server->loop, &server->listener);
	loop_unset(server->loop, &server->pause);
	close(server->listener_fd);
	server->listener_fd = -1;
}

void control_server_close(struct control_server *server)
{
	if (!server)
		return;
	control_server_deafen(server);
	server->handler.gone = NULL;
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (server->slots[i].fd >= 0)
			drop(&server->slots[i]);
	free(server);
}
