// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Declarations: what .faas.meta may hold, and what it may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader/function.h"

static struct function *function;
static struct diags *diags;

static int set_up(void **state)
{
	(void)state;
	function = calloc(1, sizeof(*function));
	diags = calloc(1, sizeof(*diags));
	return function && diags ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(function);
	free(diags);
	return 0;
}

static int describe(const char *text, size_t bytes, enum function_tier tier)
{
	memset(diags, 0, sizeof(*diags));
	return function_describe(text, bytes, tier, "x.o", function, diags);
}

/* The order of the numbers is that of the source, whatever the compiler made. */
static void test_kernel(void **state)
{
	static const char text[] = "9\tfield\tlow\tn\tu64\tm/s²\tHow many\0"
				   "\0\0" /* padding */
				   "10\tmap\tseen\tsize\0"
				   "3\toutput\tlow\tBelow\0"
				   "2\tparam\tset\tby\t\"b, c\"\t\t\tWords\ta, b,c\0"
				   "0\tfunction\tkernel\tSplits\0"
				   "1\tparam\tu32\tsize\t16\t(1)\t 64 \tSize\t\0"
				   "4\toutput\thigh\t\0"
				   "5\tparam\tdecimal\tmin\t\t-0.5\t\tLeast\t\0"
				   "6\tchangeable\tmin\0"
				   "7\tparam\tfile\tlist\t\t\t\tAddresses\t\0"
				   "8\tcontents\tallowed\tlist\0"
				   "11\tcontents\tseen\tlist\0";

	(void)state;
	if (describe(text, sizeof(text) - 1, TIER_KERNEL))
		fail_msg("%s", diags->list[0].cause);
	assert_string_equal(function->doc, "Splits");
	assert_int_equal(function->param_count, 4);
	assert_string_equal(function->params[0].name, "size");
	assert_int_equal(function->params[0].default_value.integer, 16);
	assert_int_equal(function->params[0].min.integer, 1);
	assert_int_equal(function->params[0].max.integer, 64);
	assert_false(function->params[0].required);
	assert_int_equal(function->params[1].default_value.integer, 6);
	assert_int_equal(function->params[1].choice_count, 3);
	assert_string_equal(function->params[1].choices[2], "c");
	assert_true(function->params[2].required);
	assert_int_equal(function->params[2].min.integer, -500000);
	assert_false(function->params[2].has_max);
	assert_int_equal(function->output_count, 2);
	assert_string_equal(function->outputs[0].name, "low");
	assert_string_equal(function->outputs[0].fields[0].unit, "m/s²");
	assert_string_equal(function->outputs[0].field_docs[0], "How many");
	assert_true(function->params[2].changeable);
	assert_false(function->params[0].changeable);
	assert_int_equal(function->params[3].type, PARAM_FILE);
	assert_true(function->params[3].required);
	assert_int_equal(function->map_count, 2);
	assert_string_equal(function->maps[0].name, "allowed");
	assert_true(function->maps[0].is_filled && !function->maps[0].is_sized);
	assert_int_equal(function->maps[0].file_param, 3);
	assert_true(function->maps[1].is_filled && function->maps[1].is_sized);
	assert_int_equal(function->maps[1].size_param, 0);
}

static void test_user(void **state)
{
	static const char text[] = "0\tfunction\tuser\tWatches\0"
				   "1\tparam\tf64\talpha\t0.1\t0\t1\tWeight\t\0"
				   "2\tparam\tbool\tstrict\t1\t\t\tStrictly\t\0"
				   "3\tinput\tvalue\tThe number\0"
				   "4\tstate\t3\0"
				   "5\ttimer\0"
				   "6\tinput\tkind\tWhat it is\0"
				   "7\toptional\tkind\0"
				   "8\tparam\tlayout\tlayout\t\t\t\tWhere\t\0"
				   "9\tparam\ttrigger\tfirst\t\t\t\tWhich\t\0"
				   "10\toutput\tone\t\0"
				   "11\toutput\ttwo\t\0"
				   "12\tfields\ttwo\tlayout\0";

	(void)state;
	if (describe(text, sizeof(text) - 1, TIER_USER))
		fail_msg("%s", diags->list[0].cause);
	assert_true(function->params[0].default_value.real == 0.1);
	assert_int_equal(function->params[1].default_value.integer, 1);
	assert_string_equal(function->inputs[0].name, "value");
	assert_false(function->inputs[0].optional);
	assert_true(function->inputs[1].optional);
	assert_true(function->params[2].required);
	assert_false(function->params[3].required);
	assert_string_equal(function->params[3].default_text, "none");
	assert_false(function->outputs[0].is_laid_out);
	assert_true(function->outputs[1].is_laid_out);
	assert_int_equal(function->outputs[1].layout_param, 2);
	assert_true(function->has_state);
	assert_int_equal(function->state_version, 3);
	assert_true(function->has_timer);
}

#define K "0\tfunction\tkernel\tx\0"
#define U "0\tfunction\tuser\tx\0"
#define BAD(tier, text, cause)                                                                     \
	{                                                                                          \
		tier, text, sizeof(text), cause                                                    \
	}

static const struct {
	enum function_tier tier;
	const char *text;
	size_t bytes;
	const char *cause;
} wrong[] = {
	BAD(TIER_KERNEL, "", "declares no function"),
	BAD(TIER_KERNEL, "0\toutput\tx\t", "declares no function"),
	BAD(TIER_KERNEL, U, "of the user tier, not of the kernel tier"),
	BAD(TIER_KERNEL, K "1\tfunction\tkernel\ty", "more than one function"),
	BAD(TIER_KERNEL, "function\tkernel\tx", "without a number"),
	BAD(TIER_KERNEL, K "1\tchangeable\ta", "no parameter declared before it"),
	BAD(TIER_KERNEL,
	    K "1\tparam\tset\ta\tb\t\t\tx\tb\0"
	      "2\tchangeable\ta",
	    "cannot be changeable: it is a set"),
	BAD(TIER_KERNEL, K "1\tparam\tfile\ta\t\t\t\tx\t", "a file that fills no map"),
	BAD(TIER_KERNEL, K "1\tparam\tfile\ta\tb\t\t\tx\t", "a file has no default"),
	BAD(TIER_KERNEL,
	    K "1\tparam\tu32\ta\t1\t\t\tx\t\0"
	      "2\tcontents\tm\ta",
	    "are no file parameter"),
	BAD(TIER_KERNEL,
	    K "1\tparam\tfile\ta\t\t\t\tx\t\0"
	      "2\tcontents\tm\ta\0"
	      "3\tcontents\tm\ta",
	    "filled from two files"),
	BAD(TIER_USER, U "1\tparam\tfile\ta\t\t\t\tx\t", "no type"),
	BAD(TIER_KERNEL, K "1\tparam\tlayout\ta\t\t\t\tx\t", "no type"),
	BAD(TIER_KERNEL, K "1\tparam\ttrigger\ta\t\t\t\tx\t", "no type"),
	BAD(TIER_KERNEL, K "1\toptional\ta", "no meaning in the kernel tier"),
	BAD(TIER_USER, U "1\tparam\tlayout\ta\tb\t\t\tx\t", "a layout has no default"),
	BAD(TIER_USER, U "1\tparam\ttrigger\ta\tb\t\t\tx\t", "a trigger has no default"),
	BAD(TIER_USER, U "1\tparam\tlayout\ta\t\t\t\tx\t", "gives no output its fields"),
	BAD(TIER_USER,
	    U "1\tparam\tlayout\ta\t\t\t\tx\t\0"
	      "2\tparam\tlayout\tb\t\t\t\tx\t\0"
	      "3\toutput\to\t\0"
	      "4\toutput\tp\t\0"
	      "5\tfields\to\ta\0"
	      "6\tfields\tp\tb",
	    "parameter b is a second layout"),
	BAD(TIER_USER,
	    U "1\tparam\tlayout\ta\t\t\t\tx\t\0"
	      "2\tfields\to\ta",
	    "not declared before it"),
	BAD(TIER_USER,
	    U "1\toutput\to\t\0"
	      "2\tfields\to\ta",
	    "no layout parameter declared"),
	BAD(TIER_USER,
	    U "1\tparam\tlayout\ta\t\t\t\tx\t\0"
	      "2\toutput\to\t\0"
	      "3\tfields\to\ta\0"
	      "4\tfields\to\ta",
	    "fields of output o twice"),
	BAD(TIER_USER, U "1\toptional\ta", "no input declared before it"),
	BAD(TIER_KERNEL, "99999999999\tfunction\tkernel\tx", "without a number"),
	BAD(TIER_KERNEL, K "1\tcolour\tred", "does not know"),
	BAD(TIER_KERNEL, K "1\toutput\tx", "not 3 columns"),
	BAD(TIER_KERNEL, K "1\toutput\tx\ty\tz", "not 3 columns"),
	BAD(TIER_KERNEL, K "1\toutput\tshort\t", "cannot be named `short`"),
	BAD(TIER_KERNEL, K "1\toutput\terrors\t", "cannot be named `errors`"),
	BAD(TIER_KERNEL, K "1\toutput\t_x\t", "cannot be named `_x`"),
	BAD(TIER_KERNEL, K "1\toutput\ta b\t", "not a C identifier"),
	BAD(TIER_KERNEL, K "1\toutput\tabcdefghijabcdefghijabcdefghijabc\t", "not a C identifier"),
	BAD(TIER_KERNEL,
	    K "1\toutput\tx\t\0"
	      "2\toutput\tx\t",
	    "two outputs x"),
	BAD(TIER_KERNEL,
	    K "1\tparam\tu32\tx\t1\t\t\t\t\0"
	      "2\tparam\tu32\tx\t1\t\t\t\t",
	    "two parameters x"),
	BAD(TIER_KERNEL, K "1\tparam\tu31\tx\t1\t\t\t\t", "no type \"u31\""),
	BAD(TIER_KERNEL, K "1\tparam\tf64\tx\t1\t\t\t\t", "no type \"f64\" in the kernel tier"),
	BAD(TIER_KERNEL, K "1\tparam\tu32\tx\tmany\t\t\t\t", "the default of parameter x"),
	BAD(TIER_KERNEL, K "1\tparam\tu32\tx\t5\t6\t9\t\t", "not within its range"),
	BAD(TIER_KERNEL, K "1\tparam\tu32\tx\t5\t1\t-1\t\t", "the maximum of parameter x"),
	BAD(TIER_KERNEL, K "1\tparam\tchoice\tx\ta\t\t\t\tb, c", "is none of its words"),
	BAD(TIER_KERNEL, K "1\tparam\tchoice\tx\tb c\t\t\t\tb, c", "more than one word"),
	BAD(TIER_KERNEL, K "1\tparam\tset\tx\t\t\t\t\t", "no words to choose from"),
	BAD(TIER_KERNEL, K "1\tparam\tset\tx\ta\t\t\t\ta,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
	    "more than 16 words"),
	BAD(TIER_KERNEL, K "1\tfield\tx\ty\tu64\t\t", "not declared before it"),
	BAD(TIER_KERNEL,
	    K "1\toutput\tx\t\0"
	      "2\tfield\tx\ty\tf64\t\t",
	    "in the kernel tier"),
	BAD(TIER_KERNEL,
	    K "1\toutput\tx\t\0"
	      "2\tfield\tx\ty\tu64\t\t\0"
	      "3\tfield\tx\ty\tu64\t\t",
	    "two fields y"),
	BAD(TIER_KERNEL,
	    K "1\toutput\tx\t\0"
	      "2\toutput\tz\t\0"
	      "3\tfield\tx\ty\tu64\t\t\0"
	      "4\tfield\tz\ty\ts64\t\t",
	    "one type and unit"),
	BAD(TIER_KERNEL, K "1\tmap\tm\tsize", "no u32 parameter"),
	BAD(TIER_KERNEL, K "1\tinput\tv\t", "no meaning in the kernel tier"),
	BAD(TIER_KERNEL, K "1\tstate\t1", "no meaning in the kernel tier"),
	BAD(TIER_USER, U "1\tmap\tm\tn", "no meaning in the user tier"),
	BAD(TIER_USER, U "1\tstate\t0", "not a number from 1 on"),
	BAD(TIER_USER,
	    U "1\tstate\t1\0"
	      "2\tstate\t1",
	    "more than one state"),
	BAD(TIER_USER,
	    U "1\tinput\tv\t\0"
	      "2\tinput\tv\t",
	    "two inputs v"),
	BAD(TIER_KERNEL, K "1\toutput\tx\t\xff", "not UTF-8"),
	BAD(TIER_KERNEL, K "1\toutput\tx\t\x1b[31m", "not UTF-8"),
};

static void test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memset(function, 0, sizeof(*function));
		if (describe(wrong[i].text, wrong[i].bytes, wrong[i].tier) != -1 ||
		    !strstr(diags->list[0].cause, wrong[i].cause))
			fail_msg("row %zu: \"%s\" is not \"%s\"", i, diags->list[0].cause,
				 wrong[i].cause);
		/* Untouched. */
		assert_int_equal(function->output_count + function->param_count, 0);
	}
}

static void test_not_ended(void **state)
{
	(void)state;
	assert_int_equal(describe("0\tfunction\tkernel\tx", 19, TIER_KERNEL), -1);
	assert_non_null(strstr(diags->list[0].cause, "end in the middle"));
}

static void test_limits(void **state)
{
	static const struct {
		const char *text;
		int count;
		const char *cause;
	} rows[] = {
		{"output\to%d\t", FAAS_OUTPUTS_MAX + 1, "more than 8 outputs"},
		{"param\tu32\tp%d\t1\t\t\t\t", FAAS_PARAMS_MAX + 1, "more than 32 parameters"},
		{"input\ti%d\t", FAAS_INPUTS_MAX + 1, "more than 8 inputs"},
	};
	char *text = malloc(65536);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < 3; i++) {
		size_t used = (size_t)sprintf(text, "0\tfunction\tuser\tx") + 1;

		for (int k = 0; k < rows[i].count; k++) {
			used += (size_t)sprintf(text + used, "%d\t", k + 1);
			used += (size_t)sprintf(text + used, rows[i].text, k) + 1;
		}
		assert_int_equal(describe(text, used, TIER_USER), -1);
		assert_non_null(strstr(diags->list[0].cause, rows[i].cause));
	}
	memset(text, 'x', 65535);
	memcpy(text, "0\toutput\t", 9);
	text[65535] = '\0';
	assert_int_equal(describe(text, 65536, TIER_USER), -1);
	assert_non_null(strstr(diags->list[0].cause, "more than 2047 bytes"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kernel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
