// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_log.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "logger.h"
#include "reserve.h"
#include "userspace/log/log.h"
#include "userspace/pool/supervisor.h"

#define CAPACITY ((uint64_t)FAAS_LOG_SEGMENTS * FAAS_LOG_SEGMENT_BYTES)
/* What a worker begins with: a record begins where the longest has room, if not in this
 * segment then in the next. The rest comes when the worker is ready. */
#define PART (2ull * LOG_RECORD_BYTES_MAX)

_Static_assert(PART <= CAPACITY, "there is as much");

/* Behind the last record. The worker wrote it: it is a number, and no more. */
static uint64_t head_of(const struct supervisor *supervisor)
{
	uint64_t head = 0;

	if (pread(supervisor->files.worker_page, &head, sizeof(head),
		  offsetof(struct worker_page, head)) != (ssize_t)sizeof(head))
		return 0;
	return head;
}

/* Whether nobody reads the log any more: what is at its end is where the next record
 * will be. */
static bool is_read(const struct supervisor *supervisor)
{
	struct courier_cursor cursor;

	return !pages_read_cursor(supervisor->files.courier_page, &cursor) &&
	       cursor.log_position == head_of(supervisor);
}

void log_give_back(struct supervisor *supervisor)
{
	struct runtime_page *page = supervisor->files.runtime_page;

	if (page->log_given_back || supervisor->files.storage.fds[DISK_LOG] >= 0 ||
	    !is_read(supervisor))
		return;
	/* Behind this word the next worker writes nothing before it is there again. */
	__atomic_store_n(&page->log_limit, head_of(supervisor), __ATOMIC_RELAXED);
	__atomic_store_n(&page->log_given_back, 1, __ATOMIC_RELEASE);
	fault_point("idle.log_noted");
	/* Where that cannot be done it stays, and is taken all the same. */
	(void)reserve_give_back(supervisor->files.log, LOG_DATA_OFFSET, CAPACITY);
}

/* @p from to @p to of the circle. */
static int take(const struct supervisor *supervisor, uint64_t from, uint64_t to)
{
	return to > from ? reserve(supervisor->files.log, LOG_DATA_OFFSET + from, to - from) : 0;
}

/* The worker may wait for it. */
static void tell_of_room(const struct supervisor *supervisor)
{
	const uint64_t one = 1;

	(void)!write(supervisor->space, &one, sizeof(one));
}

int log_take_part(struct supervisor *supervisor)
{
	struct runtime_page *page = supervisor->files.runtime_page;
	uint64_t head = head_of(supervisor);
	uint64_t from = head % CAPACITY, to = from + PART;
	int err;

	if (!page->log_given_back)
		return 0;
	err = take(supervisor, from, to < CAPACITY ? to : CAPACITY);
	if (!err && to > CAPACITY)
		err = take(supervisor, 0, to - CAPACITY);
	if (err)
		return err;
	__atomic_store_n(&page->log_limit, head + PART, __ATOMIC_RELEASE);
	tell_of_room(supervisor);
	return 0;
}

void log_take_rest(struct supervisor *supervisor)
{
	struct runtime_page *page = supervisor->files.runtime_page;
	int err;

	if (!page->log_given_back)
		return;
	fault_point("idle.log_rest");
	err = take(supervisor, 0, CAPACITY);
	if (err) {
		logger_write(LOGGER_WARNING, "workflow.log", "workflow=%s error=\"%s\"",
			     supervisor->name, strerror(-err));
		return;
	}
	__atomic_store_n(&page->log_given_back, 0, __ATOMIC_RELEASE);
	tell_of_room(supervisor);
}
