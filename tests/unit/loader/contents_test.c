// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* loader/contents.c: lines of a file, and what maps are given for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>

#include "loader/contents.h"

static struct diags diags;

static const struct contents_shape prefixes = {BPF_MAP_TYPE_LPM_TRIE, 20, 1, 8};
static const struct contents_shape narrow = {BPF_MAP_TYPE_LPM_TRIE, 8, 4, 8};
static const struct contents_shape addresses = {BPF_MAP_TYPE_HASH, 16, 8, 8};
static const struct contents_shape numbers = {BPF_MAP_TYPE_LRU_HASH, 2, 1, 4};
static const struct contents_shape wide = {BPF_MAP_TYPE_HASH, 8, 8, 4};
static const struct contents_shape structs = {BPF_MAP_TYPE_HASH, 4, 24, 4};
static const struct contents_shape bloom = {BPF_MAP_TYPE_BLOOM_FILTER, 0, 4, 4};

static int parse(const char *text, const struct contents_shape *shape, struct contents *ret)
{
	memset(&diags, 0, sizeof(diags));
	return contents_parse(text, strlen(text), "list.txt", shape, ret, &diags);
}

#define LINES(text, shape, count, keys, values)                                                    \
	{                                                                                          \
		text, &(shape), count, keys, sizeof(keys) - 1, values, sizeof(values) - 1          \
	}

static const struct {
	const char *text;
	const struct contents_shape *shape;
	uint32_t count;
	const char *keys;
	size_t key_bytes;
	const char *values;
	size_t value_bytes;
} right[] = {
	LINES("", prefixes, 0, "", ""),
	LINES("# nothing\n\n   \n", prefixes, 0, "", ""),
	LINES("10.0.0.0/8\n", prefixes, 1, "\x68\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\0",
	      "\1"),
	LINES("10.1.2.3 2 # one\r\n2001:db8::/32\t0x10", prefixes, 2,
	      "\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\1\2\3"
	      "\x20\0\0\0\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0",
	      "\2\x10"),
	LINES("0.0.0.0/0\n::/0\n", prefixes, 2,
	      "\x60\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0"
	      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
	      "\1\1"),
	LINES("192.168.0.0/16 -2", narrow, 1, "\x10\0\0\0\xc0\xa8\0\0", "\xfe\xff\xff\xff"),
	LINES("10.0.0.1\nfd00::1 7", addresses, 2,
	      "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1"
	      "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1",
	      "\1\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0"),
	LINES("65535 255\n-1 -128", numbers, 2, "\xff\xff\xff\xff", "\xff\x80"),
	LINES("18446744073709551615 0x8000000000000000\n-1 -9223372036854775808", wide, 2,
	      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	      "\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\x80"),
	LINES("5", structs, 1, "\5\0\0\0", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	LINES("5\n6", bloom, 2, "", "\5\0\0\0\6\0\0\0"),
};

static void lines_become_entries(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct contents contents = {0};

		if (parse(right[i].text, right[i].shape, &contents))
			fail_msg("\"%s\": %s", right[i].text, diags.list[0].cause);
		assert_int_equal(contents.count, right[i].count);
		if (right[i].key_bytes)
			assert_memory_equal(contents.keys, right[i].keys, right[i].key_bytes);
		if (right[i].value_bytes)
			assert_memory_equal(contents.values, right[i].values, right[i].value_bytes);
		contents_free(&contents);
	}
}

static const struct contents_shape per_cpu = {BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 4};
static const struct contents_shape odd = {BPF_MAP_TYPE_HASH, 12, 8, 4};

static const struct {
	const char *text;
	const struct contents_shape *shape;
	unsigned int line;
	const char *cause;
} wrong[] = {
	{"10.0.0.0/33", &prefixes, 1, "10.0.0.0/33 is not a prefix"},
	{"10.0.0.0/8\n\n10.0.0.0/", &prefixes, 3, "is not a prefix"},
	{"10.0.0.0/-1", &prefixes, 1, "is not a prefix"},
	{"10.0.0.0/8x", &prefixes, 1, "is not a prefix"},
	{"10.0.0/8", &prefixes, 1, "is not a prefix"},
	{"host", &prefixes, 1, "is not a prefix"},
	{"10.0.0.1/8", &prefixes, 1, "bits behind the prefix"},
	{"2001:db8::1/32", &prefixes, 1, "bits behind the prefix"},
	{"::/129", &prefixes, 1, "is not a prefix"},
	{"fd00::/8", &narrow, 1, "IPv4 prefixes only"},
	{"10.0.0.0/8 256", &prefixes, 1, "the value does not fit into 1 bytes"},
	{"10.0.0.0/8 -129", &prefixes, 1, "the value does not fit"},
	{"10.0.0.0/8 1 2", &prefixes, 1, "more in the line"},
	{"10.0.0.0/8 x", &prefixes, 1, "the value is not a number"},
	{"10.0.0.0/8", &addresses, 1, "is not an address"},
	{"65536", &numbers, 1, "the key does not fit into 2 bytes"},
	{"1.5", &numbers, 1, "the key is not a number"},
	{"99999999999999999999", &addresses, 1, "is not an address"},
	{"99999999999999999999", &numbers, 1, "the key is not a number"},
	{"18446744073709551616", &wide, 1, "the key is not a number"},
	{"-9223372036854775809", &wide, 1, "the key is not a number"},
	{"1\n2\n3\n4\n5\n", &numbers, 0, "5 entries, the map has room for 4"},
	{"1 2", &structs, 1, "24 bytes for each key"},
	{"1 2", &bloom, 1, "more in the line"},
	{"1", &per_cpu, 0, "a map of this type"},
	{"1", &odd, 0, "keys of 12 bytes"},
};

static void mistakes_are_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct contents contents = {0};

		if (!parse(wrong[i].text, wrong[i].shape, &contents))
			fail_msg("\"%s\" was taken", wrong[i].text);
		assert_int_equal(diags.count, 1);
		if (!strstr(diags.list[0].cause, wrong[i].cause))
			fail_msg("\"%s\": %s", wrong[i].text, diags.list[0].cause);
		assert_string_equal(diags.list[0].file, "list.txt");
		assert_int_equal(diags.list[0].line, wrong[i].line);
		assert_null(contents.values);
	}
}

/* A file of nothing but mistakes is not a thousand messages; bytes 0 and long lines
 * are mistakes. */
static void hostile_files(void **state)
{
	static const char zero[] = "1\n2\0\n3";
	struct contents contents = {0};
	char *text = malloc(3001);

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < 3000; i += 2)
		memcpy(text + i, "x\n", 2);
	text[3000] = '\0';
	assert_int_equal(parse(text, &numbers, &contents), -1);
	assert_in_range(diags.count, 1, 10);
	memset(text, '1', 3000);
	assert_int_equal(parse(text, &numbers, &contents), -1);
	assert_non_null(strstr(diags.list[0].cause, "a line of more than"));
	memset(&diags, 0, sizeof(diags));
	assert_int_equal(
		contents_parse(zero, sizeof(zero) - 1, "zero", &numbers, &contents, &diags), -1);
	assert_int_equal(diags.list[0].line, 2);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_entries),
		cmocka_unit_test(mistakes_are_said),
		cmocka_unit_test(hostile_files),
	};

	return cmocka_run_group_tests_name("loader/contents", tests, NULL, NULL);
}
