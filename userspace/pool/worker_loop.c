// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The loop: process what is in the ring, wait (worker_wait.h), listen to the runtime. */
#include "worker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault.h"
#include "userspace/pool/worker_durable.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/pool/worker_idle.h"
#include "userspace/pool/worker_take.h"
#include "userspace/pool/worker_timer.h"

#define BATCH_NS_MAX 2000000
/* Events and timers take turns: for so many events of a batch one timer, and one
 * at least, whichever of the two have a backlog. */
#define EVENTS_PER_TIMER 4
#define WAIT_FOREVER (-1)
/* A worker that waits for room in its log goes on with this part of it free: what a
 * wakeup costs, with caches that hold nothing of it, is shared by many events. The courier
 * has the other half to deliver meanwhile. Where events have a deadline they wait for less. */
#define ROOM_PART 2
#define ROOM_PART_DEADLINE 4
/* Full batches in a row between two looks at the control socket. */
#define BATCHES_PER_LOOK 16

/* Who sees that it runs sees tables that are mended: see stateview_read(). */
static void set_state(struct worker *worker, enum worker_state state)
{
	__atomic_store_n(&worker->page->state, state, __ATOMIC_RELEASE);
}

void worker_publish(struct worker *worker)
{
	struct worker_page *page = worker->page;
	const struct page_counters *shown = worker->shown;
	uint32_t next = !page->current;
	size_t bytes = offsetof(struct page_counters, functions) +
		       worker->bundle->user_count * sizeof(worker->live.functions[0]);

	/* Not before the last count of batches: see worker_page_read. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(&page->counters[next], shown, bytes);
	fault_point("counters.before_flip");
	__atomic_store_n(&page->current, next, __ATOMIC_RELEASE);
	fault_point("counters.after_flip");
	__atomic_store_n(&page->head, shown->log_position, __ATOMIC_RELEASE);
	__atomic_store_n(&page->head_sequence, shown->sequence, __ATOMIC_RELEASE);
	__atomic_store_n(&page->batches, page->batches + 1, __ATOMIC_RELEASE);
	worker->flipped_log_position = shown->log_position;
	if (worker->durable)
		ring_release_to(&worker->ring, shown->ring_position);
	else
		ring_release(&worker->ring);
}

void worker_show_progress(struct worker *worker, bool committed)
{
	/* Records that the kernel tier discarded are released as well. */
	worker->live.ring_position = worker->ring.position;
	if (!worker->durable
		    ? committed
		    : (committed || worker_durable_is_due(worker)) && worker_durable_step(worker))
		worker_publish(worker);
}

/* Records that are taken, and the next of them to process. */
struct window {
	struct worker_pending pending[WORKER_LOOKAHEAD];
	uint32_t taken, done;
};

/* Take and check records as far as the window and @p most go, then have all of
 * their states fetched: what a table needs most time for is to find where its pages
 * are, and the processor does that for some of them at once only if they are asked
 * for in a row. */
static void look_ahead(struct worker *worker, struct window *window, uint32_t most)
{
	uint32_t first = window->taken;

	while (window->taken < most && window->taken - window->done < WORKER_LOOKAHEAD) {
		struct worker_pending *next = &window->pending[window->taken % WORKER_LOOKAHEAD];

		if (!ring_take(&worker->ring, &next->record))
			break;
		worker_prepare(worker, next);
		window->taken++;
	}
	if (first < window->taken)
		worker_watch(&worker->watch);
	for (; first < window->taken; first++)
		worker_prefetch(&window->pending[first % WORKER_LOOKAHEAD]);
}

/* With a deadline: a batch that began before events became slow ends in time. */
static inline bool is_over(struct worker *worker, uint64_t begin_ns)
{
	if (worker->shed.deadline_ns && worker->now_ns() - begin_ns >= worker->shed.batch_ns)
		worker->shed.cut_short = true;
	return worker->shed.cut_short;
}

/* Most timers of a batch. */
static uint32_t timers_max(const struct worker *worker)
{
	return worker->batch_events > EVENTS_PER_TIMER ? worker->batch_events / EVENTS_PER_TIMER
						       : 1;
}

/* Process what is in the ring, at most @p most. The window is filled when half of it
 * is done: the memory that a state is in has the time of that many events to come. */
static int process(struct worker *worker, uint32_t most, uint64_t begin_ns, uint32_t *ret_events)
{
	struct window window;
	int err = 0;

	window.taken = 0;
	window.done = 0;
	for (;;) {
		if (window.taken == window.done ||
		    window.taken - window.done == WORKER_LOOKAHEAD / 2) {
			if (window.done && is_over(worker, begin_ns))
				most = window.taken;
			look_ahead(worker, &window, most);
		}
		if (window.done == window.taken)
			break;
		err = worker_plain(worker, &window.pending[window.done % WORKER_LOOKAHEAD]);
		if (err) {
			/* This one and those behind it are not taken after all. */
			worker->ring.position =
				window.pending[window.done % WORKER_LOOKAHEAD].record.begin;
			break;
		}
		window.done++;
		fault_point("batch.inside");
	}
	*ret_events = window.done;
	return err;
}

/* The same for workflows with functions that take events in batches: as many as one
 * call takes are taken together. May process a few more than @p most. */
static int process_together(struct worker *worker, uint32_t most, uint64_t begin_ns,
			    uint32_t *ret_events)
{
	struct worker_pending pending[FAAS_BATCH_MAX];
	uint32_t events = 0, count;
	int err = 0;

	do {
		for (count = 0; count < FAAS_BATCH_MAX; count++) {
			if (!ring_take(&worker->ring, &pending[count].record))
				break;
			worker_prepare(worker, &pending[count]);
		}
		if (count)
			worker_watch(&worker->watch);
		for (uint32_t i = 0; i < count; i++)
			worker_prefetch(&pending[i]);
		for (uint32_t i = 0; !err && i < count; i++) {
			worker_gather(worker, pending + i, count - i);
			err = worker_event(worker, &pending[i]);
			if (err)
				worker->ring.position = pending[i].record.begin;
			else
				events++;
			fault_point("batch.inside");
		}
	} while (!err && count == FAAS_BATCH_MAX && events < most && !is_over(worker, begin_ns));
	*ret_events = events;
	return err;
}

/* Ring space, counters and the runtime wait for the end of a batch: with slow
 * functions it is made of fewer events. */
static void fit_batch(struct worker *worker, uint64_t took_ns)
{
	bool deadline = worker->shed.deadline_ns != 0;
	uint64_t most_ns = deadline ? worker->shed.batch_ns : BATCH_NS_MAX;

	if (took_ns > most_ns && worker->batch_events > (deadline ? 1 : WORKER_BATCH_EVENTS_MIN))
		worker->batch_events /= 2;
	else if (took_ns < most_ns / 4 && worker->batch_events < WORKER_BATCH_EVENTS)
		worker->batch_events *= 2;
}

int worker_batch(struct worker *worker, uint32_t *ret_events)
{
	uint64_t begin = worker->ring.position;
	uint64_t begin_ns = worker->now_ns(), end_ns;
	uint32_t events = 0, timers = 0, swept = 0;
	bool busy;
	int err;

	_Static_assert((WORKER_BATCH_EVENTS & (WORKER_BATCH_EVENTS - 1)) == 0 &&
			       WORKER_BATCH_EVENTS % WORKER_BATCH_EVENTS_MIN == 0,
		       "halves and doubles of it");
	worker->shed.cut_short = false;
	if (worker->gathered)
		err = process_together(worker, worker->batch_events, begin_ns, &events);
	else
		err = process(worker, worker->batch_events, begin_ns, &events);
	/* Timers do not wait for an event that is tried again. */
	busy = err == -EBUSY;
	if (busy)
		err = 0;
	if (!err && worker_next_deadline(worker) <= begin_ns)
		err = worker_timers(worker, begin_ns, timers_max(worker), &timers);
	if (!err && worker->next_sweep_ns <= begin_ns)
		err = worker_sweeps(worker, begin_ns, timers_max(worker), &swept);
	timers += swept;
	worker_show_progress(worker, worker->ring.position != begin || timers);
	end_ns = worker->now_ns();
	fit_batch(worker, end_ns - begin_ns);
	worker_shed_saw(worker, worker->ring.position - begin, events, begin_ns, end_ns);
	worker_wait_saw(worker, events, end_ns);
	*ret_events = events + timers;
	return err || !busy ? err : -EBUSY;
}

void worker_set_limit(struct worker *worker)
{
	const struct runtime_page *page = worker->runtime_page;
	bool is_whole = !__atomic_load_n(&page->log_given_back, __ATOMIC_ACQUIRE);
	uint64_t there = __atomic_load_n(&page->log_limit, __ATOMIC_ACQUIRE);

	if (worker->durable) {
		worker->log.limit = durable_limit(&worker->durable->durable);
		return;
	}
	worker->log.limit = worker->log.tail + worker->log.capacity;
	if (!is_whole && there < worker->log.limit)
		worker->log.limit = there;
}

void worker_refresh_tail(struct worker *worker)
{
	const struct courier_page *page = worker->courier_page;
	uint32_t current = __atomic_load_n(&page->current, __ATOMIC_ACQUIRE);
	const struct courier_cursor *seen = &page->cursors[current & 1];
	/* With durable state, what files do not have on their disk is needed yet. */
	uint64_t cursor = __atomic_load_n(
		worker->durable ? &seen->synced_position : &seen->log_position, __ATOMIC_ACQUIRE);
	uint64_t sequence = __atomic_load_n(
		worker->durable ? &seen->synced_sequence : &seen->sequence, __ATOMIC_RELAXED);
	uint64_t delivered = __atomic_load_n(&seen->log_position, __ATOMIC_RELAXED);

	/* The copy that is not current is being written: read while the courier
	 * moved on, it may say what a restarted courier would know nothing of, or, when
	 * it moved on twice, a position and the number of another one. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&page->current, __ATOMIC_RELAXED) != current)
		return;
	worker->delivered = delivered;
	/* Recovery needs what is behind the counters, wherever the courier is.
	 * And a cursor only goes forward, to no further than the head. */
	if (cursor > worker->courier.position && cursor <= worker->flipped_log_position)
		worker->courier = (struct durable_place){cursor, sequence};
	if (cursor > worker->flipped_log_position)
		cursor = worker->flipped_log_position;
	if (cursor > worker->log.tail)
		log_set_tail(&worker->log, cursor);
	worker_set_limit(worker);
}

/* It stores its epoch, fences, and looks at the log; we have written the log,
 * fence, and look at its epoch: one of the two sees the other. */
void worker_wake_courier(struct worker *worker)
{
	const uint64_t one = 1;
	uint64_t epoch;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	epoch = __atomic_load_n(&worker->courier_page->sleep_epoch, __ATOMIC_ACQUIRE);
	if (!(epoch & 1) || epoch == worker->notified_epoch || worker->notify_fd < 0)
		return;
	worker->notified_epoch = epoch;
	/* A full counter (EAGAIN) has woken it already. */
	(void)!write(worker->notify_fd, &one, sizeof(one));
}

void worker_notify(struct worker *worker)
{
	worker_refresh_tail(worker);
	/* Behind output_position is nothing to deliver; waking the courier to
	 * step over it is worth the while when space gets short. */
	if (worker->shown->output_position > worker->delivered ||
	    worker->log.head - worker->log.tail > worker->log.capacity / 2)
		worker_wake_courier(worker);
}

static void send_word(const struct worker *worker, const char *word)
{
	/* A full socket is a runtime that is not there to read it. */
	(void)!send(worker->control_fd, word, strlen(word), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Note until where to drain; `stop` ends the loop there. */
static void ask_drain(struct worker *worker, bool stop)
{
	worker->drain_position = __atomic_load_n(worker->ring.producer, __ATOMIC_ACQUIRE);
	worker->draining = true;
	worker->stopping |= stop;
}

/* Read what the runtime says. False: it is gone. */
static bool read_control(struct worker *worker)
{
	uint64_t word[IMPORT_BYTES_MAX / sizeof(uint64_t)];

	for (;;) {
		ssize_t bytes = recv(worker->control_fd, word, sizeof(word), MSG_DONTWAIT);

		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		if (!bytes)
			return false;
		if (bytes == 5 && !memcmp(word, "drain", 5))
			ask_drain(worker, false);
		else if (bytes == 4 && !memcmp(word, "stop", 4))
			ask_drain(worker, true);
		else
			(void)worker_import_take(worker, word, (uint32_t)bytes);
	}
}

/* Answer when all that was asked for is done. True: it was the last thing. */
static bool finish_drain(struct worker *worker)
{
	if (!worker->draining || worker->ring.position < worker->drain_position ||
	    (worker->durable && !durable_is_settled(&worker->durable->durable)))
		return false;
	worker->draining = false;
	worker_wake_courier(worker);
	if (worker->stopping)
		return true;
	send_word(worker, "drained");
	return false;
}

/* When the disk wants something done; 0: now. */
static uint64_t disk_ns(const struct worker *worker)
{
	uint64_t wake_ns;

	if (!worker->durable)
		return WORKER_WAIT_FOREVER;
	if (waiter_has_written(&worker->waiter))
		return 0;
	wake_ns = durable_wake_ns(&worker->durable->durable);
	return wake_ns ? wake_ns : WORKER_WAIT_FOREVER;
}

/* When there is something to do whatever happens; 0: now. */
static uint64_t next_ns(const struct worker *worker)
{
	uint64_t deadline = worker_next_deadline(worker);
	uint64_t wake_ns = disk_ns(worker);

	if (worker->retry_ns && worker->retry_ns < deadline)
		deadline = worker->retry_ns;
	return wake_ns < deadline ? wake_ns : deadline;
}

static int64_t until(const struct worker *worker, uint64_t until_ns)
{
	uint64_t now_ns = worker->now_ns();

	if (until_ns == WORKER_WAIT_FOREVER)
		return WAIT_FOREVER;
	return until_ns > now_ns ? (int64_t)(until_ns - now_ns) : 0;
}

/* Where the courier's cursor must be for the waiting to end. It gets there, for this is
 * not behind the last record that it sees. Not 0. */
static uint64_t room_position(const struct worker *worker)
{
	uint64_t part = worker->shed.deadline_ns ? ROOM_PART_DEADLINE : ROOM_PART;
	uint64_t position = worker->log.tail + worker->log.capacity / part;

	if (position > worker->shown->log_position)
		position = worker->shown->log_position;
	return position ? position : 1;
}

/* Wait until the courier or the disk has made room, or the runtime says something. Not
 * for timers: one that is due needs room too, and would make this a loop that spins. */
static int wait_for_space(struct worker *worker)
{
	int err = 0;

	set_state(worker, WORKER_WAITING);
	__atomic_store_n(&worker->page->waiting, room_position(worker), __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* It moves its cursor, fences, and looks at `waiting`. */
	worker_refresh_tail(worker);
	worker_wake_courier(worker);
	if (log_begin(&worker->log))
		err = waiter_wait(&worker->waiter, until(worker, disk_ns(worker)));
	else
		log_abandon(&worker->log);
	__atomic_store_n(&worker->page->waiting, 0, __ATOMIC_RELAXED);
	worker_refresh_tail(worker);
	set_state(worker, WORKER_RUNNING);
	return err;
}

/* Wait for the next attempt of an event; producers wake nobody who is awake. */
static int wait_to_retry(struct worker *worker)
{
	int err;

	set_state(worker, WORKER_RETRYING);
	err = waiter_wait(&worker->waiter, until(worker, next_ns(worker)));
	set_state(worker, WORKER_RUNNING);
	return err;
}

/* The end, of its own accord or because it was told: @p word says which. */
static int leave(struct worker *worker, const char *word)
{
	bool idle = !strcmp(word, WORKER_WORD_IDLE);

	/* What hangs in faas_on_stop is ended by whoever knows that it is the end. */
	if (idle)
		send_word(worker, word);
	worker_stop(worker);
	set_state(worker, WORKER_STOPPED);
	if (!idle)
		send_word(worker, word);
	return WORKER_EXIT_DONE;
}

int worker_run(struct worker *worker)
{
	bool *heard = &worker->waiter.fired[WAITER_CONTROL];
	uint32_t batches = 0;
	uint32_t events;

	/* Whoever died before us may have died asleep. */
	__atomic_store_n(&worker->wake->sleeping, 0, __ATOMIC_SEQ_CST);
	set_state(worker, WORKER_RUNNING);
	worker_wait_begin(worker);
	worker_shed_begin(worker);
	for (;;) {
		uint32_t begun_with = worker->batch_events;
		int full = worker_batch(worker, &events);
		int err = 0;

		if (events)
			worker->idle_look_ns = 0;
		if (events || worker->durable)
			worker_notify(worker);
		if (full != -EAGAIN && worker_import(worker))
			full = -EAGAIN;
		if (finish_drain(worker))
			return leave(worker, "stopped");

		if (full == -EBUSY)
			err = wait_to_retry(worker);
		else if (full)
			err = wait_for_space(worker);
		else if (events >= begun_with || worker->shed.cut_short)
			*heard |= ++batches % BATCHES_PER_LOOK == 0;
		else {
			uint64_t until_ns = next_ns(worker);

			worker_shed_rest(&worker->shed);
			if (worker_leaves(worker, until_ns))
				return leave(worker, WORKER_WORD_IDLE);
			err = worker_wait(worker, until_ns < worker->idle_look_ns
							  ? until_ns
							  : worker->idle_look_ns);
		}
		if (err && err != -EINTR && err != -EAGAIN)
			return worker_fail(worker, WORKER_EXIT_SETUP, "cannot wait: %s",
					   strerror(-err));
		if (*heard) {
			*heard = false;
			worker->idle_look_ns = 0;
			/* Orphaned: what is not committed stays in the ring. */
			if (!read_control(worker))
				return WORKER_EXIT_DONE;
		}
	}
}
