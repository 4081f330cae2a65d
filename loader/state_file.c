// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "state_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle_state.h"
#include "state_key.h"
#include "state_value.h"

struct reader {
	const char *path;
	const struct user_state *state;
	struct state_file *file;
	struct diags *diags;
	unsigned int line;
	bool begun, ended;
	bool failed;
};

static int __attribute__((format(printf, 3, 4)))
complain(struct reader *reader, const char *advice, const char *format, ...)
{
	char text[320];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diag_add(reader->diags, DIAG_INVALID, reader->path, reader->line, 0, advice, "%s", text);
	reader->failed = true;
	return -1;
}

/* A text of the first line that must be what it is here. */
static void same_text(struct reader *reader, const json_t *head, const char *key, const char *here)
{
	const char *there = json_string_value(json_object_get(head, key));

	if (!there)
		complain(reader, "begin with the first line of an export",
			 "the first line has no text \"%s\"", key);
	else if (strcmp(there, here) != 0)
		complain(reader, NULL, "%s is %.120s there, %s here", key, there, here);
}

/* The first line: these are states of this function. */
static void take_head(struct reader *reader, const json_t *head)
{
	const struct bundle_function *function = reader->state->function;
	const json_t *format = json_object_get(head, STATE_FILE_FORMAT_KEY);
	json_int_t version = json_integer_value(json_object_get(head, "version"));
	json_t *fields = NULL;
	char parts[160], advice[200];

	reader->begun = true;
	if (json_integer_value(format) != STATE_FILE_FORMAT) {
		complain(reader, "begin with the first line of `ebpf-faas state export`",
			 format ? "the file is not of format %d"
				: "it does not begin as an export does (format %d)",
			 STATE_FILE_FORMAT);
		return;
	}
	state_key_parts(function, parts, sizeof(parts));
	same_text(reader, head, "library", function->function);
	same_text(reader, head, "key", parts);
	if (version != function->state_version) {
		snprintf(advice, sizeof(advice),
			 "import it where version %lld runs; an update to version %u then takes it "
			 "along",
			 (long long)version, function->state_version);
		complain(reader, advice, "the state is of version %lld there, %u here",
			 (long long)version, function->state_version);
		return;
	}
	fields = bundle_state_print(function);
	if (json_integer_value(json_object_get(head, "bytes")) != function->state_bytes ||
	    !json_equal(fields, json_object_get(head, "fields")))
		complain(reader, "a state that is laid out differently needs another version",
			 "the state is laid out differently there, and its version is the same");
	json_decref(fields);
}

/* Room for one more. NULL with a diagnostic. */
static struct state_file_entry *add(struct reader *reader)
{
	struct state_file *file = reader->file;

	if (file->count == file->room) {
		size_t room = file->room ? 2 * file->room : 1024;
		uint8_t *entries = realloc(file->entries, room * file->entry_bytes);

		if (!entries) {
			complain(reader, NULL, "out of memory");
			return NULL;
		}
		file->entries = entries;
		file->room = room;
	}
	return (void *)(file->entries + file->count++ * file->entry_bytes);
}

static void take_entry(struct reader *reader, const json_t *line)
{
	const struct bundle_function *function = reader->state->function;
	const char *key = json_string_value(json_object_get(line, "key"));
	const json_t *value = json_object_get(line, "value");
	const json_t *timer = json_object_get(line, "timer_ns");
	struct state_file_entry *entry;
	char why[256], parts[160];

	if (!key || !value || json_object_size(line) != (timer ? 3u : 2u)) {
		complain(reader,
			 "write {\"key\": ..., \"value\": ...}, and \"timer_ns\" if need be",
			 "a line has a \"key\", which is a text, a \"value\", and nothing else");
		return;
	}
	entry = add(reader);
	if (!entry)
		return;
	memset(entry, 0, reader->file->entry_bytes);
	entry->line = reader->line;
	if (state_key_parse(function, key, entry->key, &entry->key_bytes, why, sizeof(why))) {
		state_key_parts(function, parts, sizeof(parts));
		complain(reader, NULL, "key: %s; it is written %s", why, parts);
	}
	if (state_value_parse(function, value, (uint8_t *)(entry + 1), why, sizeof(why)))
		complain(reader, NULL, "%s", why);
	if (!timer)
		return;
	if (!function->has_timer)
		complain(reader, "remove \"timer_ns\"", "%s has no timers", function->function);
	else if (!json_is_integer(timer) || json_integer_value(timer) < 0)
		complain(reader, NULL, "timer_ns is not a number of nanoseconds");
	else
		/* One that was due is due at once. */
		entry->timer_ns = (uint64_t)json_integer_value(timer) + 1;
}

static void take_line(struct reader *reader, const char *text, size_t bytes)
{
	json_error_t error;
	json_t *line = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
	const json_t *end = json_object_get(line, STATE_FILE_END_KEY);

	if (!json_is_object(line)) {
		complain(reader, NULL, "no JSON object: %s",
			 line ? "it is something else" : error.text);
	} else if (!reader->begun) {
		take_head(reader, line);
	} else if (reader->ended) {
		complain(reader, NULL, "a line behind the end");
	} else if (end && json_object_size(line) == 1) {
		reader->ended = true;
		if ((size_t)json_integer_value(end) != reader->file->count)
			complain(reader, "is a part of the file missing?",
				 "the file has %zu keys, and says that it has %lld",
				 reader->file->count, (long long)json_integer_value(end));
	} else {
		take_entry(reader, line);
	}
	json_decref(line);
}

static int compare_entries(const void *a, const void *b)
{
	const struct state_file_entry *left = a, *right = b;
	int order = memcmp(left->key, right->key, sizeof(left->key));

	return order ? order : (left->line > right->line) - (left->line < right->line);
}

static struct state_file_entry *entry_at(const struct state_file *file, size_t index)
{
	return (void *)(file->entries + index * file->entry_bytes);
}

/* Sorted, equal keys stand together. */
static void refuse_repeated(struct reader *reader)
{
	const struct state_file *file = reader->file;
	char key[STATE_KEY_CHARS];

	for (size_t i = 1; i < file->count; i++) {
		const struct state_file_entry *before = entry_at(file, i - 1);
		const struct state_file_entry *entry = entry_at(file, i);

		if (memcmp(before->key, entry->key, sizeof(entry->key)) != 0)
			continue;
		reader->line = entry->line;
		state_key_print(reader->state->function, entry->key, entry->key_bytes, key);
		complain(reader, "remove one of the lines", "the key %s stands in line %u as well",
			 key, before->line);
	}
}

/* All lines of the stream. What is wrong is said, with its line. */
static void read_lines(struct reader *reader, FILE *stream)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t bytes;

	while (!reader->diags->dropped && (reader->begun || !reader->failed) &&
	       (bytes = getline(&text, &room, stream)) >= 0) {
		reader->line++;
		if (bytes > STATE_FILE_LINE_BYTES_MAX) {
			complain(reader, NULL, "a line of more than %d bytes",
				 STATE_FILE_LINE_BYTES_MAX);
			break;
		}
		take_line(reader, text, (size_t)bytes);
		/* Of another function: its lines say nothing. */
		if (reader->line == 1 && reader->failed)
			break;
	}
	if (ferror(stream))
		complain(reader, NULL, "%s", strerror(errno));
	else if (!reader->failed && !reader->ended)
		complain(reader, "is a part of the file missing?",
			 "it ends without saying how many keys it has");
	free(text);
}

int state_file_read(const char *path, const struct user_state *state, struct state_file *ret,
		    struct diags *diags)
{
	bool standard = !strcmp(path, "-");
	struct state_file file = {.entry_bytes = sizeof(struct state_file_entry) +
						 FAAS_ALIGN8(state->function->state_bytes)};
	struct reader reader = {.path = standard ? "standard input" : path,
				.state = state,
				.file = &file,
				.diags = diags};
	FILE *stream = standard ? stdin : fopen(path, "re");

	if (!stream)
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", path, strerror(errno));
	read_lines(&reader, stream);
	if (!standard)
		fclose(stream);
	if (!reader.failed && file.count) {
		qsort(file.entries, file.count, file.entry_bytes, compare_entries);
		refuse_repeated(&reader);
	}
	if (reader.failed) {
		state_file_free(&file);
		return -1;
	}
	*ret = file;
	return 0;
}

void state_file_free(struct state_file *file)
{
	free(file->entries);
	*file = (struct state_file){0};
}

bool state_file_has(const struct state_file *file, const struct stateview_entry *entry)
{
	uint8_t key[FAAS_KEY_BYTES_MAX] = {0};
	size_t from = 0, to = file->count;

	memcpy(key, entry->key, entry->key_bytes);
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = memcmp(key, entry_at(file, middle)->key, sizeof(key));

		if (!order)
			return true;
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return false;
}
