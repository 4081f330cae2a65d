// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The workflow's directory, as far as updates need it: files that are memory of the
 * simulation, and the names of the tables, which are made, renamed and removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"
#include "userspace/pool/supervisor_files.h"
#include "userspace/state/state.h"

#define NAME_BYTES 32

/* The name of each table that there is; empty: it has none, and is nobody's. */
static char names[SIM_TABLES][NAME_BYTES];

uint64_t tables_bytes_max(void)
{
	uint64_t most = 0;

	for (uint32_t version = 1; version <= SIM_VERSIONS; version++)
		for (uint32_t i = 0; i < sim_bundle->user_count; i++) {
			uint64_t bytes = state_file_bytes(workflow_bundle(version), i);

			most = bytes > most ? bytes : most;
		}
	return most;
}

/* Its number, or SIM_TABLES. */
static int find(const char *name)
{
	int i = 0;

	while (i < SIM_TABLES && strcmp(names[i], name))
		i++;
	return i;
}

int tables_find(const char *name)
{
	int at = find(name);

	return at < SIM_TABLES ? SIM_FD_TABLE + at : -1;
}

/* What a worker maps are those with the functions' numbers. */
static void show_tables(void)
{
	static const struct sim_file none;

	for (uint32_t i = 0; i < sim_bundle->user_count; i++) {
		char name[NAME_BYTES];
		int fd;

		(void)snprintf(name, sizeof(name), "state.%u", i);
		fd = tables_find(name);
		*sim_file(SIM_FD_STATE + (int)i) = fd < 0 ? none : *sim_file(fd);
	}
}

void tables_reset(void)
{
	memset(names, 0, sizeof(names));
	if (!sim_plan.updates)
		return;
	for (uint32_t i = 0; i < sim_bundle->user_count; i++) {
		(void)snprintf(names[i], NAME_BYTES, "state.%u", i);
		sim_file(SIM_FD_TABLE + (int)i)->bytes = state_file_bytes(sim_bundle, i);
	}
	show_tables();
}

/* ---- what supervisor_migrate.c and supervisor_rest.c ask for ---- */

int run_files_directory(const char *root, const char *name)
{
	(void)root;
	(void)name;
	return SIM_FD_DIRECTORY;
}

int ring_identity_of(int ring_fd, struct ring_identity *ret)
{
	const struct runtime_page *page = sim_data(SIM_FD_RUNTIME_PAGE);

	ret->boot_hash = page->ring_boot_hash; /* it is one boot */
	ret->map_id = kernel_map_id((uint32_t)(ring_fd - SIM_FD_RING));
	return 0;
}

static int make(const char *name)
{
	for (int i = 0; i < SIM_TABLES; i++) {
		if (names[i][0])
			continue;
		(void)snprintf(names[i], NAME_BYTES, "%s", name);
		sim_file(SIM_FD_TABLE + i)->bytes = 0;
		return SIM_FD_TABLE + i;
	}
	sim_fail("more tables than SIM_TABLES");
}

static int fail(int error)
{
	errno = error;
	return -1;
}

int __real_openat(int directory, const char *name, int flags, ...);
int __wrap_openat(int directory, const char *name, int flags, ...);
int __wrap_openat(int directory, const char *name, int flags, ...)
{
	static const struct {
		const char *name;
		int fd;
	} files[] = {{"runtime.page", SIM_FD_RUNTIME_PAGE},
		     {"worker.page", SIM_FD_WORKER_PAGE},
		     {"courier.page", SIM_FD_COURIER_PAGE},
		     {"log", SIM_FD_LOG}};
	va_list arguments;
	mode_t mode;
	int fd;

	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	sim_step();
	if (directory == SIM_FD_STORE)
		return store_open(name, flags);
	if (directory != SIM_FD_DIRECTORY)
		return __real_openat(directory, name, flags, mode);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(files[i].name, name))
			return files[i].fd;
	fd = tables_find(name);
	if (!(flags & O_CREAT))
		return fd < 0 ? fail(ENOENT) : fd;
	return fd < 0 ? make(name) : fail(EEXIST);
}

int __wrap_posix_fallocate(int fd, off_t offset, off_t bytes);
int __wrap_posix_fallocate(int fd, off_t offset, off_t bytes)
{
	struct sim_file *file;

	sim_step();
	if (sim_chance(sim_plan.write_errors))
		return ENOSPC;
	/* What is there already stays. */
	file = sim_file(fd);
	bytes += offset;
	if ((uint64_t)bytes > file->bytes) {
		memset(file->data + file->bytes, 0, (size_t)bytes - file->bytes);
		file->bytes = (uint64_t)bytes;
	}
	return 0;
}

int __real_renameat(int from, const char *name, int to, const char *target);
int __wrap_renameat(int from, const char *name, int to, const char *target);
int __wrap_renameat(int from, const char *name, int to, const char *target)
{
	int at, replaced;

	sim_step();
	if (from == SIM_FD_STORE)
		return store_rename(name, target);
	if (from != SIM_FD_DIRECTORY)
		return __real_renameat(from, name, to, target);
	at = find(name);
	if (at == SIM_TABLES)
		return fail(ENOENT);
	replaced = find(target);
	if (replaced < SIM_TABLES)
		names[replaced][0] = '\0';
	(void)snprintf(names[at], NAME_BYTES, "%s", target);
	show_tables();
	return 0;
}

int __real_unlinkat(int directory, const char *name, int flags);
int __wrap_unlinkat(int directory, const char *name, int flags);
int __wrap_unlinkat(int directory, const char *name, int flags)
{
	int at;

	sim_step();
	if (directory == SIM_FD_STORE)
		return store_unlink(name);
	if (directory != SIM_FD_DIRECTORY)
		return __real_unlinkat(directory, name, flags);
	at = find(name);
	if (at == SIM_TABLES)
		return fail(ENOENT);
	names[at][0] = '\0';
	show_tables();
	return 0;
}
