/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CRC32C (Castagnoli, RFC 3720 appendix B.4), by the processor's instruction
 * where it has one.
 */
#ifndef FAAS_BASE_CRC32C_H
#define FAAS_BASE_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The checksum of @p bytes bytes, continuing @p crc: 0 to begin. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

/* The ways to compute it, for tests: the fastest usable one is taken. */
struct crc32c_way {
	const char *name;
	uint32_t (*compute)(uint32_t crc, const void *data, size_t bytes);
	bool (*usable)(void);
};

extern const struct crc32c_way crc32c_ways[];
extern const unsigned int crc32c_way_count;

#endif
