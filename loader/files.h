/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copying files of a bundle, and having on disk what was written. */
#ifndef FAAS_LOADER_FILES_H
#define FAAS_LOADER_FILES_H

/* Copy a file into one that must not exist yet, and have it on disk before this
 * returns. 0 or -errno; what was written stays then. */
int files_copy(const char *from, const char *to) __attribute__((warn_unused_result));

/* Have on disk which entries a directory has: until then what was made, renamed or removed
 * in it may be undone by a loss of power. 0 or -errno. */
int files_sync_directory(const char *path) __attribute__((warn_unused_result));

#endif
