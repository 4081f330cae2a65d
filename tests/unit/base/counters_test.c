// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "counters.h"

/* As /sys/devices/system/cpu/possible has them. */
static const struct {
	const char *list;
	uint32_t last;
} lists[] = {
	{"0\n", 0},	{"0-1\n", 1},	{"0-127\n", 127}, {"0-3,8-11\n", 11},
	{"0,2,4\n", 4}, {"0-10\n", 10}, {"", 0},
};

static void test_last_cpu(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		assert_int_equal(counters_last_cpu(lists[i].list), lists[i].last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_last_cpu)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
