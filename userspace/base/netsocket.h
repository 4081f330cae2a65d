/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sockets in a network namespace other than one's own. Single-threaded programs. */
#ifndef FAAS_BASE_NETSOCKET_H
#define FAAS_BASE_NETSOCKET_H

/* Open the network namespace at @p path. 0, -EINVAL: it is something else, or
 * -errno. Returns-owned: *ret_fd. */
int netsocket_namespace(const char *path, int *ret_fd) __attribute__((warn_unused_result));

/*
 * A non-blocking socket in the namespace @p namespace_fd; -1: one's own. The
 * process visits the namespace for that and comes back; it aborts if it cannot
 * come back, rather than go on in the wrong network. 0 or -errno. Returns-owned:
 * *ret_fd.
 */
int netsocket_open(int namespace_fd, int family, int type, int *ret_fd)
	__attribute__((warn_unused_result));

#endif
