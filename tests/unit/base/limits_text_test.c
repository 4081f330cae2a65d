// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "limits_text.h"
#include "pages.h"

#define NAMESPACES                                                                                 \
	(PAGE_LIMIT_USERS | PAGE_LIMIT_MOUNTS | PAGE_LIMIT_PROCESSES | PAGE_LIMIT_NETWORK |        \
	 PAGE_LIMIT_IPC | PAGE_LIMIT_HOSTNAME)

static void test_words(void **state)
{
	static const struct {
		uint32_t limits;
		const char *text;
	} rows[] = {
		{0, "nothing yet"},
		{PAGE_LIMIT_RLIMITS | PAGE_LIMIT_SECCOMP, "seccomp, rlimits"},
		{PAGE_LIMIT_CGROUP_CPU | PAGE_LIMIT_CGROUP_2, "cgroup cpu"},
		{PAGE_LIMIT_NETWORK, "namespaces net"},
		{PAGE_LIMIT_SECCOMP | PAGE_LIMIT_USERS | PAGE_LIMIT_IPC,
		 "seccomp, namespaces user ipc"},
		{UINT32_MAX, "seccomp, landlock, rlimits, cgroup memory, cgroup cpu, namespaces "
			     "user mount pid net ipc uts"},
	};
	char text[LIMITS_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(limits_text(rows[i].limits, text), rows[i].text);
	assert_true(strlen(limits_text(NAMESPACES, text)) < LIMITS_TEXT_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_words)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
