/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Talking to the runtime: one JSON object a message over FAAS_RUN_SOCKET. The
 * runtime answers {"ok":true,...} or {"ok":false,"error":...,"advice":...}. Root may ask
 * for all; over FAAS_RUN_STATUS_SOCKET members of a group may ask for hello, list, status.
 *
 *   hello                                     protocol, pid, version
 *   start   workflow, generation, slot, netns, [keep, [rest]]
 *	answered when its worker is ready;
 *	netns: path of the network namespace that its sinks send in, "" for the
 *	runtime's own. On failure everything is undone. keep: with the run-time files
 *	of the generation before, and its namespace; they stay on failure.
 *	rest: a generation that did not stay; its ring is emptied before the own.
 *   stop    workflow, [drain_ms], [keep]      drained, processed, dead_lettered,
 *	undelivered, restarts; last: it was the last one, the runtime ends.
 *	Answered when worker and run-time files are gone. keep: the files stay.
 *   settle  workflow, generation              that generation stays: state tables that were
 *	kept from before an update go.
 *   undelivered workflow                      sinks: of those that outputs in the log wait for,
 *	sink (its number, behind the last: dead letters), outputs, error
 *   list    [after]                           workflows, more
 *   status  workflow                          state, pids, restarts, ...
 *   resume  workflow                          the end of its quarantine
 *   import  workflow, generation, piece       answered when it is committed
 *	piece: a piece of states to put in, see import.h, in hexadecimal. One at a time.
 *   end                                       refused while there are workflows
 */
#ifndef FAAS_BASE_CONTROL_CLIENT_H
#define FAAS_BASE_CONTROL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "diag.h"

/* A runtime refuses messages that do not say "protocol" and this number, in words: see
 * request_form.h. Changed with what an operation means. */
#define CONTROL_PROTOCOL 3
#define CONTROL_TIMEOUT_MS 5000
#define CONTROL_CONNECT_MS 3000

/* A connection. */
struct control {
	int fd; /* -1: none */
};

/* 0; or -errno: -ENOENT, -ECONNREFUSED: there is no runtime; -EAGAIN: others kept it busy
 * for CONTROL_CONNECT_MS. Connects to the socket at @p path. */
int control_connect(const char *path, struct control *ret) __attribute__((warn_unused_result));
void control_close(struct control *control);

/**
 * @brief Ask, and wait for the answer.
 *
 * @param request Borrowed; "protocol" is added.
 * @param ret     The answer, if it says ok. Returns-owned, json_decref().
 * @return 0, or -1 with the error and advice of the answer, or what went wrong,
 * as a diagnostic.
 */
int control_request(struct control *control, const json_t *request, int timeout_ms, json_t **ret,
		    struct diags *diags) __attribute__((warn_unused_result));

/* One question of who may only look; as control_request. */
int control_look(const json_t *request, json_t **ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* Whether a runtime holds the runtime's lock. */
bool control_runtime_running(void);

/* Whether one stays: one that was killed holds its lock until it is gone, and answers
 * nobody. Waits for its end, or its answer, some seconds. */
bool control_runtime_stays(void);

/* Start the runtime if there is none, and wait until it answers. It becomes a
 * daemon in the network namespace of the caller: leave that of a workflow first. */
int control_start_runtime(struct diags *diags) __attribute__((warn_unused_result));

struct control_start {
	const char *workflow;
	uint32_t generation;
	uint32_t slot;
	const char *netns;
	bool keep;
	uint32_t rest; /* 0: none */
};

int control_start(const struct control_start *start, struct diags *diags)
	__attribute__((warn_unused_result));

/* Stop a workflow that was drained, or is not to be: its worker and sinks get a
 * quarter of a second to end in an orderly way. -1 with a diagnostic, also when
 * there is no runtime. */
int control_stop(const char *workflow, struct diags *diags);

/* Have a workflow run again that is in quarantine. */
int control_resume(const char *workflow, struct diags *diags) __attribute__((warn_unused_result));

/* The generation that the runtime runs; 0: none of that name. */
int control_generation(const char *workflow, uint32_t *ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* The generation whose ring is emptied before the own, 0: none. */
int control_rest(const char *workflow, uint32_t *ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* "sinks" of the operation "undelivered". Returns-owned, json_decref(). */
int control_undelivered(const char *workflow, json_t **ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* The generation that runs stays: what would lead back is given up. */
int control_settle(const char *workflow, uint32_t generation, struct diags *diags)
	__attribute__((warn_unused_result));

struct control_stopped {
	bool drained; /* its ring is empty */
	uint64_t undelivered_bytes;
};

/* Stop it for another version: the ring is emptied and outputs delivered as far as
 * @p drain_ms allows, the files stay. */
int control_stop_keep(const char *workflow, unsigned int drain_ms, struct control_stopped *ret,
		      struct diags *diags) __attribute__((warn_unused_result));

/* Tell a runtime without workflows to end, and wait, some seconds at most, until
 * it is gone. False: it is a service, and stays. */
bool control_wait_gone(void);

#endif
