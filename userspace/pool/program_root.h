/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The file system of an exec function's program: in mounts of its own, everything read
 * only. What the root directory of the workflow has, or, if it names none, what /usr has;
 * the files of the bundle in /app, where it begins; /dev/null, zero, random and urandom;
 * and nothing else.
 */
#ifndef FAAS_POOL_PROGRAM_ROOT_H
#define FAAS_POOL_PROGRAM_ROOT_H

#define PROGRAM_DIRECTORY "/app"

/**
 * @brief Go there, for good. Needs CAP_SYS_ADMIN.
 *
 * @param root     Directory of the machine, "" for none.
 * @param archive  Descriptor of the bundle's files, see ustar.h.
 * @param ret_step What failed, for a person; static.
 * @return 0 or -errno. After a failure the process must exit.
 */
int program_root_enter(const char *root, int archive, const char **ret_step)
	__attribute__((warn_unused_result));

#endif
