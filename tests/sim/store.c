// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The directory on the disk, as far as updates need it: the tables of before. What is done
 * to names is there after a loss of power as far as chance has it, in its order, unless the
 * directory was synced; of what was written to a file and not synced, some sectors are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"
#include "userspace/log/durable_format.h"

#define SECTOR_BYTES 512
#define STATES_MAX 64

enum name { NAME_NEW, NAME_BEFORE, NAMES };

static const char *const texts[NAMES] = {[NAME_NEW] = "before.new", [NAME_BEFORE] = "before"};

/* Which file each name has, -1: none; from what is on the disk to what is seen. */
static struct state {
	int nodes[NAMES];
} states[STATES_MAX];
static uint32_t state_count;

/* What is on the disk of each file. */
static struct {
	uint8_t *data;
	uint64_t bytes;
} media[SIM_NODES];

uint64_t store_node_bytes(void)
{
	uint64_t most = 0;

	for (uint32_t version = 1; version <= SIM_VERSIONS; version++) {
		struct durable_image images[FAAS_USER_FUNCTIONS_MAX] = {0};
		uint64_t bytes;

		for (uint32_t i = 0; i < workflow_bundle(version)->user_count; i++)
			state_durable_shape(workflow_bundle(version), i, &images[i].shape);
		bytes = DISK_BLOCK_BYTES + durable_snapshot_bytes(images);
		most = bytes > most ? bytes : most;
	}
	return most;
}

void store_reset(uint8_t *at)
{
	for (int i = 0; i < SIM_NODES; i++) {
		sim_file(SIM_FD_NODE + i)->bytes = 0;
		media[i].data = at ? at + (size_t)i * store_node_bytes() : NULL;
		media[i].bytes = 0;
	}
	states[0] = (struct state){{-1, -1}};
	state_count = 1;
}

static struct state *now(void)
{
	return &states[state_count - 1];
}

static struct state *change(void)
{
	if (state_count == STATES_MAX)
		sim_fail("the directory on the disk is never synced");
	states[state_count] = *now();
	state_count++;
	return now();
}

static bool is_used(int node)
{
	for (uint32_t i = 0; i < state_count; i++)
		for (int name = 0; name < NAMES; name++)
			if (states[i].nodes[name] == node)
				return true;
	return false;
}

static int find(const char *text)
{
	for (int name = 0; name < NAMES; name++)
		if (!strcmp(texts[name], text))
			return name;
	sim_fail("%s has no place on the disk", text);
}

static int fail(int error)
{
	errno = error;
	return -1;
}

int store_open(const char *name, int flags)
{
	int at = find(name), node = now()->nodes[at];

	if (node < 0 && !(flags & O_CREAT))
		return fail(ENOENT);
	if (node < 0) {
		for (node = 0; is_used(node); node++)
			if (node == SIM_NODES - 1)
				sim_fail("more files than SIM_NODES");
		media[node].bytes = 0;
		change()->nodes[at] = node;
		sim_file(SIM_FD_NODE + node)->bytes = 0;
	}
	if (flags & O_TRUNC)
		sim_file(SIM_FD_NODE + node)->bytes = 0;
	return SIM_FD_NODE + node;
}

int store_rename(const char *name, const char *target)
{
	int from = find(name), to = find(target);
	struct state *state;

	if (now()->nodes[from] < 0)
		return fail(ENOENT);
	state = change();
	state->nodes[to] = state->nodes[from];
	state->nodes[from] = -1;
	return 0;
}

int store_unlink(const char *name)
{
	int at = find(name);

	if (now()->nodes[at] < 0)
		return fail(ENOENT);
	change()->nodes[at] = -1;
	return 0;
}

int store_before(void)
{
	int node = now()->nodes[NAME_BEFORE];

	return node < 0 ? -1 : SIM_FD_NODE + node;
}

int store_sync(void)
{
	if (sim_chance(sim_plan.disk_errors))
		return fail(EIO);
	states[0] = *now();
	state_count = 1;
	return 0;
}

int store_sync_file(int fd)
{
	const struct sim_file *file = sim_file(fd);
	int node = fd - SIM_FD_NODE;

	if (sim_chance(sim_plan.disk_errors))
		return fail(EIO);
	memcpy(media[node].data, file->data, file->bytes);
	media[node].bytes = file->bytes;
	return 0;
}

void store_power_loss(void)
{
	for (int i = 0; i < SIM_NODES; i++) {
		struct sim_file *file = sim_file(SIM_FD_NODE + i);

		if (sim_below(2))
			file->bytes = media[i].bytes;
		for (uint64_t at = 0; at < file->bytes; at += SECTOR_BYTES)
			if (at < media[i].bytes && sim_below(2))
				memcpy(file->data + at, media[i].data + at, SECTOR_BYTES);
		memcpy(media[i].data, file->data, file->bytes);
		media[i].bytes = file->bytes;
	}
	states[0] = states[sim_below(state_count)];
	state_count = 1;
}

ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	struct sim_file *file;

	sim_step();
	fd = migrator_fd(fd);
	if (!sim_is_ours(fd))
		return __real_pwrite(fd, data, bytes, offset);
	file = sim_file(fd);
	if (sim_chance(sim_plan.disk_errors))
		return fail(EIO);
	if ((uint64_t)offset + bytes > file->bytes)
		sim_fail("%zu bytes are written at %lld of a file of %llu", bytes,
			 (long long)offset, (unsigned long long)file->bytes);
	memcpy(file->data + offset, data, bytes);
	return (ssize_t)bytes;
}
