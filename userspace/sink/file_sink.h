/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file of lines that a crash neither loses from nor repeats in. The file's
 * size and inode at the courier's cursor stand in its page; lines behind that
 * size were written, but not accounted for, and are cut off before the same
 * records are written again. For this to hold over a rotation, a file is only
 * turned over between two batches, and the page names the new one before the
 * first line goes there.
 *
 *	file_sink_open -> file_sink_prepare -> (page) -> file_sink_write -> (page) -> ...
 *
 * After a loss of power the page is gone, and what file_sink_sync did not put on the
 * disk: the last line may be half there, and is cut off when the file is opened.
 *
 * One writer: the file is locked (flock), and a second sink for it is refused.
 */
#ifndef FAAS_SINK_FILE_SINK_H
#define FAAS_SINK_FILE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebpf_faas/limits.h>

struct file_sink {
	const char *path;      /* borrowed */
	uint64_t rotate_bytes; /* a file does not grow beyond; 0: never turned over */
	uint32_t keep;	       /* PATH.1 ... PATH.keep are kept */
	int fd;		       /* -1: not open */
	/* For the page. */
	uint64_t inode;
	uint64_t bytes; /* up to the last whole batch */
	bool torn;	/* behind that may lie a part of a batch: cut it off first */
	bool durable;	/* to be kept over a loss of power: lines stay no longer than to a sync */
	bool unsynced;	/* lines may be in memory only */
	bool unnamed;	/* and the name of the file, too */
};

/* Does not open anything. Borrows the path. */
void file_sink_init(struct file_sink *sink, const char *path, uint64_t rotate_bytes, uint32_t keep);

/*
 * Open the file, making it (0640) if it is not there, but not its directory. If
 * it is the one of @p inode, what lies behind @p bytes is cut off; if it is another
 * one, zeros at its end and a record there that is not whole are, and anything else there
 * that is no whole line is ended. 0; -EWOULDBLOCK: somebody else has it locked; -EINVAL: no
 * regular file; or -errno of open.
 */
int file_sink_open(struct file_sink *sink, uint64_t inode, uint64_t bytes)
	__attribute__((warn_unused_result));

/*
 * Get ready to append @p bytes bytes of lines: cut off what is torn, follow when
 * someone else moved the file away, turn it over if it would grow too long. After
 * this, and before the write, inode and bytes belong into the page. 0 or -errno.
 */
int file_sink_prepare(struct file_sink *sink, size_t bytes) __attribute__((warn_unused_result));

/* Append lines. 0, or -errno with none of them in the file, or `torn` set. */
int file_sink_write(struct file_sink *sink, const char *lines, size_t bytes)
	__attribute__((warn_unused_result));

/* Put what was written on the disk, and the file's name. Blocks. 0 or -errno: then it
 * is not known what is there. */
int file_sink_sync(struct file_sink *sink) __attribute__((warn_unused_result));

void file_sink_close(struct file_sink *sink);

#endif
