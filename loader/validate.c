// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas validate */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <jansson.h>

#include "build.h"
#include "bundle.h"
#include "command.h"
#include "output.h"
#include "workflow.h"

static void print_valid(const struct options *options, const struct bundle *bundle)
{
	if (options->json) {
		output_json(json_pack("{s:s, s:s, s:b, s:i, s:i, s:i, s:i, s:[]}", "workflow",
				      bundle->name, "version", bundle->version, "valid", 1,
				      "triggers", (int)bundle->trigger_count, "kernel_functions",
				      (int)bundle->kernel_count, "user_functions",
				      (int)bundle->user_count, "sinks", (int)bundle->sink_count,
				      "errors"));
		return;
	}
	printf("%s: valid: triggers %u, kernel functions %u, user functions %u, sinks %u\n",
	       bundle->name, bundle->trigger_count, bundle->kernel_count, bundle->user_count,
	       bundle->sink_count);
}

static int validate_bundle(const struct options *options, struct diags *diags)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	int err;

	if (!bundle)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (options->set_count)
		err = diag_fail(diags, DIAG_USAGE, "build the workflow's file again with it",
				"--set cannot change a bundle, which is built already");
	else
		err = bundle_open(options->arguments[0], bundle, diags);
	if (!err)
		print_valid(options, bundle);
	free(bundle);
	return err;
}

static int validate_file(const struct options *options, struct diags *diags)
{
	struct workflow *workflow = calloc(1, sizeof(*workflow));
	struct build_scratch scratch;
	int err;

	if (!workflow)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	err = build_scratch_make(&scratch, diags);
	if (!err) {
		const struct workflow_options settings = {
			.sets = options->sets,
			.set_count = options->set_count,
			.directories = options->directories,
			.directory_count = options->directory_count,
			.build_directory = scratch.path,
		};

		err = workflow_read(options->arguments[0], &settings, workflow, diags);
		build_scratch_remove(&scratch);
	}
	if (!err)
		print_valid(options, &workflow->bundle);
	free(workflow);
	return err;
}

int verb_validate(const struct options *options, struct diags *diags)
{
	struct stat status;
	int err;

	if (!stat(options->arguments[0], &status) && S_ISDIR(status.st_mode))
		err = validate_bundle(options, diags);
	else
		err = validate_file(options, diags);
	return err ? diags_exit_status(diags) : 0;
}
