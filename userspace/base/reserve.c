// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

/* Some 0.1 ms. */
#define PIECE_BYTES (256ull << 10)

static uint64_t piece_of(uint64_t bytes)
{
	return bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
}

int reserve(int fd, uint64_t from, uint64_t bytes)
{
	uint64_t piece;

	for (; bytes; from += piece, bytes -= piece) {
		int err;

		piece = piece_of(bytes);
		do
			err = posix_fallocate(fd, (off_t)from, (off_t)piece);
		while (err == EINTR);
		if (err)
			return -err;
		(void)sched_yield();
	}
	return 0;
}

int reserve_give_back(int fd, uint64_t from, uint64_t bytes)
{
	uint64_t piece;

	for (; bytes; from += piece, bytes -= piece) {
		int err;

		piece = piece_of(bytes);
		do
			err = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
					(off_t)piece);
		while (err && errno == EINTR);
		if (err)
			return -errno;
		(void)sched_yield();
	}
	return 0;
}
