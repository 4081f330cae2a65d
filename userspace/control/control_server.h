/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The control socket: who may talk, and what a message is. One JSON object a
 * message, one answer to each, in order. Clients that are many, slow, silent or
 * send nonsense cost a slot for a bounded time, and nothing else.
 */
#ifndef FAAS_CONTROL_SERVER_H
#define FAAS_CONTROL_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop.h"

#define CONTROL_CLIENTS_MAX 32

/* A client that asks nothing for so long, or does not take its answer, goes. When
 * all slots are taken, the one that is silent for the longest time goes; one whose
 * question lies unread is not silent. */
#define CONTROL_IDLE_MS 10000

/* Who is heard: the kernel says who connected. */
struct control_peers {
	uid_t owner;
	bool has_group; /* else only the owner */
	gid_t group;	/* whoever is in it, by its process or as another of its groups */
};

struct control_server;

struct control_handler {
	void *context;
	uint32_t idle_ms;	    /* 0: CONTROL_IDLE_MS */
	uint32_t message_bytes_max; /* 0: FAAS_CONTROL_MESSAGE_BYTES_MAX, which is the most */
	/* Clients and messages taken up in a second; what is more waits, unread. 0: as
	 * many as come. At least 10. */
	uint32_t rate_max;
	/* A message that is a JSON object, borrowed. Answer it with
	 * control_server_answer, now or later. */
	void (*request)(void *context, uint64_t client, const json_t *message);
	/* A client went before its answer. May be NULL. */
	void (*gone)(void *context, uint64_t client);
};

/*
 * Listen at @p path, which only @p peers may connect to; what is there already is
 * replaced: the caller holds the runtime's lock. 0 or -errno. Returns-owned: *ret.
 */
int control_server_open(struct loop *loop, const char *path, const struct control_peers *peers,
			const struct control_handler *handler, struct control_server **ret)
	__attribute__((warn_unused_result));

/* Answer the message that @p client waits for; takes @p answer. Does nothing for
 * a client that is gone. */
void control_server_answer(struct control_server *server, uint64_t client, json_t *answer);

/* Convenience: {"ok":false,"error":...,"advice":...}. */
void control_server_refuse(struct control_server *server, uint64_t client, const char *advice,
			   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* No longer listen; clients stay connected until control_server_close. */
void control_server_deafen(struct control_server *server);
void control_server_close(struct control_server *server);

#endif
