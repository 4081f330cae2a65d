// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "pages.h"
#include "userspace/log/log.h"
#include "userspace/pool/supervisor_files.h"
#include "userspace/state/state.h"

#define NEXT ".next"
#define BEFORE ".before"
#define NAME_BYTES 32

static void name_of(uint32_t function, const char *suffix, char ret[NAME_BYTES])
{
	snprintf(ret, NAME_BYTES, "state.%u%s", function, suffix);
}

static int read_file(int directory, const char *name, void *ret, size_t bytes)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = pread(fd, ret, bytes, 0);
	close(fd);
	return got == (ssize_t)bytes ? 0 : -EINVAL;
}

/* The runtime's page, to be changed. Returns-owned; NULL if it cannot be had. */
static struct runtime_page *map_page(int directory)
{
	int fd = openat(directory, "runtime.page", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct runtime_page *page = MAP_FAILED;
	struct stat status;

	if (fd >= 0 && !fstat(fd, &status) && status.st_size >= RUNTIME_PAGE_BYTES)
		page = mmap(NULL, RUNTIME_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (page == MAP_FAILED)
		return NULL;
	if (page->magic == RUNTIME_PAGE_MAGIC && page->version == PAGES_VERSION)
		return page;
	munmap(page, RUNTIME_PAGE_BYTES);
	return NULL;
}

bool migrate_may_begin(const char *root, const char *name)
{
	int directory = run_files_directory(root, name);
	struct worker_page page = {0};
	int err = directory;

	if (directory >= 0) {
		err = read_file(directory, "worker.page", &page, sizeof(page));
		close(directory);
	}
	return !err && page.state == WORKER_STOPPED;
}

int migrate_make(const char *root, const struct bundle *to, uint32_t function)
{
	int directory = run_files_directory(root, to->name);
	char name[NAME_BYTES];
	int fd, err;

	if (directory < 0)
		return directory;
	name_of(function, NEXT, name);
	(void)unlinkat(directory, name, 0);
	fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	err = fd < 0 ? -errno : -posix_fallocate(fd, 0, (off_t)state_file_bytes(to, function));
	if (err && fd >= 0) {
		close(fd);
		(void)unlinkat(directory, name, 0);
	}
	close(directory);
	return err ? err : fd;
}

int migrate_open(const char *root, const char *name, uint32_t function)
{
	int directory = run_files_directory(root, name);
	char file[NAME_BYTES];
	int fd;

	if (directory < 0)
		return directory;
	name_of(function, "", file);
	fd = openat(directory, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	fd = fd < 0 ? -errno : fd;
	close(directory);
	return fd;
}

static int rename_at(int directory, const char *from, const char *to)
{
	return renameat(directory, from, directory, to) ? -errno : 0;
}

int migrate_swap(const char *root, const char *name, uint32_t mask)
{
	int directory = run_files_directory(root, name);
	struct runtime_page *page = directory < 0 ? NULL : map_page(directory);
	struct worker_page worker = {0};
	int err = directory < 0 ? directory : page ? 0 : -EINVAL;

	if (!err)
		err = read_file(directory, "worker.page", &worker, sizeof(worker));
	if (!err) {
		page->migrated_sequence = worker.head_sequence;
		__atomic_store_n(&page->migrated_from, page->generation, __ATOMIC_RELEASE);
		fault_point("migrate.noted");
	}
	for (uint32_t i = 0; !err && i < FAAS_USER_FUNCTIONS_MAX; i++) {
		char here[NAME_BYTES], before[NAME_BYTES], next[NAME_BYTES];

		if (!(mask >> i & 1))
			continue;
		name_of(i, "", here);
		name_of(i, BEFORE, before);
		name_of(i, NEXT, next);
		err = rename_at(directory, here, before);
		fault_point("migrate.half_swapped");
		if (!err)
			err = rename_at(directory, next, here);
		fault_point("migrate.swapped");
	}
	if (page)
		munmap(page, RUNTIME_PAGE_BYTES);
	if (directory >= 0)
		close(directory);
	return err;
}

/* Whether a worker committed anything since the tables were swapped: its page says so,
 * or, if it was killed before it could, a record behind what the page says. */
static int has_gone_on(int directory, const struct runtime_page *page, bool *ret)
{
	int fd = openat(directory, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	void *mapping = MAP_FAILED, *record = NULL;
	struct worker_page *worker = calloc(1, sizeof(*worker));
	const struct page_counters *counters;
	struct log_view view;
	struct stat status;
	uint64_t next;
	int err = fd < 0 ? -errno : worker ? 0 : -ENOMEM;

	if (!err)
		err = read_file(directory, "worker.page", worker, sizeof(*worker));
	if (!err && fstat(fd, &status))
		err = -errno;
	if (!err) {
		mapping = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
		record = aligned_alloc(64, LOG_RECORD_BYTES_MAX);
		err = mapping == MAP_FAILED || !record ? -ENOMEM : 0;
	}
	if (!err)
		err = log_view_open(mapping, (uint64_t)status.st_size, &view);
	if (!err) {
		counters = &worker->counters[worker->current & 1];
		*ret = worker->head_sequence != page->migrated_sequence ||
		       counters->sequence != page->migrated_sequence ||
		       log_read(&view, counters->log_position, counters->sequence + 1, record,
				LOG_RECORD_BYTES_MAX, &next) > 0;
	}
	if (mapping != MAP_FAILED)
		munmap(mapping, (size_t)status.st_size);
	free(record);
	free(worker);
	if (fd >= 0)
		close(fd);
	return err;
}

/* Remove what has that suffix; or, with @p back, put it back to where it was. */
static int clear(int directory, const char *suffix, bool back)
{
	for (uint32_t i = 0; i < FAAS_USER_FUNCTIONS_MAX; i++) {
		char name[NAME_BYTES], here[NAME_BYTES];
		int failed;

		name_of(i, suffix, name);
		name_of(i, "", here);
		failed = back ? renameat(directory, name, directory, here)
			      : unlinkat(directory, name, 0);
		if (failed && errno != ENOENT)
			return -errno;
		fault_point("migrate.clearing");
	}
	return 0;
}

static int finish(const char *root, const char *name, bool looked, bool keep)
{
	int directory = run_files_directory(root, name);
	struct runtime_page *page = directory < 0 ? NULL : map_page(directory);
	int err = directory == -ENOENT ? 0 : directory < 0 ? directory : 0;

	if (page && page->migrated_from && !looked)
		err = has_gone_on(directory, page, &keep);
	if (!err && page && page->migrated_from && !keep) {
		err = clear(directory, BEFORE, true);
		if (!err)
			__atomic_store_n(&page->generation, page->migrated_from, __ATOMIC_RELEASE);
	} else if (!err && directory >= 0) {
		err = clear(directory, BEFORE, false);
	}
	if (!err && directory >= 0)
		err = clear(directory, NEXT, false);
	if (!err && page)
		__atomic_store_n(&page->migrated_from, 0, __ATOMIC_RELEASE);
	if (page)
		munmap(page, RUNTIME_PAGE_BYTES);
	if (directory >= 0)
		close(directory);
	return err;
}

int migrate_keep(const char *root, const char *name)
{
	return finish(root, name, true, true);
}

int migrate_settle(const char *root, const char *name)
{
	return finish(root, name, false, false);
}
