// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* loader/process.c: exit statuses, both streams, output larger than a pipe. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "loader/process.h"

static void captures_both_streams(void **state)
{
	const char *const argv[] = {"sh", "-c", "echo out; echo err >&2; exit 7", NULL};
	char out[16], err[16];

	(void)state;
	assert_int_equal(process_run(argv, out, sizeof(out), err, sizeof(err)), 7);
	assert_string_equal(out, "out\n");
	assert_string_equal(err, "err\n");
}

static void cuts_what_does_not_fit(void **state)
{
	/* More than a pipe holds, on both streams: neither may block the other. */
	const char *const argv[] = {"sh", "-c",
				    "head -c 300000 /dev/zero | tr '\\0' x; "
				    "head -c 300000 /dev/zero | tr '\\0' y >&2",
				    NULL};
	char out[101], err[11];

	(void)state;
	assert_int_equal(process_run(argv, out, sizeof(out), err, sizeof(err)), 0);
	assert_int_equal(strlen(out), 100);
	assert_int_equal(strspn(out, "x"), 100);
	assert_string_equal(err, "yyyyyyyyyy");
}

static void names_what_is_missing(void **state)
{
	const char *const argv[] = {"/nonexistent/compiler", NULL};

	(void)state;
	assert_int_equal(process_run(argv, NULL, 0, NULL, 0), -ENOENT);
}

static void tells_signals(void **state)
{
	const char *const argv[] = {"sh", "-c", "kill -9 $$", NULL};

	(void)state;
	assert_int_equal(process_run(argv, NULL, 0, NULL, 0), 128 + 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captures_both_streams),
		cmocka_unit_test(cuts_what_does_not_fit),
		cmocka_unit_test(names_what_is_missing),
		cmocka_unit_test(tells_signals),
	};

	return cmocka_run_group_tests_name("loader/process", tests, NULL, NULL);
}
