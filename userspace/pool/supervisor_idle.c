// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_idle.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include <ebpf_faas/pins.h>

#include "clock.h"
#include "fault.h"
#include "logger.h"
#include "ringview.h"
#include "userspace/pool/supervisor.h"
#include "userspace/pool/supervisor_log.h"

bool supervisor_idle_left(const struct supervisor *supervisor, const struct spawn_end *how)
{
	const struct supervisor_idle *idle = &supervisor->idle;
	uint64_t lived_ns =
		clock_monotonic_ns() - supervisor->files.runtime_page->worker_started_ns;

	return idle->said && idle->after_ns && lived_ns >= idle->after_ns && !how->signal &&
	       how->status == WORKER_EXIT_DONE;
}

bool supervisor_idle_has_events(const struct supervisor *supervisor)
{
	struct ringview ring;
	bool any;

	/* Who cannot look had better start a worker. */
	if (ringview_open(supervisor->ring, &ring))
		return true;
	any = __atomic_load_n(ring.producer, __ATOMIC_ACQUIRE) !=
	      __atomic_load_n(ring.consumer, __ATOMIC_ACQUIRE);
	ringview_close(&ring);
	return any;
}

/* The flag that producers look at, as a worker sets it that sleeps. */
static int set_sleeping(const struct supervisor *supervisor)
{
	struct faas_wake *wake = mmap(NULL, FAAS_INSTANCES_MAX * sizeof(*wake),
				      PROT_READ | PROT_WRITE, MAP_SHARED, supervisor->wake, 0);

	if (wake == MAP_FAILED)
		return -errno;
	__atomic_store_n(&wake->sleeping, 1, __ATOMIC_SEQ_CST);
	munmap(wake, FAAS_INSTANCES_MAX * sizeof(*wake));
	return 0;
}

static void on_event(struct loop_source *source, uint32_t events)
{
	(void)events;
	supervisor_idle_wake(loop_container(source, struct supervisor, idle.ring));
}

static void on_due(struct loop_timer *timer)
{
	supervisor_idle_wake(loop_container(timer, struct supervisor, timer));
}

void supervisor_idle_begin(struct supervisor *supervisor, uint64_t until_ns)
{
	struct runtime_page *page = supervisor->files.runtime_page;
	int err;

	page->idle_until_ns = until_ns;
	__atomic_store_n(&page->idle, 1, __ATOMIC_RELEASE);
	supervisor->state = SUPERVISOR_IDLE;
	err = loop_add(supervisor->loop, &supervisor->idle.ring, supervisor->ring, EPOLLIN,
		       on_event);
	fault_point("idle.armed");
	/* The worker left it set; but the worker is not trusted with it. Nobody is woken for
	 * a record that came before: flag, fence, look, as in worker_wait.c. */
	if (!err)
		err = set_sleeping(supervisor);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (err)
		logger_write(LOGGER_ERROR, "workflow.idle", "workflow=%s error=\"%s\"",
			     supervisor->name, strerror(-err));
	fault_point("idle.flagged");
	if (err || supervisor_idle_has_events(supervisor))
		supervisor_idle_wake(supervisor);
	else {
		if (until_ns != UINT64_MAX)
			loop_set(supervisor->loop, &supervisor->timer, until_ns, on_due);
		log_give_back(supervisor);
		copies_give_back(supervisor);
		childlog_forget(&supervisor->output);
		supervisor->idled(supervisor);
	}
}

void supervisor_idle_end(struct supervisor *supervisor)
{
	loop_remove(supervisor->loop, &supervisor->idle.ring);
}

void supervisor_idle_wake(struct supervisor *supervisor)
{
	supervisor_idle_end(supervisor);
	loop_unset(supervisor->loop, &supervisor->timer);
	supervisor_start_process(supervisor);
}
