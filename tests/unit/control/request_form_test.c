// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Messages to the runtime: what is acted on, and what is said of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "control_client.h"
#include "userspace/control/request_form.h"

static const struct request_form forms[] = {
	{"hello", NULL, false, {0}},
	{"list", NULL, false, {"after"}},
	{"stop", NULL, true, {"drain_ms", "keep"}},
};
static const char *const readable[] = {"hello", "list", NULL};

static const struct {
	const char *message; /* P: the protocol */
	const char *op;	     /* NULL: refused */
	const char *says;    /* the refusal; of what is taken, the workflow or NULL */
	const char *const *names;
} rows[] = {
	{"{'op':'hello',P}", "hello", NULL, NULL},
	{"{P,'op':'hello'}", "hello", NULL, readable},
	{"{'op':'list','after':'x',P}", "list", NULL, readable},
	{"{'op':'stop','workflow':'gate','keep':true,P}", "stop", "gate", NULL},
	{"{'op':'stop','workflow':'gate',P}", NULL, "\"stop\" is for root", readable},
	{"{'op':'hello'}", NULL, "speaks protocol 3, the command another", NULL},
	{"{'op':'hello','protocol':1}", NULL, "speaks protocol 3", NULL},
	{"{'op':'hello','protocol':'2'}", NULL, "speaks protocol 3", NULL},
	{"{'op':'hello','protocol':2.0}", NULL, "speaks protocol 3", NULL},
	{"{'op':'helo',P}", NULL, "no operation of that name", NULL},
	{"{'op':1,P}", NULL, "no operation of that name", NULL},
	{"{P}", NULL, "no operation of that name", NULL},
	{"{'op':'hello','after':'x',P}", NULL, "\"hello\" does not take \"after\"", NULL},
	{"{'op':'hello','workflow':'x',P}", NULL, "does not take \"workflow\"", NULL},
	{"{'op':'stop',P}", NULL, "must be the name of a workflow", NULL},
	{"{'op':'stop','workflow':7,P}", NULL, "must be the name of a workflow", NULL},
	{"{'op':'stop','workflow':'../x',P}", NULL, "must be the name of a workflow", NULL},
	{"{'op':'stop','workflow':'gate\\u0000/x',P}", NULL, "must be the name of a workflow",
	 NULL},
};

/* JSON with double quotes, out of what is easier to read. */
static json_t *message_of(const char *text)
{
	char json[256] = "";
	json_t *message;
	size_t used = 0;

	for (; *text; text++)
		if (*text == '\'')
			json[used++] = '"';
		else if (*text == 'P')
			used += (size_t)snprintf(json + used, sizeof(json) - used,
						 "\"protocol\":%d", CONTROL_PROTOCOL);
		else
			json[used++] = *text;
	json[used] = '\0';
	message = json_loads(json, JSON_ALLOW_NUL, NULL);
	assert_non_null(message);
	return message;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct request_checked checked = {0};
		struct request_refusal refusal = {0};
		json_t *message = message_of(rows[i].message);
		int err = request_check(message, forms, 3, rows[i].names, &checked, &refusal);

		if (!err != !!rows[i].op)
			fail_msg("%s: %s", rows[i].message, err ? refusal.error : "taken");
		if (err && !strstr(refusal.error, rows[i].says))
			fail_msg("%s: %s", rows[i].message, refusal.error);
		if (!err)
			assert_string_equal(checked.form->name, rows[i].op);
		if (!err && rows[i].says)
			assert_string_equal(checked.workflow, rows[i].says);
		else if (!err)
			assert_null(checked.workflow);
		json_decref(message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
