/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The last words of a worker that crashes: where. It tells the runtime, which keeps them
 * for a person; nothing is decided by them, for code of an author runs in this process.
 *
 *	crash SIGNAL FRAME...
 *
 * The innermost first, each "uN+OFFSET" in the shared object of user function N,
 * "w+OFFSET" in the worker itself or "LIBRARY+OFFSET", offsets in hexadecimal. SIGNAL is 0
 * for a call that took too long.
 */
#ifndef FAAS_POOL_WORKER_CRASH_H
#define FAAS_POOL_WORKER_CRASH_H

#define WORKER_CRASH_FRAMES_MAX 20

struct worker;

/* From now on. Before the sandbox closes: what walks the stack is a library. 0, or an exit
 * status with worker->error set. */
int worker_crash_open(struct worker *worker) __attribute__((warn_unused_result));

/* From a handler of a signal, directly: its caller was interrupted where the first frame
 * is. */
void worker_crash_tell(int number);

#endif
