/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs of exec functions: started with their worker, and never without it. One
 * that ends takes its worker with it, and the other way round.
 */
#ifndef FAAS_POOL_SUPERVISOR_EXEC_H
#define FAAS_POOL_SUPERVISOR_EXEC_H

#include <stdbool.h>

#include "bundle.h"

struct supervisor;
struct spawn_end;

/* Room for the programs of @p bundle, nothing if it has none. 0 or -ENOMEM. */
int programs_prepare(struct supervisor *supervisor, const struct bundle *bundle)
	__attribute__((warn_unused_result));

/* Whether user function @p number is a program. */
bool programs_has(const struct supervisor *supervisor, uint32_t number);

/* Start them all, none in quarantine. @p output: the runtime's log, borrowed. 0, or -errno
 * with none left. */
int programs_start(struct supervisor *supervisor, int output) __attribute__((warn_unused_result));

/* The end of its socket that the worker gets, borrowed; -1: there is none. */
int programs_channel(const struct supervisor *supervisor, uint32_t number);

/* The worker has its ends, or does not come. */
void programs_close_channels(struct supervisor *supervisor);

/* A program may be gone, and its worker have nothing to do that would tell it. */
void programs_look(struct supervisor *supervisor);

/*
 * The worker ended so: end them all, and wait for that. Where it ended for a program did,
 * *how becomes the end of the program, and the supervisor's reason says so.
 */
void programs_end(struct supervisor *supervisor, struct spawn_end *how);

/* Only when they have ended. */
void programs_free(struct supervisor *supervisor);

#endif
