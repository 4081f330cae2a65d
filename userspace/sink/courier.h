/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The courier's loop: all feeds in turn, and what the runtime says. */
#ifndef FAAS_SINK_COURIER_H
#define FAAS_SINK_COURIER_H

/*
 * Serve until the runtime closes @p control_fd. @p state_directory holds
 * WORKFLOW/dead-letters.jsonl. 0, or -errno: no memory, no epoll.
 */
int courier_run(int control_fd, const char *state_directory) __attribute__((warn_unused_result));

#endif
