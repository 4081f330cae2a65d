/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Memory of a file in tmpfs, had and given back in pieces. The kernel does such a call in one go,
 * and one of megabytes takes milliseconds, in which nobody else has the processor where the kernel
 * cannot be interrupted. Between two pieces whoever waits for it does.
 */
#ifndef FAAS_BASE_RESERVE_H
#define FAAS_BASE_RESERVE_H

#include <stdint.h>

/* Have @p bytes behind @p from, zeros where there was nothing; the file is as long. What is there
 * stays as it is. 0 or -errno, with some of it. */
int reserve(int fd, uint64_t from, uint64_t bytes) __attribute__((warn_unused_result));

/* Give it back, and zeros are read there; the file stays as long. 0 or -errno. */
int reserve_give_back(int fd, uint64_t from, uint64_t bytes);

#endif
