// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "crc32c.h"

/* RFC 3720, appendix B.4, and the check value of the catalogue of CRCs. */
static const struct vector {
	const char *name;
	uint8_t first;
	int step;
	size_t bytes;
	uint32_t crc;
} vectors[] = {
	{"32 zeros", 0x00, 0, 32, 0x8a9136aa},	{"32 ones", 0xff, 0, 32, 0x62a8ab43},
	{"ascending", 0x00, 1, 32, 0x46dd794e}, {"descending", 0x1f, -1, 32, 0x113fdb5c},
	{"123456789", '1', 1, 9, 0xe3069283},	{"nothing", 0, 0, 0, 0x00000000},
};

static void test_known_answers(void **state)
{
	(void)state;
	for (unsigned int way = 0; way < crc32c_way_count; way++) {
		if (!crc32c_ways[way].usable())
			continue;
		for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
			uint8_t data[32];

			for (size_t k = 0; k < vectors[i].bytes; k++)
				data[k] = (uint8_t)(vectors[i].first + (int)k * vectors[i].step);
			assert_int_equal(crc32c_ways[way].compute(0, data, vectors[i].bytes),
					 vectors[i].crc);
			assert_int_equal(crc32c(0, data, vectors[i].bytes), vectors[i].crc);
		}
	}
}

/* Bit by bit, from the polynomial alone. */
static uint32_t reference(uint32_t crc, const uint8_t *data, size_t bytes)
{
	crc = ~crc;
	while (bytes--) {
		crc ^= *data++;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

/* Every alignment, every length up to some words, and continued in two pieces. */
static void test_all_ways_agree(void **state)
{
	uint8_t data[200];

	(void)state;
	srand(1);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rand();
	for (unsigned int way = 0; way < crc32c_way_count; way++) {
		if (!crc32c_ways[way].usable())
			continue;
		for (size_t start = 0; start < 16; start++) {
			for (size_t bytes = 0; bytes < 150; bytes++) {
				uint32_t whole = reference(0, data + start, bytes);
				uint32_t part =
					crc32c_ways[way].compute(0, data + start, bytes / 3);

				assert_int_equal(crc32c_ways[way].compute(0, data + start, bytes),
						 whole);
				assert_int_equal(crc32c_ways[way].compute(part,
									  data + start + bytes / 3,
									  bytes - bytes / 3),
						 whole);
			}
		}
	}
}

/* Around the lengths of the parts that are computed side by side. */
static void test_long_data(void **state)
{
	static const size_t lengths[] = {96,   103,  575,  3064, 3071, 3072, 3096,
					 3119, 3080, 3167, 3168, 6144, 6241, 16384};
	static uint8_t data[16384 + 8];

	(void)state;
	srand(2);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rand();
	for (unsigned int way = 0; way < crc32c_way_count; way++) {
		if (!crc32c_ways[way].usable())
			continue;
		for (size_t start = 0; start < 8; start += 4)
			for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
				assert_int_equal(
					crc32c_ways[way].compute(0x1234, data + start, lengths[i]),
					reference(0x1234, data + start, lengths[i]));
	}
}

/* Taken of words on their way: four bytes, then words of eight. */
static void test_by_words(void **state)
{
	uint8_t data[4 + 8 * 40];
	uint32_t half;

	(void)state;
	if (!crc32c_by_words())
		skip();
	srand(3);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rand();
	memcpy(&half, data, sizeof(half));
	for (size_t words = 0; words <= 40; words++) {
		uint64_t crc = crc32c_half(UINT32_MAX, half);

		for (size_t i = 0; i < words; i++) {
			uint64_t word;

			memcpy(&word, data + 4 + 8 * i, sizeof(word));
			crc = crc32c_word(crc, word);
		}
		assert_int_equal(~(uint32_t)crc, reference(0, data, 4 + 8 * words));
	}
}

/* Taken in two parts beside each other. */
static void test_joined(void **state)
{
	static uint8_t data[8 * (40 + CRC32C_JOINED_WORDS_MAX)];

	(void)state;
	if (!crc32c_joins())
		skip();
	srand(4);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rand();
	for (uint32_t first_words = 0; first_words <= 40; first_words += 8)
		for (uint32_t words = 1; words <= CRC32C_JOINED_WORDS_MAX; words++) {
			uint64_t first = UINT32_MAX, second = 0, word;

			for (uint32_t i = 0; i < first_words + words; i++) {
				memcpy(&word, data + 8 * (size_t)i, sizeof(word));
				if (i < first_words)
					first = crc32c_word(first, word);
				else
					second = crc32c_word(second, word);
			}
			first = crc32c_join(first, second, words);
			assert_int_equal(~(uint32_t)first,
					 reference(0, data, 8 * (size_t)(first_words + words)));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers), cmocka_unit_test(test_all_ways_agree),
		cmocka_unit_test(test_long_data),     cmocka_unit_test(test_by_words),
		cmocka_unit_test(test_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
