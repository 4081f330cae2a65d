// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "loader/suggest.h"

static const char *const words[] = {"source_address", "source_port", "payload", "to", "min", "max"};
#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

static const struct {
	const char *word;
	const char *nearest; /* NULL: none */
} cases[] = {
	{"source_adress", "source_address"},
	{"sourc_port", "source_port"},
	{"paylaod", "payload"}, /* two letters swapped are one mistake */
	{"Payload", "payload"},
	{"ot", "to"},
	{"mim", "min"},
	{"xyz", NULL},
	{"q", NULL},
	{"", NULL},
	{"something_else_entirely", NULL},
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *found = suggest_word(cases[i].word, words, WORD_COUNT);

		if (!found != !cases[i].nearest || (found && strcmp(found, cases[i].nearest)))
			fail_msg("%s: %s", cases[i].word, found ? found : "none");
	}
}

static void test_long_words(void **state)
{
	char text[4096];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_null(suggest_word(text, words, WORD_COUNT));
	assert_null(suggest_word("aaa", (const char *const[]){text}, 1));
}

static void test_advice(void **state)
{
	char text[64];

	(void)state;
	suggest_advice("mix", words, WORD_COUNT, "known", text, sizeof(text));
	assert_string_equal(text, "did you mean `min`?");
	suggest_advice("zzz", words, 2, "known", text, sizeof(text));
	assert_string_equal(text, "known: source_address, source_port");
	suggest_advice("zzz", words, 0, "known", text, sizeof(text));
	assert_string_equal(text, "");
	/* What does not fit is left out, and that shows. */
	suggest_advice("zzz", words, WORD_COUNT, "known", text, 36);
	assert_string_equal(text, "known: source_address ...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
