// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A workflow that went back: what the version that did not stay has left in its ring. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include <ebpf_faas/pins.h>

#include "clock.h"
#include "fault.h"
#include "logger.h"
#include "userspace/control/runtime.h"
#include "userspace/pool/supervisor_renew.h"
#include "userspace/pool/supervisor_rest.h"

#define PINS_BYTES (FAAS_PATH_BYTES - 32)
/* Of a worker whose ring is empty. */
#define END_MS SUPERVISOR_READY_MS

static void pins_of(const char *name, uint32_t generation, char ret[PINS_BYTES])
{
	snprintf(ret, PINS_BYTES, "%s/%s/%u", FAAS_PIN_GENERATIONS, name, generation);
}

/* Descriptor of a generation's ring or -errno. */
static int open_ring(const char *name, uint32_t generation)
{
	char pins[PINS_BYTES], path[FAAS_PATH_BYTES];
	int fd;

	pins_of(name, generation, pins);
	snprintf(path, sizeof(path), "%s/%s", pins, FAAS_PIN_RING0);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

uint32_t workflow_rest_find(const struct start *start)
{
	struct runtime_page page;
	uint32_t rest = start->rest;
	int fd;

	/* One that a runtime before this one was at. */
	if (!rest && !run_files_look(FAAS_RUN_WORKFLOWS, start->name, &page) &&
	    page.version == PAGES_VERSION && page.generation == start->generation)
		rest = page.rest_generation;
	fd = rest ? open_ring(start->name, rest) : -ENOENT;
	if (fd < 0)
		return 0;
	close(fd);
	return rest;
}

static int open_other(const struct workflow *workflow, struct bundle *ret, struct diags *diags)
{
	char directory[FAAS_PATH_BYTES];

	snprintf(directory, sizeof(directory), "%s/%s/generations/%u", FAAS_STATE_WORKFLOWS,
		 workflow->supervisor.name, workflow->rest);
	return bundle_open(directory, ret, diags);
}

/* The ring that the files were of so far keeps nothing that the log has. 0 or -errno. */
static int leave(const struct workflow *workflow)
{
	const struct supervisor *supervisor = &workflow->supervisor;
	const struct runtime_page *page = supervisor->files.runtime_page;
	int fd = open_ring(supervisor->name,
			   page->rest_generation ? page->rest_generation : page->generation);
	int err = fd < 0 ? fd : rest_leave(FAAS_RUN_WORKFLOWS, supervisor->name, fd);

	if (fd >= 0)
		close(fd);
	return err == -ENOENT ? 0 : err;
}

int workflow_rest_begin(struct workflow *workflow, const struct bundle *bundle, struct diags *diags)
{
	struct supervisor *supervisor = &workflow->supervisor;
	struct runtime_page *page = supervisor->files.runtime_page;
	struct bundle *other = calloc(1, sizeof(*other));
	struct ring_identity ring;
	char pins[PINS_BYTES];
	int err = -1;

	pins_of(supervisor->name, workflow->rest, pins);
	if (!other)
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	else if (!open_other(workflow, other, diags))
		err = supervisor_read_ring(supervisor, pins, diags);
	if (!err)
		err = ring_identity_of(supervisor->ring, &ring);
	if (!err && page->ring_map_id != ring.map_id)
		err = leave(workflow);
	if (!err) {
		rest_tables(other, bundle, &page->rest);
		fault_point("rest.tables");
		__atomic_store_n(&page->rest_generation, workflow->rest, __ATOMIC_RELEASE);
		fault_point("rest.noted");
		if (page->generation != supervisor->generation || page->ring_map_id != ring.map_id)
			run_files_adopt(&supervisor->files, supervisor->generation, &ring);
		fault_point("rest.begun");
	} else if (err < -1) {
		diag_fail(diags, DIAG_FAILED, NULL, "the ring of generation %u of %s: %s",
			  workflow->rest, supervisor->name, strerror(-err));
	}
	free(other);
	return err ? -1 : 0;
}

void workflow_rest_look(struct workflow *workflow)
{
	struct supervisor *supervisor = &workflow->supervisor;

	if (!workflow->rest || workflow->phase != WORKFLOW_RUNNING ||
	    (supervisor->state != SUPERVISOR_RUNNING && supervisor->state != SUPERVISOR_IDLE) ||
	    supervisor->importing || rest_is_over(supervisor->ring) != 1)
		return;
	workflow->stop_deadline_ns = clock_monotonic_ns() + END_MS * CLOCK_NS_PER_MS;
	supervisor_stop(supervisor, END_MS);
}

/* Whether the other generation was moving to another ring when it was ended: that is read
 * before the own one. 0, 1 or -errno. */
static int take_its_next(const struct workflow *workflow)
{
	char pins[PINS_BYTES];
	int err;

	pins_of(workflow->supervisor.name, workflow->rest, pins);
	err = ring_move_take(pins);
	return err ? (err == -ENOENT ? 0 : err) : 1;
}

int workflow_rest_end(struct workflow *workflow)
{
	struct supervisor *supervisor = &workflow->supervisor;
	struct runtime_page *page = supervisor->files.runtime_page;
	struct diags *diags = calloc(1, sizeof(*diags));
	struct ring_identity ring;
	char pins[PINS_BYTES];
	int err = diags ? leave(workflow) : -ENOMEM, more = 0;

	if (!err)
		more = take_its_next(workflow);
	if (more < 0)
		err = more;
	pins_of(supervisor->name, more ? workflow->rest : supervisor->generation, pins);
	if (!err && supervisor_read_ring(supervisor, pins, diags))
		err = -EIO;
	if (!err)
		err = ring_identity_of(supervisor->ring, &ring);
	if (!err && more) {
		run_files_adopt(&supervisor->files, supervisor->generation, &ring);
	} else if (!err) {
		run_files_adopt(&supervisor->files, supervisor->generation, &ring);
		fault_point("rest.over");
		__atomic_store_n(&page->rest_generation, 0, __ATOMIC_RELEASE);
		fault_point("rest.own_ring");
		logger_write(LOGGER_INFO, "workflow.rest", "workflow=%s generation=%u rest=%u",
			     supervisor->name, supervisor->generation, workflow->rest);
		workflow->rest = 0;
	} else {
		logger_write(LOGGER_ERROR, "workflow.rest", "workflow=%s rest=%u error=\"%s\"",
			     supervisor->name, workflow->rest,
			     diags && diags->count ? diags->list[0].cause : strerror(-err));
	}
	free(diags);
	return err;
}
