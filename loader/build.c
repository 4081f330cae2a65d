// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas build, and what load does with a YAML file. */
#include "build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <jansson.h>

#include "driver.h"
#include "files.h"
#include "host.h"
#include "kernel_object.h"
#include "output.h"
#include "paths.h"
#include "process.h"
#include "workflow.h"

#define COMPILER_OUTPUT_BYTES 16384

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#error "this architecture has no multiarch directory here yet"
#endif

int build_scratch_make(struct build_scratch *ret, struct diags *diags)
{
	*ret = (struct build_scratch){.path = "/tmp/ebpf-faas-build-XXXXXX"};
	if (!mkdtemp(ret->path))
		return diag_fail(diags, DIAG_FAILED, "is /tmp full or read-only?", "%s: %s",
				 ret->path, strerror(errno));
	return 0;
}

void build_scratch_remove(const struct build_scratch *scratch)
{
	if (scratch->path[0])
		host_remove_tree(scratch->path);
}

/* Run a compiler of ours; its words are the diagnostic. */
static int run_tool(const char *const argv[], char *out, size_t out_bytes, struct diags *diags)
{
	char *err = calloc(1, COMPILER_OUTPUT_BYTES), quoted[DIAG_TEXT_BYTES - 100];
	int status = err ? process_run(argv, out, out_bytes, err, COMPILER_OUTPUT_BYTES) : -ENOMEM;

	if (status == -ENOENT)
		diag_fail(diags, DIAG_PLATFORM,
			  "install clang and llvm, or load a bundle that was built elsewhere",
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

static int compile_driver(const struct bundle *bundle, const char *source, const char *object,
			  struct diags *diags)
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
				    "-fembed-bitcode=all",
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

/* The fuse tool prints "map INSTANCE MAP NAME" for each map of the result. */
static int take_map_names(char *text, struct bundle *bundle, struct diags *diags)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char instance[256], map[256], name[256], identifier[FAAS_NAME_BYTES];
		struct bundle_function *function = NULL;
		struct bundle_map *entry = NULL;

		if (sscanf(line, "map %255s %255s %255s", instance, map, name) != 3)
			return diag_fail(diags, DIAG_FAILED, NULL, "ebpf-faas-fuse said: %s", line);
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
						 "function %s has more than %d maps",
						 function->function, FAAS_STATE_MAPS_MAX);
			entry = &function->maps[function->map_count++];
			memset(entry, 0, sizeof(*entry));
			snprintf(entry->map, sizeof(entry->map), "%s", map);
		}
		if (entry)
			snprintf(entry->name, sizeof(entry->name), "%s", name);
	}
	return 0;
}

static int fuse(const struct workflow *workflow, struct bundle *bundle, const char *driver,
		const char *output, struct diags *diags)
{
	char tool[FAAS_PATH_BYTES + 32], names[COMPILER_OUTPUT_BYTES];
	char inputs[FAAS_KERNEL_FUNCTIONS_MAX][FAAS_PATH_BYTES + FAAS_NAME_BYTES + 1];
	const char *argv[FAAS_KERNEL_FUNCTIONS_MAX + 5] = {tool, "-o", output, driver};

	snprintf(tool, sizeof(tool), "%s/ebpf-faas-fuse", paths_libexec());
	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		char identifier[FAAS_NAME_BYTES];

		driver_identifier(bundle->kernel[i].instance, identifier);
		snprintf(inputs[i], sizeof(inputs[i]), "%s=%s", identifier,
			 workflow->kernel_objects[i]);
		argv[4 + i] = inputs[i];
	}
	if (run_tool(argv, names, sizeof(names), diags))
		return -1;
	return take_map_names(names, bundle, diags);
}

static int copy_file(const char *from, const char *to, struct diags *diags)
{
	int error = files_copy(from, to);

	if (error)
		return diag_fail(diags, DIAG_FAILED, "is the disk full?", "copying %s to %s: %s",
				 from, to, strerror(-error));
	return 0;
}

static int build_parts(const struct workflow *workflow, const struct build_scratch *scratch,
		       const char *directory, struct bundle *bundle, struct diags *diags)
{
	char source[128], driver[128], path[FAAS_PATH_BYTES];

	snprintf(source, sizeof(source), "%s/driver.bpf.c", scratch->path);
	snprintf(driver, sizeof(driver), "%s/driver.bpf.o", scratch->path);
	snprintf(path, sizeof(path), "%s/%s", directory, BUNDLE_KERNEL_OBJECT);
	if (compile_driver(bundle, source, driver, diags) ||
	    fuse(workflow, bundle, driver, path, diags))
		return -1;
	snprintf(path, sizeof(path), "%s/user", directory);
	if (bundle->user_count && mkdir(path, 0755))
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", path, strerror(errno));
	for (uint32_t i = 0; i < bundle->user_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, bundle->user[i].file);
		if (copy_file(workflow->user_objects[i], path, diags))
			return -1;
	}
	return bundle_seal(directory, bundle, diags);
}

int build_workflow(const char *file, const struct options *options,
		   const struct build_scratch *scratch, const char *directory, struct bundle *ret,
		   struct diags *diags)
{
	const struct workflow_options workflow_options = {.sets = options->sets,
							  .set_count = options->set_count,
							  .directories = options->directories,
							  .directory_count =
								  options->directory_count,
							  .build_directory = scratch->path};
	struct workflow *workflow = calloc(1, sizeof(*workflow));
	int error;

	if (!workflow)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	error = workflow_read(file, &workflow_options, workflow, diags);
	if (!error) {
		*ret = workflow->bundle;
		error = build_parts(workflow, scratch, directory, ret, diags);
	}
	free(workflow);
	return error;
}

static int print_built(const struct options *options, const struct bundle *bundle,
		       const char *directory)
{
	if (options->json) {
		output_json(json_pack("{s:s, s:s, s:s, s:i, s:i}", "workflow", bundle->name,
				      "version", bundle->version, "bundle", directory,
				      "kernel_functions", (int)bundle->kernel_count,
				      "user_functions", (int)bundle->user_count));
		return 0;
	}
	printf("built %s: %s (%u kernel, %u user functions)\n", bundle->name, directory,
	       bundle->kernel_count, bundle->user_count);
	return 0;
}

int verb_build(const struct options *options, struct diags *diags)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	struct build_scratch scratch = {.path = ""};
	struct bpf_object *object = NULL;
	char directory[FAAS_PATH_BYTES];
	bool made = false;
	int status = DIAG_FAILED;

	if (!bundle) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		return DIAG_FAILED;
	}
	if (!options->output) {
		diag_fail(diags, DIAG_USAGE, NULL, "build needs --output DIR");
		goto cleanup;
	}
	snprintf(directory, sizeof(directory), "%s", options->output);
	if (mkdir(directory, 0755)) {
		diag_fail(diags, DIAG_FAILED,
			  errno == EEXIST ? "name a directory that does not exist yet" : NULL,
			  "%s: %s", directory, strerror(errno));
		goto cleanup;
	}
	made = true;
	if (build_scratch_make(&scratch, diags) ||
	    build_workflow(options->arguments[0], options, &scratch, directory, bundle, diags))
		goto cleanup;
	/* A bundle that the verifier refuses is refused here, where the source
	 * is. Without the privilege it is checked when it is loaded. */
	if (!geteuid() && kernel_object_load(NULL, bundle, directory, 1, &object, diags))
		goto cleanup;
	bpf_object__close(object);
	status = print_built(options, bundle, directory);
cleanup:
	if (status && made)
		host_remove_tree(directory);
	build_scratch_remove(&scratch);
	free(bundle);
	return status;
}
