/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The memory of the log. A workflow that is idle and has delivered everything gives it
 * back. To have all of it again takes longer than to start a worker, so that one begins
 * with a part, and the rest comes when it is at work:
 *
 *	idle -> log_give_back ... (the worker is told to start) -> log_take_part ->
 *	(it is ready) -> log_take_rest
 *
 * Nobody writes where no memory is: that would be SIGBUS on a full tmpfs. The worker keeps
 * below log_limit of the runtime's page until the rest is there; it is told when that moves.
 */
#ifndef FAAS_POOL_SUPERVISOR_LOG_H
#define FAAS_POOL_SUPERVISOR_LOG_H

struct supervisor;

/* Without a worker. Does nothing with durable state, whose log is on the disk block by
 * block as it is here, nor where the courier has not come to its end. */
void log_give_back(struct supervisor *supervisor);

/* For a worker that starts meanwhile. 0 or -errno. */
int log_take_part(struct supervisor *supervisor) __attribute__((warn_unused_result));

/* When it is at work; to be tried again where there is no memory. */
void log_take_rest(struct supervisor *supervisor);

#endif
