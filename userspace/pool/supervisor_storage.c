// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_storage.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/log/disk_file.h"
#include "userspace/log/durable.h"
#include "userspace/state/state.h"

static const char *const names[DISK_FILES] = {
	[DISK_LOG] = "log",
	[DISK_SNAPSHOT_0] = "snapshot.0",
	[DISK_SNAPSHOT_1] = "snapshot.1",
	[DISK_DAMAGE] = "damage",
	[DISK_BEFORE] = "before",
};
/* What the log is called until all files stand, and the tables of before an update
 * until they do. */
#define LOG_NEW "log.new"
#define BEFORE_NEW "before.new"

void storage_init(struct storage *storage)
{
	memset(storage, 0, sizeof(*storage));
	for (int i = 0; i < DISK_FILES; i++)
		storage->fds[i] = -1;
}

void storage_close(struct storage *storage)
{
	for (int i = 0; i < DISK_FILES; i++)
		if (storage->fds[i] >= 0)
			close(storage->fds[i]);
	storage_init(storage);
}

static void count_bytes(const struct bundle *bundle, uint64_t *ret)
{
	struct durable_image images[FAAS_USER_FUNCTIONS_MAX];

	memset(images, 0, sizeof(images));
	for (uint32_t i = 0; i < bundle->user_count; i++)
		state_durable_shape(bundle, i, &images[i].shape);
	ret[DISK_LOG] = durable_log_bytes(bundle->storage_bytes,
					  (uint64_t)FAAS_LOG_SEGMENTS * FAAS_LOG_SEGMENT_BYTES);
	ret[DISK_SNAPSHOT_0] = ret[DISK_SNAPSHOT_1] = durable_snapshot_bytes(images);
	ret[DISK_DAMAGE] = DURABLE_DAMAGE_BYTES;
	ret[DISK_BEFORE] = 0; /* if it is there it has its bytes */
}

/* A descriptor or -errno; the file has @p bytes at least, that are really there. */
static int open_file(int directory, const char *name, int flags, uint64_t bytes)
{
	int fd = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	int err;

	if (fd < 0)
		return -errno;
	err = bytes ? posix_fallocate(fd, 0, (off_t)bytes) : 0;
	if (err) {
		close(fd);
		return -err;
	}
	return fd;
}

/* Make what is not there; the log comes last, and with it they are a whole. */
static int make_files(int directory, const uint64_t *bytes)
{
	int fd;

	for (int i = DISK_FILES - 1; i >= 0; i--) {
		if (i == DISK_BEFORE)
			continue;
		fd = open_file(directory, i == DISK_LOG ? LOG_NEW : names[i], O_CREAT | O_TRUNC,
			       bytes[i]);
		if (fd < 0)
			return fd;
		/* Their sizes are on the disk before the worker counts on them. */
		if (fsync(fd)) {
			close(fd);
			return -errno;
		}
		close(fd);
	}
	if (renameat(directory, LOG_NEW, directory, names[DISK_LOG]) || fsync(directory))
		return -errno;
	return 0;
}

static int read_log_id(struct storage *storage)
{
	struct durable_super *super = malloc(sizeof(*super));
	struct disk_files files;
	int err = super ? disk_files_open(&files, storage->fds) : -ENOMEM;

	if (!err)
		err = durable_super_read(&files.disk, super);
	if (!err)
		storage->log_id = super->log_id;
	free(super);
	/* The worker lays out what it finds empty, and says what it finds damaged. */
	return err == -ENOENT || err == -EBADMSG || err == -EPROTO ? 0 : err;
}

static int check_size(const char *path, const struct storage *storage, uint64_t bytes,
		      struct diags *diags)
{
	struct stat status;

	if (fstat(storage->fds[DISK_LOG], &status))
		return diag_fail(diags, DIAG_FAILED, NULL, "%s/log: %s", path, strerror(errno));
	if ((uint64_t)status.st_size == bytes)
		return 0;
	return diag_fail(diags, DIAG_INVALID,
			 "give `storage` the size that it had, or delete what is there with "
			 "`ebpf-faas unload --purge`",
			 "%s/log has %lld bytes, the workflow's `storage` makes %llu", path,
			 (long long)status.st_size, (unsigned long long)bytes);
}

static int open_files(int directory, const uint64_t *bytes, struct storage *storage,
		      const char **ret_name)
{
	for (int i = 0; i < DISK_FILES; i++) {
		*ret_name = names[i];
		if (i == DISK_BEFORE && faccessat(directory, names[i], F_OK, 0))
			continue;
		/* Another version may need longer snapshots. The log stays as it is. */
		storage->fds[i] = open_file(directory, names[i], 0,
					    i == DISK_LOG ? DURABLE_LOG_OFFSET : bytes[i]);
		if (storage->fds[i] < 0)
			return storage->fds[i];
	}
	return 0;
}

/* Make a directory that is there after a loss of power, too. */
static int make_directory(const char *path)
{
	char parent[FAAS_PATH_BYTES];
	int fd, err;

	if (mkdir(path, 0700))
		return errno == EEXIST ? 0 : -errno;
	snprintf(parent, sizeof(parent), "%s", path);
	fd = open(dirname(parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

static int open_directory(const char *directory, const char *path)
{
	int err = make_directory(directory);
	int fd;

	if (!err)
		err = make_directory(path);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int storage_open(const char *directory, const struct bundle *bundle, struct storage *ret,
		 struct diags *diags)
{
	uint64_t bytes[DISK_FILES];
	char path[FAAS_PATH_BYTES];
	struct storage storage;
	const char *name = "";
	int at, err;

	storage_init(&storage);
	count_bytes(bundle, bytes);
	snprintf(path, sizeof(path), "%s/%s", directory, bundle->name);
	at = open_directory(directory, path);
	if (at < 0)
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", path, strerror(-at));
	err = 0;
	if (faccessat(at, names[DISK_LOG], F_OK, 0)) {
		storage.made = true;
		err = make_files(at, bytes);
	}
	if (!err)
		err = open_files(at, bytes, &storage, &name);
	if (!err)
		err = read_log_id(&storage);
	close(at);
	if (err) {
		if (err == -ENOSPC)
			diag_fail(diags, DIAG_FAILED,
				  "make room there, or lower `storage: {size}` or `keys`",
				  "%s/%s: the file system is full", path, name);
		else
			diag_fail(diags, DIAG_FAILED, NULL, "%s/%s: %s", path, name,
				  strerror(-err));
	} else {
		err = check_size(path, &storage, bytes[DISK_LOG], diags);
	}
	if (!err) {
		*ret = storage;
		return 0;
	}
	if (storage.made)
		(void)!storage_remove(directory, bundle->name);
	storage_close(&storage);
	return -1;
}

int storage_note_delivered(const struct storage *storage, const struct durable_place *place)
{
	struct disk_files files;
	int err = disk_files_open(&files, storage->fds);

	return err ? err : durable_note_delivered(&files.disk, place);
}

static int open_existing(const char *directory, const char *name)
{
	char path[FAAS_PATH_BYTES];
	int at;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return at < 0 ? -errno : at;
}

int storage_before_make(const char *directory, const struct bundle *bundle)
{
	int at = open_existing(directory, bundle->name), fd = at;
	uint64_t bytes[DISK_FILES];

	count_bytes(bundle, bytes);
	if (at >= 0) {
		fd = open_file(at, BEFORE_NEW, O_CREAT | O_TRUNC,
			       DISK_BLOCK_BYTES + bytes[DISK_SNAPSHOT_0]);
		if (fd < 0)
			(void)unlinkat(at, BEFORE_NEW, 0);
		close(at);
	}
	return fd;
}

int storage_before_commit(const char *directory, const char *name)
{
	int at = open_existing(directory, name);
	int err = at < 0 ? at : 0;

	if (!err && (renameat(at, BEFORE_NEW, at, names[DISK_BEFORE]) || fsync(at)))
		err = -errno;
	if (at >= 0)
		close(at);
	return err;
}

int storage_before_remove(const char *directory, const char *name)
{
	int at = open_existing(directory, name);
	int err = at == -ENOENT || at >= 0 ? 0 : at;

	if (at < 0)
		return err;
	if ((unlinkat(at, BEFORE_NEW, 0) && errno != ENOENT) ||
	    (unlinkat(at, names[DISK_BEFORE], 0) && errno != ENOENT) || fsync(at))
		err = -errno;
	close(at);
	return err;
}

int storage_remove(const char *directory, const char *name)
{
	char path[FAAS_PATH_BYTES];
	int at, err = 0;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (at < 0)
		return errno == ENOENT ? 0 : -errno;
	/* The log first: without it there is nothing. */
	for (int i = 0; i < DISK_FILES; i++)
		if (unlinkat(at, names[i], 0) && errno != ENOENT)
			err = -errno;
	(void)unlinkat(at, LOG_NEW, 0);
	(void)unlinkat(at, BEFORE_NEW, 0);
	close(at);
	if (!err && rmdir(path))
		err = -errno;
	(void)rmdir(directory); /* if it was the last */
	return err;
}
