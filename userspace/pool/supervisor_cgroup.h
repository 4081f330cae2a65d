/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Control groups of workers: memory and share of the processor, of version 2 where it
 * has the controllers, else of version 1, else none, and the worker bounds itself
 * by rlimits. Below each controller lies ebpf-faas.DEVICE.ID/WORKFLOW, where DEVICE and ID are
 * those of the file system of run files: two runtimes do not share it, nor does one that
 * begins find what is left of one that has ended elsewhere.
 */
#ifndef FAAS_POOL_SUPERVISOR_CGROUP_H
#define FAAS_POOL_SUPERVISOR_CGROUP_H

#include <stdint.h>

#include "bundle.h"

#define CGROUP_JOINS_MAX 2

struct cgroup {
	int joins[CGROUP_JOINS_MAX]; /* owned; a process that writes "0" there is in it */
	uint32_t join_count;
	int events;	 /* owned; where kills for want of memory are counted, -1: nowhere */
	uint32_t limits; /* PAGE_LIMIT_CGROUP*: what is in force */
};

/*
 * Make the group of @p workflow, or take the one that is there, with these limits.
 * Without a controller the limit is not in force, and ret->limits says so.
 * 0; -ENOTSUP: the share of the processor cannot be limited here; or -errno.
 */
int cgroup_open(const char *workflow, uint64_t memory_bytes, uint32_t cpu_percent,
		struct cgroup *ret) __attribute__((warn_unused_result));

/* How many processes of it were killed for want of memory. */
uint64_t cgroup_memory_kills(const struct cgroup *cgroup);

/* All zeros is none. Leaves the group. */
void cgroup_close(struct cgroup *cgroup);

/* Remove the group, if no process is in it, and what is empty above it. */
void cgroup_remove(const char *workflow);

/* Remove all groups that are empty: a runtime that was killed leaves them. */
void cgroup_remove_all(void);

#endif
