// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "crash_report.h"

#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebpf_faas/pins.h>

#include "bundle.h"
#include "generation.h"
#include "paths.h"

#define CRASHES "crashes.jsonl" /* userspace/pool/supervisor_crash.h */

/* What libdw knows of an address of a file, into members of @p frame. */
static void add_source(json_t *frame, const char *path, uint64_t offset)
{
	char *debug_path = NULL;
	const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
		.debuginfo_path = &debug_path,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);
	Dwfl_Module *module = dwfl ? dwfl_report_offline(dwfl, "", path, -1) : NULL;
	const char *name, *file;
	Dwfl_Line *line;
	GElf_Addr bias;
	int number = 0;

	if (module && !dwfl_report_end(dwfl, NULL, NULL) && dwfl_module_getelf(module, &bias)) {
		name = dwfl_module_addrname(module, offset + bias);
		if (name)
			json_object_set_new(frame, "function", json_string(name));
		line = dwfl_module_getsrc(module, offset + bias);
		file = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
		if (file) {
			json_object_set_new(frame, "file", json_string(file));
			json_object_set_new(frame, "line", json_integer(number));
		}
	}
	if (dwfl)
		dwfl_end(dwfl);
}

/* One frame as the worker wrote it: "uN+OFFSET", "w+OFFSET" or "LIBRARY+OFFSET". */
static json_t *frame_json(const struct bundle *bundle, uint32_t generation, const char *text)
{
	const char *plus = strchr(text, '+');
	json_t *frame = json_pack("{s:s}", "address", text);
	char path[FAAS_PATH_BYTES + 160], *end = NULL;
	unsigned long number = 0;
	uint64_t offset;

	if (!frame || !plus)
		return frame;
	offset = strtoull(plus + 1, NULL, 16);
	if (text[0] == 'u')
		number = strtoul(text + 1, &end, 10);
	if (end == plus && bundle && number < bundle->user_count) {
		json_object_set_new(frame, "in", json_string(bundle->user[number].instance));
		snprintf(path, sizeof(path), "%s/%s/generations/%u/%s", FAAS_STATE_WORKFLOWS,
			 bundle->name, generation, bundle->user[number].file);
		add_source(frame, path, offset);
	} else if (text[0] == 'w' && plus == text + 1) {
		json_object_set_new(frame, "in", json_string("the worker"));
		snprintf(path, sizeof(path), "%s/ebpf-faas-worker", paths_libexec());
		add_source(frame, path, offset);
	} else {
		json_object_set_new(frame, "in", json_stringn(text, (size_t)(plus - text)));
	}
	return frame;
}

static json_t *frames_json(const char *workflow, uint32_t generation, const char *text)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	struct diags *diags = calloc(1, sizeof(*diags));
	json_t *list = json_array();
	char *copy = strdup(text), *rest = copy, *word;
	bool known = bundle && diags && !generation_bundle(workflow, generation, bundle, diags);

	while (copy && (word = strsep(&rest, " ")))
		if (*word)
			json_array_append_new(list,
					      frame_json(known ? bundle : NULL, generation, word));
	free(copy);
	free(diags);
	free(bundle);
	return list;
}

json_t *crash_report(const char *workflow)
{
	json_t *list = json_array(), *crash;
	char path[FAAS_PATH_BYTES], *line = NULL;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/" CRASHES, FAAS_RUN_WORKFLOWS, workflow);
	file = fopen(path, "re");
	while (file && getline(&line, &room, file) > 0) {
		crash = json_loads(line, 0, NULL);
		if (!crash)
			continue;
		json_object_set_new(
			crash, "frames",
			frames_json(
				workflow,
				(uint32_t)json_integer_value(json_object_get(crash, "generation")),
				json_string_value(json_object_get(crash, "frames"))
					? json_string_value(json_object_get(crash, "frames"))
					: ""));
		json_array_append_new(list, crash);
	}
	free(line);
	if (file)
		(void)fclose(file);
	return list;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void crash_report_print(const json_t *crashes, const char *indent)
{
	size_t count = json_array_size(crashes), i;
	const json_t *last = count ? json_array_get(crashes, count - 1) : NULL;
	json_t *item;

	if (!last)
		return;
	printf("%scrashes kept %zu, the last one: pid %lld, %s\n", indent, count,
	       (long long)json_integer_value(json_object_get(last, "pid")),
	       text_of(last, "reason"));
	json_array_foreach (json_object_get(last, "frames"), i, item) {
		/* Below the functions stands the worker itself, which says nothing. */
		if (!strcmp(text_of(item, "in"), "the worker"))
			break;
		printf("%s  in %s", indent, text_of(item, "in"));
		if (*text_of(item, "function"))
			printf(", %s", text_of(item, "function"));
		if (*text_of(item, "file"))
			printf(" at %s:%lld", text_of(item, "file"),
			       (long long)json_integer_value(json_object_get(item, "line")));
		else
			printf(" (%s)", text_of(item, "address"));
		printf("\n");
	}
	json_array_foreach (json_object_get(last, "log"), i, item)
		printf("%s  said: %s\n", indent, json_string_value(item));
}
