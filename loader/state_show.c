// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas state get, list: states of user functions, read while the worker goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "btf_print.h"
#include "clock.h"
#include "output.h"
#include "state_key.h"
#include "state_value.h"
#include "suggest.h"
#include "user_state.h"

#define LISTED_KEYS 1000 /* without --all */
#define NEAR_KEYS 1000	 /* that a key that is not there is compared with */

/* "KEY: {mean: 3, ...}, timer in 1.500 s". Takes @p entry. */
static void print_line(json_t *entry, const char *before, FILE *out)
{
	const json_t *timer = json_object_get(entry, "timer_ns");

	fprintf(out, "%s%s: ", before, json_string_value(json_object_get(entry, "key")));
	btf_print_line(json_object_get(entry, "value"), out);
	if (timer)
		fprintf(out, ", timer in %.3f s", (double)json_integer_value(timer) / 1e9);
	fputc('\n', out);
	json_decref(entry);
}

/* ---- get ---- */

struct search {
	const struct user_state *state;
	uint8_t key[FAAS_KEY_BYTES_MAX];
	uint32_t key_bytes;
	bool found;
	struct stateview_entry entry;
	uint64_t keys;
	char (*near)[STATE_KEY_CHARS];
};

static int visit_search(void *context, const struct stateview_entry *entry)
{
	struct search *search = context;

	if (entry->key_bytes == search->key_bytes &&
	    !memcmp(entry->key, search->key, entry->key_bytes)) {
		search->found = true;
		search->entry = *entry;
	}
	if (search->near && search->keys < NEAR_KEYS)
		state_key_print(search->state->function, entry->key, entry->key_bytes,
				search->near[search->keys]);
	search->keys++;
	return 0;
}

static int complain_key(const struct search *search, const char *key, struct diags *diags)
{
	const char *near[NEAR_KEYS], *nearest = NULL;
	size_t count = search->keys < NEAR_KEYS ? (size_t)search->keys : NEAR_KEYS;
	char advice[STATE_KEY_CHARS + 128];

	for (size_t i = 0; search->near && i < count; i++)
		near[i] = search->near[i];
	if (search->near)
		nearest = suggest_word(key, near, count);
	if (nearest)
		snprintf(advice, sizeof(advice), "did you mean %s?", nearest);
	else
		snprintf(advice, sizeof(advice), "`ebpf-faas state list %s %s` shows the keys",
			 search->state->bundle->name, search->state->function->instance);
	return diag_fail(diags, DIAG_NOT_FOUND, advice, "%s has no state for %s, of %llu keys",
			 search->state->function->instance, key, (unsigned long long)search->keys);
}

static int parse_key(const struct user_state *state, const char *text, struct search *search,
		     struct diags *diags)
{
	char why[192], parts[160], advice[256];

	if (!state_key_parse(state->function, text, search->key, &search->key_bytes, why,
			     sizeof(why)))
		return 0;
	state_key_parts(state->function, parts, sizeof(parts));
	snprintf(advice, sizeof(advice), "a key of %s is written %s", state->function->instance,
		 parts);
	return diag_fail(diags, DIAG_USAGE, advice, "%s", why);
}

static int get(const struct options *options, const struct user_state *state, struct diags *diags)
{
	const char *key = options->arguments[3];
	struct search search = {.state = state};
	json_t *entry;
	int error;

	if (parse_key(state, key, &search, diags))
		return -1;
	search.near = calloc(NEAR_KEYS, sizeof(*search.near));
	error = user_state_each(state, visit_search, &search, diags);
	if (!error && !search.found)
		error = complain_key(&search, key, diags);
	free(search.near);
	if (error)
		return -1;
	entry = user_state_entry(state, &search.entry, clock_monotonic_ns());
	if (!entry)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (!options->json) {
		print_line(entry, "", stdout);
		return 0;
	}
	state_value_write(entry, stdout);
	putchar('\n');
	json_decref(entry);
	return 0;
}

int state_get(const struct options *options, struct diags *diags)
{
	struct user_state state;
	int error;

	if (user_state_open(options->arguments[1], options->arguments[2], &state, diags))
		return -1;
	error = get(options, &state, diags);
	user_state_close(&state);
	return error;
}

/* ---- list ---- */

struct collection {
	const struct user_state *state;
	struct diags *diags;
	uint64_t keys;
	uint64_t most;
	size_t entry_bytes; /* of what is kept of an entry: key, its length, value */
	uint8_t *entries;
	size_t count, room;
};

static void pack(const struct collection *collection, const struct stateview_entry *entry,
		 uint8_t *to)
{
	memset(to, 0, FAAS_KEY_BYTES_MAX);
	memcpy(to, entry->key, entry->key_bytes);
	to[FAAS_KEY_BYTES_MAX] = (uint8_t)entry->key_bytes;
	memcpy(to + FAAS_KEY_BYTES_MAX + 1, entry->value,
	       collection->state->view.header.value_bytes);
}

static void unpack(const struct collection *collection, const uint8_t *from,
		   struct stateview_entry *ret)
{
	memcpy(ret->key, from, FAAS_KEY_BYTES_MAX);
	ret->key_bytes = from[FAAS_KEY_BYTES_MAX];
	memcpy(ret->value, from + FAAS_KEY_BYTES_MAX + 1,
	       collection->state->view.header.value_bytes);
}

static int visit_collect(void *context, const struct stateview_entry *entry)
{
	struct collection *collection = context;

	collection->keys++;
	if (collection->count == collection->most)
		return 0;
	if (collection->count == collection->room) {
		size_t room = collection->room ? 2 * collection->room : 256;
		uint8_t *entries = realloc(collection->entries, room * collection->entry_bytes);

		if (!entries)
			return diag_fail(collection->diags, DIAG_FAILED,
					 "`ebpf-faas state export` needs no memory for them",
					 "out of memory");
		collection->entries = entries;
		collection->room = room;
	}
	pack(collection, entry,
	     collection->entries + collection->count++ * collection->entry_bytes);
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, FAAS_KEY_BYTES_MAX);
}

static void begin_list(const struct options *options, const struct collection *collection,
		       FILE *out)
{
	const struct user_state *state = collection->state;
	const struct bundle_function *function = state->function;
	char parts[160];

	state_key_parts(function, parts, sizeof(parts));
	if (options->json) {
		fprintf(out,
			"{\"workflow\":\"%s\",\"generation\":%u,\"function\":\"%s\",\"library\":"
			"\"%s\",\"key\":\"%s\",\"version\":%u,\"keys\":%llu,\"keys_max\":%u,"
			"\"listed\":%zu,\"entries\":[",
			state->bundle->name, state->generation, function->instance,
			function->function, parts, function->state_version,
			(unsigned long long)collection->keys, function->state_keys,
			collection->count);
		return;
	}
	fprintf(out, "%s (%s) by %s: %llu of %u keys in use (%.1f %%), version %u\n",
		function->instance, function->function, parts, (unsigned long long)collection->keys,
		function->state_keys,
		100.0 * (double)collection->keys / (double)function->state_keys,
		function->state_version);
	if (!function->state_field_count && function->exec.argument_count)
		fprintf(out,
			"without names: the state of a program is bytes that it alone can read\n");
	else if (!function->state_field_count)
		fprintf(out,
			"without names: the function was built without debug information, or its "
			"state has more than %d members\n",
			FAAS_STATE_FIELDS_MAX);
}

static int print_list(const struct options *options, const struct collection *collection, FILE *out)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct stateview_entry entry;

	begin_list(options, collection, out);
	for (size_t i = 0; i < collection->count; i++) {
		json_t *line;

		unpack(collection, collection->entries + i * collection->entry_bytes, &entry);
		line = user_state_entry(collection->state, &entry, now_ns);
		if (!line)
			return diag_fail(collection->diags, DIAG_FAILED, NULL, "out of memory");
		if (!options->json) {
			print_line(line, "  ", out);
			continue;
		}
		fputs(i ? ",\n" : "\n", out);
		state_value_write(line, out);
		json_decref(line);
	}
	if (options->json)
		fprintf(out, "]}\n");
	else if (collection->keys > collection->count)
		fprintf(out, "  ... and %llu more: --all prints them\n",
			(unsigned long long)(collection->keys - collection->count));
	return 0;
}

int state_list(const struct options *options, struct diags *diags)
{
	struct collection collection = {.diags = diags,
					.most = options->all ? UINT64_MAX : LISTED_KEYS};
	struct user_state state;
	int error = -1;
	FILE *out;

	if (user_state_open(options->arguments[1], options->arguments[2], &state, diags))
		return -1;
	collection.state = &state;
	collection.entry_bytes = FAAS_KEY_BYTES_MAX + 1 + state.view.header.value_bytes;
	out = output_spool(diags);
	if (out && !user_state_each(&state, visit_collect, &collection, diags)) {
		if (collection.count)
			qsort(collection.entries, collection.count, collection.entry_bytes,
			      compare_keys);
		error = print_list(options, &collection, out);
		if (!error)
			error = output_spooled(out, diags);
	}
	if (out)
		fclose(out);
	free(collection.entries);
	user_state_close(&state);
	return error;
}
