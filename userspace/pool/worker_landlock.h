/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Landlock: no file can be opened by a name, or none written, whatever its mode says. */
#ifndef FAAS_POOL_WORKER_LANDLOCK_H
#define FAAS_POOL_WORKER_LANDLOCK_H

/* Of this kernel's; 0 or less: there is none. */
int landlock_version(void);

/*
 * Give up all that this kernel's Landlock knows of, without an exception: files,
 * TCP, sockets and signals beyond the process. What is open stays so, and files
 * without a name (memfds) can be opened.
 *
 * Returns the version of Landlock, 0 where there is none, or -errno.
 */
int landlock_close(void) __attribute__((warn_unused_result));

/* The same, but files below / can be read and run. */
int landlock_read_only(void) __attribute__((warn_unused_result));

#endif
