// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "words.h"

#define BYTES_MAX (2 * WORDS_CALL_BYTES)
#define UNTOUCHED 0xee

/* Every length up to what the library is called for and beyond, and not a word further. */
static void test_copies(void **state)
{
	uint8_t from[BYTES_MAX + 8], to[BYTES_MAX + 16];

	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i + 1);
	for (uint32_t bytes = 0; bytes <= BYTES_MAX; bytes++) {
		memset(to, UNTOUCHED, sizeof(to));
		words_copy(to, from, bytes);
		assert_memory_equal(to, from, bytes);
		for (size_t i = words_pad(bytes); i < sizeof(to); i++)
			assert_int_equal(to[i], UNTOUCHED);
	}
}

/* One byte that differs is found wherever it is, and none behind the end. */
static void test_compares(void **state)
{
	uint8_t left[BYTES_MAX + 1], right[BYTES_MAX + 1];

	(void)state;
	memset(left, 1, sizeof(left));
	memset(right, 1, sizeof(right));
	for (uint32_t bytes = 0; bytes <= BYTES_MAX; bytes++) {
		right[bytes] = 2;
		assert_true(words_same(left, right, bytes));
		right[bytes] = 1;
		for (uint32_t at = 0; at < bytes; at++) {
			right[at] = 2;
			assert_false(words_same(left, right, bytes));
			right[at] = 1;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
