// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* User functions on their own: see user_function.h. */
#include "user_function.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

int faas_emit(struct faas_call *call, unsigned int output, const struct faas_value *values,
	      unsigned int count)
{
	struct user_function_record *record;

	assert_in_range(count, 0, USER_FUNCTION_FIELDS_MAX);
	if (call->emitted == USER_FUNCTION_EMITS_MAX)
		return -ENOBUFS;
	record = &call->records[call->emitted++];
	record->output = output;
	record->field_count = count;
	if (count)
		memcpy(record->fields, values, count * sizeof(*values));
	call->output = output;
	call->field_count = count;
	memcpy(call->fields, record->fields, sizeof(call->fields));
	return 0;
}

int faas_input_f64(struct faas_call *call, unsigned int input, double *ret)
{
	assert_in_range(input, 0, USER_FUNCTION_INPUTS_MAX - 1);
	if (input == USER_FUNCTION_INPUT ? !call->has_value : !call->has_input[input])
		return -ENODATA;
	*ret = input == USER_FUNCTION_INPUT ? call->value : (double)call->inputs[input];
	return 0;
}

int faas_input_s64(struct faas_call *call, unsigned int input, int64_t *ret)
{
	assert_in_range(input, 0, USER_FUNCTION_INPUTS_MAX - 1);
	assert_int_not_equal(input, USER_FUNCTION_INPUT);
	if (!call->has_input[input])
		return -ENODATA;
	*ret = call->inputs[input];
	return 0;
}

int faas_timer(struct faas_call *call, uint64_t after_ns)
{
	call->deadline_ns = after_ns ? call->now_ns + after_ns : 0;
	return 0;
}

int faas_verdict(struct faas_call *call, unsigned int verdict, uint64_t value, uint64_t ttl_ns)
{
	call->verdicts++;
	call->verdict = verdict;
	call->verdict_value = value;
	call->verdict_ttl_ns = ttl_ns;
	return 0;
}

uint64_t faas_now(const struct faas_call *call)
{
	return call->now_ns;
}

int64_t faas_wall_offset(const struct faas_call *call)
{
	return call->wall_offset_ns;
}

void *faas_state(struct faas_call *call)
{
	return call->state;
}

void faas_log(struct faas_call *call, const char *format, ...)
{
	(void)format;
	call->lines++;
}

void *user_function_symbol(const struct user_function *function, const char *name)
{
	void *at = dlsym(function->object, name);

	if (!at)
		fail_msg("%s", dlerror());
	return at;
}

struct user_function user_function_load(const char *name)
{
	const uint32_t *state_bytes;
	struct user_function function;
	char path[512];

	snprintf(path, sizeof(path), TEST_BUILD "/funcs/%s/%s.so", name, name);
	function.object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!function.object)
		fail_msg("%s", dlerror());
	*(void **)&function.on_event = user_function_symbol(&function, "faas_on_event");
	*(void **)&function.on_timer = dlsym(function.object, "faas_on_timer");
	state_bytes = dlsym(function.object, "faas_state_bytes");
	function.state_bytes = state_bytes ? *state_bytes : 0;
	return function;
}

void user_function_close(struct user_function *function)
{
	assert_int_equal(dlclose(function->object), 0);
}
