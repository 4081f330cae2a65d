// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas diff: what an update would change, or what the last one changed; and which
 * state it keeps.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <jansson.h>

#include "bundle_diff.h"
#include "command.h"
#include "generation.h"
#include "host.h"
#include "kernel_object.h"
#include "output.h"
#include "source.h"
#include "takeover.h"

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_t *state_item(const char *instance, const char *state, bool kept,
			  const char *difference)
{
	return json_pack("{s:s, s:s, s:b, s:s*}", "instance", instance, "state", state, "kept",
			 kept, "difference", kept ? NULL : difference);
}

/* State that what runs has. */
static json_t *state_list(const struct bundle *from, uint32_t generation, const struct source *to,
			  struct diags *diags)
{
	struct takeover *takeover = calloc(1, sizeof(*takeover));
	struct bpf_object *object = NULL;
	json_t *list = json_array();
	bool kept;

	if (!takeover || kernel_object_open(to->bundle, to->directory, &object, diags))
		goto cleanup;
	takeover->from = from;
	takeover->generation = generation;
	if (takeover_look(takeover, to->bundle, object, diags))
		goto cleanup;
	takeover_look_at_user(takeover, to->bundle);
	for (uint32_t i = 0; i < takeover->item_count; i++) {
		const struct takeover_item *item = &takeover->items[i];

		if (item->kind == TAKEOVER_NEW)
			continue;
		kept = item->kind == TAKEOVER_KEPT || item->kind == TAKEOVER_MIGRATED;
		json_array_append_new(list,
				      state_item(item->instance, item->state, kept,
						 item->kind == TAKEOVER_GONE ? "it is removed"
									     : item->difference));
	}
cleanup:
	bpf_object__close(object);
	free(takeover);
	return list;
}

static void print_text(const struct bundle *from, const struct bundle *to, json_t *changes,
		       json_t *state)
{
	json_t *item;
	size_t i;

	printf("%s: version \"%s\" -> \"%s\"\n", to->name, from->version, to->version);
	json_array_foreach (changes, i, item) {
		const char *there = text_of(item, "there"), *here = text_of(item, "here");

		if (!there)
			printf("+ %s: %s\n", text_of(item, "path"), here);
		else if (!here)
			printf("- %s: %s\n", text_of(item, "path"), there);
		else
			printf("  %s: %s -> %s\n", text_of(item, "path"), there, here);
	}
	if (!json_array_size(changes))
		printf("no difference\n");
	json_array_foreach (state, i, item)
		printf("state of %s (%s): %s%s\n", text_of(item, "instance"),
		       text_of(item, "state"),
		       json_is_true(json_object_get(item, "kept")) ? "kept" : "not kept: ",
		       text_of(item, "difference") ? text_of(item, "difference") : "");
}

/* What runs against @p to; without it the version before against what runs. */
static int compare(const struct options *options, const struct source *to, struct diags *diags)
{
	const char *name = options->arguments[0];
	struct bundle *from = calloc(1, sizeof(*from)), *running = calloc(1, sizeof(*running));
	json_t *changes = NULL, *state = NULL;
	uint32_t slot = 0, generation, before;
	struct host host;
	int error = -1;

	if (!host_open(&host, HOST_READ, diags)) {
		slot = host_find(&host, name);
		if (!slot)
			diag_fail(diags, DIAG_NOT_FOUND, "`ebpf-faas list` shows those that are",
				  "workflow %s is not loaded", name);
	}
	if (!slot || !from || !running)
		goto cleanup;
	generation = host.registry[slot].generation;
	before = generation_stored_before(name, generation);
	if (to) {
		error = generation_bundle(name, generation, from, diags);
		if (!error)
			state = state_list(from, generation, to, diags);
	} else if (!before) {
		diag_fail(diags, DIAG_FAILED, "name a FILE or BUNDLE to compare with",
			  "there is no version of workflow %s before generation %u", name,
			  generation);
	} else {
		error = generation_bundle(name, before, from, diags);
		if (!error)
			error = generation_bundle(name, generation, running, diags);
	}
	if (error || diags->count)
		goto cleanup;
	changes = bundle_diff(from, to ? to->bundle : running);
	if (options->json)
		output_json(json_pack("{s:s, s:O, s:O*}", "workflow", name, "changes", changes,
				      "state", state));
	else
		print_text(from, to ? to->bundle : running, changes, state);
cleanup:
	host_close(&host);
	json_decref(changes);
	json_decref(state);
	free(running);
	free(from);
	return error || diags->count ? DIAG_FAILED : 0;
}

int verb_diff(const struct options *options, struct diags *diags)
{
	struct source source = {0};
	int error;

	if (options->argument_count == 1)
		return compare(options, NULL, diags);
	error = source_open(options, options->arguments[1], &source, diags) ? DIAG_FAILED : 0;
	if (!error && strcmp(source.bundle->name, options->arguments[0]))
		error = diag_fail(diags, DIAG_FAILED, NULL, "%s is of workflow %s, not %s",
				  options->arguments[1], source.bundle->name,
				  options->arguments[0]);
	if (!error)
		error = compare(options, &source, diags);
	source_close(&source);
	return error ? DIAG_FAILED : 0;
}
