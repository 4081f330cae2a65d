// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loader/yaml.h"

struct fixture {
	struct yaml_document *document;
	struct diags diags;
	struct yaml_node *root;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	fixture->document = yaml_document_new();
	*state = fixture;
	return fixture->document ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	yaml_document_free(fixture->document);
	free(fixture);
	return 0;
}

static int parse(struct fixture *fixture, const char *text)
{
	return yaml_parse(fixture->document, text, strlen(text), "x.yaml", &fixture->root,
			  &fixture->diags);
}

static void assert_place(const struct yaml_node *node, unsigned int line, unsigned int column)
{
	assert_non_null(node);
	assert_int_equal(node->line, line);
	assert_int_equal(node->column, column);
	assert_string_equal(node->file, "x.yaml");
}

static void test_tree(void **state)
{
	struct fixture *fixture = *state;
	const struct yaml_node *list;

	assert_int_equal(parse(fixture, "a: 1\n"
					"b:\n"
					"  c: [x, 'y z', ~]\n"
					"  d: {e: \"\"}\n"),
			 0);
	assert_int_equal(fixture->root->kind, YAML_MAPPING);
	assert_int_equal(fixture->root->count, 2);
	assert_place(fixture->root, 1, 1);
	assert_place(yaml_get(fixture->root, "a"), 1, 4);
	assert_place(yaml_key(fixture->root, "b"), 2, 1);
	list = yaml_get(yaml_get(fixture->root, "b"), "c");
	assert_int_equal(list->kind, YAML_SEQUENCE);
	assert_int_equal(list->count, 3);
	assert_string_equal(list->first->text, "x");
	assert_false(list->first->quoted);
	assert_string_equal(list->first->next->text, "y z");
	assert_true(list->first->next->quoted);
	assert_place(list->first->next, 3, 10);
	assert_true(yaml_is_null(list->last));
	/* An empty text in quotes is a value. */
	assert_false(yaml_is_null(yaml_get(yaml_get(yaml_get(fixture->root, "b"), "d"), "e")));
	assert_null(yaml_get(fixture->root, "c"));
	assert_null(yaml_get(list, "c"));
	assert_int_equal(fixture->diags.count, 0);
}

/* Columns count bytes, whatever a character takes; lines end in every way. */
static void test_places(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(parse(fixture, "\xef\xbb\xbf"
					"ä€: {ü: x, b: y}\r\n"
					"c: d\r"
					"e: \"\xe2\x80\xa8 f\"\n"
					"g: h\n"),
			 0);
	assert_place(yaml_key(yaml_get(fixture->root, "ä€"), "b"), 1, 16);
	assert_place(yaml_get(fixture->root, "c"), 2, 4);
	assert_place(yaml_key(fixture->root, "e"), 3, 1);
	assert_place(yaml_get(fixture->root, "e"), 3, 4);
	/* libyaml ends a line at U+2028 as well. */
	assert_place(yaml_get(fixture->root, "g"), 5, 4);
}

static void test_empty(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(parse(fixture, ""), 0);
	assert_null(fixture->root);
	assert_int_equal(parse(fixture, "# nothing\n"), 0);
	assert_null(fixture->root);
}

static const struct {
	const char *text;
	unsigned int line, column;
	const char *cause;
	bool tree; /* checks may go on */
} mistakes[] = {
	{"a: &x 1", 1, 4, "the anchor `&x`", true},
	{"a: &x [1]", 1, 4, "the anchor `&x`", true},
	{"a: &x {b: 1}", 1, 4, "the anchor `&x`", true},
	{"a: 1\nb: *x", 2, 4, "the alias `*x`", false},
	{"*x : 1", 1, 1, "the alias `*x`", false},
	{"a: !!str 1", 1, 4, "the tag `!!str`", true},
	{"a: !mine [1]", 1, 4, "the tag `!mine`", true},
	{"%TAG ! tag:x,2000:\n---\na: 1", 1, 1, "tags", true},
	{"a: 1\n---\nb: 2", 2, 1, "a second document", false},
	{"a: 1\nb: 2\na: 3", 3, 1, "the key `a` is there twice", true},
	{"a: {b: 1, b: {c: 2}}", 1, 11, "the key `b` is there twice", true},
	{"[a, b]: 1", 1, 1, "a list or a mapping as a key", false},
	{"? {a: 1}\n: 1", 1, 3, "a list or a mapping as a key", false},
	{"a: [1, 2\nb: 3", 2, 2, "not YAML", false},
	{"a: 1\n\tb: 2", 2, 1, "a tab character", false},
	{"a: \"\\x00\"", 1, 4, "a NUL character", true},
	{"a: b\nc: \xff", 2, 4, "UTF-8", false},
	{"a: \x01", 1, 4, "control characters", false},
	{"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 1, 33,
	 "more than 32 levels", false},
};

static void test_mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const struct diag *diag;
		struct fixture *fixture;
		void *own = NULL;

		assert_int_equal(set_up(&own), 0);
		fixture = own;
		diag = &fixture->diags.list[0];
		assert_int_equal(parse(fixture, mistakes[i].text), -1);
		if (fixture->diags.count != 1 || diag->line != mistakes[i].line ||
		    diag->column != mistakes[i].column || !strstr(diag->cause, mistakes[i].cause) ||
		    !diag->advice[0] || !fixture->root == mistakes[i].tree) {
			diags_print(&fixture->diags, stderr);
			fail_msg("\"%s\": not \"%s\" at %u:%u", mistakes[i].text, mistakes[i].cause,
				 mistakes[i].line, mistakes[i].column);
		}
		tear_down(&own);
	}
}

/* Several at once, each said. */
static void test_all_mistakes(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(parse(fixture, "a: &x 1\nb: !t 2\na: 3\nc: *x\nd: *y\n"), -1);
	assert_int_equal(fixture->diags.count, 5);
	assert_int_equal(fixture->diags.list[4].line, 5);
}

static void test_duplicate_keeps_first(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(parse(fixture, "a: 1\na: {b: 2}\nc: 3"), -1);
	assert_string_equal(yaml_get(fixture->root, "a")->text, "1");
	assert_string_equal(yaml_get(fixture->root, "c")->text, "3");
	assert_int_equal(fixture->root->count, 2);
}

static void test_node_limit(void **state)
{
	struct fixture *fixture = *state;
	char *text = malloc(2 * YAML_NODES_MAX + 16);
	size_t used = 0;

	assert_non_null(text);
	text[used++] = '[';
	for (int i = 0; i < YAML_NODES_MAX - 1; i++) {
		text[used++] = '1';
		text[used++] = ',';
	}
	memcpy(text + used, "]", 2);
	assert_int_equal(parse(fixture, text), 0); /* the list is a node, too */
	assert_int_equal(parse(fixture, "1"), -1);
	assert_non_null(strstr(fixture->diags.list[0].cause, "more than 10000 values"));
	free(text);
}

static void test_byte_limit(void **state)
{
	struct fixture *fixture = *state;
	char *text = calloc(1, YAML_BYTES_MAX + 2);

	assert_non_null(text);
	memset(text, '#', YAML_BYTES_MAX);
	assert_int_equal(parse(fixture, text), 0);
	text[YAML_BYTES_MAX] = '#';
	assert_int_equal(parse(fixture, text), -1);
	assert_non_null(strstr(fixture->diags.list[0].cause, "larger than 1048576 bytes"));
	free(text);
}

static void test_put(void **state)
{
	struct fixture *fixture = *state;
	struct yaml_node *mapping;

	assert_int_equal(parse(fixture, "a: {b: 1}"), 0);
	mapping = yaml_get(fixture->root, "a");
	assert_int_equal(yaml_put(fixture->document, mapping, "b", fixture->root->first), 0);
	assert_ptr_equal(yaml_get(mapping, "b"), fixture->root->first);
	assert_int_equal(mapping->count, 1);
	assert_int_equal(yaml_put(fixture->document, mapping, "c", mapping), 0);
	assert_ptr_equal(yaml_get(mapping, "c"), mapping);
	assert_int_equal(mapping->count, 2);
}

static void test_read(void **state)
{
	struct fixture *fixture = *state;
	char path[] = "/tmp/yaml_test.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a: 1", 4), 4);
	close(fd);
	assert_int_equal(yaml_read(fixture->document, path, &fixture->root, &fixture->diags), 0);
	assert_string_equal(yaml_get(fixture->root, "a")->text, "1");
	unlink(path);
	assert_int_equal(yaml_read(fixture->document, path, &fixture->root, &fixture->diags), -1);
	assert_int_equal(fixture->diags.list[0].class, DIAG_NOT_FOUND);
	assert_int_equal(yaml_read(fixture->document, "/tmp", &fixture->root, &fixture->diags), -1);
	assert_non_null(strstr(fixture->diags.list[1].cause, "not a regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tree, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_places, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test_setup_teardown(test_all_mistakes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_duplicate_keeps_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_node_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_byte_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_put, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_read, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
