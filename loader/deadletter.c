// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas deadletter: events that were put aside, listed, shown, replayed, dropped. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "bundle_names.h"
#include "command.h"
#include "dead_letters.h"
#include "deadletter_replay.h"
#include "event_check.h"
#include "output.h"

static const char *text_of(const struct dead_letter *letter, const char *key)
{
	const char *text = json_string_value(json_object_get(letter->line, key));

	return text ? text : "";
}

static json_t *hex(const void *data, size_t bytes)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * FAAS_EVENT_BYTES_MAX + 1];

	for (size_t i = 0; i < bytes; i++) {
		text[2 * i] = digits[((const uint8_t *)data)[i] >> 4];
		text[2 * i + 1] = digits[((const uint8_t *)data)[i] & 15];
	}
	return json_stringn(text, 2 * bytes);
}

/* What the courier wrote, without the event, and what is in that. */
static json_t *letter_json(const struct dead_letter *letter, bool whole)
{
	json_t *value = json_deep_copy(letter->line);
	const struct faas_event *event = &letter->data->event;
	const uint8_t *at = (const uint8_t *)event;

	json_object_del(value, "event");
	json_object_del(value, "workflow");
	if (letter->state == DEAD_LETTER_UNSURE)
		json_object_set_new(value, "replay",
				    json_string("begun, and not known to be done"));
	if (!letter->data || !event_check(event, letter->bytes))
		return value;
	json_object_set_new(value, "key", hex(at + FAAS_EVENT_KEY_OFFSET, event->key_bytes));
	json_object_set_new(value, "payload_bytes", json_integer(event->payload_bytes));
	json_object_set_new(value, "generation", json_integer(event->generation));
	if (!whole)
		return value;
	json_object_set_new(value, "trigger", json_integer(event->trigger));
	json_object_set_new(value, "event_time_ns", json_integer((json_int_t)event->time_ns));
	json_object_set_new(value, "source_port", json_integer(event->source_port));
	json_object_set_new(value, "destination_port", json_integer(event->destination_port));
	json_object_set_new(value, "interface_index", json_integer(event->interface_index));
	json_object_set_new(value, "payload",
			    hex(at + FAAS_EVENT_BYTES(event->key_bytes, event->field_count, 0u),
				event->payload_bytes));
	return value;
}

static void print_value(const char *key, const json_t *value)
{
	if (json_is_integer(value))
		printf("  %s %lld\n", key, (long long)json_integer_value(value));
	else
		printf("  %s %s\n", key, json_string_value(value) ? json_string_value(value) : "");
}

static void print_row(const struct dead_letter *letter)
{
	printf("%s  %s  %s  %s  attempts %lld%s\n", letter->id, text_of(letter, "time"),
	       text_of(letter, "function"), text_of(letter, "reason"),
	       (long long)json_integer_value(json_object_get(letter->line, "attempts")),
	       letter->state == DEAD_LETTER_UNSURE ? "  (a replay was begun)" : "");
}

static int list(const struct options *options, struct dead_letters *letters, struct diags *diags)
{
	json_t *array = json_array();
	size_t shown = 0;

	(void)diags;
	for (size_t i = 0; i < letters->count; i++) {
		if (letters->list[i].state == DEAD_LETTER_GONE)
			continue;
		shown++;
		if (options->json)
			json_array_append_new(array, letter_json(&letters->list[i], false));
		else
			print_row(&letters->list[i]);
	}
	if (options->json)
		output_json(json_pack("{s:s, s:o}", "workflow", letters->workflow, "dead_letters",
				      array));
	else
		json_decref(array);
	if (!options->json && !shown)
		printf("no dead letters\n");
	return 0;
}

/* Those that are named, or all. Calls for each; stops at the first that fails. */
static int each(const struct options *options, struct dead_letters *letters,
		int (*call)(struct dead_letters *letters, struct dead_letter *letter,
			    struct diags *diags),
		json_t *done, struct diags *diags)
{
	for (size_t i = 0; options->all && i < letters->count; i++) {
		if (letters->list[i].state != DEAD_LETTER_KEPT)
			continue;
		if (call(letters, &letters->list[i], diags))
			return -1;
		json_array_append_new(done, json_string(letters->list[i].id));
	}
	for (unsigned int i = 2; i < options->argument_count; i++) {
		struct dead_letter *letter = dead_letters_find(letters, options->arguments[i]);

		if (!letter || letter->state == DEAD_LETTER_GONE)
			return diag_fail(diags, DIAG_NOT_FOUND,
					 "`ebpf-faas deadletter list` shows those that are kept",
					 "%s has no dead letter %s", letters->workflow,
					 options->arguments[i]);
		if (call(letters, letter, diags))
			return -1;
		json_array_append_new(done, json_string(letter->id));
	}
	return 0;
}

static int show_one(struct dead_letters *letters, struct dead_letter *letter, struct diags *diags)
{
	(void)letters;
	(void)letter;
	(void)diags;
	return 0;
}

static int show(const struct options *options, struct dead_letters *letters, struct diags *diags)
{
	json_t *ids = json_array(), *array = json_array(), *id, *value, *member;
	int error = each(options, letters, show_one, ids, diags);
	const char *key;
	size_t i;

	json_array_foreach (ids, i, id) {
		if (error)
			break;
		value = letter_json(dead_letters_find(letters, json_string_value(id)), true);
		json_array_append_new(array, value);
		if (options->json)
			continue;
		json_object_foreach (value, key, member)
			print_value(key, member);
		printf("\n");
	}
	if (!error && options->json)
		output_json(json_incref(array));
	json_decref(array);
	json_decref(ids);
	return error;
}

static int drop_one(struct dead_letters *letters, struct dead_letter *letter, struct diags *diags)
{
	int error = dead_letters_note(letters, letter, DEAD_LETTER_DROPPED);

	if (!error)
		return 0;
	return diag_fail(diags, DIAG_FAILED, "is /var full?", "%s is kept: %s", letter->id,
			 strerror(-error));
}

/* Do it for each, and say for how many it was done, also when one failed. */
static int change(const struct options *options, struct dead_letters *letters,
		  int (*call)(struct dead_letters *letters, struct dead_letter *letter,
			      struct diags *diags),
		  const char *word, struct diags *diags)
{
	json_t *done = json_array();
	int error = each(options, letters, call, done, diags);

	if (error && json_array_size(done))
		diag_fail(diags, DIAG_FAILED, NULL, "%s before that: %zu", word,
			  json_array_size(done));
	else if (!error && options->json)
		output_json(json_pack("{s:s, s:O}", "workflow", letters->workflow, word, done));
	else if (!error)
		printf("%s %zu\n", word, json_array_size(done));
	json_decref(done);
	return error;
}

static int drop(const struct options *options, struct dead_letters *letters, struct diags *diags)
{
	return change(options, letters, drop_one, "dropped", diags);
}

static int replay(const struct options *options, struct dead_letters *letters, struct diags *diags)
{
	if (deadletter_finish(letters, diags))
		return -1;
	return change(options, letters, deadletter_replay, "replayed", diags);
}

static const struct {
	const char *word;
	int (*run)(const struct options *options, struct dead_letters *letters,
		   struct diags *diags);
	bool of_some; /* needs ids, or --all */
} words[] = {
	{"list", list, false},
	{"show", show, true},
	{"replay", replay, true},
	{"drop", drop, true},
};

int verb_deadletter(const struct options *options, struct diags *diags)
{
	const char *workflow = options->arguments[1];
	struct dead_letters letters;
	int error;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		bool some = options->argument_count > 2;

		if (strcmp(words[i].word, options->arguments[0]))
			continue;
		if (words[i].of_some ? some == options->all : some || options->all) {
			diag_fail(diags, DIAG_USAGE, "`ebpf-faas help deadletter` shows how",
				  words[i].of_some ? "%s: name dead letters by id, or give --all"
						   : "%s takes a workflow, and no more",
				  words[i].word);
			return DIAG_USAGE;
		}
		if (!bundle_name_valid(workflow)) {
			diag_fail(diags, DIAG_NOT_FOUND, NULL, "%s is no name of a workflow",
				  workflow);
			return DIAG_FAILED;
		}
		if (dead_letters_open(workflow, &letters, diags))
			return DIAG_FAILED;
		error = words[i].run(options, &letters, diags);
		dead_letters_close(&letters);
		return error ? DIAG_FAILED : 0;
	}
	diag_fail(diags, DIAG_USAGE, "write list, show, replay or drop",
		  "deadletter %s is not known", options->arguments[0]);
	return DIAG_USAGE;
}
