/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The files of an exec function's program, as one tar archive (POSIX ustar). */
#ifndef FAAS_LOADER_EXEC_FILES_H
#define FAAS_LOADER_EXEC_FILES_H

#include <stdint.h>

#include <ebpf_faas/limits.h>

struct exec_file {
	char source[FAAS_PATH_BYTES];
	char name[FAAS_EXEC_FILE_BYTES]; /* in the archive */
};

/* Write them to @p path, in their order; the same files make the same bytes. 0, -EFBIG:
 * more than FAAS_EXEC_FILES_BYTES together, or -errno; *ret_file is the one then. */
int exec_files_write(const char *path, const struct exec_file *files, uint32_t count,
		     uint32_t *ret_file) __attribute__((warn_unused_result));

#endif
