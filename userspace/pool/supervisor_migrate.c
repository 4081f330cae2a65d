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

#include "bundle_compare.h"
#include "fault.h"
#include "pages.h"
#include "reserve.h"
#include "userspace/log/log.h"
#include "userspace/pool/supervisor_files.h"
#include "userspace/state/state.h"

#define NEXT ".next"
#define BEFORE ".before"
#define NAME_BYTES 32

/* What may be replaced: the tables by their functions' numbers, and behind them the pages
 * that count by such numbers. */
#define FILES (FAAS_USER_FUNCTIONS_MAX + 2)
#define WORKER_PAGE (FILES - 2)
#define COURIER_PAGE (FILES - 1)

_Static_assert(MIGRATE_PAGES == (1u << WORKER_PAGE | 1u << COURIER_PAGE), "a bit each");

static void name_of(uint32_t file, const char *suffix, char ret[NAME_BYTES])
{
	if (file < FAAS_USER_FUNCTIONS_MAX)
		snprintf(ret, NAME_BYTES, "state.%u%s", file, suffix);
	else
		snprintf(ret, NAME_BYTES, "%s%s",
			 file == WORKER_PAGE ? "worker.page" : "courier.page", suffix);
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

static int find_last(int directory, struct migrate_last *ret)
{
	int fd = openat(directory, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	void *mapping = MAP_FAILED;
	struct log_record *record = NULL;
	struct worker_page *worker = calloc(1, sizeof(*worker));
	const struct page_counters *counters;
	const struct log_header *header;
	struct log_view view;
	struct stat status;
	uint64_t position;
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
		header = mapping;
		position = counters->log_position;
		*ret = (struct migrate_last){.sequence = counters->sequence,
					     .ring_position = counters->ring_position,
					     .ring_first_sequence = header->ring_first_sequence,
					     .ring_boot_hash = header->ring_boot_hash,
					     .ring_map_id = header->ring_map_id};
		/* The log is a circle: what is read ends before it comes round. */
		while (position - counters->log_position < view.capacity &&
		       log_read(&view, position, ret->sequence + 1, record, LOG_RECORD_BYTES_MAX,
				&position) > 0) {
			ret->sequence = record->sequence;
			ret->ring_position = record->ring_position;
		}
	}
	if (mapping != MAP_FAILED)
		munmap(mapping, (size_t)status.st_size);
	free(record);
	free(worker);
	if (fd >= 0)
		close(fd);
	return err;
}

static int last_sequence(int directory, uint64_t *ret)
{
	struct migrate_last last;
	int err = find_last(directory, &last);

	if (!err)
		*ret = last.sequence;
	return err;
}

int migrate_last(const char *root, const char *name, struct migrate_last *ret)
{
	int directory = run_files_directory(root, name);
	int err = directory < 0 ? directory : find_last(directory, ret);

	if (directory >= 0)
		close(directory);
	return err;
}

bool migrate_may_begin(const char *root, const char *name)
{
	int directory = run_files_directory(root, name);
	struct worker_page page = {0};
	uint64_t sequence = 0;
	int err = directory;

	if (directory >= 0) {
		err = read_file(directory, "worker.page", &page, sizeof(page));
		if (!err)
			err = last_sequence(directory, &sequence);
		close(directory);
	}
	/* What it wrote and could not show would be redone on tables of another layout. */
	return !err && page.state == WORKER_STOPPED &&
	       page.counters[page.current & 1].sequence == sequence;
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
	err = fd < 0 ? -errno : reserve(fd, 0, state_file_bytes(to, function));
	if (err && fd >= 0) {
		close(fd);
		(void)unlinkat(directory, name, 0);
	}
	close(directory);
	return err ? err : fd;
}

int migrate_link(const char *root, const char *name, uint32_t from, uint32_t to)
{
	int directory = run_files_directory(root, name);
	char here[NAME_BYTES], next[NAME_BYTES];
	int err = directory < 0 ? directory : 0;

	name_of(from, "", here);
	name_of(to, NEXT, next);
	if (!err) {
		(void)unlinkat(directory, next, 0);
		if (linkat(directory, here, directory, next, 0))
			err = -errno;
		close(directory);
	}
	return err;
}

static int write_file(int directory, uint32_t file, const void *data, size_t bytes)
{
	char name[NAME_BYTES];
	int fd, err = 0;

	name_of(file, NEXT, name);
	(void)unlinkat(directory, name, 0);
	fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, data, bytes, 0) != (ssize_t)bytes)
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

/* What functions counted goes with their names, if their outputs are the same. */
static void renumber_functions(struct page_counters *counters, const struct bundle *from,
			       const struct bundle *to)
{
	struct page_function_counters before[FAAS_USER_FUNCTIONS_MAX];

	memcpy(before, counters->functions, sizeof(before));
	memset(counters->functions, 0, sizeof(before));
	for (uint32_t i = 0; i < to->user_count; i++) {
		uint32_t was = bundle_user_of(from, to->user[i].instance);

		if (was != BUNDLE_NO_FUNCTION &&
		    bundle_same_outputs(&from->user[was], &to->user[i]))
			counters->functions[i] = before[was];
	}
}

static void renumber_sinks(struct courier_cursor *cursor, const struct bundle *from,
			   const struct bundle *to)
{
	struct courier_sink_counters before[FAAS_SINKS_MAX];

	memcpy(before, cursor->sinks, sizeof(before));
	memset(cursor->sinks, 0, sizeof(before));
	for (uint32_t i = 0; i < to->sink_count; i++)
		for (uint32_t k = 0; k < from->sink_count; k++)
			if (!strcmp(to->sinks[i].name, from->sinks[k].name) &&
			    to->sinks[i].kind == from->sinks[k].kind)
				cursor->sinks[i] = before[k];
}

int migrate_pages(const char *root, const struct bundle *from, const struct bundle *to)
{
	int directory = run_files_directory(root, to->name);
	uint8_t *worker = calloc(1, WORKER_PAGE_BYTES), *courier = calloc(1, COURIER_PAGE_BYTES);
	struct worker_page *worker_page = (void *)worker;
	struct courier_page *courier_page = (void *)courier;
	int err = directory < 0 ? directory : worker && courier ? 0 : -ENOMEM;

	if (!err)
		err = read_file(directory, "worker.page", worker, WORKER_PAGE_BYTES);
	if (!err)
		err = read_file(directory, "courier.page", courier, COURIER_PAGE_BYTES);
	if (!err) {
		renumber_functions(&worker_page->counters[worker_page->current & 1], from, to);
		renumber_sinks(&courier_page->cursors[courier_page->current & 1], from, to);
		err = write_file(directory, WORKER_PAGE, worker, WORKER_PAGE_BYTES);
	}
	if (!err)
		err = write_file(directory, COURIER_PAGE, courier, COURIER_PAGE_BYTES);
	free(courier);
	free(worker);
	if (directory >= 0)
		close(directory);
	return err;
}

int migrate_open(const char *root, const char *name, const char *file)
{
	int directory = run_files_directory(root, name);
	int fd;

	if (directory < 0)
		return directory;
	fd = openat(directory, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	fd = fd < 0 ? -errno : fd;
	close(directory);
	return fd;
}

/* A function that only one of the versions has, or has with state, has one table. */
static int rename_at(int directory, const char *from, const char *to)
{
	return renameat(directory, from, directory, to) && errno != ENOENT ? -errno : 0;
}

int migrate_swap(const char *root, const char *name, uint32_t mask)
{
	int directory = run_files_directory(root, name);
	struct runtime_page *page = directory < 0 ? NULL : map_page(directory);
	uint64_t sequence;
	int err = directory < 0 ? directory : page ? 0 : -EINVAL;

	if (!err)
		err = last_sequence(directory, &sequence);
	if (!err) {
		page->migrated_sequence = sequence;
		page->migrated_states = mask;
		__atomic_store_n(&page->migrated_from, page->generation, __ATOMIC_RELEASE);
		fault_point("migrate.noted");
	}
	for (uint32_t i = 0; !err && i < FILES; i++) {
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

/* Remove what has that suffix; or, with @p back, put it back to where it was. */
static int clear(int directory, const char *suffix, bool back)
{
	for (uint32_t i = 0; i < FILES; i++) {
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

/* The tables of before are those of the workflow again. From the first store on the
 * change is not whole: who finds that does this again. */
static int put_back(int directory, struct runtime_page *page)
{
	int err;

	__atomic_store_n(&page->generation, page->migrated_from, __ATOMIC_RELEASE);
	fault_point("migrate.back");
	err = clear(directory, BEFORE, true);
	if (!err)
		err = clear(directory, NEXT, false);
	if (!err)
		__atomic_store_n(&page->migrated_from, 0, __ATOMIC_RELEASE);
	return err;
}

static int keep(int directory, struct runtime_page *page)
{
	int err;

	/* First: with some of them there would be no way back. */
	__atomic_store_n(&page->migrated_from, 0, __ATOMIC_RELEASE);
	fault_point("migrate.kept");
	err = clear(directory, BEFORE, false);
	return err ? err : clear(directory, NEXT, false);
}

static int settle(int directory, struct runtime_page *page)
{
	if (!page->migrated_from)
		return keep(directory, page);
	if (page->migrated_from == page->generation)
		return put_back(directory, page);
	return 0;
}

static int settle_unused(int directory, struct runtime_page *page)
{
	uint64_t sequence;
	int err = settle(directory, page);

	if (err || !page->migrated_from)
		return err;
	err = last_sequence(directory, &sequence);
	if (!err && sequence == page->migrated_sequence)
		err = put_back(directory, page);
	return err;
}

static int go_back(int directory, struct runtime_page *page)
{
	uint64_t sequence;
	int err;

	if (!page->migrated_from)
		return -ENOENT;
	err = last_sequence(directory, &sequence);
	if (err)
		return err;
	page->foreign_states = page->migrated_states;
	__atomic_store_n(&page->foreign_sequence, sequence, __ATOMIC_RELEASE);
	return put_back(directory, page);
}

/* Do it, with the files of a workflow; without any there is nothing to be done. */
static int with_files(const char *root, const char *name,
		      int (*act)(int directory, struct runtime_page *page))
{
	int directory = run_files_directory(root, name);
	struct runtime_page *page = directory < 0 ? NULL : map_page(directory);
	int err = directory < 0 && directory != -ENOENT ? directory : 0;

	if (page) {
		err = act(directory, page);
		munmap(page, RUNTIME_PAGE_BYTES);
	}
	if (directory >= 0)
		close(directory);
	return err;
}

int migrate_keep(const char *root, const char *name)
{
	return with_files(root, name, keep);
}

int migrate_back(const char *root, const char *name)
{
	return with_files(root, name, go_back);
}

int migrate_settle(const char *root, const char *name)
{
	return with_files(root, name, settle);
}

int migrate_settle_unused(const char *root, const char *name)
{
	return with_files(root, name, settle_unused);
}
