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

#define WORDS_CALL_BYTES 64 /* above this the library is faster */

/* @p bytes rounded up to whole words of 8. */
static inline uint32_t words_pad(uint32_t bytes)
{
	return (bytes + 7) & ~7u;
}

struct words_16 {
	uint64_t word[2];
};

static inline void words_move_8(uint8_t *to, const uint8_t *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	memcpy(to, &word, sizeof(word));
}

static inline void words_move_16(uint8_t *to, const uint8_t *from)
{
	struct words_16 words;

	memcpy(&words, from, sizeof(words));
	memcpy(to, &words, sizeof(words));
}

/*
 * Copy @p bytes, rounded up to whole words: both sides have that much room, and do not
 * overlap. Two words at a time where there are two: who reads two in one load a moment
 * later gets them from the store, and does not wait for the cache.
 */
static inline void words_copy(void *to, const void *from, uint32_t bytes)
{
	uint32_t padded = words_pad(bytes);
	const uint8_t *source = from;
	uint8_t *target = to;

	if (padded > WORDS_CALL_BYTES) {
		memcpy(to, from, bytes);
		return;
	}
	if (padded >= 16) {
		words_move_16(target, source);
		if (padded >= 32) {
			words_move_16(target + 16, source + 16);
			if (padded >= 48) {
				words_move_16(target + 32, source + 32);
				if (padded == 64)
					words_move_16(target + 48, source + 48);
			}
		}
	}
	if (padded & 8)
		words_move_8(target + padded - 8, source + padded - 8);
}

/* Whether @p bytes are the same. Reads no further. */
static inline bool words_same(const void *a, const void *b, uint32_t bytes)
{
	const uint8_t *left = a;
	const uint8_t *right = b;
	uint64_t x, y;

	if (bytes > WORDS_CALL_BYTES)
		return !memcmp(a, b, bytes);
	for (; bytes >= 8; bytes -= 8, left += 8, right += 8) {
		memcpy(&x, left, 8);
		memcpy(&y, right, 8);
		if (x != y)
			return false;
	}
	return !bytes || !memcmp(left, right, bytes);
}

#endif
