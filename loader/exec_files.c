// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "exec_files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ustar.h"

static bool put(FILE *to, const void *bytes, size_t count)
{
	return fwrite(bytes, 1, count, to) == count;
}

static int put_head(FILE *to, const struct exec_file *file, const struct stat *status)
{
	struct ustar_head head;

	/* Root's, of the year 1970: the archive says what is in the files and no more. */
	memset(&head, 0, sizeof(head));
	snprintf(head.name, sizeof(head.name), "%s", file->name);
	snprintf(head.mode, sizeof(head.mode), "%07o", status->st_mode & 0111 ? 0555u : 0444u);
	snprintf(head.uid, sizeof(head.uid), "%07o", 0u);
	snprintf(head.gid, sizeof(head.gid), "%07o", 0u);
	snprintf(head.size, sizeof(head.size), "%011llo", (unsigned long long)status->st_size);
	snprintf(head.mtime, sizeof(head.mtime), "%011o", 0u);
	head.type = USTAR_FILE;
	memcpy(head.magic, USTAR_MAGIC, sizeof(head.magic));
	memcpy(head.version, "00", sizeof(head.version));
	snprintf(head.checksum, sizeof(head.checksum), "%06o", ustar_checksum(&head));
	head.checksum[7] = ' ';
	return put(to, &head, sizeof(head)) ? 0 : -EIO;
}

static int put_file(FILE *to, const struct exec_file *file, uint64_t *left)
{
	static const char zeros[USTAR_BLOCK_BYTES];
	FILE *from = fopen(file->source, "re");
	char buffer[4096];
	struct stat status;
	uint64_t written = 0;
	size_t bytes;
	int err = 0;

	if (!from)
		return -errno;
	if (fstat(fileno(from), &status))
		err = -errno;
	else if (!S_ISREG(status.st_mode))
		err = -EINVAL;
	else if ((uint64_t)status.st_size > *left)
		err = -EFBIG;
	if (!err)
		err = put_head(to, file, &status);
	while (!err && (bytes = fread(buffer, 1, sizeof(buffer), from)) > 0) {
		written += bytes;
		if (written > (uint64_t)status.st_size)
			err = -EBUSY;
		else if (!put(to, buffer, bytes))
			err = -EIO;
	}
	/* Somebody writes to it just now. */
	if (!err && (ferror(from) || written != (uint64_t)status.st_size))
		err = -EBUSY;
	if (!err && !put(to, zeros, (size_t)(-written & (USTAR_BLOCK_BYTES - 1))))
		err = -EIO;
	(void)fclose(from);
	*left -= written;
	return err;
}

int exec_files_write(const char *path, const struct exec_file *files, uint32_t count,
		     uint32_t *ret_file)
{
	static const char end[2 * USTAR_BLOCK_BYTES];
	FILE *to = fopen(path, "we");
	uint64_t left = FAAS_EXEC_FILES_BYTES;
	int err = 0;

	if (!to)
		return -errno;
	for (uint32_t i = 0; !err && i < count; i++) {
		*ret_file = i;
		err = put_file(to, &files[i], &left);
	}
	if (!err && !put(to, end, sizeof(end)))
		err = -EIO;
	if (fclose(to) && !err)
		err = -errno;
	return err;
}
