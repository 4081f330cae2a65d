// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The ring of a workflow: of full size while there is a worker, small while there is none.
 * A worker knows one ring in its life. At the end of a move its ring is empty and gets
 * nothing any more: it comes to its end there, and the next one begins at the next ring.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "clock.h"
#include "fault.h"
#include "logger.h"
#include "ringview.h"
#include "userspace/control/runtime.h"
#include "userspace/pool/supervisor_renew.h"
#include "userspace/pool/supervisor_rest.h"

#define PINS_BYTES (FAAS_PATH_BYTES - 32)
/* Of a worker whose ring is empty. */
#define END_MS SUPERVISOR_READY_MS
/* Until the next look whether a ring is empty, and the next try of what failed. */
#define LOOK_MS 10
#define AGAIN_MS 5000

_Static_assert(FAAS_ACTIVATION_RING_BYTES >= 4 * FAAS_EVENT_BYTES_MAX, "events fit in there");

static void pins_of(const struct workflow *workflow, char ret[PINS_BYTES])
{
	snprintf(ret, PINS_BYTES, "%s/%s/%u", FAAS_PIN_GENERATIONS, workflow->supervisor.name,
		 workflow->supervisor.generation);
}

/* Of the generation's own ring. 0: it cannot be seen. */
static uint64_t own_bytes(const struct workflow *workflow)
{
	char pins[PINS_BYTES], path[FAAS_PATH_BYTES];
	struct ringview_info info = {0};
	int fd;

	pins_of(workflow, pins);
	snprintf(path, sizeof(path), "%s/%s", pins, FAAS_PIN_RING0);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (ringview_identify(fd, &info))
		info.bytes = 0;
	close(fd);
	return info.bytes;
}

static void show(const struct workflow *workflow)
{
	enum page_ring ring = PAGE_RING_FULL;

	if (workflow->ring_move.runs || workflow->ring_next)
		ring = PAGE_RING_MOVES;
	else if (own_bytes(workflow) < workflow->ring_full_bytes)
		ring = PAGE_RING_SMALL;
	__atomic_store_n(&workflow->supervisor.files.runtime_page->ring, ring, __ATOMIC_RELEASE);
}

static void fail(const struct workflow *workflow, int err)
{
	logger_write(LOGGER_ERROR, "workflow.ring", "workflow=%s error=\"%s\" again_ms=%d",
		     workflow->supervisor.name, strerror(-err), AGAIN_MS);
}

static void on_look(struct loop_timer *timer)
{
	workflow_ring_look(loop_container(timer, struct workflow, ring_look));
}

static void look_in(struct workflow *workflow, uint32_t ms)
{
	loop_set(workflow->runtime->loop, &workflow->ring_look,
		 clock_monotonic_ns() + ms * CLOCK_NS_PER_MS, on_look);
}

static void on_moved(struct ring_move *move, int error)
{
	struct workflow *workflow = loop_container(move, struct workflow, ring_move);

	workflow->ring_next = !error;
	show(workflow);
	if (error) {
		fail(workflow, error);
		look_in(workflow, AGAIN_MS);
	} else {
		workflow_ring_look(workflow);
	}
}

static int begin(struct workflow *workflow, uint32_t bytes)
{
	char pins[PINS_BYTES];
	int err;

	pins_of(workflow, pins);
	err = ring_move_begin(&workflow->ring_move, workflow->runtime->loop, pins, bytes, on_moved);
	show(workflow);
	return err;
}

static void begin_or_look(struct workflow *workflow, uint32_t bytes)
{
	int err = begin(workflow, bytes);

	if (err && err != -EAGAIN)
		fail(workflow, err);
	if (err)
		look_in(workflow, err == -EAGAIN ? LOOK_MS : AGAIN_MS);
}

void workflow_ring_open(struct workflow *workflow, const struct bundle *bundle)
{
	uint32_t full = bundle_ring_bytes(bundle->queue_events);

	/* A program is long in starting: it is not started twice for one event. */
	for (uint32_t i = 0; i < bundle->user_count; i++)
		if (bundle->user[i].exec.argument_count)
			return;
	if (!bundle->worker_idle_ns || full <= FAAS_ACTIVATION_RING_BYTES)
		return;
	workflow->ring_full_bytes = full;
}

int workflow_ring_take(struct workflow *workflow)
{
	struct supervisor *supervisor = &workflow->supervisor;
	struct diags *diags = calloc(1, sizeof(*diags));
	struct ring_identity ring;
	char pins[PINS_BYTES];
	int err = diags ? 0 : -ENOMEM;

	pins_of(workflow, pins);
	if (!err)
		err = ring_move_take(pins);
	/* That much was done, and what follows was not. */
	if (err == -ENOENT)
		err = 0;
	fault_point("ring.taken");
	if (!err) {
		supervisor_idle_end(supervisor);
		err = supervisor_read_ring(supervisor, pins, diags) ? -EIO : 0;
	}
	if (!err)
		err = ring_identity_of(supervisor->ring, &ring);
	free(diags);
	if (err) {
		fail(workflow, err);
		return err;
	}
	run_files_adopt(&supervisor->files, supervisor->generation, &ring);
	fault_point("ring.adopted");
	workflow->ring_next = false;
	show(workflow);
	return 0;
}

/* Nobody writes to the ring any more that is read. */
static void follow(struct workflow *workflow)
{
	struct supervisor *supervisor = &workflow->supervisor;
	bool is_idle = supervisor->state == SUPERVISOR_IDLE;
	uint64_t until_ns = supervisor->files.runtime_page->idle_until_ns;

	if (!is_idle && supervisor->state != SUPERVISOR_RUNNING)
		return; /* it is heard of again */
	if (rest_is_over(supervisor->ring) != 1 || supervisor->importing) {
		if (is_idle)
			supervisor_idle_wake(supervisor);
		else
			look_in(workflow, LOOK_MS);
	} else if (is_idle) {
		if (workflow_ring_take(workflow))
			look_in(workflow, AGAIN_MS);
		/* In there may be events that nobody was woken for. */
		supervisor_idle_begin(supervisor, until_ns);
	} else {
		workflow->stop_deadline_ns = clock_monotonic_ns() + END_MS * CLOCK_NS_PER_MS;
		supervisor_turn(supervisor, END_MS);
	}
}

void workflow_ring_look(struct workflow *workflow)
{
	enum supervisor_state state = workflow->supervisor.state;
	bool has_worker = workflow->rest || state == SUPERVISOR_RUNNING;
	char pins[PINS_BYTES];
	uint64_t bytes;

	if (!workflow->ring_full_bytes || workflow->runtime->ending || workflow->ring_move.runs ||
	    workflow->phase != WORKFLOW_RUNNING)
		return;
	if (workflow->ring_next) {
		if (!workflow->rest)
			follow(workflow);
		return;
	}
	bytes = own_bytes(workflow);
	pins_of(workflow, pins);
	/* The next may be of a runtime before this one, which was killed in a move. */
	if (ring_move_has_next(pins) || (has_worker && bytes && bytes < workflow->ring_full_bytes))
		begin_or_look(workflow, workflow->ring_full_bytes);
	else if (state == SUPERVISOR_IDLE && !workflow->rest && bytes > FAAS_ACTIVATION_RING_BYTES)
		begin_or_look(workflow, FAAS_ACTIVATION_RING_BYTES);
}

void workflow_ring_stop(struct workflow *workflow, bool full)
{
	int err = 0;

	loop_unset(workflow->runtime->loop, &workflow->ring_look);
	if (workflow->ring_move.runs)
		workflow->ring_next = !ring_move_wait(&workflow->ring_move);
	if (!full || !workflow->ring_full_bytes || workflow->ring_next ||
	    own_bytes(workflow) >= workflow->ring_full_bytes)
		return;
	err = begin(workflow, workflow->ring_full_bytes);
	if (!err)
		err = ring_move_wait(&workflow->ring_move);
	workflow->ring_next = !err;
	if (err)
		fail(workflow, err);
}
