// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_copies.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle_image.h"
#include "digest.h"
#include "fault.h"
#include "userspace/pool/supervisor.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* since Linux 6.3 */
#endif

static int new_memfd(const char *name)
{
	/* Shared objects are executable: say so where that must be said. */
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

int copies_seal(const char *path, const char *name)
{
	struct stat status;
	int from, to = -1;
	int err = 0;

	from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from < 0)
		return -errno;
	if (fstat(from, &status))
		err = -errno;
	if (!err) {
		to = new_memfd(name);
		err = to < 0 ? to : 0;
	}
	for (off_t left = status.st_size; !err && left > 0;) {
		ssize_t sent = sendfile(to, from, NULL, (size_t)left);

		if (sent < 0)
			err = -errno;
		else if (!sent)
			err = -EIO;
		else
			left -= sent;
	}
	if (!err &&
	    fcntl(to, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		err = -errno;
	close(from);
	if (err && to >= 0)
		close(to);
	return err ? err : to;
}

static void make_path(const struct copies *copies, uint32_t number, char ret[FAAS_PATH_BYTES])
{
	snprintf(ret, FAAS_PATH_BYTES, "%s/%s", copies->directory, copies->files[number].path);
}

/* Where the digest of @p path stands is bundle_open's to see to. */
static const char *digest_of(const struct bundle *bundle, const char *path)
{
	for (uint32_t i = 0; i < bundle->file_count; i++)
		if (!strcmp(bundle->files[i].path, path))
			return bundle->files[i].sha256;
	return "";
}

static int note_manifest(struct copies *copies)
{
	struct bundle_file *file = &copies->files[0];
	char path[FAAS_PATH_BYTES];
	int fd, err;

	snprintf(file->path, sizeof(file->path), "%s", BUNDLE_MANIFEST);
	make_path(copies, 0, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	err = digest_fd(fd, file->sha256);
	close(fd);
	return err;
}

int copies_init(struct supervisor *supervisor, const struct bundle *bundle, const char *directory)
{
	struct copies *copies = &supervisor->copies;
	int err;

	copies->directory = strdup(directory);
	copies->files = calloc(bundle->user_count + 1, sizeof(*copies->files));
	if (!copies->directory || !copies->files)
		return -ENOMEM;
	for (uint32_t i = 0; i < bundle->user_count; i++) {
		struct bundle_file *file = &copies->files[i + 1];

		snprintf(file->path, sizeof(file->path), "%s", bundle->user[i].file);
		memcpy(file->sha256, digest_of(bundle, file->path), sizeof(file->sha256));
		copies->has_programs |= bundle->user[i].exec.argument_count != 0;
	}
	err = bundle_image_make(bundle, &copies->image, &copies->image_bytes);
	return err ? err : note_manifest(copies);
}

/* Descriptor or -errno; -EBADMSG: it is not what was loaded. */
static int take(const struct copies *copies, uint32_t number)
{
	const struct bundle_file *file = &copies->files[number];
	const char *slash = strrchr(file->path, '/');
	char path[FAAS_PATH_BYTES], found[BUNDLE_DIGEST_BYTES];
	int fd, err;

	make_path(copies, number, path);
	fd = copies_seal(path, slash ? slash + 1 : file->path);
	if (fd < 0)
		return fd;
	/* Of the copy: what is compared is what will be used. */
	err = digest_fd(fd, found);
	if (!err && strcmp(found, file->sha256) != 0)
		err = -EBADMSG;
	if (err)
		close(fd);
	return err ? err : fd;
}

static int take_at(struct supervisor *supervisor, uint32_t number, int *fd)
{
	char path[FAAS_PATH_BYTES];

	if (*fd >= 0)
		return 0;
	*fd = take(&supervisor->copies, number);
	if (*fd >= 0)
		return 0;
	make_path(&supervisor->copies, number, path);
	snprintf(supervisor->reason, sizeof(supervisor->reason), "%s: %s", path,
		 *fd == -EBADMSG ? "it is not what was loaded" : strerror(-*fd));
	return *fd;
}

int copies_take_manifest(struct supervisor *supervisor)
{
	int err = take_at(supervisor, 0, &supervisor->manifest);

	if (err)
		copies_give_back(supervisor);
	return err;
}

int copies_take(struct supervisor *supervisor)
{
	const struct copies *copies = &supervisor->copies;
	int err = copies->image && !copies->has_programs
			  ? 0
			  : take_at(supervisor, 0, &supervisor->manifest);

	fault_point("idle.copies");
	for (uint32_t i = 0; !err && i < supervisor->user_count; i++)
		err = take_at(supervisor, i + 1, &supervisor->objects[i]);
	if (err)
		copies_give_back(supervisor);
	return err;
}

static void give_back(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void copies_give_back(struct supervisor *supervisor)
{
	give_back(&supervisor->manifest);
	for (uint32_t i = 0; i < supervisor->user_count; i++)
		give_back(&supervisor->objects[i]);
}

int copies_manifest(const struct supervisor *supervisor)
{
	int copy;

	if (supervisor->manifest < 0)
		return take(&supervisor->copies, 0);
	copy = fcntl(supervisor->manifest, F_DUPFD_CLOEXEC, 0);
	return copy < 0 ? -errno : copy;
}

void copies_free(struct supervisor *supervisor)
{
	copies_give_back(supervisor);
	free(supervisor->copies.directory);
	free(supervisor->copies.files);
	free(supervisor->copies.image);
	supervisor->copies = (struct copies){0};
}
