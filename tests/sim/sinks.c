// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The sinks' files: real ones, on a disk that takes what is written only when it is
 * synced, or by chance. Writes are short, or fail.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim.h"

#define OPEN_MAX_FILES 64
#define SYNCED_MAX 256

static int open_files[OPEN_MAX_FILES];
static uint32_t open_count;

/* What is on the disk of each file. */
static struct synced {
	ino_t inode;
	off_t bytes;
} synced[SYNCED_MAX];
static uint32_t synced_count;

void sinks_path(uint32_t sink, char *to, size_t bytes)
{
	(void)snprintf(to, bytes, "%s/sink%u", sim_system.directory, sink);
}

void sinks_remove(void)
{
	DIR *directory = opendir(sim_system.directory);
	char path[sizeof(sim_system.directory) + 257];
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", sim_system.directory, entry->d_name);
		(void)unlink(path);
	}
	if (directory)
		(void)closedir(directory);
}

void sinks_reset(void)
{
	sinks_remove();
	synced_count = 0;
}

static struct synced *synced_of(ino_t inode)
{
	for (uint32_t i = 0; i < synced_count; i++)
		if (synced[i].inode == inode)
			return &synced[i];
	if (synced_count == SYNCED_MAX)
		sim_fail("more files than SYNCED_MAX");
	synced[synced_count] = (struct synced){.inode = inode};
	return &synced[synced_count++];
}

/* Of what was not synced, some may be there. */
static void lose_lines(const char *path)
{
	struct stat status;
	off_t kept;

	if (stat(path, &status))
		return;
	kept = synced_of(status.st_ino)->bytes;
	if (kept < status.st_size)
		kept += sim_below((uint32_t)(status.st_size - kept + 1));
	if (kept < status.st_size && truncate(path, kept))
		sim_fail("%s: %s", path, strerror(errno));
	synced_of(status.st_ino)->bytes = kept;
}

void sinks_power_loss(void)
{
	char path[sizeof(sim_system.directory) + 64], turned[sizeof(path) + 16];

	for (uint32_t i = 0; i <= SIM_SINKS; i++) {
		sinks_path(i, path, sizeof(path));
		lose_lines(path);
		for (uint32_t k = 1; k <= SIM_SINK_KEEP; k++) {
			(void)snprintf(turned, sizeof(turned), "%s.%u", path, k);
			lose_lines(turned);
		}
	}
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;
	int fd;

	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	sim_step();
	if (!strncmp(path, SIM_STORE, sizeof(SIM_STORE) - 1))
		return SIM_FD_STORE;
	fd = __real_open(path, flags, mode);
	if (fd >= 0 && sim_current) {
		if (open_count == OPEN_MAX_FILES)
			sim_fail("%s keeps too many files open", sim_current->name);
		open_files[open_count++] = fd;
	}
	return fd;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	sim_step();
	if (sim_is_ours(fd) || updates_is_migrator())
		return 0;
	for (uint32_t i = 0; i < open_count; i++) {
		if (open_files[i] == fd) {
			open_files[i] = open_files[--open_count];
			break;
		}
	}
	return __real_close(fd);
}

ssize_t __real_write(int fd, const void *data, size_t bytes);

/* A sink's file: short writes, full disks, and a death between two parts. */
static ssize_t write_sink(int fd, const uint8_t *data, size_t bytes)
{
	size_t part = bytes > 1 ? 1 + sim_below((uint32_t)bytes - 1) : bytes;
	ssize_t first, rest;

	if (sim_chance(sim_plan.write_errors)) {
		static const int errors[] = {ENOSPC, EIO, EINTR, EDQUOT};

		errno = errors[sim_below(4)];
		return -1;
	}
	first = __real_write(fd, data, part);
	sim_step();
	if (first != (ssize_t)part || part == bytes || sim_chance(sim_plan.write_errors))
		return first;
	rest = __real_write(fd, data + part, bytes - part);
	return rest < 0 ? first : first + rest;
}

ssize_t __wrap_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
	sim_step();
	if (fd == SIM_FD_NOTIFY)
		sim_system.courier_notified = true;
	else if (fd == SIM_FD_SPACE)
		sim_system.space_fired = true;
	else if (sim_current)
		return write_sink(fd, data, bytes);
	else
		return __real_write(fd, data, bytes);
	return (ssize_t)bytes;
}

void sinks_courier_gone(void)
{
	while (open_count)
		(void)__real_close(open_files[--open_count]);
}

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	struct stat status;

	sim_step();
	fd = migrator_fd(fd);
	if (sim_is_ours(fd))
		return store_sync_file(fd);
	if (sim_chance(sim_plan.write_errors)) {
		errno = EIO;
		return -1;
	}
	if (fstat(fd, &status))
		return -1;
	synced_of(status.st_ino)->bytes = status.st_size;
	return 0;
}

/* Of a directory: names of sinks' files are there at once. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	sim_step();
	return fd == SIM_FD_STORE ? store_sync() : 0;
}

int __real_ftruncate(int fd, off_t bytes);
int __wrap_ftruncate(int fd, off_t bytes);
int __wrap_ftruncate(int fd, off_t bytes)
{
	struct stat status;

	sim_step();
	if (sim_current && !fstat(fd, &status) && synced_of(status.st_ino)->bytes > bytes)
		synced_of(status.st_ino)->bytes = bytes;
	return __real_ftruncate(fd, bytes);
}
