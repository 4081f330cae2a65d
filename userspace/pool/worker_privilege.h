/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Giving up what a process of root has. */
#ifndef FAAS_POOL_WORKER_PRIVILEGE_H
#define FAAS_POOL_WORKER_PRIVILEGE_H

#include <stdint.h>

/* File descriptors that a worker may have open while it loads. */
#define PRIVILEGE_LOAD_FDS 96

/**
 * @brief Become user and group @p uid without any privilege, for good.
 *
 * No supplementary group, no capability in any set, no_new_privs, not
 * dumpable, killed when the parent dies, no core, PRIVILEGE_LOAD_FDS file
 * descriptors. And, where the kernel has that, the processor for 0.1 ms at a stretch
 * while others want it.
 *
 * @param ret_step  On failure the name of the step that failed.
 * @return 0 or -errno. After a failure the process must exit.
 */
int privilege_drop(uint32_t uid, const char **ret_step) __attribute__((warn_unused_result));

/* What of it can be done before it is known who it is to be, for the next privilege_drop. */
void privilege_look_ahead(void);

/* No program that is run from here on gets a capability. 0 or -errno. */
int privilege_clear_bounding_set(void) __attribute__((warn_unused_result));

/* No further process or thread from here on, and no file longer than 64 MiB or @p
 * file_bytes, if that is more. A thread that is there stays. 0 or -errno. */
int privilege_limit(uint64_t file_bytes) __attribute__((warn_unused_result));

/* No more memory of its own than @p bytes, as long as no control group bounds it. */
int privilege_limit_memory(uint64_t bytes) __attribute__((warn_unused_result));

/* No file descriptor can be opened from here on; those that are open stay. */
int privilege_close_files(void) __attribute__((warn_unused_result));

#endif
