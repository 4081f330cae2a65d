// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "onlooker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebpf_faas/limits.h>
#include <ebpf_faas/pins.h>
#include <jansson.h>

#include "control_client.h"
#include "output.h"

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Takes the request. Returns-owned; NULL with a diagnostic. */
static json_t *look(json_t *request, struct diags *diags)
{
	struct diags *tries = calloc(1, sizeof(*tries));
	json_t *answer = NULL;

	if (!request || !tries) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	} else if (control_look(request, &answer, tries)) {
		const struct diag *diag = &tries->list[0];

		answer = NULL;
		diag_add(diags, diag->class, NULL, 0, 0,
			 diag->class == DIAG_PLATFORM
				 ? "run as root, or have root add you to the group ebpf-faas"
			 : !strncmp(diag->cause, "there is no runtime", 19)
				 ? "run as root: only user functions and sinks have one, and it "
				   "serves a group ebpf-faas that was there when it began"
				 : diag->advice,
			 "%s", diag->cause);
	}
	json_decref(request);
	free(tries);
	return answer;
}

/* All workflows that the runtime has, a part at a time: an answer is bounded.
 * Returns-owned; NULL with a diagnostic. */
static json_t *look_at_all(struct diags *diags)
{
	char after[FAAS_NAME_BYTES] = "";
	json_t *list = json_array();
	bool more = true;

	while (more && list) {
		json_t *answer = look(json_pack("{s:s, s:s}", "op", "list", "after", after), diags);
		json_t *part = json_object_get(answer, "workflows");
		size_t count = json_array_size(part);

		if (!answer) {
			json_decref(list);
			return NULL;
		}
		json_array_extend(list, part);
		more = count && json_is_true(json_object_get(answer, "more"));
		if (more)
			snprintf(after, sizeof(after), "%s",
				 text(json_array_get(part, count - 1), "workflow"));
		json_decref(answer);
	}
	return list;
}

int onlooker_list(const struct options *options, struct diags *diags)
{
	json_t *list = look_at_all(diags), *item;
	size_t i;

	if (!list)
		return diags_exit_status(diags);
	if (options->json) {
		output_json(list);
		return 0;
	}
	json_array_foreach (list, i, item)
		printf("%-32s %-9s slot %-4lld generation %lld\n", text(item, "workflow"),
		       text(item, "state"), number(item, "slot"), number(item, "generation"));
	json_decref(list);
	return 0;
}

static void print(const json_t *status)
{
	printf("%s  generation %lld  slot %lld\n", text(status, "workflow"),
	       number(status, "generation"), number(status, "slot"));
	printf("  events: processed %lld, dead_lettered %lld; what is in the kernel is shown to "
	       "root\n",
	       number(status, "processed"), number(status, "dead_lettered"));
	printf("  worker %s: pid %lld, uid %lld, restarts %lld, limited by %s; courier pid %lld\n",
	       text(status, "state"), number(status, "worker_pid"), number(status, "worker_uid"),
	       number(status, "restarts"), text(status, "limits"), number(status, "courier_pid"));
}

/* @p name with @p list: it may be gone meanwhile. */
static int add_status(const char *name, json_t *list, struct diags *diags)
{
	json_t *status = look(json_pack("{s:s, s:s}", "op", "status", "workflow", name), diags);

	if (!status)
		return -1;
	json_object_del(status, "ok");
	json_array_append_new(list, status);
	return 0;
}

int onlooker_status(const struct options *options, struct diags *diags)
{
	const char *only = options->argument_count ? options->arguments[0] : NULL;
	json_t *list = json_array(), *names = NULL, *item;
	int error = 0;
	size_t i;

	if (only) {
		error = add_status(only, list, diags);
	} else {
		names = look_at_all(diags);
		error = names ? 0 : -1;
		json_array_foreach (names, i, item)
			if (!error)
				error = add_status(text(item, "workflow"), list, diags);
	}
	if (!error && options->json)
		output_json(json_incref(only ? json_array_get(list, 0) : list));
	else if (!error)
		json_array_foreach (list, i, item)
			print(item);
	json_decref(names);
	json_decref(list);
	return error ? diags_exit_status(diags) : 0;
}
