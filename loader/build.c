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

#include "budget.h"
#include "files.h"
#include "host.h"
#include "kernel_object.h"
#include "output.h"
#include "paths.h"
#include "workflow.h"

int build_scratch_make(struct build_scratch *ret, struct diags *diags)
{
	/* With the number of its process: `ebpf-faas gc` removes those of dead ones. */
	snprintf(ret->path, sizeof(ret->path), "%s%d-XXXXXX", BUILD_SCRATCH_PREFIX, (int)getpid());
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

static int copy_file(const char *from, const char *to, struct diags *diags)
{
	int error = files_copy(from, to);

	if (error)
		return diag_fail(diags, DIAG_FAILED, "is the disk full?", "copying %s to %s: %s",
				 from, to, strerror(-error));
	return 0;
}

static int build_parts(const struct workflow *workflow, enum fuse_linker linker,
		       const struct build_scratch *scratch, const char *directory,
		       struct bundle *bundle, struct diags *diags)
{
	char path[FAAS_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", directory, BUNDLE_KERNEL_OBJECT);
	if (budget_build(workflow->kernel_objects, linker, scratch->path, path, bundle, diags))
		return -1;
	snprintf(path, sizeof(path), "%s/user", directory);
	if (bundle->user_count && mkdir(path, 0755))
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", path, strerror(errno));
	for (uint32_t i = 0; i < bundle->user_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, bundle->user[i].file);
		if (copy_file(workflow->user_objects[i], path, diags))
			return -1;
	}
	snprintf(path, sizeof(path), "%s/data", directory);
	if (workflow->data_count && mkdir(path, 0755))
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", path, strerror(errno));
	for (uint32_t i = 0; i < workflow->data_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, workflow->data[i].path);
		if (copy_file(workflow->data[i].source, path, diags))
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
		error = build_parts(workflow, options->link_calls ? FUSE_CALLS : FUSE_BITCODE,
				    scratch, directory, ret, diags);
	}
	free(workflow);
	return error;
}

static json_t *separate_json(const struct bundle *bundle)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		if (bundle->kernel[i].separate)
			json_array_append_new(list, json_string(bundle->kernel[i].instance));
	return list;
}

void build_print_separate(const struct bundle *bundle)
{
	const char *before = "not inlined, to keep to the limits of the kernel's verifier:";

	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		if (bundle->kernel[i].separate) {
			printf("%s %s", before, bundle->kernel[i].instance);
			before = ",";
		}
	if (before[1] == '\0')
		putchar('\n');
}

static int print_built(const struct options *options, const struct bundle *bundle,
		       const char *directory)
{
	bool checked = !geteuid();

	if (options->json) {
		output_json(json_pack("{s:s, s:s, s:s, s:i, s:i, s:b, s:o}", "workflow",
				      bundle->name, "version", bundle->version, "bundle", directory,
				      "kernel_functions", (int)bundle->kernel_count,
				      "user_functions", (int)bundle->user_count, "verified",
				      checked, "separate", separate_json(bundle)));
		return 0;
	}
	printf("built %s: %s (%u kernel, %u user functions)\n", bundle->name, directory,
	       bundle->kernel_count, bundle->user_count);
	build_print_separate(bundle);
	if (!checked)
		printf("not verified: only root may ask the kernel; load will\n");
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
