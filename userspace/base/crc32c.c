// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

#define POLYNOMIAL 0x82f63b78u /* reflected */

/* One byte at a time. Filled before main: 256 entries are made in a microsecond. */
static uint32_t table[256];

__attribute__((constructor)) static void fill_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (unsigned int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
		table[i] = crc;
	}
}

static uint32_t compute_table(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	crc = ~crc;
	while (bytes--)
		crc = table[(crc ^ *at++) & 0xff] ^ (crc >> 8);
	return ~crc;
}

static bool always(void)
{
	return true;
}

#if defined(__x86_64__)
static inline uint64_t word_at(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

__attribute__((target("sse4.2"))) static uint32_t compute_sse42(uint32_t crc, const void *data,
								size_t bytes)
{
	const uint8_t *at = data;
	uint64_t wide;

	crc = ~crc;
	/* Aligned words: those that were stored a moment ago come at once. */
	if ((uintptr_t)at & 4 && bytes >= 4) {
		uint32_t word;

		memcpy(&word, at, 4);
		crc = _mm_crc32_u32(crc, word);
		at += 4;
		bytes -= 4;
	}
	wide = crc;
	for (; bytes >= 32; bytes -= 32, at += 32) {
		wide = _mm_crc32_u64(wide, word_at(at));
		wide = _mm_crc32_u64(wide, word_at(at + 8));
		wide = _mm_crc32_u64(wide, word_at(at + 16));
		wide = _mm_crc32_u64(wide, word_at(at + 24));
	}
	for (; bytes >= 8; bytes -= 8, at += 8)
		wide = _mm_crc32_u64(wide, word_at(at));
	crc = (uint32_t)wide;
	if (bytes & 4) {
		uint32_t word;

		memcpy(&word, at, 4);
		crc = _mm_crc32_u32(crc, word);
		at += 4;
	}
	for (bytes &= 3; bytes; bytes--)
		crc = _mm_crc32_u8(crc, *at++);
	return ~crc;
}

bool crc32c_instruction;
bool crc32c_product;

static bool have_sse42(void)
{
	return __builtin_cpu_supports("sse4.2");
}

/*
 * Three checksums side by side: the instruction takes three cycles, and one can begin
 * in each. What was found for a part is moved past the words behind it: by a product
 * with a power of x, modulo the polynomial.
 */
#define PART_WORDS_MIN 4
#define PART_WORDS_MAX 128

/* How crc32c_past moves a checksum past n words: x to the power of 64 n - 33, for the product of
 * two reflected words is off by one, and taking the modulus multiplies by x^32. */
uint32_t crc32c_past[CRC32C_JOINED_WORDS_MAX + 1];

_Static_assert(2 * PART_WORDS_MAX <= CRC32C_JOINED_WORDS_MAX, "two parts to be moved past");

static bool have_pclmul(void)
{
	return have_sse42() && __builtin_cpu_supports("pclmul");
}

__attribute__((target("sse4.2"))) static void make_past(void)
{
	crc32c_past[1] = 1;
	for (uint32_t i = 2; i <= CRC32C_JOINED_WORDS_MAX; i++)
		crc32c_past[i] = (uint32_t)_mm_crc32_u64(0, crc32c_past[i - 1]);
}

__attribute__((constructor)) static void fill_past(void)
{
	__builtin_cpu_init();
	crc32c_instruction = have_sse42();
	crc32c_product = have_pclmul();
	if (crc32c_product)
		make_past();
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t move_past(uint64_t crc,
									  uint64_t words)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
					       _mm_cvtsi32_si128((int)crc32c_past[words]), 0);

	return (uint64_t)_mm_cvtsi128_si64(product);
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
compute_pclmul(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	crc = ~crc;
	/* Aligned words, as above. */
	if ((uintptr_t)at & 4 && bytes >= 4) {
		uint32_t word;

		memcpy(&word, at, 4);
		crc = _mm_crc32_u32(crc, word);
		at += 4;
		bytes -= 4;
	}
	while (bytes / 24 >= PART_WORDS_MIN) {
		uint64_t words = bytes / 24;
		uint64_t first = crc, second = 0, third = 0;

		if (words > PART_WORDS_MAX)
			words = PART_WORDS_MAX;
		for (uint64_t i = 0; i < words; i++, at += 8) {
			first = _mm_crc32_u64(first, word_at(at));
			second = _mm_crc32_u64(second, word_at(at + words * 8));
			third = _mm_crc32_u64(third, word_at(at + words * 16));
		}
		crc = (uint32_t)(third ^ _mm_crc32_u64(0, move_past(first, 2 * words) ^
								  move_past(second, words)));
		at += words * 16;
		bytes -= words * 24;
	}
	return compute_sse42(~crc, at, bytes);
}
#elif defined(__aarch64__)
__attribute__((target("+crc"))) static uint32_t compute_arm64(uint32_t crc, const void *data,
							      size_t bytes)
{
	const uint8_t *at = data;

	crc = ~crc;
	for (; bytes >= 8; bytes -= 8, at += 8) {
		uint64_t word;

		memcpy(&word, at, 8);
		crc = __crc32cd(crc, word);
	}
	while (bytes--)
		crc = __crc32cb(crc, *at++);
	return ~crc;
}

static bool have_arm64(void)
{
	return getauxval(AT_HWCAP) & HWCAP_CRC32;
}
#endif

const struct crc32c_way crc32c_ways[] = {
#if defined(__x86_64__)
	{"pclmul", compute_pclmul, have_pclmul},
	{"sse4.2", compute_sse42, have_sse42},
#elif defined(__aarch64__)
	{"arm64 crc", compute_arm64, have_arm64},
#endif
	{"table", compute_table, always},
};
const unsigned int crc32c_way_count = sizeof(crc32c_ways) / sizeof(crc32c_ways[0]);

static uint32_t choose(uint32_t crc, const void *data, size_t bytes);
static uint32_t (*chosen)(uint32_t crc, const void *data, size_t bytes) = choose;

/* First call. Threads that race here store the same pointer. */
static uint32_t choose(uint32_t crc, const void *data, size_t bytes)
{
	unsigned int way = 0;

	while (!crc32c_ways[way].usable())
		way++;
	__atomic_store_n(&chosen, crc32c_ways[way].compute, __ATOMIC_RELAXED);
	return crc32c_ways[way].compute(crc, data, bytes);
}

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	return __atomic_load_n(&chosen, __ATOMIC_RELAXED)(crc, data, bytes);
}
