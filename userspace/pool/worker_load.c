// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shared objects: loaded from sealed memfds by /proc/self/fd/N, each a file of
 * its own, so that two instances of one function share no variables.
 */
#include "worker.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "userspace/pool/worker_exec.h"
#include "userspace/pool/worker_fds.h"

/* The address of PREFIX and NAME in the object, NULL if it has none. */
static void *find_symbol(const struct worker_function *function, const char *prefix,
			 const char *name)
{
	char symbol[2 * FAAS_IDENTIFIER_BYTES];

	(void)snprintf(symbol, sizeof(symbol), "%s%s", prefix, name);
	return dlsym(function->object, symbol);
}

static int set_param(void *variable, const struct bundle_function *description,
		     const struct bundle_param *param)
{
	switch (param->type) {
	case PARAM_U32:
	case PARAM_BOOL:
	case PARAM_CHOICE:
	case PARAM_SET:
	case PARAM_TRIGGER:
		*(unsigned int *)variable = (unsigned int)param->integer;
		return 0;
	case PARAM_U64:
	case PARAM_DURATION:
	case PARAM_BYTES:
		*(unsigned long long *)variable = (unsigned long long)param->integer;
		return 0;
	case PARAM_S64:
	case PARAM_DECIMAL:
		*(long long *)variable = param->integer;
		return 0;
	case PARAM_F64:
		*(double *)variable = param->real;
		return 0;
	case PARAM_LAYOUT:
		*(struct faas_layout *)variable = description->layout;
		return 0;
	case PARAM_FILE: /* kernel tier only */
		break;
	}
	return -1;
}

static int set_variables(struct worker *worker, const struct worker_function *function,
			 const struct bundle_function *description)
{
	const char *instance = description->instance;

	for (uint32_t i = 0; i < description->param_count; i++) {
		const struct bundle_param *param = &description->params[i];
		void *variable = find_symbol(function, "faas_param_", param->name);

		if (!variable || set_param(variable, description, param))
			return worker_fail(worker, WORKER_EXIT_LOAD, "%s has no parameter %s",
					   instance, param->name);
	}
	for (uint32_t i = 0; i < description->output_count; i++) {
		unsigned int *number =
			find_symbol(function, "faas_output_", description->outputs[i].name);

		if (!number)
			return worker_fail(worker, WORKER_EXIT_LOAD, "%s has no output %s",
					   instance, description->outputs[i].name);
		*number = i;
	}
	for (uint32_t i = 0; i < description->verdict_count; i++) {
		unsigned int *number =
			find_symbol(function, "faas_verdict_id_", description->verdicts[i].name);

		if (!number)
			return worker_fail(worker, WORKER_EXIT_LOAD, "%s has no verdict %s",
					   instance, description->verdicts[i].name);
		*number = i;
	}
	for (uint32_t i = 0; i < description->input_count; i++) {
		unsigned int *number = find_symbol(function, "faas_input_", description->inputs[i]);

		if (!number)
			return worker_fail(worker, WORKER_EXIT_LOAD, "%s has no input %s", instance,
					   description->inputs[i]);
		*number = i;
	}
	return 0;
}

/* What the object declares must be what the manifest was made from: the state's
 * size is how much the function writes. */
static int check_state(struct worker *worker, const struct worker_function *function,
		       const struct bundle_function *description)
{
	const uint32_t *bytes = dlsym(function->object, "faas_state_bytes");
	const uint32_t *version = dlsym(function->object, "faas_state_version");

	if (!description->has_state)
		return 0;
	if (!bytes || !version || *bytes != description->state_bytes ||
	    *version != description->state_version)
		return worker_fail(worker, WORKER_EXIT_LOAD,
				   "%s: its state is not what the manifest says",
				   description->instance);
	return 0;
}

static void set_outputs(struct worker_function *function, const struct bundle_function *description)
{
	function->output_count = (uint8_t)description->output_count;
	for (uint32_t i = 0; i < description->output_count; i++) {
		const struct bundle_output *from = &description->outputs[i];
		struct worker_output *output = &function->outputs[i];

		output->origin = (uint16_t)from->origin;
		output->field_count = (uint8_t)from->field_count;
		for (uint32_t f = 0; f < from->field_count; f++)
			output->types[f] = (uint8_t)from->fields[f].type;
		for (uint32_t t = 0; t < from->target_count; t++) {
			const struct bundle_target *target = &from->targets[t];

			if (target->kind == TARGET_SINK)
				output->sinks |= 1u << target->index;
			else if (target->kind == TARGET_USER)
				output->users[output->user_count++] = (uint8_t)target->index;
		}
		function->leads_on |= output->user_count != 0;
	}
}

/* The entry whose events have the function's key: sinks print the key of a timer
 * by it. */
static uint16_t timer_entry(const struct bundle *bundle, const struct bundle_function *description)
{
	for (uint32_t i = 0; i < bundle->entry_count; i++) {
		const struct bundle_entry *entry = &bundle->entries[i];

		if (entry->key_count == description->key_count &&
		    !memcmp(entry->key, description->key,
			    description->key_count * sizeof(description->key[0])))
			return (uint16_t)i;
	}
	return FAAS_ENTRY_NONE;
}

/* Whose the cause is stands before it in words; the path is of no use to anyone. */
static const char *cause_of(const char *path, const char *error)
{
	size_t chars = strlen(path);

	if (!error)
		return "the dynamic linker does not say why";
	if (strncmp(error, path, chars) || error[chars] != ':')
		return error;
	return error + chars + 1 + strspn(error + chars + 1, " ");
}

static int load_object(struct worker *worker, struct worker_function *function,
		       const struct bundle_function *description, int fd)
{
	char path[64];
	int err;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	function->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!function->object)
		return worker_fail(worker, WORKER_EXIT_LOAD, "%s does not load: %s",
				   description->instance, cause_of(path, dlerror()));
	/* POSIX lets a pointer to an object become one to a function here. */
	*(void **)&function->on_event = dlsym(function->object, "faas_on_event");
	*(void **)&function->on_stop = dlsym(function->object, "faas_on_stop");
	*(void **)&function->on_timer = dlsym(function->object, "faas_on_timer");
	if (description->has_batch) {
		*(void **)&function->on_batch = dlsym(function->object, "faas_on_batch");
		function->on_event = function->on_batch ? worker_on_gathered : NULL;
	}
	if (!function->on_event)
		return worker_fail(worker, WORKER_EXIT_LOAD, "%s has no faas_on_%s",
				   description->instance,
				   description->has_batch ? "batch" : "event");
	if (description->has_timer && !function->on_timer)
		return worker_fail(worker, WORKER_EXIT_LOAD, "%s has no faas_on_timer",
				   description->instance);
	function->timer_entry = timer_entry(worker->bundle, description);
	err = set_variables(worker, function, description);
	if (!err)
		err = check_state(worker, function, description);
	if (!err) {
		set_outputs(function, description);
		worker_set_inputs(worker, function, description);
	}
	return err;
}

/* A program stands in for the object. */
static int load_exec(struct worker *worker, struct worker_function *function,
		     const struct bundle_function *description, int fd)
{
	/* States are moved without it: there is no page of a worker then. */
	if (!worker->page)
		return 0;
	function->on_batch = worker_on_exec;
	function->on_event = worker_on_gathered;
	function->on_timer = worker_on_gathered;
	function->timer_entry = timer_entry(worker->bundle, description);
	set_outputs(function, description);
	return worker_exec_open(worker, function->number, fd);
}

int worker_load(struct worker *worker, const struct worker_files *files)
{
	const struct bundle *bundle = worker->bundle;

	for (uint32_t i = 0; i < bundle->user_count; i++) {
		bool is_exec = bundle->user[i].exec.argument_count != 0;
		int err = (is_exec ? load_exec : load_object)(worker, &worker->functions[i],
							      &bundle->user[i], files->object[i]);

		if (err)
			return err;
	}
	return worker_gather_open(worker) ? WORKER_EXIT_SETUP : 0;
}

int worker_init(struct worker *worker)
{
	const struct bundle *bundle = worker->bundle;

	for (uint32_t i = 0; i < bundle->user_count; i++) {
		int (*on_init)(void);
		int failed;

		if (bundle->user[i].exec.argument_count) {
			failed = worker->functions[i].exec ? worker_exec_greet(worker, i) : 0;
			if (failed)
				return failed;
			continue;
		}
		*(void **)&on_init = dlsym(worker->functions[i].object, "faas_on_init");
		failed = on_init ? on_init() : 0;
		if (failed)
			return worker_fail(
				worker, WORKER_EXIT_LOAD,
				"%s does not begin with these parameters: faas_on_init "
				"returned %d (%s); the README of %s may say which ones go "
				"together",
				bundle->user[i].instance, failed,
				failed < 0 ? strerror(-failed) : "no errno",
				bundle->user[i].function);
	}
	return 0;
}

void worker_stop(struct worker *worker)
{
	worker_log_close(worker);
	for (uint32_t i = worker->bundle->user_count; i-- > 0;)
		if (worker->functions[i].on_stop)
			worker->functions[i].on_stop();
}
