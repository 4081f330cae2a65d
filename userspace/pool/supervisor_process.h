/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One process of a supervisor: its control group, its descriptors, its program, and what
 * the runtime holds of it while it lives.
 */
#ifndef FAAS_POOL_SUPERVISOR_PROCESS_H
#define FAAS_POOL_SUPERVISOR_PROCESS_H

#include "userspace/pool/supervisor.h"

typedef void (*process_ready)(struct loop_source *source, uint32_t events);

/*
 * Start it: then pid is set, and control, exit and output are open and in the loop, which
 * calls @p on_control and @p on_exit. 0, or -errno with supervisor->reason set, no process
 * and nothing open but its control group.
 */
int process_start(struct supervisor *supervisor, process_ready on_control, process_ready on_exit)
	__attribute__((warn_unused_result));

/* End it at once. Does nothing without one; on_exit is called when it has ended. */
void process_kill(const struct supervisor *supervisor);

/* Close what is held of one that was reaped, or never began. */
void process_close(struct supervisor *supervisor);
void process_close_source(struct supervisor *supervisor, struct loop_source *source);

#endif
