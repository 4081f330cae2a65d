// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The kernel tier of a workflow whose user tier cannot run: `on_failure`. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "fault.h"
#include "logger.h"
#include "slots.h"
#include "userspace/control/runtime.h"

#define STOPPED (FAAS_REGISTRY_STOPPED_PASS | FAAS_REGISTRY_STOPPED_DROP)
#define REGISTRY_BYTES (FAAS_SLOTS_MAX * sizeof(struct faas_registry_entry))

static int open_pin(const char *name)
{
	char path[FAAS_PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", FAAS_PIN_ROOT, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* Under the lock. The flag is there before a program stands in, and as long as one does:
 * whoever is killed in between is followed by one who does it again. */
static int put(struct workflow *workflow, struct faas_registry_entry *entry,
	       const struct slots *slots)
{
	const struct supervisor *supervisor = &workflow->supervisor;
	uint32_t flags = (entry->flags & ~(uint32_t)STOPPED) | workflow->slots_flags;
	char directory[FAAS_PATH_BYTES];
	int err;

	if (strncmp(entry->name, supervisor->name, sizeof(entry->name)) ||
	    entry->generation != supervisor->generation)
		return 0;
	if (entry->state != FAAS_REGISTRY_LOADED)
		return -EAGAIN;
	if (!workflow->slots_flags && !(entry->flags & STOPPED))
		return 0;
	if (workflow->slots_flags)
		__atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
	fault_point("slots.flagged");
	snprintf(directory, sizeof(directory), "%s/%s/%u", FAAS_PIN_GENERATIONS, supervisor->name,
		 supervisor->generation);
	err = slots_put(slots, supervisor->slot, flags, directory);
	fault_point("slots.put");
	if (!err)
		__atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
	return err;
}

static int put_with_maps(struct workflow *workflow)
{
	struct slots slots = {open_pin(FAAS_PIN_SLOTS), open_pin(FAAS_PIN_TC_SLOTS),
			      open_pin(FAAS_PIN_SLOT_COUNTERS), open_pin(FAAS_PIN_REGISTRY)};
	const int fds[] = {slots.xdp, slots.tc, slots.counters, slots.registry};
	struct faas_registry_entry *registry = MAP_FAILED;
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(fds) / sizeof(fds[0]); i++)
		err = fds[i] < 0 ? fds[i] : 0;
	if (!err)
		registry = mmap(NULL, REGISTRY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
				slots.registry, 0);
	if (registry != MAP_FAILED) {
		err = put(workflow, &registry[workflow->supervisor.slot], &slots);
		munmap(registry, REGISTRY_BYTES);
	} else if (!err) {
		err = -errno;
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return err;
}

/* 0; -EAGAIN: a command is at work. */
static int try(struct workflow *workflow)
{
	int lock = open(FAAS_RUN_LOCK, O_RDWR | O_CLOEXEC);
	int err;

	if (lock < 0)
		return -errno;
	err = flock(lock, LOCK_EX | LOCK_NB) ? -errno : put_with_maps(workflow);
	close(lock);
	return err == -EWOULDBLOCK ? -EAGAIN : err;
}

void workflow_slots_retry(struct workflow *workflow)
{
	int err;

	if (!workflow->slots_late)
		return;
	err = try(workflow);
	if (err == -EAGAIN)
		return;
	workflow->slots_late = false;
	if (err)
		logger_write(LOGGER_ERROR, "workflow.slots", "workflow=%s error=\"%s\"",
			     workflow->supervisor.name, strerror(-err));
}

static void want(struct workflow *workflow, uint32_t flags)
{
	if (workflow->slots_flags == flags)
		return;
	workflow->slots_flags = flags;
	workflow->slots_late = true;
	workflow_slots_retry(workflow);
	if (workflow->slots_late)
		runtime_watch(workflow->runtime);
}

void workflow_slots_stop(struct workflow *workflow)
{
	want(workflow,
	     workflow->on_failure_drop ? FAAS_REGISTRY_STOPPED_DROP : FAAS_REGISTRY_STOPPED_PASS);
}

void workflow_slots_go_on(struct workflow *workflow)
{
	want(workflow, 0);
}
