// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fuse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "link.h"
#include "paths.h"
#include "process.h"

#define COMPILER_OUTPUT_BYTES 16384

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#error "this architecture has no multiarch directory here yet"
#endif

/* Run a compiler of ours; its words are the diagnostic. */
static int run_tool(const char *const argv[], char *out, size_t out_bytes, struct diags *diags)
{
	char *err = calloc(1, COMPILER_OUTPUT_BYTES), quoted[DIAG_TEXT_BYTES - 100];
	int status = err ? process_run(argv, out, out_bytes, err, COMPILER_OUTPUT_BYTES) : -ENOMEM;

	if (status == -ENOENT)
		diag_fail(diags, DIAG_PLATFORM,
			  "install clang and llvm, or load a bundle that was built elsewhere; "
			  "without "
			  "ebpf-faas-fuse, build with --linker bpf",
			  "%s is not installed", argv[0]);
	else if (status < 0)
		diag_fail(diags, DIAG_FAILED, NULL, "running %s: %s", argv[0], strerror(-status));
	else if (status) {
		diag_lines(err, quoted, sizeof(quoted));
		diag_fail(diags, DIAG_INVALID, NULL, "%s failed (%d):%s", argv[0], status, quoted);
	}
	free(err);
	return status ? -1 : 0;
}

static int compile_driver(const struct bundle *bundle, enum fuse_linker linker, const char *source,
			  const char *object, struct diags *diags)
{
	char include[FAAS_PATH_BYTES + 8], driver[FAAS_PATH_BYTES + 8];
	const char *const argv[] = {"clang",
				    "-g",
				    "-O2",
				    "-target",
				    "bpf",
				    "-mcpu=v3",
				    include,
				    driver,
				    "-I/usr/include/" MULTIARCH,
				    linker == FUSE_CALLS ? "-DDRIVER_LINKED"
							 : "-fembed-bitcode=all",
				    "-c",
				    source,
				    "-o",
				    object,
				    NULL};
	FILE *stream = fopen(source, "we");
	int failed;

	snprintf(include, sizeof(include), "-I%s", paths_include());
	snprintf(driver, sizeof(driver), "-I%s", paths_driver());
	if (stream)
		driver_write(bundle, stream);
	failed = !stream || ferror(stream);
	if (stream && fclose(stream))
		failed = 1;
	if (failed)
		return diag_fail(diags, DIAG_FAILED, "is /tmp full?", "writing %s: %s", source,
				 strerror(errno));
	return run_tool(argv, NULL, 0, diags);
}

/* Note the name that a map of a function has in the object. */
static int take_map_name(const char *instance, const char *map, const char *name,
			 struct bundle *bundle, struct diags *diags)
{
	struct bundle_function *function = NULL;
	struct bundle_map *entry = NULL;
	char identifier[FAAS_NAME_BYTES];

	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		driver_identifier(bundle->kernel[i].instance, identifier);
		if (!strcmp(identifier, instance))
			function = &bundle->kernel[i];
	}
	for (uint32_t i = 0; function && i < function->map_count; i++)
		if (!strcmp(function->maps[i].map, map))
			entry = &function->maps[i];
	if (function && !entry) { /* a map whose size is not a parameter */
		if (function->map_count == FAAS_STATE_MAPS_MAX)
			return diag_fail(diags, DIAG_INVALID, NULL,
					 "function %s has more than %d maps", function->function,
					 FAAS_STATE_MAPS_MAX);
		entry = &function->maps[function->map_count++];
		memset(entry, 0, sizeof(*entry));
		snprintf(entry->map, sizeof(entry->map), "%s", map);
	}
	if (entry)
		snprintf(entry->name, sizeof(entry->name), "%s", name);
	return 0;
}

/* The fuse tool prints "map INSTANCE MAP NAME" for each map of the result. */
static int take_map_names(char *text, struct bundle *bundle, struct diags *diags)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char instance[256], map[256], name[256];

		if (sscanf(line, "map %255s %255s %255s", instance, map, name) != 3)
			return diag_fail(diags, DIAG_FAILED, NULL, "ebpf-faas-fuse said: %s", line);
		if (take_map_name(instance, map, name, bundle, diags))
			return -1;
	}
	return 0;
}

static int link_calls(const char (*objects)[FAAS_PATH_BYTES], const char *driver,
		      const char *scratch, const char *output, struct bundle *bundle,
		      struct diags *diags)
{
	struct map_names *names = calloc(1, sizeof(*names));
	int error;

	if (!names)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	error = link_objects(objects, bundle, driver, scratch, output, names, diags);
	for (unsigned int i = 0; !error && i < names->count; i++)
		error = take_map_name(names->list[i].instance, names->list[i].map,
				      names->list[i].name, bundle, diags);
	free(names);
	return error;
}

static int link_bitcode(const char (*objects)[FAAS_PATH_BYTES], const char *driver,
			const char *output, struct bundle *bundle, struct diags *diags)
{
	char tool[FAAS_PATH_BYTES + 32], names[COMPILER_OUTPUT_BYTES];
	char inputs[FAAS_KERNEL_FUNCTIONS_MAX][FAAS_PATH_BYTES + FAAS_NAME_BYTES + 1];
	const char *argv[FAAS_KERNEL_FUNCTIONS_MAX + 5] = {tool, "-o", output, driver};

	snprintf(tool, sizeof(tool), "%s/ebpf-faas-fuse", paths_libexec());
	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		char identifier[FAAS_NAME_BYTES];

		driver_identifier(bundle->kernel[i].instance, identifier);
		snprintf(inputs[i], sizeof(inputs[i]), "%s=%s", identifier, objects[i]);
		argv[4 + i] = inputs[i];
	}
	if (run_tool(argv, names, sizeof(names), diags))
		return -1;
	return take_map_names(names, bundle, diags);
}

int fuse_object(const char (*objects)[FAAS_PATH_BYTES], enum fuse_linker linker,
		const char *scratch, const char *output, struct bundle *bundle, struct diags *diags)
{
	char source[128], driver[128];

	snprintf(source, sizeof(source), "%s/driver.bpf.c", scratch);
	snprintf(driver, sizeof(driver), "%s/driver.bpf.o", scratch);
	if (compile_driver(bundle, linker, source, driver, diags))
		return -1;
	if (linker == FUSE_CALLS)
		return link_calls(objects, driver, scratch, output, bundle, diags);
	return link_bitcode(objects, driver, output, bundle, diags);
}
