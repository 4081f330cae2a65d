/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Copying and comparing a few words. Keys and states are short, and their
 * lengths are not known to the compiler: a call into the C library costs more
 * than the work it does.
 */
#ifndef FAAS_BASE_WORDS_H
#define FAAS_BASE_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WORDS_CALL_BYTES 128 /* from here on the library is faster */

/* @p bytes rounded up to whole words of 8. */
static inline uint32_t words_pad(uint32_t bytes)
{
	return (bytes + 7) & ~7u;
}

/* Copy @p bytes, rounded up to whole words: both sides have that much room. */
static inline void words_copy(void *to, const void *from, uint32_t bytes)
{
	if (bytes >= WORDS_CALL_BYTES) {
		memcpy(to, from, bytes);
		return;
	}
	for (uint32_t at = 0; at < bytes; at += 8) {
		uint64_t word;

		memcpy(&word, (const uint8_t *)from + at, 8);
		memcpy((uint8_t *)to + at, &word, 8);
		/* Or the compiler makes a call to memcpy of it again. */
		__asm__ volatile("" : : : "memory");
	}
}

/* Set @p bytes, rounded up to whole words, to zero. */
static inline void words_clear(void *to, uint32_t bytes)
{
	if (bytes >= WORDS_CALL_BYTES) {
		memset(to, 0, words_pad(bytes));
		return;
	}
	for (uint32_t at = 0; at < bytes; at += 8) {
		memset((uint8_t *)to + at, 0, 8);
		__asm__ volatile("" : : : "memory");
	}
}

/* Whether @p bytes are the same. Reads no further. */
static inline bool words_same(const void *a, const void *b, uint32_t bytes)
{
	uint32_t at = 0;
	uint64_t x, y;

	if (bytes >= WORDS_CALL_BYTES)
		return !memcmp(a, b, bytes);
	for (; at + 8 <= bytes; at += 8) {
		memcpy(&x, (const uint8_t *)a + at, 8);
		memcpy(&y, (const uint8_t *)b + at, 8);
		if (x != y)
			return false;
	}
	return at == bytes || !memcmp((const uint8_t *)a + at, (const uint8_t *)b + at, bytes - at);
}

#endif
