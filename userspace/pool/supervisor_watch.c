// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_watch.h"

#include <stddef.h>
#include <unistd.h>

#include "pages.h"
#include "ringview.h"

/* An event makes more calls than one, each with a time of its own. */
#define CALLS 4
/* Behind the time of all calls: for the worker to end by itself. */
#define GRACE_LOOKS 2
/* With events in the ring and none taken, and none at work. */
#define IDLE_LOOKS_MAX 10

void supervisor_watch_init(struct supervisor_watch *watch, const struct bundle *bundle)
{
	uint64_t all_ns = 0;

	for (uint32_t i = 0; i < bundle->user_count; i++)
		all_ns += CALLS * bundle->user[i].timeout_ns;
	*watch = (struct supervisor_watch){
		.durable = bundle_is_durable(bundle),
		.looks_max =
			GRACE_LOOKS + (uint32_t)((all_ns + SUPERVISOR_WATCH_MS * 1000000ull - 1) /
						 (SUPERVISOR_WATCH_MS * 1000000ull)),
	};
}

static bool has_events(int fd)
{
	struct ringview ring;
	bool any;

	if (ringview_open(fd, &ring))
		return false;
	any = __atomic_load_n(ring.producer, __ATOMIC_ACQUIRE) !=
	      __atomic_load_n(ring.consumer, __ATOMIC_ACQUIRE);
	ringview_close(&ring);
	return any;
}

bool supervisor_watch_look(struct supervisor_watch *watch, int worker_page, int ring)
{
	struct worker_page page;
	bool same;

	/* Read, not mapped: see supervisor.c. What comes behind `batches` is not needed. */
	if (pread(worker_page, &page, offsetof(struct worker_page, counters), 0) !=
	    (ssize_t)offsetof(struct worker_page, counters))
		return false;
	same = page.attempt_position == watch->attempt && page.batches == watch->batches;
	watch->attempt = page.attempt_position;
	watch->batches = page.batches;
	watch->same = same ? watch->same + 1 : 0;
	if (page.attempt_position)
		watch->expired = watch->same >= watch->looks_max;
	else if (watch->same && (watch->durable || page.state == WORKER_WAITING ||
				 page.state == WORKER_RETRYING || !has_events(ring)))
		watch->same = 0;
	else
		watch->expired = watch->same > IDLE_LOOKS_MAX + watch->looks_max;
	if (watch->expired)
		watch->same = 0;
	return watch->expired;
}
