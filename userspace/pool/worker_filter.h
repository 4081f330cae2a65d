/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which system calls a worker may make (seccomp). Two filters: the first lets shared
 * objects be loaded, the second is on top of it and forbids that as well. What is on
 * neither list ends the process with SIGSYS, after it has said "forbidden NUMBER" on
 * the control socket.
 *
 *	filter_build -> filter_enter(FILTER_LOADING) -> filter_enter(FILTER_RUNNING)
 */
#ifndef FAAS_POOL_WORKER_FILTER_H
#define FAAS_POOL_WORKER_FILTER_H

#include <stdint.h>

struct sock_filter;

enum filter_stage { FILTER_LOADING, FILTER_RUNNING, FILTER_STAGES };

struct filter {
	struct {
		struct sock_filter *list; /* owned */
		uint16_t count;
	} programs[FILTER_STAGES];
};

/* Make both. Allocates, and opens files: before the first is entered. 0 or -errno. */
int filter_build(struct filter *ret) __attribute__((warn_unused_result));

/* Make both now, for the next filter_build of this process, or of one made of it. */
int filter_build_ahead(void) __attribute__((warn_unused_result));

/* From here on, for good. The process must have no_new_privs. 0 or -errno. */
int filter_enter(const struct filter *filter, enum filter_stage stage)
	__attribute__((warn_unused_result));

void filter_free(struct filter *filter);

/* The name of a system call by its number, for a person. */
const char *filter_call_name(int number, char *buffer, unsigned int room);

#endif
