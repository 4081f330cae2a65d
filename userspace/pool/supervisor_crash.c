// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_crash.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include <ebpf_faas/limits.h>

#include "clock.h"

/* Text that somebody else wrote, as far as it is text. */
static json_t *some_text(const char *text)
{
	char clean[CHILDLOG_LINE_BYTES * 2 + 1];
	size_t used = 0;

	for (; *text && used < sizeof(clean) - 1; text++)
		clean[used++] = (char)(*text >= ' ' && *text <= '~' ? *text : '?');
	return json_stringn(clean, used);
}

static json_t *last_lines(const struct childlog *output)
{
	json_t *list = json_array();
	uint32_t count =
		output->total < CHILDLOG_LAST_LINES ? (uint32_t)output->total : CHILDLOG_LAST_LINES;

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list,
				      some_text(output->text->last[(output->total - count + i) %
								   CHILDLOG_LAST_LINES]));
	return list;
}

static char *print(const struct supervisor_crash *crash)
{
	json_t *value = json_pack(
		"{s:I, s:I, s:I, s:i, s:i, s:i, s:o, s:o, s:o}", "time_ns",
		(json_int_t)clock_ns(CLOCK_REALTIME), "generation", (json_int_t)crash->generation,
		"incarnation", (json_int_t)crash->incarnation, "pid", crash->pid, "signal",
		crash->signal, "status", crash->status, "reason", some_text(crash->reason),
		"frames", some_text(crash->frames), "log", last_lines(crash->output));
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	json_decref(value);
	return text;
}

/* The lines of the file but the oldest, if they are too many. */
static void copy_last(FILE *from, FILE *to)
{
	char *lines[SUPERVISOR_CRASHES_MAX - 1] = {NULL};
	size_t room = 0, count = 0;
	char *line = NULL;

	while (getline(&line, &room, from) > 0) {
		size_t at = count++ % (SUPERVISOR_CRASHES_MAX - 1);

		free(lines[at]);
		lines[at] = line;
		line = NULL;
		room = 0;
	}
	free(line);
	for (size_t i = 0; i < SUPERVISOR_CRASHES_MAX - 1; i++) {
		char *each = lines[(count + i) % (SUPERVISOR_CRASHES_MAX - 1)];

		if (each)
			(void)fputs(each, to);
		free(each);
	}
}

int supervisor_crash_keep(const char *root, const struct supervisor_crash *crash)
{
	char path[FAAS_PATH_BYTES], new_path[FAAS_PATH_BYTES + 8];
	char *text = print(crash);
	FILE *from, *to = NULL;
	int err = -ENOMEM;

	if (text) {
		snprintf(path, sizeof(path), "%s/%s/" SUPERVISOR_CRASHES, root, crash->workflow);
		snprintf(new_path, sizeof(new_path), "%s.new", path);
		to = fopen(new_path, "we");
		err = to ? 0 : -errno;
	}
	if (to) {
		from = fopen(path, "re");
		if (from) {
			copy_last(from, to);
			(void)fclose(from);
		}
		(void)fprintf(to, "%s\n", text);
		if (fclose(to) || rename(new_path, path))
			err = -errno;
	}
	free(text);
	return err;
}
