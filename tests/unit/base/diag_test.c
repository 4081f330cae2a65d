// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diag.h"
#include "utf8.h"

static struct diags *diags;

static int set_up(void **state)
{
	(void)state;
	diags = calloc(1, sizeof(*diags));
	return diags ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(diags);
	return 0;
}

static void test_print(void **state)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	(void)state;
	assert_non_null(stream);
	diag_add(diags, DIAG_INVALID, "w.yaml", 3, 7, "do that", "%s is wrong", "it");
	diag_add(diags, DIAG_INVALID, "w.yaml", 3, 0, NULL, "line");
	diag_add(diags, DIAG_INVALID, "w.yaml", 0, 0, NULL, "file");
	assert_int_equal(diag_fail(diags, DIAG_PLATFORM, "install it", "no clang"), -1);
	diags_print(diags, stream);
	fclose(stream);
	assert_string_equal(text, "w.yaml:3:7: error: it is wrong; do that\n"
				  "w.yaml:3: error: line\n"
				  "w.yaml: error: file\n"
				  "error: no clang; install it\n");
	free(text);
}

static void test_exit_status(void **state)
{
	(void)state;
	assert_int_equal(diags_exit_status(diags), 0);
	diag_fail(diags, DIAG_PLATFORM, NULL, "first");
	diag_fail(diags, DIAG_INVALID, NULL, "second");
	assert_int_equal(diags_exit_status(diags), 4);
}

static void test_bounded(void **state)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	(void)state;
	for (int i = 0; i < DIAGS_MAX + 3; i++)
		diag_fail(diags, DIAG_FAILED, NULL, "number %d", i);
	assert_int_equal(diags->count, DIAGS_MAX);
	assert_int_equal(diags->dropped, 3);
	diags_print(diags, stream);
	fclose(stream);
	assert_non_null(strstr(text, "error: and 3 more\n"));
	free(text);
}

/* Nothing that steers a terminal or breaks JSON comes through. */
static void test_printable(void **state)
{
	char text[2 * DIAG_TEXT_BYTES];

	(void)state;
	diag_add(diags, DIAG_INVALID, "a\nb", 1, 1, "\x7f", "\x1b[31m \xff \xc3\xa4 \xc2\x9b \t");
	assert_string_equal(diags->list[0].file, "a?b");
	assert_string_equal(diags->list[0].advice, "?");
	assert_string_equal(diags->list[0].cause, "?[31m ? \xc3\xa4 ?? ?");
	/* Cut in the middle of a character: */
	memset(text, 'a', sizeof(text));
	memcpy(text + DIAG_TEXT_BYTES - 2, "\xc3\xa4", 3);
	diag_fail(diags, DIAG_INVALID, NULL, "%s", text);
	assert_int_equal(strlen(diags->list[1].cause), DIAG_TEXT_BYTES - 1);
	assert_int_equal(diags->list[1].cause[DIAG_TEXT_BYTES - 2], '?');
}

static const struct {
	const char *text;
	size_t bytes;
} characters[] = {
	{"a", 1},
	{"", 1},
	{"\x80", 0},
	{"\xc0\x80", 0},
	{"\xc1\xbf", 0},
	{"\xc2\x80", 2},
	{"\xc2", 0},
	{"\xc2x", 0},
	{"\xe0\x9f\xbf", 0},
	{"\xe0\xa0\x80", 3},
	{"\xed\x9f\xbf", 3},
	{"\xed\xa0\x80", 0},
	{"\xe2\x82", 0},
	{"\xf0\x8f\xbf\xbf", 0},
	{"\xf0\x90\x80\x80", 4},
	{"\xf4\x8f\xbf\xbf", 4},
	{"\xf4\x90\x80\x80", 0},
	{"\xf5\x80\x80\x80", 0},
};

static void test_utf8(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++)
		if (utf8_character(characters[i].text) != characters[i].bytes)
			fail_msg("row %zu: %zu", i, utf8_character(characters[i].text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_print, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_exit_status, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_printable, set_up, tear_down),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
