// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/control/request_form.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bundle_names.h"
#include "control_client.h"

#define KEYS (sizeof(((struct request_form *)0)->keys) / sizeof(const char *))

static int __attribute__((format(printf, 3, 4)))
refuse(struct request_refusal *refusal, const char *advice, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(refusal->error, sizeof(refusal->error), format, arguments);
	va_end(arguments);
	refusal->advice = advice;
	return -EINVAL;
}

/* Both sides change together, but not at one moment: a runtime may be older or newer than
 * the command. */
static int check_protocol(const json_t *message, struct request_refusal *refusal)
{
	const json_t *protocol = json_object_get(message, "protocol");

	if (json_integer_value(protocol) == CONTROL_PROTOCOL)
		return 0;
	return refuse(refusal,
		      "end it with `kill PID`, what is in the kernel goes on; then `ebpf-faas gc` "
		      "starts the installed one, which takes over",
		      "the runtime that runs, pid %d, is version %s and speaks protocol %d, the "
		      "command another",
		      getpid(), FAAS_VERSION, CONTROL_PROTOCOL);
}

static bool is_among(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

static const struct request_form *find(const struct request_form *forms, size_t count,
				       const char *name)
{
	for (size_t i = 0; name && i < count; i++)
		if (!strcmp(forms[i].name, name))
			return &forms[i];
	return NULL;
}

static bool allows(const struct request_form *form, const char *key)
{
	if (!strcmp(key, "op") || !strcmp(key, "protocol"))
		return true;
	if (!strcmp(key, "workflow"))
		return form->about_workflow;
	for (size_t i = 0; i < KEYS && form->keys[i]; i++)
		if (!strcmp(form->keys[i], key))
			return true;
	return false;
}

int request_check(const json_t *message, const struct request_form *forms, size_t count,
		  const char *const *names, struct request_checked *ret,
		  struct request_refusal *ret_refusal)
{
	const json_t *name = json_object_get(message, "workflow");
	struct request_checked checked = {0};
	const char *key;
	json_t *value;
	int err;

	err = check_protocol(message, ret_refusal);
	if (err)
		return err;
	checked.form = find(forms, count, json_string_value(json_object_get(message, "op")));
	if (!checked.form)
		return refuse(ret_refusal, NULL, "there is no operation of that name");
	if (names && !is_among(names, checked.form->name))
		return refuse(ret_refusal, "ask as root", "\"%s\" is for root", checked.form->name);
	json_object_foreach ((json_t *)message, key, value)
		if (!allows(checked.form, key))
			return refuse(ret_refusal, NULL, "\"%s\" does not take \"%.64s\"",
				      checked.form->name, key);
	if (checked.form->about_workflow) {
		checked.workflow = json_string_value(name);
		/* It becomes part of paths. */
		if (!checked.workflow || strlen(checked.workflow) != json_string_length(name) ||
		    !bundle_name_valid(checked.workflow))
			return refuse(ret_refusal, NULL,
				      "\"workflow\" must be the name of a workflow");
	}
	*ret = checked;
	return 0;
}
