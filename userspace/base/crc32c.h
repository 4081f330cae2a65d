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

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

/* The checksum of @p bytes bytes, continuing @p crc: 0 to begin. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

/*
 * The same of words that are at hand, for who writes them somewhere: no need to read them
 * back. Only where crc32c_by_words(). Begin with UINT32_MAX, and the result is the complement;
 * crc32c_half takes 4 bytes, crc32c_word 8.
 *
 * The instruction takes three cycles, but one can begin in each. So, where crc32c_joins(), take
 * the first words from the beginning and those behind them from 0, beside each other, and let
 * crc32c_join make one of the two; CRC32C_JOINED_WORDS_MAX of the second at most.
 */
#if defined(__x86_64__)
extern bool crc32c_instruction; /* the processor has it */

static inline bool crc32c_by_words(void)
{
	return crc32c_instruction;
}

static inline uint64_t crc32c_word(uint64_t crc, uint64_t word)
{
	__asm__("crc32q %1, %0" : "+r"(crc) : "r"(word));
	return crc;
}

static inline uint32_t crc32c_half(uint32_t crc, uint32_t half)
{
	__asm__("crc32l %1, %0" : "+r"(crc) : "r"(half));
	return crc;
}

#define CRC32C_JOINED_WORDS_MAX 256

extern bool crc32c_product; /* the processor multiplies without carry */
/* past[n] moves a checksum past n words of 8. */
extern uint32_t crc32c_past[CRC32C_JOINED_WORDS_MAX + 1];

static inline bool crc32c_joins(void)
{
	return crc32c_product;
}

static inline uint64_t crc32c_join(uint64_t first, uint64_t second, uint32_t second_words)
{
	__m128i product = _mm_cvtsi64_si128((long long)first);
	__m128i past = _mm_cvtsi32_si128((int)crc32c_past[second_words]);

	__asm__("pclmulqdq $0, %1, %0" : "+x"(product) : "x"(past));
	return second ^ crc32c_word(0, (uint64_t)_mm_cvtsi128_si64(product));
}
#else
static inline bool crc32c_by_words(void)
{
	return false;
}

static inline uint64_t crc32c_word(uint64_t crc, uint64_t word)
{
	(void)word;
	return crc;
}

static inline uint32_t crc32c_half(uint32_t crc, uint32_t half)
{
	(void)half;
	return crc;
}

#define CRC32C_JOINED_WORDS_MAX 0

static inline bool crc32c_joins(void)
{
	return false;
}

static inline uint64_t crc32c_join(uint64_t first, uint64_t second, uint32_t second_words)
{
	(void)first;
	(void)second_words;
	return second;
}
#endif

/* The ways to compute it, for tests: the fastest usable one is taken. */
struct crc32c_way {
	const char *name;
	uint32_t (*compute)(uint32_t crc, const void *data, size_t bytes);
	bool (*usable)(void);
};

extern const struct crc32c_way crc32c_ways[];
extern const unsigned int crc32c_way_count;

#endif
