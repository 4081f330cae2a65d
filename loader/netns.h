/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Network namespaces: entering one and coming back. */
#ifndef FAAS_LOADER_NETNS_H
#define FAAS_LOADER_NETNS_H

#include <stddef.h>
#include <stdint.h>

#include "diag.h"

/* A network namespace that this process has entered, and the one it came from. */
struct netns {
	int from_fd;	 /* -1: none was entered */
	uint64_t inode;	 /* may be that of one that is gone */
	uint64_t cookie; /* no two have the same; 0: the kernel does not tell */
	char path[256];	 /* "" for the one it is in */
};

/* Enter namespace @p name of `ip netns` (NULL: stay). */
int netns_enter(struct netns *netns, const char *name, struct diags *diags)
	__attribute__((warn_unused_result));

/* The same by path ("": stay); used for namespaces that were recorded. 0 or -errno. */
int netns_enter_path(struct netns *netns, const char *path) __attribute__((warn_unused_result));

/* The same by inode: its own, one of `ip netns`, or one of a process. 0, or
 * -ENOENT: nobody is in it, and no name leads to it. */
int netns_enter_inode(struct netns *netns, uint64_t inode) __attribute__((warn_unused_result));

/* The path of a named one by inode. 0 or -ENOENT. */
int netns_named(uint64_t inode, char *path, size_t bytes) __attribute__((warn_unused_result));

/* Back to where it came from. */
void netns_leave(struct netns *netns);

#endif
