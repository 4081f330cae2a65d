// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas history, and what it prints. */
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include <ebpf_faas/pins.h>

#include "command.h"
#include "host.h"
#include "output.h"

static void history_path(const char *workflow, const char *suffix, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/%s/history.jsonl%s", FAAS_STATE_WORKFLOWS, workflow, suffix);
}

/* Keep the later half, from the beginning of a line on. */
static void shorten(const char *workflow, const char *path)
{
	char *text = malloc(HISTORY_BYTES_MAX), *from, spare[FAAS_PATH_BYTES];
	int in = open(path, O_RDONLY | O_CLOEXEC), out = -1;
	ssize_t bytes = 0;

	if (text && in >= 0 && lseek(in, -HISTORY_BYTES_MAX / 2, SEEK_END) > 0)
		bytes = read(in, text, HISTORY_BYTES_MAX);
	from = bytes > 0 ? memchr(text, '\n', (size_t)bytes) : NULL;
	history_path(workflow, ".new", spare, sizeof(spare));
	if (from)
		out = open(spare, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out >= 0) {
		size_t rest = (size_t)(text + bytes - (from + 1));

		if (write(out, from + 1, rest) == (ssize_t)rest && !fsync(out))
			rename(spare, path);
		else
			unlink(spare);
		close(out);
	}
	if (in >= 0)
		close(in);
	free(text);
}

void history_add(const char *workflow, const char *event, uint32_t generation, const char *version,
		 const char *reason)
{
	char path[FAAS_PATH_BYTES], now_text[32];
	time_t now = time(NULL);
	struct stat info;
	struct tm tm;
	json_t *line;
	char *text;
	int fd;

	strftime(now_text, sizeof(now_text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	line = json_pack("{s:s, s:s, s:I, s:s, s:s*}", "time", now_text, "event", event,
			 "generation", (json_int_t)generation, "version", version, "reason",
			 reason);
	text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	history_path(workflow, "", path, sizeof(path));
	if (text && !stat(path, &info) && info.st_size > HISTORY_BYTES_MAX)
		shorten(workflow, path);
	fd = text ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	if (fd >= 0) {
		dprintf(fd, "%s\n", text);
		(void)!fdatasync(fd);
		close(fd);
	}
	free(text);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static json_t *read_lines(const char *workflow)
{
	char path[FAAS_PATH_BYTES], *line = NULL;
	json_t *list = json_array(), *value;
	size_t room = 0;
	FILE *file;

	history_path(workflow, "", path, sizeof(path));
	file = fopen(path, "re");
	while (file && getline(&line, &room, file) > 0) {
		value = json_loads(line, 0, NULL);
		if (value) /* a line that a kill cut short says nothing */
			json_array_append_new(list, value);
	}
	if (file)
		fclose(file);
	free(line);
	return list;
}

/* The version of a generation stands where it came; its other events get it from there.
 * After a reboot numbers begin anew: the last one before an event is meant. */
static void name_versions(json_t *list)
{
	json_t *line, *earlier;
	size_t i;

	json_array_foreach (list, i, line)
		for (size_t k = i; k-- > 0 && !text_of(line, "version")[0];) {
			earlier = json_array_get(list, k);
			if (json_equal(json_object_get(earlier, "generation"),
				       json_object_get(line, "generation")))
				json_object_set(line, "version",
						json_object_get(earlier, "version"));
		}
}

int verb_history(const struct options *options, struct diags *diags)
{
	const char *name = options->arguments[0];
	json_t *list, *line;
	struct host host;
	uint32_t slot;
	size_t i;

	if (host_open(&host, HOST_READ, diags))
		return DIAG_FAILED;
	slot = host_find(&host, name);
	host_close(&host);
	if (!slot) {
		diag_fail(diags, DIAG_NOT_FOUND, "`ebpf-faas list` shows those that are",
			  "workflow %s is not loaded", name);
		return DIAG_NOT_FOUND;
	}
	list = read_lines(name);
	name_versions(list);
	if (options->json) {
		output_json(list);
		return 0;
	}
	json_array_foreach (list, i, line)
		printf("%s  generation %-3lld version \"%s\"  %s%s%s\n", text_of(line, "time"),
		       (long long)json_integer_value(json_object_get(line, "generation")),
		       text_of(line, "version"), text_of(line, "event"),
		       text_of(line, "reason")[0] ? ": " : "", text_of(line, "reason"));
	json_decref(list);
	return 0;
}
