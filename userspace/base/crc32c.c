// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
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

static bool have_sse42(void)
{
	return __builtin_cpu_supports("sse4.2");
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
