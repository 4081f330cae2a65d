/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Another ring for the producers of a generation: a small one while the workflow is idle, one
 * of full size while there is a worker.
 *
 *	make the ring, pin it as FAAS_PIN_RING_NEXT
 *	let producers have it, and wait until none is at work with the one before
 *	...	that one gets nothing any more, and is emptied as it is
 *	take	the next one stands where that one stood
 *
 * Waiting takes some milliseconds, and so does making a large ring: a thread does both. It is
 * done again by whoever finds the pin: there is no moment at which an event is in a ring that
 * is not pinned.
 */
#ifndef FAAS_CONTROL_RING_MOVE_H
#define FAAS_CONTROL_RING_MOVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <ebpf_faas/pins.h>

#include "loop.h"
#include "paths.h"

/* At the same time: each is a thread. */
#define RING_MOVES_MAX 32

struct ring_move {
	struct loop *loop;
	struct loop_source done; /* owned eventfd */
	pthread_t thread;
	char *pins; /* owned, while it runs: there are many workflows, and few move */
	uint32_t bytes;
	int error;
	bool runs;
	void (*ended)(struct ring_move *move, int error);
};

/*
 * Begin; @p ended is called from the loop when producers are at the next ring, or with -errno:
 * then they are where they were. A ring that is pinned as the next already is that one, and
 * @p bytes is not looked at. 0; -EAGAIN: too many at once; or -errno.
 */
int ring_move_begin(struct ring_move *move, struct loop *loop, const char *pins, uint32_t bytes,
		    void (*ended)(struct ring_move *move, int error))
	__attribute__((warn_unused_result));

/* Wait for its end, which is told by the result alone. 0 or -errno. */
int ring_move_wait(struct ring_move *move);

/* Whether there is a next ring of the generation that is pinned at @p pins. */
bool ring_move_has_next(const char *pins);

/* The ring before has nothing any more: the next one takes its place. 0; -ENOENT: there is
 * none; or -errno. */
int ring_move_take(const char *pins) __attribute__((warn_unused_result));

#endif
