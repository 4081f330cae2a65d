// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/magic.h>

#include "attach.h"
#include "control_client.h"
#include "counters.h"
#include "fault.h"
#include "generation.h"
#include "history.h"
#include "paths.h"
#include "settle.h"
#include "trial.h"

#define REGISTRY_BYTES (FAAS_SLOTS_MAX * sizeof(struct faas_registry_entry))
#define REMOVE_DEPTH_MAX 8

int host_make_directory(const char *path)
{
	char part[FAAS_PATH_BYTES];

	size_t chars = strlen(path);

	if (chars >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= chars; i++) {
		if (path[i] && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static void remove_tree_at(int parent, const char *name, int depth)
{
	struct dirent *entry;
	DIR *directory;
	int fd;

	if (!unlinkat(parent, name, 0))
		return;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (depth < REMOVE_DEPTH_MAX && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			remove_tree_at(fd, entry->d_name, depth + 1);
	closedir(directory);
	unlinkat(parent, name, AT_REMOVEDIR);
}

void host_remove_tree(const char *path)
{
	remove_tree_at(AT_FDCWD, path, 0);
}

static bool is_bpffs(const char *path)
{
	struct statfs info;

	return !statfs(path, &info) && (uint32_t)info.f_type == BPF_FS_MAGIC;
}

static int mount_bpffs(struct diags *diags)
{
	if (is_bpffs(FAAS_BPFFS))
		return 0;
	if (mkdir(FAAS_BPFFS, 0700) && errno != EEXIST)
		return diag_fail(diags, DIAG_PLATFORM, "is sysfs mounted at /sys?",
				 "%s cannot be made: %s", FAAS_BPFFS, strerror(errno));
	if (mount("bpf", FAAS_BPFFS, "bpf", 0, "mode=0700"))
		return diag_fail(diags, DIAG_PLATFORM,
				 "run as root: `mount -t bpf bpf /sys/fs/bpf`",
				 "no BPF file system at %s, and it cannot be mounted: %s",
				 FAAS_BPFFS, strerror(errno));
	return 0;
}

/* Open and lock the lock file. -EAGAIN: it was removed in between, by the
 * command that unloaded the last workflow. */
static int try_lock(struct host *host)
{
	struct stat locked, named;

	host->lock_fd = open(FAAS_RUN_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (host->lock_fd < 0)
		return -errno;
	while (flock(host->lock_fd, LOCK_EX))
		if (errno != EINTR)
			return -errno;
	if (!fstat(host->lock_fd, &locked) && !stat(FAAS_RUN_LOCK, &named) &&
	    locked.st_ino == named.st_ino && locked.st_dev == named.st_dev)
		return 0;
	close(host->lock_fd);
	host->lock_fd = -1;
	return -EAGAIN;
}

static int take_lock(struct host *host, struct diags *diags)
{
	int error;

	do {
		error = host_make_directory(FAAS_RUN_DIRECTORY);
		if (!error)
			error = try_lock(host);
	} while (error == -EAGAIN || error == -ENOENT);
	if (error)
		return diag_fail(diags, error == -EACCES ? DIAG_PLATFORM : DIAG_FAILED,
				 "run as root", "%s: %s", FAAS_RUN_LOCK, strerror(-error));
	return 0;
}

struct host_map {
	const char *pin;
	size_t fd; /* offset in struct host */
};

static const struct host_map host_maps[] = {
	{FAAS_PIN_SLOTS, offsetof(struct host, slots_fd)},
	{FAAS_PIN_TC_SLOTS, offsetof(struct host, tc_slots_fd)},
	{FAAS_PIN_SLOT_COUNTERS, offsetof(struct host, slot_counters_fd)},
	{FAAS_PIN_PACKET, offsetof(struct host, packet_fd)},
	{FAAS_PIN_BARRIER, offsetof(struct host, barrier_fd)},
	/* Last: a host that has it has all. */
	{FAAS_PIN_REGISTRY, offsetof(struct host, registry_fd)},
};

#define HOST_MAP_COUNT (sizeof(host_maps) / sizeof(host_maps[0]))

static int *map_fd(struct host *host, size_t index)
{
	return (int *)(void *)((char *)host + host_maps[index].fd);
}

static void host_pin_path(const char *pin, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/%s", FAAS_PIN_ROOT, pin);
}

/* Map the registry. -ESTALE: another version of this program made it. */
static int map_registry(struct host *host)
{
	struct bpf_map_info info = {0};
	uint32_t bytes = sizeof(info);
	void *registry;

	if (bpf_obj_get_info_by_fd(host->registry_fd, &info, &bytes))
		return -errno;
	if (info.value_size != sizeof(*host->registry) || info.max_entries != FAAS_SLOTS_MAX)
		return -ESTALE;
	registry = mmap(NULL, REGISTRY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, host->registry_fd,
			0);
	if (registry == MAP_FAILED)
		return -errno;
	host->registry = registry;
	return 0;
}

/* -ESTALE: another version of this program made the counters. */
static int check_counters(const struct host *host)
{
	struct bpf_map_info info = {0};
	uint32_t bytes = sizeof(info);

	if (bpf_obj_get_info_by_fd(host->slot_counters_fd, &info, &bytes))
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY ||
	    info.value_size != sizeof(struct faas_slot_counters) ||
	    info.max_entries % FAAS_SLOTS_MAX)
		return -ESTALE;
	return 0;
}

/* Open the pinned maps, the registry first. -ENOENT if one is missing. */
static int open_maps(struct host *host)
{
	char path[FAAS_PATH_BYTES];
	int error = 0;

	for (size_t last = HOST_MAP_COUNT; !error && last; last--) {
		size_t i = last - 1;

		host_pin_path(host_maps[i].pin, path, sizeof(path));
		*map_fd(host, i) = bpf_obj_get(path);
		if (*map_fd(host, i) < 0)
			error = -errno;
		else if (!host->registry)
			error = map_registry(host);
	}
	return error ? error : check_counters(host);
}

static void close_maps(struct host *host)
{
	if (host->registry)
		munmap(host->registry, REGISTRY_BYTES);
	host->registry = NULL;
	for (size_t i = 0; i < HOST_MAP_COUNT; i++) {
		if (*map_fd(host, i) >= 0)
			close(*map_fd(host, i));
		*map_fd(host, i) = -1;
	}
}

static int create_maps(struct host *host, struct diags *diags)
{
	char path[FAAS_PATH_BYTES];
	struct bpf_object *object;
	int error = 0;

	if (mount_bpffs(diags))
		return -1;
	error = host_make_directory(FAAS_PIN_WORKFLOWS);
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", FAAS_PIN_WORKFLOWS,
				 strerror(-error));
	/* A command that was killed here left some of them, and no workflow. */
	for (size_t i = 0; i < HOST_MAP_COUNT; i++) {
		host_pin_path(host_maps[i].pin, path, sizeof(path));
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/host.bpf.o", paths_libexec());
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return diag_fail(diags, DIAG_FAILED, "is the installation complete?", "%s: %s",
				 path, strerror(errno));
	error = counters_size(object);
	if (!error)
		error = bpf_object__load(object);
	if (error) {
		diag_fail(diags, DIAG_PLATFORM, "run as root on Linux 6.1 or newer",
			  "the kernel refused the host's maps: %s", strerror(-error));
		bpf_object__close(object);
		return -1;
	}
	for (size_t i = 0; i < HOST_MAP_COUNT && !error; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, host_maps[i].pin);

		host_pin_path(host_maps[i].pin, path, sizeof(path));
		error = map ? bpf_map__pin(map, path) : -ENOENT;
	}
	bpf_object__close(object);
	if (!error)
		error = open_maps(host);
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "pinning in %s: %s", FAAS_PIN_ROOT,
				 strerror(-error));
	return 0;
}

/* An update that was cut short: the registry says which generation it is to be. */
static void finish_update(struct host *host, uint32_t slot)
{
	const struct faas_registry_entry *entry = &host->registry[slot];
	struct diags *diags = calloc(1, sizeof(*diags));

	fprintf(stderr,
		"ebpf-faas: a killed command left an update of workflow %s half done; it goes on "
		"with generation %u\n",
		entry->name, entry->generation);
	if (diags && settle(host, slot, diags)) {
		diags_print(diags, stderr);
		fprintf(stderr, "ebpf-faas: workflow %s stays half updated; unload it\n",
			entry->name);
	} else {
		history_add(entry->name, "repaired", entry->generation, "",
			    "an update was cut short");
	}
	free(diags);
}

/* A trial whose guard was killed, and whose time is over. */
static void end_trial(struct host *host, uint32_t slot)
{
	struct faas_registry_entry *entry = &host->registry[slot];
	struct diags *diags = calloc(1, sizeof(*diags));

	fprintf(stderr,
		"ebpf-faas: the trial of generation %u of workflow %s is over and nobody judged "
		"it; it goes back\n",
		entry->generation, entry->name);
	if (diags && trial_go_back(host, slot, "its time was over, and its guard gone", diags))
		diags_print(diags, stderr);
	free(diags);
}

/* What a command left that was killed half way: under the lock nobody else is
 * changing anything. */
static void repair(struct host *host)
{
	for (uint32_t slot = 1; host->registry && slot < FAAS_SLOTS_MAX; slot++) {
		struct faas_registry_entry *entry = &host->registry[slot];
		int error;

		if (entry->state == FAAS_REGISTRY_UPDATING)
			finish_update(host, slot);
		/* A command that was killed at the end of its work. */
		if (entry->state == FAAS_REGISTRY_LOADED)
			entry->flags &= ~(uint32_t)FAAS_REGISTRY_RESTORED;
		if (trial_overdue(entry))
			end_trial(host, slot);
		if (entry->state != FAAS_REGISTRY_LOADING &&
		    entry->state != FAAS_REGISTRY_UNLOADING)
			continue;
		fprintf(stderr,
			"ebpf-faas: workflow %.*s was left half %s by a killed command; removing "
			"it\n",
			(int)sizeof(entry->name), entry->name,
			entry->state == FAAS_REGISTRY_LOADING ? "loaded" : "unloaded");
		error = host_remove_workflow(host, slot, entry->name);
		if (error)
			fprintf(stderr, "ebpf-faas: it stays: taking its triggers out: %s\n",
				strerror(-error));
	}
}

static bool any_workflow(const struct host *host)
{
	for (uint32_t slot = 1; host->registry && slot < FAAS_SLOTS_MAX; slot++)
		if (host->registry[slot].state != FAAS_REGISTRY_FREE)
			return true;
	return false;
}

static void release_lock(struct host *host)
{
	if (host->lock_fd >= 0)
		close(host->lock_fd);
	host->lock_fd = -1;
}

/* What is there cannot be read. That is no host without workflows, whose remains
 * may be taken away: nothing is changed. */
static int refuse_unreadable(int error, struct diags *diags)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return diag_fail(diags, DIAG_PLATFORM, "run as root", "%s: %s", FAAS_PIN_ROOT,
				 strerror(-error));
	case -ESTALE:
		return diag_fail(
			diags, DIAG_FAILED,
			"unload them with the version that loaded them, or `rm -r " FAAS_PIN_ROOT
			"`: that takes all of them off at once",
			"the workflows of this host were loaded by another version");
	case -ENOENT:
		return diag_fail(diags, DIAG_FAILED,
				 "`rm -r " FAAS_PIN_ROOT "` takes all workflows off, then load "
				 "them again",
				 "workflows are loaded, but some of the host's pins in %s were "
				 "removed",
				 FAAS_PIN_ROOT);
	default:
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", FAAS_PIN_ROOT,
				 strerror(-error));
	}
}

int host_open(struct host *host, enum host_access access, struct diags *diags)
{
	bool none;
	int error;

	*host = (struct host){-1, -1, -1, -1, -1, -1, -1, false, NULL};
	if (access != HOST_READ && take_lock(host, diags)) {
		release_lock(host);
		return -1;
	}
	error = open_maps(host);
	if (!error) {
		if (access != HOST_READ)
			repair(host);
		return 0;
	}
	/* A command that was killed while it made or removed them left some. */
	none = error == -ENOENT && !any_workflow(host);
	close_maps(host);
	if (!none) {
		release_lock(host);
		return refuse_unreadable(error, diags);
	}
	return access == HOST_CREATE ? create_maps(host, diags) : 0;
}

void host_close(struct host *host)
{
	bool last = host->lock_fd >= 0 && !any_workflow(host);

	close_maps(host);
	if (last) {
		host_remove_tree(FAAS_PIN_ROOT);
		rmdir(FAAS_STATE_WORKFLOWS);
		rmdir(FAAS_STATE_DIRECTORY);
		/* The lock goes while it is held; who waits for it looks again. What a
		 * runtime has there that stays is its own. */
		if (control_wait_gone())
			host_remove_tree(FAAS_RUN_DIRECTORY);
	}
	release_lock(host);
}

uint32_t host_find(const struct host *host, const char *name)
{
	for (uint32_t slot = 1; host->registry && slot < FAAS_SLOTS_MAX; slot++)
		if (host->registry[slot].state != FAAS_REGISTRY_FREE &&
		    !strncmp(host->registry[slot].name, name, sizeof(host->registry[slot].name)))
			return slot;
	return 0;
}

uint32_t host_free_slot(const struct host *host)
{
	for (uint32_t slot = 1; host->registry && slot < FAAS_SLOTS_MAX; slot++)
		if (host->registry[slot].state == FAAS_REGISTRY_FREE)
			return slot;
	return 0;
}

int host_barrier(const struct host *host)
{
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "barrier_inner", 4, 4, 1, NULL);
	uint32_t zero = 0;
	int error;

	if (inner < 0)
		return -errno;
	error = bpf_map_update_elem(host->barrier_fd, &zero, &inner, BPF_ANY) ? -errno : 0;
	close(inner);
	return error;
}

int host_slot_counters(const struct host *host, uint32_t slot, struct faas_slot_counters *ret)
{
	return counters_slot(host->slot_counters_fd, slot, ret);
}

void host_forget_workflow(const char *name)
{
	char path[FAAS_PATH_BYTES];

	generation_remove_all(name);
	fault_point("unload.files_out");
	snprintf(path, sizeof(path), "%s/%s/history.jsonl", FAAS_STATE_WORKFLOWS, name);
	unlink(path);
	/* Stays if there are dead letters in it. */
	snprintf(path, sizeof(path), "%s/%s", FAAS_STATE_WORKFLOWS, name);
	rmdir(path);
}

int host_remove_workflow(struct host *host, uint32_t slot, const char *name)
{
	bool keeps = host->registry[slot].flags & FAAS_REGISTRY_RESTORED;
	struct diags *ignored;
	int error;

	host->registry[slot].state = FAAS_REGISTRY_UNLOADING;
	fault_point("unload.begun");
	error = attach_retain(host, slot, NULL, NULL);
	if (error)
		return error;
	fault_point("unload.rules_out");
	/* The program must not go before the last packet that was led to it. */
	if (host_barrier(host) == 0) {
		bpf_map_delete_elem(host->slots_fd, &slot);
		bpf_map_delete_elem(host->tc_slots_fd, &slot);
	}
	fault_point("unload.program_out");
	ignored = calloc(1, sizeof(*ignored));
	if (ignored) /* a runtime that is not there has nothing to stop */
		control_stop(name, ignored);
	free(ignored);
	fault_point("unload.user_tier");
	attach_remove_unused();
	fault_point("unload.roots_out");
	if (keeps)
		generation_remove_running(name);
	else
		host_forget_workflow(name);
	error = counters_slot_clear(host->slot_counters_fd, slot);
	if (error)
		return error;
	fault_point("unload.counters_out");
	/* The state first: what is left of an entry that is free says nothing. */
	__atomic_store_n(&host->registry[slot].state, FAAS_REGISTRY_FREE, __ATOMIC_RELEASE);
	fault_point("unload.done");
	return 0;
}
