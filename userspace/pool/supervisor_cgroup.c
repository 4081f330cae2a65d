// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "supervisor_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "pages.h"

#define CPU_PERIOD_US 100000u
#define TEXT_BYTES 32

enum controller { MEMORY, CPU, CONTROLLERS };

static const char *const names[CONTROLLERS] = {[MEMORY] = "memory", [CPU] = "cpu"};

/* Where each controller is: a directory below which groups are made. */
struct hierarchy {
	char mounts[CONTROLLERS][FAAS_PATH_BYTES]; /* empty: nowhere */
	bool unified[CONTROLLERS];
};

static int write_text(const char *directory, const char *file, const char *text)
{
	char path[FAAS_PATH_BYTES + 64];
	size_t bytes = strlen(text);
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, bytes) != (ssize_t)bytes)
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

static bool has_word(const char *list, const char *word)
{
	size_t bytes = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += bytes)
		if ((at == list || at[-1] == ' ' || at[-1] == ',') &&
		    (!at[bytes] || strchr(" ,\n", at[bytes])))
			return true;
	return false;
}

/* Whether groups below this directory of version 2 get the controller. */
static bool enable(const char *directory, enum controller controller)
{
	char path[FAAS_PATH_BYTES + 64], list[512] = "", text[TEXT_BYTES];
	FILE *file;
	bool is_there;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", directory);
	file = fopen(path, "re");
	if (!file)
		return false;
	is_there = fgets(list, sizeof(list), file) && has_word(list, names[controller]);
	fclose(file);
	snprintf(text, sizeof(text), "+%s", names[controller]);
	return is_there && !write_text(directory, "cgroup.subtree_control", text);
}

static void find_hierarchy(struct hierarchy *ret)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;

	memset(ret, 0, sizeof(*ret));
	while (mounts && (mount = getmntent(mounts))) {
		bool unified = !strcmp(mount->mnt_type, "cgroup2");

		if (!unified && strcmp(mount->mnt_type, "cgroup") != 0)
			continue;
		for (int i = 0; i < CONTROLLERS; i++) {
			/* A controller is in one hierarchy. */
			if (unified ? !enable(mount->mnt_dir, (enum controller)i)
				    : !has_word(mount->mnt_opts, names[i]))
				continue;
			snprintf(ret->mounts[i], sizeof(ret->mounts[i]), "%s", mount->mnt_dir);
			ret->unified[i] = unified;
		}
	}
	if (mounts)
		endmntent(mounts);
}

static int top_of(const struct hierarchy *hierarchy, enum controller controller,
		  char ret[FAAS_PATH_BYTES])
{
	struct statfs file_system;
	struct stat status;
	uint32_t id[2];

	if (stat(FAAS_RUN_DIRECTORY, &status) || statfs(FAAS_RUN_DIRECTORY, &file_system))
		return -errno;
	/* The number of a device is given to the next one as soon as it is free. The id of a
	 * tmpfs is its own; a file system that has none may share one, but not its number. */
	_Static_assert(sizeof(file_system.f_fsid) == sizeof(id), "two words");
	memcpy(id, &file_system.f_fsid, sizeof(id));
	snprintf(ret, FAAS_PATH_BYTES, "%.*s/ebpf-faas.%llu.%" PRIx64, FAAS_PATH_BYTES - 64,
		 hierarchy->mounts[controller], (unsigned long long)status.st_dev,
		 (uint64_t)id[0] << 32 | id[1]);
	return 0;
}

static int make(const char *directory)
{
	return mkdir(directory, 0755) && errno != EEXIST ? -errno : 0;
}

static int limit_memory(const char *group, bool unified, uint64_t bytes)
{
	char text[TEXT_BYTES];
	int err;

	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	err = write_text(group, unified ? "memory.max" : "memory.limit_in_bytes", text);
	/* Swap would be more memory. Not every kernel counts it. */
	if (!err)
		(void)!write_text(group,
				  unified ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
				  unified ? "0" : text);
	return err;
}

static int limit_cpu(const char *group, bool unified, uint32_t percent)
{
	uint32_t quota_us = percent * (CPU_PERIOD_US / 100);
	char text[TEXT_BYTES];
	int err;

	if (unified) {
		if (percent)
			snprintf(text, sizeof(text), "%u %u", quota_us, CPU_PERIOD_US);
		else
			snprintf(text, sizeof(text), "max");
		return write_text(group, "cpu.max", text);
	}
	snprintf(text, sizeof(text), "%u", CPU_PERIOD_US);
	err = write_text(group, "cpu.cfs_period_us", text);
	snprintf(text, sizeof(text), "%d", percent ? (int)quota_us : -1);
	return err ? err : write_text(group, "cpu.cfs_quota_us", text);
}

static int open_in(const char *group, const char *file, int flags)
{
	char path[FAAS_PATH_BYTES + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The group of one controller, with its limit. 0: it is in force; -ENOTSUP: there is no
 * such controller. */
static int open_one(const struct hierarchy *hierarchy, enum controller controller,
		    const char *workflow, uint64_t limit, struct cgroup *cgroup)
{
	bool unified = hierarchy->unified[controller];
	char top[FAAS_PATH_BYTES], group[FAAS_PATH_BYTES + 64];
	int err, fd;

	if (!hierarchy->mounts[controller][0])
		return -ENOTSUP;
	err = top_of(hierarchy, controller, top);
	if (!err)
		err = make(top);
	if (!err && unified && !enable(top, controller))
		err = -ENOTSUP;
	snprintf(group, sizeof(group), "%s/%s", top, workflow);
	if (!err)
		err = make(group);
	if (!err)
		err = controller == MEMORY ? limit_memory(group, unified, limit)
					   : limit_cpu(group, unified, (uint32_t)limit);
	if (err)
		return err == -ENOENT ? -ENOTSUP : err;
	if (controller == MEMORY)
		cgroup->events =
			open_in(group, unified ? "memory.events" : "memory.oom_control", O_RDONLY);
	/* Version 2 has one group for both. */
	if (!unified || !cgroup->join_count) {
		/* In version 1 a thread that moves itself waits for nobody; a process waits
		 * for all processors, some milliseconds. It has one thread. */
		fd = open_in(group, unified ? "cgroup.procs" : "tasks", O_WRONLY);
		if (fd < 0)
			return fd;
		cgroup->joins[cgroup->join_count++] = fd;
	}
	cgroup->limits |=
		(controller == MEMORY ? PAGE_LIMIT_CGROUP_MEMORY : PAGE_LIMIT_CGROUP_CPU) |
		(unified ? PAGE_LIMIT_CGROUP_2 : 0);
	return 0;
}

int cgroup_open(const char *workflow, uint64_t memory_bytes, uint32_t cpu_percent,
		struct cgroup *ret)
{
	struct cgroup cgroup = {.joins = {-1, -1}, .events = -1};
	struct hierarchy hierarchy;
	int err;

	find_hierarchy(&hierarchy);
	err = open_one(&hierarchy, MEMORY, workflow, memory_bytes, &cgroup);
	if (err == -ENOTSUP)
		err = 0;
	if (!err && cpu_percent)
		err = open_one(&hierarchy, CPU, workflow, cpu_percent, &cgroup);
	if (err)
		cgroup_close(&cgroup);
	else
		*ret = cgroup;
	return err;
}

uint64_t cgroup_memory_kills(const struct cgroup *cgroup)
{
	char text[512];
	ssize_t bytes;
	char *at;

	if (cgroup->events < 0)
		return 0;
	bytes = pread(cgroup->events, text, sizeof(text) - 1, 0);
	if (bytes <= 0)
		return 0;
	text[bytes] = '\0';
	/* Not oom_kill_disable, which stands before it in version 1. */
	at = strstr(text, "oom_kill ");
	return at ? strtoull(at + strlen("oom_kill "), NULL, 10) : 0;
}

void cgroup_close(struct cgroup *cgroup)
{
	for (uint32_t i = 0; i < cgroup->join_count; i++)
		close(cgroup->joins[i]);
	if (cgroup->limits & PAGE_LIMIT_CGROUP_MEMORY && cgroup->events >= 0)
		close(cgroup->events);
	*cgroup = (struct cgroup){0};
}

/* @p workflow NULL: of all. The kernel keeps groups that have processes. */
static void remove_groups(const char *workflow)
{
	char top[FAAS_PATH_BYTES], group[FAAS_PATH_BYTES + 256];
	struct hierarchy hierarchy;
	struct dirent *entry;

	find_hierarchy(&hierarchy);
	for (int i = 0; i < CONTROLLERS; i++) {
		DIR *directory = NULL;

		if (!hierarchy.mounts[i][0] || top_of(&hierarchy, (enum controller)i, top))
			continue;
		if (!workflow)
			directory = opendir(top);
		while (directory && (entry = readdir(directory))) {
			snprintf(group, sizeof(group), "%s/%s", top, entry->d_name);
			if (entry->d_name[0] != '.')
				(void)rmdir(group);
		}
		if (directory)
			closedir(directory);
		if (workflow) {
			snprintf(group, sizeof(group), "%s/%s", top, workflow);
			(void)rmdir(group);
		}
		(void)rmdir(top);
	}
}

void cgroup_remove(const char *workflow)
{
	remove_groups(workflow);
}

void cgroup_remove_all(void)
{
	remove_groups(NULL);
}
