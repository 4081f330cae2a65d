/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which system calls the program of an exec function may make (seccomp): what an
 * interpreter needs to read files, compute, and have threads. Another process, a socket
 * and most else it is refused, and hears so; what only an attack makes ends it, by SIGSYS.
 */
#ifndef FAAS_POOL_PROGRAM_FILTER_H
#define FAAS_POOL_PROGRAM_FILTER_H

/* From here on, for good; execve is allowed. The process must have no_new_privs.
 * 0 or -errno. */
int program_filter_enter(void) __attribute__((warn_unused_result));

#endif
