// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reserve.h"
#include "ringview.h"
#include "userspace/log/log.h"
#include "userspace/state/state.h"

int ring_identity_of(int ring_fd, struct ring_identity *ret)
{
	struct ringview_info info;
	char boot_id[64];
	uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */
	ssize_t bytes;
	int err;
	int fd;

	err = ringview_identify(ring_fd, &info);
	if (err)
		return err;
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	bytes = read(fd, boot_id, sizeof(boot_id));
	close(fd);
	if (bytes <= 0)
		return -EIO;
	for (ssize_t i = 0; i < bytes; i++)
		hash = (hash ^ (uint8_t)boot_id[i]) * 0x100000001b3ull;
	ret->boot_hash = hash;
	ret->map_id = info.map_id;
	return 0;
}

void run_files_init(struct run_files *files)
{
	memset(files, 0xff, sizeof(*files)); /* -1 each */
	files->runtime_page = NULL;
	storage_init(&files->storage);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void run_files_close(struct run_files *files)
{
	close_fd(&files->worker_page);
	close_fd(&files->courier_page);
	close_fd(&files->runtime_page_readable);
	close_fd(&files->log);
	storage_close(&files->storage);
	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++)
		close_fd(&files->states[i]);
	if (files->runtime_page)
		munmap(files->runtime_page, RUNTIME_PAGE_BYTES);
	files->runtime_page = NULL;
}

static bool is_ours(const char *name)
{
	static const char *const names[] = {"worker.page", "courier.page", "runtime.page", "log"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return !strncmp(name, "state.", 6) || !strncmp(name, "worker.page.", 12) ||
	       !strncmp(name, "courier.page.", 13) || !strncmp(name, "crashes.", 8);
}

int run_files_remove(const char *root, const char *name)
{
	char path[FAAS_PATH_BYTES];
	struct dirent *entry;
	int err = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	directory = opendir(path);
	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(directory)))
		if (is_ours(entry->d_name) && unlinkat(dirfd(directory), entry->d_name, 0) && !err)
			err = -errno;
	closedir(directory);
	if (rmdir(path) && errno != ENOTEMPTY && !err)
		err = -errno;
	return err;
}

bool run_files_exist(const char *root, const char *name)
{
	char path[FAAS_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s/runtime.page", root, name);
	return !access(path, F_OK);
}

/* A file of @p bytes zeros that are really there. Returns its descriptor or -errno. */
static int make_file(int directory, const char *name, uint64_t bytes)
{
	int fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err;

	if (fd < 0)
		return -errno;
	err = reserve(fd, 0, bytes);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int open_file(int directory, const char *name, uint64_t bytes)
{
	int fd = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		err = -errno;
	else if ((uint64_t)status.st_size < bytes)
		err = -ENODATA;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Make or open each of the files. */
static int each_file(int directory, const struct bundle *bundle,
		     int (*get)(int directory, const char *name, uint64_t bytes),
		     struct run_files *files, const char **ret_name)
{
	char name[16];
	void *page;
	int fd;

	files->worker_page = get(directory, *ret_name = "worker.page", WORKER_PAGE_BYTES);
	if (files->worker_page < 0)
		return files->worker_page;
	files->courier_page = get(directory, *ret_name = "courier.page", COURIER_PAGE_BYTES);
	if (files->courier_page < 0)
		return files->courier_page;
	files->log = get(directory, *ret_name = "log",
			 log_file_bytes(FAAS_LOG_SEGMENTS, FAAS_LOG_SEGMENT_BYTES));
	if (files->log < 0)
		return files->log;
	for (uint32_t i = 0; i < bundle->user_count; i++) {
		uint64_t bytes = state_file_bytes(bundle, i);

		if (!bytes)
			continue;
		snprintf(name, sizeof(name), "state.%u", i);
		*ret_name = "state";
		files->states[i] = get(directory, name, bytes);
		if (files->states[i] < 0)
			return files->states[i];
	}
	fd = get(directory, *ret_name = "runtime.page", RUNTIME_PAGE_BYTES);
	if (fd < 0)
		return fd;
	page = mmap(NULL, RUNTIME_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		return -errno;
	files->runtime_page = page;
	files->runtime_page_readable =
		openat(directory, *ret_name = "runtime.page", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return files->runtime_page_readable < 0 ? -errno : 0;
}

static int format(struct run_files *files, uint32_t generation, const struct ring_identity *ring)
{
	uint64_t bytes = log_file_bytes(FAAS_LOG_SEGMENTS, FAAS_LOG_SEGMENT_BYTES);
	struct runtime_page *page = files->runtime_page;
	uint64_t log_id = files->storage.log_id;
	void *log;

	/* One that is on the disk goes on. */
	if (!log_id && getrandom(&log_id, sizeof(log_id), 0) != sizeof(log_id))
		return -errno;
	log = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, files->log, 0);
	if (log == MAP_FAILED)
		return -errno;
	log_format(log, FAAS_LOG_SEGMENTS, FAAS_LOG_SEGMENT_BYTES, log_id, ring->boot_hash,
		   ring->map_id);
	munmap(log, bytes);
	page->version = PAGES_VERSION;
	page->generation = generation;
	page->ring_boot_hash = ring->boot_hash;
	page->ring_map_id = ring->map_id;
	page->log_id = log_id;
	__atomic_store_n(&page->magic, RUNTIME_PAGE_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

static int note_netns(struct runtime_page *page, const char *netns)
{
	size_t bytes = strlen(netns) + 1;

	if (bytes > sizeof(page->netns))
		return -ENAMETOOLONG;
	memcpy(page->netns, netns, bytes);
	return 0;
}

static int read_netns(const struct runtime_page *page, char *netns, size_t room)
{
	size_t bytes = strnlen(page->netns, sizeof(page->netns));

	if (bytes == sizeof(page->netns) || bytes >= room)
		return -EINVAL;
	memcpy(netns, page->netns, bytes + 1);
	return 0;
}

int run_files_directory(const char *root, const char *name)
{
	char path[FAAS_PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int run_files_create(const char *root, const char *storage, const struct bundle *bundle,
		     uint32_t generation, const char *netns, const struct ring_identity *ring,
		     struct run_files *ret, struct diags *diags)
{
	char path[FAAS_PATH_BYTES];
	struct run_files files;
	const char *name = "";
	int directory = -1;
	int err;

	run_files_init(&files);
	if (bundle_is_durable(bundle) && storage_open(storage, bundle, &files.storage, diags))
		return -1;
	snprintf(path, sizeof(path), "%s/%s", root, bundle->name);
	err = run_files_remove(root, bundle->name);
	/* The command may keep its notes there. */
	if (!err && mkdir(path, 0700) && errno != EEXIST)
		err = -errno;
	if (!err) {
		directory = run_files_directory(root, bundle->name);
		err = directory < 0 ? directory : 0;
	}
	if (!err)
		err = each_file(directory, bundle, make_file, &files, &name);
	if (!err)
		err = note_netns(files.runtime_page, netns);
	if (!err)
		err = format(&files, generation, ring);
	if (directory >= 0)
		close(directory);
	if (!err) {
		*ret = files;
		return 0;
	}
	if (files.storage.made)
		(void)!storage_remove(storage, bundle->name);
	run_files_close(&files);
	(void)!run_files_remove(root, bundle->name);
	if (err == -ENOSPC)
		return diag_fail(diags, DIAG_FAILED,
				 "make room there, or lower `keys` of functions with state",
				 "%s/%s: the file system is full", path, name);
	return diag_fail(diags, DIAG_FAILED, NULL, "%s/%s: %s", path, name, strerror(-err));
}

int run_files_open(const char *root, const char *storage, const struct bundle *bundle,
		   struct run_files *ret, char *ret_netns, size_t netns_bytes, struct diags *diags)
{
	struct run_files files;
	const char *name = "";
	int directory;
	int err;

	run_files_init(&files);
	if (bundle_is_durable(bundle) && storage_open(storage, bundle, &files.storage, diags))
		return -1;
	directory = run_files_directory(root, bundle->name);
	err = directory < 0 ? directory : 0;
	if (!err)
		err = each_file(directory, bundle, open_file, &files, &name);
	if (!err && (!files.runtime_page || files.runtime_page->magic != RUNTIME_PAGE_MAGIC))
		err = -EINVAL;
	else if (!err && files.runtime_page->version != PAGES_VERSION)
		err = -EPROTONOSUPPORT;
	else if (!err)
		err = read_netns(files.runtime_page, ret_netns, netns_bytes);
	if (directory >= 0)
		close(directory);
	if (!err) {
		*ret = files;
		return 0;
	}
	run_files_close(&files);
	if (err == -EPROTONOSUPPORT)
		return diag_fail(diags, DIAG_FAILED,
				 "start that one again, or unload the workflow and load it",
				 "%s/%s: the files are those of another version of the runtime",
				 root, bundle->name);
	return diag_fail(diags, DIAG_FAILED, NULL, "%s/%s/%s: %s", root, bundle->name, name,
			 strerror(-err));
}
