/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One runtime per host: a lock file that says who holds it. */
#ifndef FAAS_CONTROL_RUNTIME_LOCK_H
#define FAAS_CONTROL_RUNTIME_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include <ebpf_faas/limits.h>

/* How long a runtime that is ending is waited for. */
#define RUNTIME_LOCK_WAIT_MS 5000
/* And one that has been asked to. */
#define RUNTIME_LOCK_SUCCEED_MS 30000

struct runtime_lock {
	int fd;
	char path[FAAS_PATH_BYTES];
};

/*
 * Take the lock at @p path. It is a record lock (fcntl): gone with its process,
 * not inherited, and it tells the pid of its holder. A holder that has no socket
 * at @p socket_path is ending, or has just begun: it is waited for. 0; -EBUSY
 * with *ret_holder; or -errno.
 */
int runtime_lock_take(struct runtime_lock *lock, const char *path, const char *socket_path,
		      pid_t *ret_holder) __attribute__((warn_unused_result));

/* The same, in the place of a runtime that runs: it is asked to end in an orderly way, and
 * waited for. */
int runtime_lock_succeed(struct runtime_lock *lock, const char *path, const char *socket_path,
			 pid_t *ret_holder) __attribute__((warn_unused_result));

/* Give it back, and remove the file if that is wanted. */
void runtime_lock_release(struct runtime_lock *lock, bool remove);

/* Pid of the holder of the lock at @p path; 0: nobody holds it. */
pid_t runtime_lock_holder(const char *path);

#endif
