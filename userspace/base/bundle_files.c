// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A bundle as a directory. Files are opened relative to it without following
 * symbolic links, so that what is compared is what lies there.
 */
#include "bundle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"

#define USER_DIRECTORY "user"
#define DATA_DIRECTORY "data"
#define MANIFEST_NEW "manifest.json.new"

_Static_assert(BUNDLE_DIGEST_BYTES == DIGEST_TEXT_BYTES, "a digest fits");

/* The name of a file of the bundle, for diagnostics. What does not fit is cut. */
static void make_place(char ret[DIAG_FILE_BYTES], const char *directory, const char *file)
{
	snprintf(ret, DIAG_FILE_BYTES, "%.*s/%.*s", DIAG_FILE_BYTES - 128, directory, 126, file);
}

static void fail(struct diags *diags, const char *directory, const char *file, const char *what,
		 int error)
{
	char place[DIAG_FILE_BYTES];

	if (file)
		make_place(place, directory, file);
	diag_add(diags, DIAG_FAILED, file ? place : directory, 0, 0, NULL, "%s: %s", what,
		 strerror(error));
}

static bool is_regular(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* Digest of one file of the bundle. 0, or -1 with a diagnostic. */
static int digest_of(int directory_fd, const char *directory, const char *path, char *ret,
		     struct diags *diags)
{
	/* O_NONBLOCK: a FIFO in this place must not hold us up. */
	int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err;

	if (fd < 0) {
		char place[DIAG_FILE_BYTES];

		make_place(place, directory, path);
		diag_add(diags, DIAG_INVALID, place, 0, 0,
			 "build the bundle again with `ebpf-faas build`",
			 "this file of the bundle cannot be opened: %s",
			 errno == ELOOP ? "it is a symbolic link" : strerror(errno));
		return -1;
	}
	err = is_regular(fd) ? digest_fd(fd, ret) : -EINVAL;
	if (err)
		fail(diags, directory, path,
		     err == -EINVAL ? "not a regular file" : "reading it failed", -err);
	close(fd);
	return err ? -1 : 0;
}

static bool belongs(const struct bundle *bundle, const char *path)
{
	if (!strcmp(path, BUNDLE_MANIFEST) || !strcmp(path, BUNDLE_KERNEL_OBJECT))
		return true;
	for (uint32_t i = 0; i < bundle->user_count; i++)
		if (!strcmp(path, bundle->user[i].file))
			return true;
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		for (uint32_t k = 0; k < bundle->kernel[i].map_count; k++)
			if (!strcmp(path, bundle->kernel[i].maps[k].contents))
				return true;
	return false;
}

bool bundle_has_data(const struct bundle *bundle)
{
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		for (uint32_t k = 0; k < bundle->kernel[i].map_count; k++)
			if (bundle->kernel[i].maps[k].contents[0])
				return true;
	return false;
}

/* Look for files that the bundle does not have: below @p under, "" for its top. */
static int refuse_strangers(const struct bundle *bundle, int directory_fd, const char *directory,
			    const char *under, struct diags *diags)
{
	int fd = openat(directory_fd, under[0] ? under : ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int err = 0;

	if (!stream) {
		fail(diags, directory, under[0] ? under : NULL, "cannot list it", errno);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((entry = readdir(stream))) {
		char path[sizeof(USER_DIRECTORY) + sizeof(entry->d_name) + 1];

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (!under[0] && bundle->user_count && !strcmp(entry->d_name, USER_DIRECTORY))
			continue;
		if (!under[0] && bundle_has_data(bundle) && !strcmp(entry->d_name, DATA_DIRECTORY))
			continue;
		snprintf(path, sizeof(path), "%s%s%s", under, under[0] ? "/" : "", entry->d_name);
		if (belongs(bundle, path))
			continue;
		diag_add(diags, DIAG_INVALID, directory, 0, 0, "remove it",
			 "there is a file \"%s\" that does not belong to the bundle", path);
		err = -1;
	}
	closedir(stream);
	return err;
}

static int refuse_all_strangers(const struct bundle *bundle, int directory_fd,
				const char *directory, struct diags *diags)
{
	int err = refuse_strangers(bundle, directory_fd, directory, "", diags);

	if (bundle->user_count)
		err |= refuse_strangers(bundle, directory_fd, directory, USER_DIRECTORY, diags);
	if (bundle_has_data(bundle))
		err |= refuse_strangers(bundle, directory_fd, directory, DATA_DIRECTORY, diags);
	return err ? -1 : 0;
}

struct digests {
	int directory_fd;
	const char *directory;
	struct bundle_file *files; /* BUNDLE_FILES_MAX */
	uint32_t count;
	struct diags *diags;
};

/* A file may fill several maps; it is there once. */
static int add_digest(struct digests *digests, const char *path)
{
	struct bundle_file *file = &digests->files[digests->count];

	for (uint32_t i = 0; i < digests->count; i++)
		if (!strcmp(digests->files[i].path, path))
			return 0;
	if (digests->count == BUNDLE_FILES_MAX) {
		diag_add(digests->diags, DIAG_INVALID, digests->directory, 0, 0,
			 "split the workflow", "%s is one file more than a bundle may have, %d",
			 path, BUNDLE_FILES_MAX);
		return -1;
	}
	digests->count++;
	snprintf(file->path, sizeof(file->path), "%s", path);
	return digest_of(digests->directory_fd, digests->directory, path, file->sha256,
			 digests->diags);
}

/* Digests of the files that a bundle must have, in ret. */
static int digest_all(const struct bundle *bundle, int directory_fd, const char *directory,
		      struct bundle_file *ret, uint32_t *ret_count, struct diags *diags)
{
	struct digests digests = {directory_fd, directory, ret, 0, diags};
	int err = add_digest(&digests, BUNDLE_KERNEL_OBJECT);

	for (uint32_t i = 0; i < bundle->user_count; i++)
		err |= add_digest(&digests, bundle->user[i].file);
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		for (uint32_t k = 0; k < bundle->kernel[i].map_count; k++)
			if (bundle->kernel[i].maps[k].contents[0])
				err |= add_digest(&digests, bundle->kernel[i].maps[k].contents);
	*ret_count = digests.count;
	return err ? -1 : 0;
}

static int compare(const struct bundle *bundle, const char *directory,
		   const struct bundle_file *found, uint32_t count, struct diags *diags)
{
	int err = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct bundle_file *sealed = NULL;
		char place[DIAG_FILE_BYTES];

		for (uint32_t k = 0; k < bundle->file_count; k++)
			if (!strcmp(bundle->files[k].path, found[i].path))
				sealed = &bundle->files[k];
		if (sealed && !strcmp(sealed->sha256, found[i].sha256))
			continue;
		make_place(place, directory, found[i].path);
		diag_add(diags, DIAG_INVALID, place, 0, 0,
			 "build the bundle again with `ebpf-faas build`",
			 sealed ? "the file was changed after the bundle was built: its SHA-256 is "
				  "%s, the manifest says %s"
				: "the manifest has no digest of it%.0s%.0s",
			 found[i].sha256, sealed ? sealed->sha256 : "");
		err = -1;
	}
	return err;
}

static int open_directory(const char *directory, struct diags *diags)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		diag_add(diags, errno == ENOENT ? DIAG_NOT_FOUND : DIAG_FAILED, directory, 0, 0,
			 NULL, "cannot open the bundle: %s", strerror(errno));
	return fd;
}

/* Read a whole small file. Returns-owned text; NULL with a diagnostic. */
static char *read_manifest(int directory_fd, const char *directory, size_t *ret_bytes,
			   struct diags *diags)
{
	int fd = openat(directory_fd, BUNDLE_MANIFEST,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	size_t bytes = 0, limit = FAAS_MANIFEST_BYTES_MAX + 1; /* one more tells of excess */
	char *text = NULL;
	ssize_t got = -1;

	if (fd < 0) {
		diag_add(diags, DIAG_INVALID, directory, 0, 0,
			 "a bundle is made by `ebpf-faas build`", "no readable %s here: %s",
			 BUNDLE_MANIFEST, strerror(errno));
		return NULL;
	}
	text = malloc(limit);
	if (!text || !is_regular(fd)) {
		fail(diags, directory, BUNDLE_MANIFEST, "cannot read it", text ? EINVAL : ENOMEM);
		goto cleanup;
	}
	while (bytes < limit) {
		got = read(fd, text + bytes, limit - bytes);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		bytes += (size_t)got;
	}
	if (got < 0)
		fail(diags, directory, BUNDLE_MANIFEST, "cannot read it", errno);
	*ret_bytes = bytes;
cleanup:
	close(fd);
	if (got < 0) {
		free(text);
		return NULL;
	}
	return text;
}

int bundle_open(const char *directory, struct bundle *ret, struct diags *diags)
{
	struct bundle_file found[BUNDLE_FILES_MAX] = {0};
	int directory_fd = open_directory(directory, diags), err = -1;
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	char place[DIAG_FILE_BYTES], *text = NULL;
	uint32_t count = 0;
	size_t bytes = 0;

	if (directory_fd < 0)
		goto cleanup;
	if (!bundle) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	text = read_manifest(directory_fd, directory, &bytes, diags);
	if (!text)
		goto cleanup;
	make_place(place, directory, BUNDLE_MANIFEST);
	if (bundle_parse(text, bytes, place, bundle, diags))
		goto cleanup;
	if (refuse_all_strangers(bundle, directory_fd, directory, diags) ||
	    digest_all(bundle, directory_fd, directory, found, &count, diags) ||
	    compare(bundle, directory, found, count, diags))
		goto cleanup;
	*ret = *bundle;
	err = 0;
cleanup:
	free(text);
	free(bundle);
	if (directory_fd >= 0)
		close(directory_fd);
	return err;
}

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t bytes = write(fd, text, left);

		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			return -errno;
		text += bytes;
		left -= (size_t)bytes;
	}
	return 0;
}

/* A manifest that is there is whole, also after a power failure: it gets its
 * name only when it is on the disk. */
static int write_manifest(int directory_fd, const char *text)
{
	int err, fd;

	if (unlinkat(directory_fd, MANIFEST_NEW, 0) && errno != ENOENT)
		return -errno;
	fd = openat(directory_fd, MANIFEST_NEW,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text);
	if (!err && fsync(fd))
		err = -errno;
	close(fd);
	if (!err && renameat(directory_fd, MANIFEST_NEW, directory_fd, BUNDLE_MANIFEST))
		err = -errno;
	if (!err && fsync(directory_fd))
		err = -errno;
	if (err)
		unlinkat(directory_fd, MANIFEST_NEW, 0);
	return err;
}

int bundle_seal(const char *directory, struct bundle *bundle, struct diags *diags)
{
	int directory_fd = open_directory(directory, diags), err = -1;
	char *text = NULL;

	if (directory_fd < 0)
		return -1;
	if (refuse_all_strangers(bundle, directory_fd, directory, diags) ||
	    digest_all(bundle, directory_fd, directory, bundle->files, &bundle->file_count,
		       diags) ||
	    bundle_check(bundle, directory, diags))
		goto cleanup;
	text = bundle_print(bundle);
	if (!text) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		goto cleanup;
	}
	if (strlen(text) > FAAS_MANIFEST_BYTES_MAX) {
		diag_add(diags, DIAG_INVALID, directory, 0, 0, "split the workflow",
			 "the manifest would have %zu bytes, the limit is %d", strlen(text),
			 FAAS_MANIFEST_BYTES_MAX);
		goto cleanup;
	}
	err = write_manifest(directory_fd, text);
	if (err) {
		fail(diags, directory, BUNDLE_MANIFEST, "cannot write it", -err);
		err = -1;
	}
cleanup:
	free(text);
	close(directory_fd);
	return err;
}
