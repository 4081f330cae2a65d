/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The runtime's end of the courier: started with the first workflow, replaced
 * when it dies, told of workflows (see userspace/sink/courier_protocol.h). What
 * a courier that died knew is told to the next one.
 */
#ifndef FAAS_CONTROL_COURIER_LINK_H
#define FAAS_CONTROL_COURIER_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "bundle.h"
#include "childlog.h"
#include "loop.h"
#include "userspace/pool/supervisor.h"

enum courier_stage {
	COURIER_WANTED,	 /* to be told */
	COURIER_ASKED,	 /* told, no answer yet */
	COURIER_KNOWN,	 /* served */
	COURIER_FAILED,	 /* could not be served; to be told again later */
	COURIER_LEAVING, /* told to drain and forget */
};

/* One workflow. Embedded in what it belongs to. */
struct courier_client {
	const struct supervisor *supervisor; /* borrowed: files and eventfds */
	int namespace_fd;	      /* of UDP sockets, -1: one's own; owned by the caller */
	bool no_namespace;	      /* it could not be opened: make no sockets */
	int families[FAAS_SINKS_MAX]; /* of UDP sinks, 0: other sinks */
	bool strict; /* a sink that cannot be opened is an error; for the first try */
	bool remove; /* wanted: gone */
	uint32_t drain_ms;
	enum courier_stage stage;
	TAILQ_ENTRY(courier_client) all;
	/* From the loop. */
	void (*added)(struct courier_client *client, bool ok, const char *error,
		      const char *advice);
	/* It is in no list any more; may free the client. */
	void (*removed)(struct courier_client *client, uint64_t undelivered);
};

TAILQ_HEAD(courier_clients, courier_client);

struct courier_link {
	struct loop *loop;
	pid_t pid; /* 0: none */
	struct loop_source exit;
	struct loop_source control;
	struct loop_timer timer; /* next start, or the end of patience */
	struct childlog output;
	struct courier_clients clients;
	uint64_t started_ns;
	uint64_t progress_at_start;
	uint32_t delay_ms;
	bool ending;
	void (*ended)(struct courier_link *link); /* after courier_link_end */
};

void courier_link_init(struct courier_link *link, struct loop *loop);

/* Have a workflow served; added is called when it is, or cannot be. */
void courier_link_add(struct courier_link *link, struct courier_client *client);

/* Have it drained for @p drain_ms at most and forgotten; then removed is called,
 * from the loop or from here. Only after added. */
void courier_link_remove(struct courier_link *link, struct courier_client *client,
			 uint32_t drain_ms);

/* End the courier; cursors stay. Then ended is called, from the loop or at once. */
void courier_link_end(struct courier_link *link);

/* Send one message. 0, -EAGAIN: the socket takes no more now; or -errno. */
int courier_tell_add(int control, const struct courier_client *client)
	__attribute__((warn_unused_result));
int courier_tell_remove(int control, const struct courier_client *client)
	__attribute__((warn_unused_result));

#endif
