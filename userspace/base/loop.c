// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"

int loop_open(struct loop *loop)
{
	loop->timers = NULL;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_close(struct loop *loop)
{
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->epoll_fd = -1;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	     void (*ready)(struct loop_source *source, uint32_t events))
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	source->fd = -1;
	source->ready = ready;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	source->fd = fd;
	return 0;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	if (!source->ready || source->fd < 0)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->fd = -1;
}

void loop_unset(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer **at = &loop->timers;

	if (!timer->deadline_ns)
		return;
	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	timer->deadline_ns = 0;
}

void loop_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns,
	      void (*expired)(struct loop_timer *timer))
{
	struct loop_timer **at = &loop->timers;

	loop_unset(loop, timer);
	timer->deadline_ns = deadline_ns ? deadline_ns : 1;
	timer->expired = expired;
	while (*at && (*at)->deadline_ns <= timer->deadline_ns)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
}

/* Milliseconds to wait, at most @p most: rounded up, or the loop would spin in
 * the last one. */
static int wait_ms(const struct loop *loop, int most)
{
	uint64_t now, left;

	if (!loop->timers || !most)
		return most;
	now = clock_monotonic_ns();
	if (loop->timers->deadline_ns <= now)
		return 0;
	left = (loop->timers->deadline_ns - now + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
	if (left > INT_MAX)
		left = INT_MAX;
	return most < 0 || (uint64_t)most > left ? (int)left : most;
}

int loop_step(struct loop *loop, int timeout_ms)
{
	struct epoll_event event;
	int count = epoll_wait(loop->epoll_fd, &event, 1, wait_ms(loop, timeout_ms));

	if (count < 0 && errno != EINTR)
		return -errno;
	if (count > 0) {
		struct loop_source *source = event.data.ptr;

		source->ready(source, event.events);
	}
	if (loop->timers) {
		struct loop_timer *timer = loop->timers;

		/* One only: what it calls may set and unset others. */
		if (timer->deadline_ns <= clock_monotonic_ns()) {
			loop_unset(loop, timer);
			timer->expired(timer);
		}
	}
	return count > 0;
}
